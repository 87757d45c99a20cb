package keyring

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const testPassword = "not-a-real-password"

// rig is a D-Bus session bus of the test's own, with a home of its own, so that
// nothing of the developer's desktop is seen or touched.
type rig struct {
	t       *testing.T
	home    string
	address string
	bus     *exec.Cmd
}

// newRig starts a bus. With startable, the bus may start the system's Secret
// Service; else it knows no service but what a test puts on it.
func newRig(t *testing.T, startable bool) *rig {
	t.Helper()
	needs(t, "dbus-daemon")
	r := &rig{t: t, home: shortFolder(t)}
	t.Setenv("HOME", r.home)
	t.Setenv("XDG_RUNTIME_DIR", r.home)
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL"} {
		t.Setenv(name, "")
	}
	for _, dir := range []string{".local/share/keyrings", ".cache"} {
		if err := os.MkdirAll(filepath.Join(r.home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r.startBus(startable)
	t.Setenv(busVariable, r.address)
	t.Cleanup(closeSharedConnection) // before the variable goes back
	return r
}

// shortFolder is a t.TempDir whose path fits into a socket's name and needs no
// escaping in a bus address.
func shortFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mfad")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// closeSharedConnection keeps godbus's connection from outliving its bus and
// meeting the next test.
func closeSharedConnection() {
	if conn, err := dbus.SessionBusPrivateNoAutoStartup(); err == nil { // else there is no bus to be connected to
		_ = conn.Close()
		if shared, err := dbus.SessionBus(); err == nil {
			_ = shared.Close()
		}
	}
}

func (r *rig) startBus(startable bool) {
	r.t.Helper()
	services := ""
	if startable {
		services = "<standard_session_servicedirs/>"
	}
	config := filepath.Join(r.home, "bus.conf")
	err := os.WriteFile(config, []byte(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=`+filepath.Join(r.home, "test-bus")+`</listen>`+services+`
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>`), 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	r.bus = exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1")
	out, err := r.bus.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.bus.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.killBus)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		r.t.Fatalf("dbus-daemon printed no address: %v", err)
	}
	r.address = strings.TrimSpace(line)
}

func (r *rig) killBus() {
	if r.bus.ProcessState == nil {
		_ = r.bus.Process.Kill()
		_ = r.bus.Wait()
	}
}

// connect gives a private connection that the test may do anything with.
func (r *rig) connect() *dbus.Conn {
	r.t.Helper()
	conn, err := dbus.Connect(r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// gnomeKeyring starts the real service and waits until it is on the bus. A
// password unlocks (and if need be makes) the login keyring; "" leaves it as it
// is. The service ends with the bus or by stop.
func (r *rig) gnomeKeyring(password string) (stop func()) {
	r.t.Helper()
	args := []string{"--foreground", "--components=secrets"}
	if password != "" {
		args = append(args, "--unlock")
	}
	cmd := exec.Command("gnome-keyring-daemon", args...)
	cmd.Stdin = strings.NewReader(password)
	conn := r.connect()
	owner := make(chan *dbus.Signal, 8)
	conn.Signal(owner)
	err := conn.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.DBus"),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secretsName))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	stop = func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	r.t.Cleanup(stop)
	limit := time.After(10 * time.Second)
	for {
		select {
		case s := <-owner:
			if s.Name == "org.freedesktop.DBus.NameOwnerChanged" && s.Body[2] != "" {
				_ = conn.Close()
				return stop
			}
		case <-limit:
			r.t.Fatal("gnome-keyring-daemon did not come up in 10 s")
		}
	}
}

func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("SKIP-REAL keyring: %s is not installed", p)
		}
	}
}

// unlockedOS is the OS keyring over the real service, unlocked.
func unlockedOS(t *testing.T) *OS {
	t.Helper()
	needs(t, "gnome-keyring-daemon")
	newRig(t, true).gnomeKeyring(testPassword)
	o := NewOS()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := o.Check(ctx); err != nil {
		t.Fatalf("Check = %v, want nil after unlocking", err)
	}
	return o
}
