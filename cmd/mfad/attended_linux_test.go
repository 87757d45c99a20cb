package main

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	login1Name    = "org.freedesktop.login1"
	login1Path    = dbus.ObjectPath("/org/freedesktop/login1")
	login1User    = login1Path + "/user/_self"
	login1Session = login1Path + "/session/c1"
	properties    = "org.freedesktop.DBus.Properties"
)

// seat is a logind with one session, the user's graphical one.
type seat struct {
	*login1

	mu    sync.Mutex
	hints map[string]bool // of the session
	looks int             // how often it was asked for them
}

// seatMethods are what the bus may call.
type seatMethods struct{ s *seat }

func (e seatMethods) GetUser(uid uint32) (dbus.ObjectPath, *dbus.Error) {
	if int(uid) != os.Getuid() {
		return "", dbus.NewError(login1Name+".NoSuchUser", nil)
	}
	return login1User, nil
}

// Get gives the user's display, which is all that is asked of the user.
func (e seatMethods) Get(_, _ string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(struct {
		ID   string
		Path dbus.ObjectPath
	}{"c1", login1Session}), nil
}

// GetAll gives the session.
func (e seatMethods) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	e.s.looks++
	return map[string]dbus.Variant{
		"Type": dbus.MakeVariant("x11"), "Active": dbus.MakeVariant(true),
		"LockedHint": dbus.MakeVariant(e.s.hints["LockedHint"]), "IdleHint": dbus.MakeVariant(e.s.hints["IdleHint"]),
		"User": dbus.MakeVariant(struct {
			ID   uint32
			Path dbus.ObjectPath
		}{uint32(os.Getuid()), login1User}),
	}, nil
}

// newSeat gives one of whose hints one is set.
func newSeat(t *testing.T, hint string) *seat {
	t.Helper()
	s := &seat{login1: newLogin1(t), hints: map[string]bool{hint: true}}
	for path, name := range map[dbus.ObjectPath]string{login1Path: login1Name + ".Manager", login1User: properties, login1Session: properties} {
		if err := s.conn.Export(seatMethods{s}, path, name); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// isLookedAt waits until the hints were asked for so often.
func (s *seat) isLookedAt(times int) {
	s.t.Helper()
	if !within(patience, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.looks >= times
	}) {
		s.t.Fatalf("logind was not asked for the session %d times", times)
	}
}

// becomes changes a hint, tells of it, and waits until the daemon goes by it: it has
// done with one look when it takes the next.
func (s *seat) becomes(hint string, value bool) {
	s.t.Helper()
	s.isLookedAt(1) // it listens from before its first look
	s.mu.Lock()
	s.hints[hint] = value
	looks := s.looks
	s.mu.Unlock()
	for range 2 {
		looks++
		if err := s.conn.Emit(login1Session, properties+".PropertiesChanged", login1Name+".Session",
			map[string]dbus.Variant{hint: dbus.MakeVariant(value)}, []string{}); err != nil {
			s.t.Fatal(err)
		}
		s.isLookedAt(looks)
	}
}

// TestNoWindowWhereNobodyLooks: on a screen that is locked or idle none opens, and
// who would have waited for it is told at once. It opens when the person is back.
func TestNoWindowWhereNobodyLooks(t *testing.T) {
	t.Parallel()
	for _, hint := range []string{"LockedHint", "IdleHint"} {
		t.Run(hint, func(t *testing.T) {
			t.Parallel()
			s := newSeat(t, hint)
			m := newMachine(t, 1)
			m.env = append(m.env, "DBUS_SYSTEM_BUS_ADDRESS="+s.path)
			m.display("zenity")
			m.addAlice()
			m.addProfile("prod", "Admin", "--write", "none")
			m.mfad("status") // the daemon hears of the desktop
			s.becomes(hint, true)
			begun := time.Now()
			r := receives(t, m.wants("prod"), "a refusal")
			if took := time.Since(begun); r.status != 4 || !strings.Contains(r.stderr, nobodyToAsk) || took > 5*time.Second {
				t.Errorf("with %s: status %d in %v, %q; want 4 at once, and that there is nobody to ask", hint, r.status, took, r.stderr)
			}
			s.becomes(hint, false)
			answer := m.wants("prod")
			m.types(m.code(), "Return")
			if r := receives(t, answer, "credentials"); r.status != 0 || !strings.Contains(r.stdout, "ASIA") {
				t.Errorf("without %s: status %d, %s", hint, r.status, r.stderr)
			}
			if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
				t.Errorf("%d codes were sent, want the one that was typed", n)
			}
		})
	}
}

// field is a notification service with a field for an answer below what it shows.
type field struct {
	shown  chan []string // the actions of each notification
	closed chan uint32
}

const fieldsNumber = uint32(7) // of its only notification

func (f field) GetCapabilities() ([]string, *dbus.Error) {
	return []string{"body", "actions", "inline-reply"}, nil
}

func (f field) Notify(_ string, _ uint32, _, _, _ string, actions []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	f.shown <- actions
	return fieldsNumber, nil
}

func (f field) CloseNotification(id uint32) *dbus.Error {
	f.closed <- id
	return nil
}

// TestACodeTypedIntoANotification starts the session, and the notification goes.
func TestACodeTypedIntoANotification(t *testing.T) {
	t.Parallel()
	m := newNotified(t)
	m.bus()
	desktop, err := dbus.Connect("unix:path=" + m.path("bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = desktop.Close() })
	f := field{make(chan []string, 10), make(chan uint32, 10)}
	if err := desktop.Export(f, notificationsPath, notificationsName); err != nil {
		t.Fatal(err)
	}
	if reply, err := desktop.RequestName(notificationsName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("RequestName = %v, %v", reply, err)
	}
	if status, _ := m.hidden("terraform", "prod"); status != 4 {
		t.Fatalf("status %d, want 4", status)
	}
	if actions := receives(t, f.shown, "a notification"); !slices.Contains(actions, "inline-reply") {
		t.Errorf("the notification's actions are %q, want one of them to be inline-reply", actions)
	}
	if err := desktop.Emit(notificationsPath, notificationsName+".NotificationReplied", fieldsNumber, m.code()); err != nil {
		t.Fatal(err)
	}
	if id := receives(t, f.closed, "the notification to go"); id != fieldsNumber {
		t.Errorf("notification %d was withdrawn, want %d", id, fieldsNumber)
	}
	if status, _ := m.hidden("terraform", "prod"); status != 0 {
		t.Errorf("after the code: status %d, want 0", status)
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes were sent, want the one that was typed", n)
	}
}
