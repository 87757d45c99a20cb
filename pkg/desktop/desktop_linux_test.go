package desktop

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func TestLogindTells(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(r *rig, f *fakeLogind)
		want    State
	}{
		"the client's session": {func(r *rig, f *fakeLogind) {
			r.sessionID = "c1"
			f.session("c1", "wayland", os.Getuid())
		}, State{Known: true}},
		"locked": {func(r *rig, f *fakeLogind) {
			r.sessionID = "c1"
			f.session("c1", "x11", os.Getuid()).SetMust(logindSession, "LockedHint", true)
		}, State{Known: true, Locked: true}},
		"idle": {func(r *rig, f *fakeLogind) {
			r.sessionID = "c1"
			f.session("c1", "x11", os.Getuid()).SetMust(logindSession, "IdleHint", true)
		}, State{Known: true, Idle: true}},
		"another session is in front": {func(r *rig, f *fakeLogind) {
			r.sessionID = "c1"
			f.session("c1", "x11", os.Getuid()).SetMust(logindSession, "Active", false)
		}, State{Known: true, Locked: true}},
		"a client over ssh: the user's display": {func(r *rig, f *fakeLogind) {
			r.sessionID = "7"
			f.session("7", "tty", os.Getuid())
			f.session("c1", "x11", os.Getuid()).SetMust(logindSession, "LockedHint", true)
			f.login("c1")
		}, State{Known: true, Locked: true}},
		"a session that is gone: the user's display": {func(r *rig, f *fakeLogind) {
			r.sessionID = "9"
			f.session("c1", "wayland", os.Getuid())
			f.login("c1")
		}, State{Known: true}},
		"no session named: the user's display": {func(r *rig, f *fakeLogind) {
			f.session("c1", "wayland", os.Getuid())
			f.login("c1")
		}, State{Known: true}},
		"somebody else's session does not count": {func(r *rig, f *fakeLogind) {
			r.sessionID = "c2"
			f.session("c2", "x11", os.Getuid()+1)
		}, State{}},
		"logged in without a desktop": {func(r *rig, f *fakeLogind) { f.login("") }, State{}},
		"not logged in":               {func(*rig, *fakeLogind) {}, State{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tt.prepare(r, r.logind())
			got := r.desktop().State(t.Context())
			if got != tt.want {
				t.Errorf("State = %+v, want %+v", got, tt.want)
			}
			if want := tt.want == (State{Known: true}); got.Attended() != want {
				t.Errorf("Attended = %v, want %v", got.Attended(), want)
			}
		})
	}
}

// fakeSaver is a screen saver of a name.
type fakeSaver struct {
	mu     sync.Mutex
	active bool
}

func (f *fakeSaver) GetActive() (bool, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.active, nil
}

func (f *fakeSaver) set(active bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = active
}

// silentSaver owns the name and cannot be asked, as GNOME's proxy of the shared name.
type silentSaver struct{}

func (r *rig) saver(exported any, name, path string) *dbus.Conn {
	r.t.Helper()
	conn := r.connect("bus")
	if err := conn.Export(exported, dbus.ObjectPath(path), name); err != nil {
		r.t.Fatal(err)
	}
	r.own(conn, name)
	return conn
}

func TestTheScreenSaverIsAskedWhereLogindDoesNotKnow(t *testing.T) {
	const shared, gnome = "org.freedesktop.ScreenSaver", "org.gnome.ScreenSaver"
	for name, prepare := range map[string]func(r *rig){
		"no logind":            func(r *rig) { r.saver(&fakeSaver{active: true}, shared, "/org/freedesktop/ScreenSaver") },
		"the short path":       func(r *rig) { r.saver(&fakeSaver{active: true}, shared, "/ScreenSaver") },
		"no system bus":        func(r *rig) { r.killSystem(); r.saver(&fakeSaver{active: true}, shared, "/ScreenSaver") },
		"logind knows no seat": func(r *rig) { r.logind().login(""); r.saver(&fakeSaver{active: true}, gnome, "/org/gnome/ScreenSaver") },
		"GNOME with both names": func(r *rig) {
			r.saver(silentSaver{}, shared, "/")
			r.saver(&fakeSaver{active: true}, gnome, "/org/gnome/ScreenSaver")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			prepare(r)
			if got, want := r.desktop().State(t.Context()), (State{Known: true, Locked: true}); got != want {
				t.Errorf("State = %+v, want %+v", got, want)
			}
		})
	}
	t.Run("off", func(t *testing.T) {
		r := newRig(t)
		r.saver(&fakeSaver{}, shared, "/ScreenSaver")
		if got, want := r.desktop().State(t.Context()), (State{Known: true}); got != want {
			t.Errorf("State = %+v, want %+v", got, want)
		}
	})
}

func TestNobodyTells(t *testing.T) {
	none := New(func(name string) string {
		return map[string]string{"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere", "XDG_RUNTIME_DIR": "/nowhere"}[name]
	})
	if got := none.State(t.Context()); got != (State{}) {
		t.Errorf("without a bus: %+v, want nothing known", got)
	}
	r := newRig(t)
	if got := r.desktop().State(t.Context()); got != (State{}) {
		t.Errorf("with buses that have no services: %+v, want nothing known", got)
	}
}

// TestNoProgramIsStarted: some addresses of a bus are command lines.
func TestNoProgramIsStarted(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	address := "unixexec:path=/usr/bin/touch,argv1=" + mark
	for _, a := range []string{address, "unix:path=/nowhere;" + address} {
		d := New(func(name string) string {
			return map[string]string{"DBUS_SYSTEM_BUS_ADDRESS": a, "DBUS_SESSION_BUS_ADDRESS": a}[name]
		})
		d.State(t.Context())
		if _, err := os.Stat(mark); err == nil {
			t.Fatalf("the address %s started a program", a)
		}
	}
}

