package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// rig is a session bus of the test's own: nothing of the developer's desktop is
// seen or touched.
type rig struct {
	t    *testing.T
	dir  string
	kill func()
}

// newRig starts a bus at DIR/bus, as a service manager does.
func newRig(t *testing.T) *rig {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("SKIP-REAL notifications: dbus-daemon is not installed")
	}
	dir, err := os.MkdirTemp("", "mfad") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "services"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir}
	r.write("bus.conf", `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=`+filepath.Join(dir, "bus")+`</listen><servicedir>`+filepath.Join(dir, "services")+`</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>`)
	r.start()
	return r
}

func (r *rig) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o700); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) start() {
	r.t.Helper()
	bus := exec.Command("dbus-daemon", "--config-file="+filepath.Join(r.dir, "bus.conf"), "--nofork", "--print-address=1")
	out, err := bus.StdoutPipe()
	if err == nil {
		err = bus.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.kill = sync.OnceFunc(func() { _ = bus.Process.Kill(); _ = bus.Wait() })
	r.t.Cleanup(r.kill)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		r.t.Fatalf("dbus-daemon printed no address: %v", err)
	}
}

func (r *rig) connect() *dbus.Conn {
	r.t.Helper()
	conn, err := dbus.Connect("unix:path=" + filepath.Join(r.dir, "bus"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// desktop is the rig's, found the way a service finds it.
func (r *rig) desktop(limit time.Duration) *Desktop {
	d := New(func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": r.dir}[name] })
	d.limit = limit
	r.t.Cleanup(d.Close)
	return d
}

// server is a notification service that keeps what it is given.
type server struct {
	conn      *dbus.Conn
	abilities []string
	hold      chan struct{} // if set, Notify waits for it

	mu      sync.Mutex
	last    uint32
	open    map[uint32]Notification
	update  int      // of notifications that were open
	actions []string // of the last
}

// serve puts a service on the bus.
func (r *rig) serve(s *server) *server {
	r.t.Helper()
	s.conn, s.open = r.connect(), map[uint32]Notification{}
	if err := s.conn.Export(exported{s}, serverPath, serverName); err != nil {
		r.t.Fatal(err)
	}
	if reply, err := s.conn.RequestName(serverName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		r.t.Fatalf("RequestName = %v, %v", reply, err)
	}
	return s
}

func (s *server) shown() []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Notification
	for _, n := range s.open {
		all = append(all, n)
	}
	return all
}

// exported are the methods that the bus may call.
type exported struct{ s *server }

func (e exported) GetCapabilities() ([]string, *dbus.Error) {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	return e.s.abilities, nil
}

func (e exported) Notify(app string, replaces uint32, _, title, body string, actions []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	if e.s.hold != nil {
		<-e.s.hold
	}
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	e.s.actions = actions
	if app != "mfad" {
		return 0, dbus.MakeFailedError(errors.New("not as it should be"))
	}
	if _, open := e.s.open[replaces]; open {
		e.s.update++
	} else {
		e.s.last++
		replaces = e.s.last
	}
	e.s.open[replaces] = Notification{Title: title, Body: body}
	return replaces, nil
}

func (e exported) CloseNotification(id uint32) *dbus.Error {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	if _, open := e.s.open[id]; !open {
		return dbus.MakeFailedError(errors.New("no such notification"))
	}
	delete(e.s.open, id)
	return nil
}

func (s *server) updates() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update
}

// only wants one notification to be shown.
func only(t *testing.T, s *server, want Notification) {
	t.Helper()
	if got := s.shown(); len(got) != 1 || got[0] != want {
		t.Errorf("shown: %q, want only %q", got, want)
	}
}

func TestOneNotificationIsUpdatedAndTakenBack(t *testing.T) {
	r := newRig(t)
	s := r.serve(&server{abilities: []string{"body"}})
	d := r.desktop(limit)
	first, err := d.Show(t.Context(), Notification{Title: "one", Body: "a < b & c"}, ID{})
	if err != nil || first.IsZero() {
		t.Fatalf("Show = %v, %v", first, err)
	}
	only(t, s, Notification{Title: "one", Body: "a < b & c"}) // nothing is markup here
	d.Close()                                                 // another connection knows the same notification
	second, err := d.Show(t.Context(), Notification{Title: "two", Body: ""}, first)
	if err != nil || second != first || s.updates() != 1 {
		t.Errorf("the update gave %v, %v and updated %d; want %v", second, err, s.updates(), first)
	}
	only(t, s, Notification{Title: "two", Body: ""})
	for range 2 { // the second time it is gone already, as when the person closed it
		if err := d.Withdraw(t.Context(), second); err != nil {
			t.Errorf("Withdraw = %v", err)
		}
	}
	if got := s.shown(); len(got) != 0 {
		t.Errorf("after Withdraw %q is shown", got)
	}
}

func TestMarkupIsEscapedWhereItCounts(t *testing.T) {
	r := newRig(t)
	s := r.serve(&server{abilities: []string{"actions", "body", "body-markup"}})
	if _, err := r.desktop(limit).Show(t.Context(), Notification{Title: "<b>&", Body: `<a href="x">1 & 2</a>`}, ID{}); err != nil {
		t.Fatal(err)
	}
	only(t, s, Notification{Title: "<b>&", Body: `&lt;a href="x"&gt;1 &amp; 2&lt;/a&gt;`}) // a title never has markup
}

// TestANumberOfAnotherServiceIsNotTouched: after a restart the same number is
// some other program's notification.
func TestANumberOfAnotherServiceIsNotTouched(t *testing.T) {
	for name, restart := range map[string]func(r *rig, s *server){
		"service": func(_ *rig, s *server) { _ = s.conn.Close() },
		"bus":     func(r *rig, _ *server) { r.kill(); r.start() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			before := r.serve(&server{})
			d := r.desktop(limit)
			id, err := d.Show(t.Context(), Notification{Title: "before", Body: ""}, ID{})
			if err != nil {
				t.Fatal(err)
			}
			restart(r, before)
			after := r.serve(&server{})
			other, err := r.desktop(limit).Show(t.Context(), Notification{Title: "of another program", Body: ""}, ID{})
			if err != nil || other.Number != id.Number {
				t.Fatalf("the other program's is %v, %v; want the number of %v", other, err, id)
			}
			if err := d.Withdraw(t.Context(), id); err != nil {
				t.Errorf("Withdraw = %v, want nil: it went with the %s", err, name)
			}
			only(t, after, Notification{Title: "of another program", Body: ""})
			if _, err := d.Show(t.Context(), Notification{Title: "again", Body: ""}, id); err != nil {
				t.Errorf("Show after a restart of the %s = %v", name, err)
			}
			if got := after.shown(); len(got) != 2 {
				t.Errorf("shown: %q, want the other program's too", got)
			}
		})
	}
}

// TestNobodyThere: there is no bus, it is gone, it has no such service, or the
// service cannot be started.
func TestNobodyThere(t *testing.T) {
	for name, prepare := range map[string]func(r *rig){
		"no bus":     func(r *rig) { r.kill(); _ = os.Remove(filepath.Join(r.dir, "bus")) },
		"dead bus":   func(r *rig) { r.kill() },
		"no service": func(*rig) {},
		"a service that does not start": func(r *rig) {
			r.write("services/n.service", "[D-BUS Service]\nName="+serverName+"\nExec=/bin/false\n")
			r.kill()
			_ = os.Remove(filepath.Join(r.dir, "bus"))
			r.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			prepare(r)
			d := r.desktop(limit)
			if id, err := d.Show(t.Context(), Notification{Title: "x"}, ID{}); !errors.Is(err, ErrNone) || !id.IsZero() {
				t.Errorf("Show = %v, %v; want ErrNone", id, err)
			}
			if err := d.Withdraw(t.Context(), ID{"bus", ":1.1", 1}); err != nil {
				t.Errorf("Withdraw = %v, want nil", err)
			}
		})
	}
}

