// Package desktop tells whether somebody sits at a desktop: its session is in
// front, not locked, and not idle; and when the machine under it has woken up. It
// asks the system's own services over D-Bus, in bounded time, and is told by them of
// changes. It starts no service, changes nothing on the desktop, holds up no sleep,
// logs nothing, and decides nothing about what is asked there.
package desktop

import "time"

// State is what is known of a desktop. The zero State is that nothing is.
type State struct {
	Known  bool
	Locked bool // the screen is, or somebody else's session is in front of it
	Idle   bool // nobody has touched it for as long as the desktop calls idle
}

// Attended tells whether a window would be seen, as far as is known.
func (s State) Attended() bool { return s.Known && !s.Locked && !s.Idle }

// limit is how long the services may take to tell a state.
const limit = 500 * time.Millisecond

// Desktop is the one that an environment leads to. Make one with [New]. It keeps
// no state, and may be used by many goroutines.
type Desktop struct {
	// Woke is called by Watch when logind tells that the machine has resumed from a
	// sleep, over the connection by which it tells of the session. Nil: nobody wants
	// to know. Set it before Watch; it must not block.
	Woke func()

	getenv func(string) string
	pause  time.Duration // between attempts to reach a service that is gone
}

// New gives the desktop that an environment leads to; it touches nothing yet. What
// counts are XDG_SESSION_ID, XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS as a
// program on the desktop has them, and DBUS_SYSTEM_BUS_ADDRESS; none is needed
// where the system knows which session is the user's graphical one. They are read
// anew each time: getenv may tell what the last client had.
func New(getenv func(string) string) *Desktop {
	return &Desktop{getenv: getenv, pause: 30 * time.Second}
}

// untilNext is how long it is until a service that is gone is looked for again. By
// default that is at full half minutes, so that the machine wakes up once for all that
// looks at something then.
func (d *Desktop) untilNext() time.Duration {
	t := time.Now()
	return t.Truncate(d.pause).Add(d.pause).Sub(t)
}