// TestAHangIsBounded, and logind is heard where only the session bus hangs.
func TestAHangIsBounded(t *testing.T) {
	hung := func(t *testing.T, path string) { // accepts, and never answers
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	state := func(t *testing.T, d *Desktop) State {
		begun := time.Now()
		s := d.State(t.Context())
		if took := time.Since(begun); took > 2*limit {
			t.Errorf("State took %v, want %v at most", took, limit)
		}
		return s
	}
	t.Run("logind", func(t *testing.T) {
		r := newRig(t)
		f := r.logind()
		r.sessionID = "c1"
		hold := make(chan struct{})
		defer close(hold)
		f.mu.Lock()
		f.hold = hold
		f.mu.Unlock()
		if got := state(t, r.desktop()); got != (State{}) {
			t.Errorf("State = %+v, want nothing known", got)
		}
	})
	t.Run("both buses", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "mfad")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		hung(t, filepath.Join(dir, "system"))
		hung(t, filepath.Join(dir, "bus"))
		if got := state(t, (&rig{t: t, dir: dir}).desktop()); got != (State{}) {
			t.Errorf("State = %+v, want nothing known", got)
		}
	})
	t.Run("session bus", func(t *testing.T) {
		r := newRig(t)
		f := r.logind()
		r.sessionID = "c1"
		f.session("c1", "x11", os.Getuid())
		other, err := os.MkdirTemp("", "mfad")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(other) })
		hung(t, filepath.Join(other, "bus"))
		d := New(func(name string) string {
			if name == "XDG_RUNTIME_DIR" {
				return other
			}
			return r.desktop().getenv(name)
		})
		if got, want := state(t, d), (State{Known: true}); got != want {
			t.Errorf("State = %+v, want %+v", got, want)
		}
	})
}

// watched collects what a watch tells.
type watched struct {
	t      *testing.T
	states chan State
}

func watch(t *testing.T, d *Desktop) *watched {
	w := &watched{t, make(chan State, 16)}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.Watch(ctx, func(s State) { w.states <- s })
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-over:
		case <-time.After(5 * time.Second):
			t.Error("Watch did not return")
		}
	})
	return w
}

// next wants a state to be told, and no other before it.
func (w *watched) next(want State) {
	w.t.Helper()
	select {
	case got := <-w.states:
		if got != want {
			w.t.Fatalf("told %+v, want %+v", got, want)
		}
	case <-time.After(10 * time.Second):
		w.t.Fatalf("nothing was told, want %+v", want)
	}
}

func TestWatchTellsOfUnlock(t *testing.T) {
	r := newRig(t)
	f := r.logind()
	s := f.session("c1", "wayland", os.Getuid())
	s.SetMust(logindSession, "LockedHint", true)
	f.login("c1")
	w := watch(t, r.desktop())
	w.next(State{Known: true, Locked: true})
	s.SetMust(logindSession, "IdleHint", true)
	w.next(State{Known: true, Locked: true, Idle: true})
	s.SetMust(logindSession, "Type", "wayland") // a signal that changes nothing is not told
	s.SetMust(logindSession, "IdleHint", false)
	w.next(State{Known: true, Locked: true})
	s.SetMust(logindSession, "LockedHint", false)
	w.next(State{Known: true})
}

// TestWatchFollowsTheUser to another session, and out.
func TestWatchFollowsTheUser(t *testing.T) {
	r := newRig(t)
	f := r.logind()
	f.login("")
	w := watch(t, r.desktop())
	w.next(State{})
	f.session("c2", "x11", os.Getuid())
	f.user.SetMust(logindUser, "Display", display{"c2", sessionPath("c2")})
	w.next(State{Known: true})
	_ = f.conn.Close() // logind goes, as in an update
	w.next(State{})
	again := r.logind()
	again.session("c2", "x11", os.Getuid()).SetMust(logindSession, "LockedHint", true)
	again.login("c2")
	if err := again.conn.Emit(logindPath, logindManager+".SessionNew", "c2", sessionPath("c2")); err != nil {
		t.Fatal(err)
	}
	w.next(State{Known: true, Locked: true})
}

func TestWatchFindsABusThatCameBack(t *testing.T) {
	r := newRig(t)
	f := r.logind()
	f.session("c1", "x11", os.Getuid())
	f.login("c1")
	d := r.desktop()
	d.pause = 50 * time.Millisecond
	w := watch(t, d)
	w.next(State{Known: true})
	r.killSystem()
	w.next(State{})
	r.startBus("system")
	f = r.logind()
	f.session("c1", "x11", os.Getuid())
	f.login("c1")
	if err := f.conn.Emit(logindPath, logindManager+".SessionNew", "c1", sessionPath("c1")); err != nil {
		t.Fatal(err)
	}
	w.next(State{Known: true})
}

func TestWatchHearsTheScreenSaver(t *testing.T) {
	r := newRig(t)
	w := watch(t, r.desktop())
	w.next(State{})
	f := &fakeSaver{active: true}
	conn := r.saver(f, "org.gnome.ScreenSaver", "/org/gnome/ScreenSaver")
	w.next(State{Known: true, Locked: true})
	f.set(false)
	if err := conn.Emit("/org/gnome/ScreenSaver", "org.gnome.ScreenSaver.ActiveChanged", false); err != nil {
		t.Fatal(err)
	}
	w.next(State{Known: true})
}