// TestAHangIsBounded, and the next call finds a desktop that came back.
func TestAHangIsBounded(t *testing.T) {
	within := func(t *testing.T, d *Desktop) {
		t.Helper()
		begun := time.Now()
		_, err := d.Show(t.Context(), Notification{Title: "x"}, ID{})
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > 2*time.Second {
			t.Errorf("Show = %v after %v, want a deadline after 200 ms", err, took)
		}
	}
	t.Run("service", func(t *testing.T) {
		r := newRig(t)
		s := &server{hold: make(chan struct{})}
		r.serve(s)
		d := r.desktop(200 * time.Millisecond)
		within(t, d)
		close(s.hold)
		d.limit = limit
		if _, err := d.Show(t.Context(), Notification{Title: "y"}, ID{}); err != nil {
			t.Errorf("Show once the service answers = %v", err)
		}
	})
	t.Run("start of the service", func(t *testing.T) {
		r := newRig(t)
		r.write("services/n.service", "[D-BUS Service]\nName="+serverName+"\nExec=/bin/sleep 5\n")
		r.kill()
		_ = os.Remove(filepath.Join(r.dir, "bus"))
		r.start()
		within(t, r.desktop(200*time.Millisecond))
	})
	t.Run("bus", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "mfad")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		l, err := net.Listen("unix", filepath.Join(dir, "bus")) // accepts, and never answers
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		within(t, (&rig{t: t, dir: dir}).desktop(200*time.Millisecond))
	})
}

