package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	notificationsName = "org.freedesktop.Notifications"
	notificationsPath = dbus.ObjectPath("/org/freedesktop/Notifications")
)

// collected is longer than failures are collected for one notification: what does
// not come by then does not come.
const collected = 1500 * time.Millisecond

// notifications is a desktop's notification service that keeps what it is given.
type notifications struct {
	conn *dbus.Conn

	mu    sync.Mutex
	hangs bool
	calls int
	open  map[uint32]string
}

// wall puts a bus and a notification service where a daemon without the session's
// variables looks for them.
func (m *machine) wall() *notifications {
	m.t.Helper()
	m.bus()
	return m.wallOnBus()
}

// wallOnBus is wall where the bus is there already.
func (m *machine) wallOnBus() *notifications {
	m.t.Helper()
	n := &notifications{open: map[uint32]string{}}
	conn, err := dbus.Connect("unix:path=" + m.path("bus"))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Export(wallMethods{n}, notificationsPath, notificationsName); err != nil {
		m.t.Fatal(err)
	}
	if reply, err := conn.RequestName(notificationsName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		m.t.Fatalf("RequestName = %v, %v", reply, err)
	}
	n.conn = conn
	return n
}

// bus starts a session bus that can start no service.
func (m *machine) bus() {
	m.t.Helper()
	needs(m.t, "notifications", "dbus-daemon")
	config := m.write("bus.conf", `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=`+m.path("bus")+`</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>`, 0o600)
	m.start(m.command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1"))
}

// wallMethods are what the bus may call.
type wallMethods struct{ n *notifications }

func (w wallMethods) GetCapabilities() ([]string, *dbus.Error) {
	return []string{"body", "body-markup"}, nil
}

func (w wallMethods) Notify(_ string, id uint32, _, title, body string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	w.n.mu.Lock()
	w.n.calls++
	hangs := w.n.hangs
	if id == 0 {
		id = uint32(w.n.calls)
	}
	if !hangs {
		w.n.open[id] = title + "\n" + body
	}
	w.n.mu.Unlock()
	if hangs {
		<-w.n.conn.Context().Done()
	}
	return id, nil
}

func (w wallMethods) CloseNotification(id uint32) *dbus.Error {
	w.n.mu.Lock()
	defer w.n.mu.Unlock()
	delete(w.n.open, id)
	return nil
}

// state gives what is shown, and how often anything was.
func (n *notifications) state() (open []string, calls int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, text := range n.open {
		open = append(open, text)
	}
	return open, n.calls
}

// comesTo waits until exactly these are shown.
func (n *notifications) comesTo(t *testing.T, want ...string) {
	t.Helper()
	var open []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if open, _ = n.state(); slices.Equal(open, want) {
			return
		}
	}
	t.Errorf("shown are %q, want %q", open, want)
}

