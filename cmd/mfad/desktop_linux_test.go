package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

const (
	secretsName     = "org.freedesktop.secrets"
	secretsPath     = dbus.ObjectPath("/org/freedesktop/secrets")
	secretService   = "org.freedesktop.Secret.Service"
	loginCollection = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
	prompterName    = "org.gnome.keyring.SystemPrompter"
)

// patience is how long a command may take whose longest wait is 10 s.
const patience = 20 * time.Second

// desktop is a machine with a session bus and a gnome-keyring, both real.
type desktop struct {
	*machine
	address string
}

// newDesktop gives a desktop as at its login: the keyring is open.
func newDesktop(t *testing.T, lifetimeFactor int) *desktop {
	t.Helper()
	d := &desktop{machine: newMachine(t, lifetimeFactor)}
	d.useGNOMEKeyring()
	// As systemd has it: the next bus there has the same address.
	d.address = "unix:path=" + d.path("bus")
	d.env = append(d.env, "DBUS_SESSION_BUS_ADDRESS="+d.address)
	d.addAlice()
	d.addProfile("prod", "Admin")
	return d
}

// connect gives a connection that ends with the test.
func (d *desktop) connect() *dbus.Conn {
	d.t.Helper()
	conn, err := dbus.Connect(d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// call asks something on the bus.
func (d *desktop) call(name string, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	d.t.Helper()
	conn, err := dbus.Connect(d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	call := conn.Object(name, path).CallWithContext(ctx, method, 0, args...)
	if call.Err != nil {
		d.t.Fatalf("%s: %v", method, call.Err)
	}
	return call
}

// process gives the process behind a name on the bus.
func (d *desktop) process(name string) int {
	d.t.Helper()
	var pid uint32
	call := d.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.GetConnectionUnixProcessID", name)
	if err := call.Store(&pid); err != nil {
		d.t.Fatal(err)
	}
	return int(pid)
}

// isOnBus tells whether a process has a connection to the bus.
func (d *desktop) isOnBus(pid int) bool {
	d.t.Helper()
	conn := d.connect()
	defer conn.Close()
	var names []string
	if err := conn.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		d.t.Fatal(err)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		var owner uint32
		err := conn.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name).Store(&owner)
		return err == nil && int(owner) == pid // else it has just gone
	})
}

// lockKeyring is what a screen lock or a user does.
func (d *desktop) lockKeyring() {
	d.t.Helper()
	d.call(secretsName, secretsPath, secretService+".Lock", []dbus.ObjectPath{loginCollection})
	if !d.keyringLocked() {
		d.t.Fatal("the keyring does not lock")
	}
}

func (d *desktop) keyringLocked() bool {
	d.t.Helper()
	var locked dbus.Variant
	call := d.call(secretsName, loginCollection, "org.freedesktop.DBus.Properties.Get", "org.freedesktop.Secret.Collection", "Locked")
	if err := call.Store(&locked); err != nil {
		d.t.Fatal(err)
	}
	return locked.Value() == true
}

// unlockKeyring gives the real service the password, as the desktop's login
// does. Where no service runs, the bus starts one.
func (d *desktop) unlockKeyring() {
	d.t.Helper()
	conn := d.connect() // a session ends with its connection
	var none dbus.Variant
	var session dbus.ObjectPath
	service := conn.Object(secretsName, secretsPath)
	if err := service.Call(secretService+".OpenSession", 0, "plain", dbus.MakeVariant("")).Store(&none, &session); err != nil {
		d.t.Fatal(err)
	}
	password := struct {
		Session           dbus.ObjectPath
		Parameters, Value []byte
		ContentType       string
	}{session, []byte{}, []byte("not-a-real-password"), "text/plain"}
	if err := service.Call("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword", 0,
		loginCollection, password).Err; err != nil {
		d.t.Fatal(err)
	}
	if d.keyringLocked() {
		d.t.Fatal("the keyring does not unlock")
	}
}

// freeze stops the keyring's process, which stays on the bus, until thaw.
func (d *desktop) freeze() (thaw func()) {
	d.t.Helper()
	pid := d.process(secretsName)
	send := func(sig syscall.Signal) {
		d.t.Helper()
		if err := syscall.Kill(pid, sig); err != nil {
			d.t.Fatal(err)
		}
	}
	send(syscall.SIGSTOP)
	d.t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // else it would outlive its bus
	return func() { d.t.Helper(); send(syscall.SIGCONT) }
}

