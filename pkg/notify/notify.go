// Package notify shows a person a notification on the desktop of whoever the
// process runs as, brings it up to date in its place, and takes it back. It does
// so in bounded time, whatever state the desktop is in. A notification may have a
// button, or a field to type into; what the person does comes as an [Answer]. One that
// asks for a choice waits for that. The package never logs, decides nothing about when a notification is due, and is never
// given a secret to show: what is shown may be seen on a locked screen, and any
// program of the user's can read it on its way.
package notify

import (
	"errors"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Notification is what a person sees. Both texts are plain: what looks like
// markup in them is shown as it stands.
type Notification struct {
	Title string // one line
	Body  string // a few lines; may be empty
	// Button is what a button says; empty: there is none. A click on the notification
	// counts as it.
	Button string
	// Reply is what stands in an empty field to type into, where the desktop has such
	// fields; empty: there is none. What is typed passes the session bus as it is,
	// where programs of the same user can read it.
	Reply string
}

// Answer is what a person did with a notification.
type Answer struct {
	ID    ID
	Reply creds.Secret // what was typed; zero: the button was pressed
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

// ErrNoButtons is wrapped by the error of an Ask where the desktop's notifications
// have no buttons to press.
var ErrNoButtons = errors.New("notifications have no buttons here")

// Dismissed is what an Ask gives where the person closed the notification.
const Dismissed = -1

// limit is how long one call may take. The service behind it may have to be
// started first.
const limit = 5 * time.Second

// appName is who the desktop says that a notification is from.
const appName = "mfad"
