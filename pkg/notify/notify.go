// Package notify shows a person a notification on the desktop of whoever the
// process runs as, brings it up to date in its place, and takes it back. It does
// so in bounded time, whatever state the desktop is in. It never asks anything,
// never logs, decides nothing about when a notification is due, and is never
// given a secret: what is shown may be seen on a locked screen, and any program
// of the user's can read it on its way.
package notify

import (
	"errors"
	"time"
)

// Notification is what a person sees. Both texts are plain: what looks like
// markup in them is shown as it stands.
type Notification struct {
	Title string // one line
	Body  string // a few lines; may be empty
}

// ID names a notification that was shown. The zero ID names none.
type ID struct {
	// Bus and Server tell who knows the Number: each new one begins again.
	Bus, Server string
	Number      uint32
}

// IsZero tells whether i names none: nothing was shown, or the system cannot
// change what it has shown, as is so on macOS.
func (i ID) IsZero() bool { return i == ID{} }

// ErrNone is wrapped by the errors that say that nobody is there to show
// anything: no desktop, or one without notifications. Where mfad cannot reach
// any desktop they wrap [errors.ErrUnsupported] instead.
var ErrNone = errors.New("no desktop shows notifications here")

// limit is how long one call may take. The service behind it may have to be
// started first.
const limit = 5 * time.Second

// appName is who the desktop says that a notification is from.
const appName = "mfad"
