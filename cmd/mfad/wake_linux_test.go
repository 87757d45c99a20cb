package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/mfad/mfad/pkg/awssim"
)

// poll is how far apart the moments are at which the daemon looks at the clock by
// itself: full half minutes.
const poll = 30 * time.Second

// early gives the daemon's next look at the clock by itself, which is far enough away
// for what comes before it to be something else's doing.
func early() time.Time {
	const room = 14 * time.Second
	now := time.Now()
	next := now.Truncate(poll).Add(poll)
	if next.Sub(now) < room {
		time.Sleep(next.Sub(now) + 100*time.Millisecond) // its look is over
		next = next.Add(poll)
	}
	return next
}

// isFreshBefore wants new credentials in the file before a moment.
func (m *traveller) isFreshBefore(moment time.Time) {
	m.t.Helper()
	m.until("the file is fresh, before the daemon looks at the clock by itself", time.Until(moment), func() bool {
		keys := m.inFile()
		return m.granted(keys["prod"]) > 50*time.Minute && m.granted(keys["ro"]) > 50*time.Minute
	})
}

// setTheClock sets the real clock to what it is, which is news for the daemon.
func setTheClock(t *testing.T) {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		t.Fatal(err)
	}
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); errors.Is(err, unix.EPERM) {
		t.Skip("SKIP-REAL wake: the clock can be set by root alone")
	} else if err != nil {
		t.Fatal(err)
	}
}

// login1 is a system bus with a logind that tells of the machine's sleep.
type login1 struct {
	t    *testing.T
	conn *dbus.Conn
	path string
}

func newLogin1(t *testing.T) *login1 {
	t.Helper()
	needs(t, "wake", "dbus-daemon")
	dir, err := os.MkdirTemp("", "mfad") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := &login1{t: t, path: "unix:path=" + filepath.Join(dir, "system")}
	bus := &machine{t: t, home: dir, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}}
	bus.start(bus.command("dbus-daemon", "--session", "--nofork", "--print-address=1", "--address="+l.path))
	if l.conn, err = dbus.Connect(l.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.conn.Close() })
	if reply, err := l.conn.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("RequestName = %v, %v", reply, err)
	}
	return l
}

// tells that the machine is about to sleep, or has resumed.
func (l *login1) tells(asleep bool) {
	l.t.Helper()
	if err := l.conn.Emit("/org/freedesktop/login1", "org.freedesktop.login1.Manager.PrepareForSleep", asleep); err != nil {
		l.t.Fatal(err)
	}
}

// TestWakingUpIsNoticedAtOnce, and by the daemon itself: programs read the file without
// asking anybody. First logind alone tells, then the kernel alone, as of a resume or a
// clock that was set.
func TestWakingUpIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	l := newLogin1(t)
	m := newTraveller(t, "DBUS_SYSTEM_BUS_ADDRESS="+l.path)
	next := early()
	l.tells(true)
	m.sim.Inject(awssim.Fault{Kind: awssim.DropBefore, Times: 4}) // the network is not back yet
	m.suspend(2 * time.Hour)
	l.tells(false)
	m.isFreshBefore(next)
	next = early()
	m.suspend(2 * time.Hour)
	setTheClock(t)
	m.isFreshBefore(next)
	m.cost(1)
}

// TestASystemBusThatHangs keeps nothing up.
func TestASystemBusThatHangs(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	path := m.path("system")
	l, err := net.Listen("unix", path) // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m.env = append(m.env, "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+path)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	m.comesTo("prod", "fresh", 10*time.Second, fresh)
	m.kill(syscall.SIGTERM) // within ten seconds
}
