package desktop

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// signalTime is longer than a signal is on its way.
const signalTime = 300 * time.Millisecond

// sleep is the signal that logind sends before a sleep of the machine and after it.
func sleep(t *testing.T, by *dbus.Conn, asleep bool) {
	t.Helper()
	if err := by.Emit(logindPath, logindManager+".PrepareForSleep", asleep); err != nil {
		t.Fatal(err)
	}
}

// sleeper counts how often a watch tells of waking.
type sleeper struct {
	t     *testing.T
	wakes chan struct{}
}

// watchSleep watches until the test ends; with screen, the screen too.
func watchSleep(t *testing.T, d *Desktop, screen bool) *sleeper {
	s := &sleeper{t, make(chan struct{}, 16)}
	d.Woke = func() { s.wakes <- struct{}{} }
	if screen {
		watch(t, d)
		return s
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.Watch(ctx, nil)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-over:
		case <-time.After(5 * time.Second):
			t.Error("Watch did not return")
		}
	})
	return s
}

// listens waits until the watch has asked the bus for what logind sends: it is sent
// until it is heard.
func (s *sleeper) listens(by *dbus.Conn) {
	s.t.Helper()
	for range 40 {
		sleep(s.t, by, false)
		select {
		case <-s.wakes:
			for len(s.wakes) > 0 {
				<-s.wakes
			}
			return
		case <-time.After(signalTime):
		}
	}
	s.t.Fatal("waking is not told in 10 s")
}

func TestWakingIsTold(t *testing.T) {
	for name, screen := range map[string]bool{"for its own sake": false, "with the screen": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			f := r.logind()
			f.session("c1", "wayland", os.Getuid())
			f.login("c1")
			s := watchSleep(t, r.desktop(), screen)
			s.listens(f.conn)
			sleep(t, r.connect("system"), false) // of somebody who is not logind
			sleep(t, f.conn, true)
			sleep(t, f.conn, false)
			select {
			case <-s.wakes:
			case <-time.After(10 * time.Second):
				t.Fatal("waking is not told in 10 s")
			}
			if err := f.conn.Emit(logindPath, logindManager+".PrepareForShutdown", false); err != nil {
				t.Fatal(err)
			}
			select {
			case <-s.wakes:
				t.Error("waking is told once more than the machine woke up")
			case <-time.After(signalTime):
			}
		})
	}
}

// TestWakingIsToldByABusThatCameLater, and by one that came back.
func TestWakingIsToldByABusThatCameLater(t *testing.T) {
	r := newRig(t)
	r.killSystem()
	d := r.desktop()
	d.pause = 50 * time.Millisecond
	s := watchSleep(t, d, false)
	for range 2 {
		kill := r.startBus("system")
		f := r.logind()
		s.listens(f.conn)
		kill()
	}
}

// TestItIsLookedForWithTheOthers: what looks for a service every half minute does so
// when the rest of the program looks at its clock.
func TestItIsLookedForWithTheOthers(t *testing.T) {
	d := New(func(string) string { return "" })
	at := time.Now().Add(d.untilNext())
	if past := at.Sub(at.Truncate(30 * time.Second)); past > time.Second && past < 29*time.Second {
		t.Errorf("it is looked for %v past a full half minute", past)
	}
	if wait := d.untilNext(); wait <= 0 || wait > 30*time.Second {
		t.Errorf("it is looked for in %v, want within 30 s", wait)
	}
}