func TestWhereTheBusIs(t *testing.T) {
	dir := t.TempDir()
	runtime, user := filepath.Join(dir, "runtime"), filepath.Join(dir, strconv.Itoa(os.Getuid()))
	for _, d := range []string{runtime, user} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "bus"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, variable, xdg, want string }{
		{"as the variable says", "unix:path=/x", runtime, "unix:path=/x"},
		{"in the runtime folder", "", runtime, "unix:path=" + runtime + "/bus"},
		{"where the variable says that nothing is known", "autolaunch:", runtime, "unix:path=" + runtime + "/bus"},
		{"nowhere, if the runtime folder has none", "", dir, ""},
		{"in the system's folder, if no other is named", "", "", "unix:path=" + user + "/bus"},
	} {
		d := New(func(name string) string {
			return map[string]string{busVariable: tt.variable, "XDG_RUNTIME_DIR": tt.xdg}[name]
		})
		d.runUser = dir
		if got := d.address(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAnswers: a button and a field, where the desktop has them, and who answers.
func TestAnswers(t *testing.T) {
	r := newRig(t)
	s := r.serve(&server{abilities: []string{"body", "actions", "inline-reply"}})
	d := r.desktop(5 * time.Second)
	id, err := d.Show(t.Context(), Notification{Title: "t", Button: "Enter code", Reply: "123456"}, ID{})
	if err != nil {
		t.Fatal(err)
	}
	actions := func() []string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.actions
	}
	if got := fmt.Sprint(actions()); got != "[default Enter code answer Enter code inline-reply 123456]" {
		t.Errorf("the actions are %s", got)
	}
	other := r.connect()
	emit := func(from *dbus.Conn, name, text string) {
		t.Helper()
		if err := from.Emit(serverPath, serverName+"."+name, id.Number, text); err != nil {
			t.Fatal(err)
		}
	}
	heard := func() Answer {
		t.Helper()
		select {
		case a := <-d.Answers():
			return a
		case <-time.After(5 * time.Second):
			t.Fatal("no answer came")
		}
		return Answer{}
	}
	emit(s.conn, "ActionInvoked", "something else")
	emit(s.conn, "ActionInvoked", "default")
	if a := heard(); a.ID != id || !a.Reply.IsZero() {
		t.Errorf("a click is %v", a)
	}
	emit(s.conn, "NotificationReplied", "654321")
	if a := heard(); a.ID != id || a.Reply.Reveal() != "654321" {
		t.Errorf("a reply is %v", a)
	}
	emit(other, "NotificationReplied", "111111")
	if a := heard(); a.ID == id {
		t.Error("another program's signal counts as the desktop's")
	}
	d.Close()
	id, err = d.Show(t.Context(), Notification{Title: "t", Button: "Enter code"}, ID{})
	if err != nil {
		t.Fatal(err)
	}
	emit(s.conn, "ActionInvoked", "answer")
	if a := heard(); a.ID != id {
		t.Errorf("after a new connection a press is %v, want it of %v", a, id)
	}
	s.mu.Lock()
	s.abilities = []string{"body"}
	s.mu.Unlock()
	if _, err := d.Show(t.Context(), Notification{Title: "t", Button: "Enter code", Reply: "123456"}, ID{}); err != nil || len(actions()) > 0 {
		t.Errorf("a desktop without buttons is given %q (%v)", actions(), err)
	}
}