// hidden runs a program's `mfad credential-process` as one that has no terminal
// and swallows stderr. It gives the status and the time it took. The program is a
// copy of a shell's: mfad names it as it would any other.
func (m *machine) hidden(program, profile string, more ...string) (status int, took time.Duration) {
	m.t.Helper()
	path := m.path(program)
	if _, err := os.Stat(path); err != nil {
		m.asShell(program)
	}
	cmd := m.command(path, append([]string{"-c", `"$0" credential-process --profile "$@" 2>/dev/null; exit $?`, binary, profile}, more...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	begun := time.Now()
	return finish(cmd).status, time.Since(begun)
}

// newNotified gives a machine that has a key and no session. Its daemon's
// environment has nothing of the session's.
func newNotified(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.addProfile("dev", "ReadOnly")
	return m
}

// log is the daemon's.
func (m *machine) log() string {
	m.t.Helper()
	b, err := os.ReadFile(m.path(".local", "state", "mfad", "daemon.log"))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(b)
}

func TestAHiddenErrorReachesThePerson(t *testing.T) {
	t.Parallel()
	m := newNotified(t)
	n := m.wall()
	if status, _ := m.hidden("terraform", "prod", "--no-prompt"); status != 4 {
		t.Errorf("status %d, want 4", status)
	}
	time.Sleep(collected)
	if open, _ := n.state(); len(open) != 0 {
		t.Errorf("with --no-prompt %q is shown: nobody was to be bothered", open)
	}
	if status, _ := m.hidden("terraform", "prod"); status != 4 {
		t.Errorf("status %d, want 4", status)
	}
	const prod = "mfad: prod needs a code\nterraform got no credentials: a code is needed and there is nobody to ask\nrun: mfad login corp"
	n.comesTo(t, prod)
	for range 3 {
		m.hidden("terraform", "prod")
	}
	time.Sleep(collected)
	if open, calls := n.state(); calls != 1 || len(open) != 1 {
		t.Errorf("after more of the same failure %d notifications came: %q", calls, open)
	}
	m.hidden("k9s", "dev")
	n.comesTo(t, "mfad: 2 profiles need a code\nprod, dev got no credentials\nrun: mfad login corp")
	m.login()
	n.comesTo(t) // nothing
	if status, _ := m.hidden("terraform", "prod"); status != 0 {
		t.Errorf("after the login status %d", status)
	}
	m.mfad("lock")
	if status, _ := m.hidden("terraform", "prod"); status != 4 {
		t.Errorf("while locked status %d, want 4", status)
	}
	n.comesTo(t, "mfad is locked\nterraform got no credentials for prod: mfad is locked\nrun: mfad unlock")
	m.mfad("unlock")
	n.comesTo(t)
}

func TestARefusalReachesThePerson(t *testing.T) {
	t.Parallel()
	m := newNotified(t)
	n := m.wall()
	m.addProfile("gone", "NoSuchRole")
	cmd := m.command(binary, "login", "--code", "-")
	cmd.Stdin = strings.NewReader(m.code() + "\n")
	finish(cmd) // AWS refuses one of them
	if status, _ := m.hidden("k9s", "gone"); status != 5 {
		t.Errorf("status %d, want 5", status)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		open, _ := n.state()
		if len(open) == 1 {
			lines := strings.Split(open[0], "\n")
			if len(lines) != 3 || lines[0] != "mfad: AWS refuses gone" || !strings.HasPrefix(lines[1], "k9s got no credentials: ") || lines[2] == "" {
				t.Errorf("shown is %q", open[0])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("shown are %q", open)
		}
	}
}

// TestALockedKeyringReachesThePerson, and goes when it is unlocked, though the
// profile is not fresh by that.
func TestALockedKeyringReachesThePerson(t *testing.T) {
	t.Parallel()
	d := newDesktop(t, 1)
	n := d.wallOnBus()
	d.kill(syscall.SIGKILL)
	d.lockKeyring()
	if status, _ := d.hidden("terraform", "prod"); status != 4 {
		t.Errorf("status %d, want 4", status)
	}
	limit := time.Now().Add(patience)
	for open, _ := n.state(); len(open) != 1 || !strings.HasPrefix(open[0], "mfad: the keyring is locked\nterraform got no credentials for prod: "); open, _ = n.state() {
		if time.Now().After(limit) {
			t.Fatalf("shown are %q", open)
		}
		time.Sleep(20 * time.Millisecond)
	}
	d.unlockKeyring()
	d.mfad("unlock")
	n.comesTo(t)
}

// TestPromptWithoutNotificationShowsNone: the user's list of ways counts.
func TestPromptWithoutNotificationShowsNone(t *testing.T) {
	t.Parallel()
	m := newNotified(t)
	n := m.wall()
	path := m.path(".config", "mfad", "config.ini")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fails := func(prompt string) {
		t.Helper()
		m.write(filepath.Join(".config", "mfad", "config.ini"), "[defaults]\nprompt = "+prompt+"\n"+string(config), 0o600)
		m.kill(syscall.SIGKILL) // the next one starts with it
		if status, _ := m.hidden("terraform", "prod"); status != 4 {
			t.Errorf("prompt = %s: status %d, want 4", prompt, status)
		}
	}
	fails("terminal, process")
	time.Sleep(collected)
	if _, calls := n.state(); calls != 0 {
		t.Errorf("%d notifications came, want none", calls)
	}
	fails("terminal, notification")
	n.comesTo(t, "mfad: prod needs a code\nterraform got no credentials: a code is needed and there is nobody to ask\nrun: mfad login corp")
}

// TestADesktopThatHangsDelaysNothing: no answer, and not the daemon's end.
func TestADesktopThatHangsDelaysNothing(t *testing.T) {
	t.Parallel()
	m := newNotified(t)
	n := m.wall()
	n.mu.Lock()
	n.hangs = true
	n.mu.Unlock()
	m.hidden("terraform", "prod")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, calls := n.state(); calls == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the service was never called")
		}
	}
	for _, profile := range []string{"prod", "dev"} {
		if status, took := m.hidden("terraform", profile); status != 4 || took > 4*time.Second { // the desktop has 5 s
			t.Errorf("%s: status %d after %v, want 4 at once", profile, status, took)
		}
	}
	begun := time.Now()
	m.kill(syscall.SIGTERM)
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("the daemon ended after %v", took)
	}
}

// TestWithoutADesktop: a server has no bus, or a bus without notifications. It
// works the same, and nothing is said of it.
func TestWithoutADesktop(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(m *machine){
		"no bus":     func(*machine) {},
		"no service": (*machine).bus,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newNotified(t)
			prepare(m)
			before := m.log()
			for _, profile := range []string{"prod", "dev", "prod"} {
				if status, _ := m.hidden("terraform", profile); status != 4 {
					t.Errorf("%s: status %d, want 4", profile, status)
				}
				time.Sleep(collected)
			}
			if said := strings.TrimPrefix(m.log(), before); said != "" {
				t.Errorf("the daemon's log has %q", said)
			}
		})
	}
}
