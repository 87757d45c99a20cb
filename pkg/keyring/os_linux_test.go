package keyring

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

func TestOS(t *testing.T) { conform(t, unlockedOS(t)) }

// verdict is what a broken desktop should give: a code, and in time.
type verdict struct {
	code   creds.Code
	within time.Duration
	hint   string // part of it
}

// judge asks everything of a store that cannot serve.
func judge(t *testing.T, o *OS, want verdict) {
	t.Helper()
	_, get := timed(t, want.within, func() (creds.Secret, error) { return o.Get(t.Context(), "a") })
	_, set := timed(t, want.within, func() (creds.Secret, error) {
		return creds.Secret{}, o.Set(t.Context(), "a", creds.NewSecret("v"))
	})
	_, del := timed(t, want.within, func() (creds.Secret, error) { return creds.Secret{}, o.Delete(t.Context(), "a") })
	for op, err := range map[string]error{"Get": get, "Set": set, "Delete": del, "Check": o.Check(t.Context())} {
		if creds.CodeOf(err) != want.code {
			t.Errorf("%s = %v with code %q, want %q", op, err, creds.CodeOf(err), want.code)
		}
		if !strings.Contains(creds.HintOf(err), want.hint) {
			t.Errorf("%s: hint %q, want %q in it", op, creds.HintOf(err), want.hint)
		}
	}
}

func timed(t *testing.T, limit time.Duration, do func() (creds.Secret, error)) (creds.Secret, error) {
	t.Helper()
	start := time.Now()
	v, err := do()
	if took := time.Since(start); took > limit {
		t.Errorf("took %v, want at most %v", took, limit)
	}
	return v, err
}

const soon = time.Second // what needs milliseconds, on a busy machine

// noGoroutineStays fails if more goroutines run at the end than at the start.
func noGoroutineStays(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		if eventually(func() bool { return runtime.NumGoroutine() <= before }) {
			return
		}
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d at the start:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
	})
}

// eventually waits up to 5 s until what happens in another goroutine or
// process, and has nothing to wait on, has happened.
func eventually(happened func() bool) bool {
	for range 500 {
		if happened() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return happened()
}

func TestNoBus(t *testing.T) {
	noGoroutineStays(t)
	empty := t.TempDir()
	ran := filepath.Join(empty, "dbus-launch-ran")
	script := "#!/bin/sh\n: >" + ran + "\nsleep 100\n"
	if err := os.WriteFile(filepath.Join(empty, "dbus-launch"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", empty+":"+os.Getenv("PATH"))
	t.Setenv("XDG_RUNTIME_DIR", empty)
	for _, address := range []string{"", "autolaunch:"} {
		t.Setenv(busVariable, address)
		o := newOS(goKeyring{}, &desktop{runUser: empty, startup: startup})
		judge(t, o, verdict{creds.CodeKeyringAbsent, soon, "MFAD_KEYRING=file"})
		if err := o.Unlock(t.Context()); creds.CodeOf(err) != creds.CodeKeyringAbsent {
			t.Errorf("Unlock = %v, want code %q", err, creds.CodeKeyringAbsent)
		}
		o.system.hangUp()
		if got := os.Getenv(busVariable); got != address {
			t.Errorf("%s became %q: children would inherit it", busVariable, got)
		}
	}
	if _, err := os.Stat(ran); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("dbus-launch was run: %v", err)
	}
}

func TestStaleBusPath(t *testing.T) {
	noGoroutineStays(t)
	dir := shortFolder(t)
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as after a crash
	_ = l.Close()
	for _, address := range []string{"unix:path=" + dir + "/none", "unix:path=" + dead, "nonsense", "unix:"} {
		t.Setenv(busVariable, address)
		judge(t, NewOS(), verdict{creds.CodeKeyringAbsent, soon, "MFAD_KEYRING=file"})
	}
}

func TestBusThatNeverAnswers(t *testing.T) {
	path := filepath.Join(shortFolder(t), "mute")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // accepted by the kernel, answered by nobody
	noGoroutineStays(t)                 // and looks while the bus still hangs
	t.Setenv(busVariable, "unix:path="+path)
	o := NewOS()
	o.quick = 300 * time.Millisecond
	judge(t, o, verdict{creds.CodeKeyringTimeout, soon, "MFAD_KEYRING=file"})

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = timed(t, soon, func() (creds.Secret, error) { return creds.Secret{}, o.Unlock(ctx) })
	if creds.CodeOf(err) != creds.CodeKeyringTimeout {
		t.Errorf("Unlock = %v, want code %q", err, creds.CodeKeyringTimeout)
	}
	o.system.(*desktop).startup = 300 * time.Millisecond // a person would be given longer
	_, err = timed(t, soon, func() (creds.Secret, error) { return creds.Secret{}, o.Unlock(t.Context()) })
	if creds.CodeOf(err) != creds.CodeKeyringTimeout || !strings.Contains(creds.HintOf(err), "MFAD_KEYRING=file") {
		t.Errorf("Unlock = %v with hint %q, want code %q", err, creds.HintOf(err), creds.CodeKeyringTimeout)
	}
}

func TestBusWithoutTheService(t *testing.T) {
	newRig(t, false)
	judge(t, NewOS(), verdict{creds.CodeKeyringAbsent, soon, "MFAD_KEYRING=file"})
}

func TestServiceWithoutKeyring(t *testing.T) {
	needs(t, "gnome-keyring-daemon")
	newRig(t, true) // the bus starts the service; nobody ever logged in
	o := NewOS()
	judge(t, o, verdict{creds.CodeKeyringLocked, 2 * soon, "mfad unlock"})
	if err := o.Unlock(t.Context()); creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("Unlock without a desktop = %v, want code %q", err, creds.CodeKeyringLocked)
	}
}

func TestLockedKeyring(t *testing.T) {
	needs(t, "gnome-keyring-daemon")
	for name, password := range map[string]string{"not unlocked": "", "wrong password": "wrong"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, true)
			r.gnomeKeyring(testPassword)() // makes the keyring and ends
			r.gnomeKeyring(password)
			o := NewOS()
			judge(t, o, verdict{creds.CodeKeyringLocked, soon, "mfad unlock"})
			_, err := timed(t, 5*soon, func() (creds.Secret, error) { return creds.Secret{}, o.Unlock(t.Context()) })
			if creds.CodeOf(err) != creds.CodeKeyringLocked {
				t.Errorf("Unlock without a desktop = %v, want code %q", err, creds.CodeKeyringLocked)
			}
		})
	}
}