// killKeyring ends the service as a crash does, and waits until the bus knows.
func (d *desktop) killKeyring() {
	d.t.Helper()
	if err := syscall.Kill(d.process(secretsName), syscall.SIGKILL); err != nil {
		d.t.Fatal(err)
	}
	d.until("the bus has noticed that the keyring is gone", func() bool {
		var owned bool
		call := d.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", secretsName)
		return call.Store(&owned) == nil && !owned
	})
}

// killBus ends the session bus as a crash does.
func (d *desktop) killBus() {
	d.t.Helper()
	if err := syscall.Kill(d.process("org.freedesktop.DBus"), syscall.SIGKILL); err != nil {
		d.t.Fatal(err)
	}
	d.until("the bus is gone", func() bool {
		conn, err := dbus.Connect(d.address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

// startBus starts another bus at the same address. It may start a keyring, which
// is locked then.
func (d *desktop) startBus() {
	d.t.Helper()
	d.start(d.command("dbus-daemon", "--session", "--nofork", "--print-address=1", "--address="+d.address))
}

// until waits for what another process does.
func (d *desktop) until(what string, holds func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

// begins runs a command that may fail, but ends in bounded time.
func (d *desktop) begins(stdin string, args ...string) (*exec.Cmd, <-chan result) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Dir, cmd.Stdin = d.env, d.home, strings.NewReader(stdin)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended, over := make(chan result, 1), make(chan struct{})
	d.t.Cleanup(func() { cancel(); <-over })
	go func() {
		defer close(over)
		defer cancel()
		_ = cmd.Wait() // the status tells
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			d.t.Errorf("mfad %s: no answer in %v", strings.Join(args, " "), patience)
		}
		ended <- result{out.String(), talk.String(), cmd.ProcessState.ExitCode()}
	}()
	return cmd, ended
}

// tries is begins, and its end.
func (d *desktop) tries(stdin string, args ...string) result {
	d.t.Helper()
	_, ended := d.begins(stdin, args...)
	return <-ended
}

// refuses wants a failure as docs/errors.md has it: the exit status of one of the
// codes, and its cure as the hint.
func (d *desktop) refuses(what string, r result, codes ...creds.Code) {
	d.t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "errors.md"))
	if err != nil {
		d.t.Fatal(err)
	}
	_, hint, _ := strings.Cut(r.stderr, "hint: ")
	ok := slices.ContainsFunc(codes, func(code creds.Code) bool {
		row := regexp.MustCompile("(?m)^\\| `" + string(code) + "` \\| (.) \\| .* \\| (.*) \\|$").FindStringSubmatch(string(doc))
		if row == nil {
			d.t.Fatalf("docs/errors.md has no %s", code)
		}
		cures := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1)
		return row[1] == string(rune('0'+r.status)) && hint != "" && (cures == nil || slices.ContainsFunc(cures, func(c []string) bool { return strings.Contains(hint, c[1]) }))
	})
	if !ok {
		d.t.Errorf("%s: status %d, %q; want status and cure of %q in docs/errors.md", what, r.status, r.stderr, codes)
	}
}

// codes counts the codes that AWS was sent for a session.
func (d *desktop) codes() int { return len(d.sim.Calls("GetSessionToken")) }

// keyringStatus is the keyring's part of the status, which always answers.
func (d *desktop) keyringStatus() localapi.KeyringStatus {
	d.t.Helper()
	r := d.tries("", "status", "--json")
	var st localapi.Status
	if err := json.Unmarshal([]byte(r.stdout), &st); err != nil || r.status != 0 {
		d.t.Fatalf("mfad status: status %d, %v, %s", r.status, err, r.stderr)
	}
	return st.Daemon.Keyring
}

// serves wants credentials for a tool, at once and without a question.
func (d *desktop) serves(when string) {
	d.t.Helper()
	if r := d.tries("", "credential-process", "--profile", "prod", "--no-prompt"); r.status != 0 || !strings.Contains(r.stdout, "ASIA") {
		d.t.Errorf("%s a tool gets status %d, %s", when, r.status, r.stderr)
	}
}

// isRenewed waits until mfad has written new credentials, with nobody asking it.
func (d *desktop) isRenewed(when string) {
	d.t.Helper()
	read := func() string {
		b, err := os.ReadFile(d.path(".aws", "credentials"))
		if err != nil {
			d.t.Fatal(err)
		}
		return string(b)
	}
	before := read()
	d.until("credentials are renewed "+when, func() bool { return read() != before })
}

// receives waits for what the keyring does.
func receives[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited %v in vain for %s", patience, what)
	}
	return v
}
