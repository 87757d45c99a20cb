package desktop

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

// rig is a system bus and a session bus of the test's own: nothing of the
// developer's desktop is seen or touched.
type rig struct {
	t          *testing.T
	dir        string
	sessionID  string
	killSystem func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("SKIP-REAL desktop: dbus-daemon is not installed")
	}
	dir, err := os.MkdirTemp("", "mfad") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &rig{t: t, dir: dir}
	r.killSystem = r.startBus("system")
	r.startBus("bus")
	return r
}

// startBus starts a bus at DIR/name.
func (r *rig) startBus(name string) (kill func()) {
	r.t.Helper()
	config := filepath.Join(r.dir, name+".conf")
	if err := os.WriteFile(config, []byte(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=`+filepath.Join(r.dir, name)+`</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>`), 0o600); err != nil {
		r.t.Fatal(err)
	}
	bus := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1")
	out, err := bus.StdoutPipe()
	if err == nil {
		err = bus.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = bus.Process.Kill()
		_ = bus.Wait()
		_ = os.Remove(filepath.Join(r.dir, name))
	})
	r.t.Cleanup(kill)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		r.t.Fatalf("dbus-daemon printed no address: %v", err)
	}
	return kill
}

func (r *rig) connect(bus string) *dbus.Conn {
	r.t.Helper()
	conn, err := dbus.Connect("unix:path=" + filepath.Join(r.dir, bus))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (r *rig) own(conn *dbus.Conn, name string) {
	r.t.Helper()
	if reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		r.t.Fatalf("RequestName(%s) = %v, %v", name, reply, err)
	}
}

// desktop is the rig's.
func (r *rig) desktop() *Desktop {
	return New(func(name string) string {
		return map[string]string{
			"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=" + filepath.Join(r.dir, "system"),
			"XDG_RUNTIME_DIR":         r.dir,
			"XDG_SESSION_ID":          r.sessionID,
		}[name]
	})
}

// fakeLogind has users and sessions, with the methods and properties of the real
// one that count here.
type fakeLogind struct {
	r    *rig
	conn *dbus.Conn

	mu       sync.Mutex
	hold     chan struct{} // if set, GetSession waits for it
	sessions map[string]*prop.Properties
	user     *prop.Properties // nil: not logged in
}

type display struct {
	ID   string
	Path dbus.ObjectPath
}

type owner struct {
	UID  uint32
	Path dbus.ObjectPath
}

const userPath = dbus.ObjectPath("/org/freedesktop/login1/user/_self")

func sessionPath(id string) dbus.ObjectPath {
	return dbus.ObjectPath("/org/freedesktop/login1/session/" + id)
}

// logind puts one on the system bus.
func (r *rig) logind() *fakeLogind {
	r.t.Helper()
	f := &fakeLogind{r: r, conn: r.connect("system"), sessions: map[string]*prop.Properties{}}
	if err := f.conn.Export(f, logindPath, logindManager); err != nil {
		r.t.Fatal(err)
	}
	r.own(f.conn, logind)
	return f
}

func (f *fakeLogind) GetSession(id string) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hold != nil {
		<-f.hold
	}
	if f.sessions[id] == nil {
		return "", dbus.NewError(logind+".NoSuchSession", nil)
	}
	return sessionPath(id), nil
}

func (f *fakeLogind) GetUser(uid uint32) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.user == nil || int(uid) != os.Getuid() {
		return "", dbus.NewError(logind+".NoSuchUser", nil)
	}
	return userPath, nil
}

func told(v any) *prop.Prop { return &prop.Prop{Value: v, Emit: prop.EmitTrue} }

// session adds one.
func (f *fakeLogind) session(id, kind string, uid int) *prop.Properties {
	f.r.t.Helper()
	p, err := prop.Export(f.conn, sessionPath(id), prop.Map{logindSession: {
		"Type": told(kind), "Active": told(true), "LockedHint": told(false), "IdleHint": told(false),
		"User": told(owner{uint32(uid), userPath}),
	}})
	if err != nil {
		f.r.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[id] = p
	return p
}

// login has the user logged in, with a session as display; "" is none.
func (f *fakeLogind) login(id string) {
	f.r.t.Helper()
	d := display{id, "/"}
	if id != "" {
		d.Path = sessionPath(id)
	}
	p, err := prop.Export(f.conn, userPath, prop.Map{logindUser: {"Display": told(d)}})
	if err != nil {
		f.r.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.user = p
}