func TestItemsOutliveTheService(t *testing.T) {
	needs(t, "gnome-keyring-daemon")
	r := newRig(t, true)
	stop := r.gnomeKeyring(testPassword)
	o := NewOS()
	if err := o.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	stop()
	r.gnomeKeyring(testPassword)
	if got, err := o.Get(t.Context(), "a"); err != nil || got.Reveal() != "v" {
		t.Errorf("Get from a new service = %q, %v, want the value", got.Reveal(), err)
	}
}

func TestBusFoundBelowRuntimeDir(t *testing.T) {
	needs(t, "gnome-keyring-daemon")
	r := newRig(t, true)
	r.gnomeKeyring(testPassword)
	if err := os.Symlink(filepath.Join(r.home, "test-bus"), filepath.Join(r.home, "bus")); err != nil {
		t.Fatal(err)
	}
	t.Setenv(busVariable, "") // as for a daemon that cron started; XDG_RUNTIME_DIR is the rig's
	o := NewOS()
	if err := o.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Errorf("Set = %v, want nil", err)
	}
	if got, want := os.Getenv(busVariable), "unix:path="+filepath.Join(r.home, "bus"); got != want {
		t.Errorf("%s = %q, want %q: else go-keyring would look elsewhere", busVariable, got, want)
	}
}

func TestBusDiesAndComesBack(t *testing.T) {
	needs(t, "gnome-keyring-daemon")
	noGoroutineStays(t)
	r := newRig(t, true)
	r.gnomeKeyring(testPassword)
	o := NewOS()
	if err := o.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	r.killBus()
	judge(t, o, verdict{creds.CodeKeyringAbsent, soon, "MFAD_KEYRING=file"})
	if err := os.Remove(filepath.Join(r.home, "test-bus")); err != nil {
		t.Fatal(err)
	}
	r.startBus(true)
	t.Setenv(busVariable, r.address)
	r.gnomeKeyring(testPassword)
	if got, err := o.Get(t.Context(), "a"); err != nil || got.Reveal() != "v" {
		t.Errorf("Get over the new bus = %q, %v, want the value", got.Reveal(), err)
	}
}

// TestFrozenService stops the real service with SIGSTOP: the bus is well, but
// no answer comes until it goes on.
func TestFrozenService(t *testing.T) {
	needs(t, "gnome-keyring-daemon", "kill")
	o := unlockedOS(t)
	if err := o.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	noGoroutineStays(t)
	o.quick = 300 * time.Millisecond
	pid := servicePID(t)
	signalPID(t, "-STOP", pid)
	defer signalPID(t, "-CONT", pid)
	judge(t, o, verdict{creds.CodeKeyringTimeout, soon, ""})
	o.system.(*desktop).startup = o.quick
	_, err := timed(t, soon, func() (creds.Secret, error) { return creds.Secret{}, o.Unlock(t.Context()) })
	if creds.CodeOf(err) != creds.CodeKeyringTimeout || creds.HintOf(err) == "" {
		t.Errorf("Unlock = %v with hint %q, want code %q and a hint", err, creds.HintOf(err), creds.CodeKeyringTimeout)
	}
	signalPID(t, "-CONT", pid)
	o.quick = unattended
	if got, err := o.Get(t.Context(), "a"); err != nil || got.Reveal() != "v" {
		t.Errorf("Get once it goes on = %q, %v, want the value", got.Reveal(), err)
	}
}

func signalPID(t *testing.T, sig, pid string) {
	t.Helper()
	if out, err := exec.Command("kill", sig, pid).CombinedOutput(); err != nil {
		t.Fatalf("kill %s %s: %v: %s", sig, pid, err, out)
	}
}
