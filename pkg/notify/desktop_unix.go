//go:build dragonfly || freebsd || linux || netbsd || openbsd

package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

// Names of the Desktop Notifications Specification, version 1.2
// (https://specifications.freedesktop.org/notification-spec/latest/).
const (
	serverName = "org.freedesktop.Notifications"
	serverPath = dbus.ObjectPath("/org/freedesktop/Notifications")

	busName     = "org.freedesktop.DBus"
	busVariable = "DBUS_SESSION_BUS_ADDRESS"
)

// Keys of actions: the default one is a click on the notification. An inline reply is
// KDE's addition to the specification.
const (
	actionDefault = "default"
	actionButton  = "answer"
	actionReply   = "inline-reply"
)

// What the specification has numbers for.
const (
	urgencyNormal   = byte(1)
	urgencyCritical = byte(2)
	expiryOfServer  = int32(-1)
	closedByPerson  = uint32(2)
)

// Desktop is the notification service on the user's D-Bus session bus. It has a
// connection of its own: a call that hangs is ended by ending the connection,
// which must be nobody else's. The connection is made by the first call, kept
// for the next ones, and given up after each failure, so a bus or service that
// went and came back is simply found by the next call.
//
// A Desktop is for one goroutine at a time.
type Desktop struct {
	getenv  func(string) string
	runUser string        // where the system keeps per-user runtime folders
	limit   time.Duration // of one call
	link    *link         // nil: there is none
	answers chan Answer
}

// waiting is how many answers may wait to be read; more are dropped.
const waiting = 8

// link is a connection and the bus that it leads to.
type link struct {
	*dbus.Conn
	release context.CancelFunc
	bus     string // the bus's own name for itself, which no other has
}

// New gives the Desktop that an environment leads to. It touches nothing yet.
func New(getenv func(string) string) *Desktop {
	return &Desktop{getenv: getenv, runUser: "/run/user", limit: limit, answers: make(chan Answer, waiting)}
}

// Answers gives what people do with notifications, as long as the connection lives
// that showed them.
func (d *Desktop) Answers() <-chan Answer { return d.answers }

// Show shows n in the place of what replaces names, or as one of its own if that
// is zero or gone. The ID is for the next Show or Withdraw. It ends within 5 s; the
// service is started if the bus knows how to. The error wraps [ErrNone] if there
// is no bus or no such service.
func (d *Desktop) Show(ctx context.Context, n Notification, replaces ID) (ID, error) {
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	id, err := d.show(ctx, n, replaces, nil)
	if err != nil {
		d.Close()
		return ID{}, err
	}
	return id, nil
}

// show shows n, with these buttons alone if there are any.
func (d *Desktop) show(ctx context.Context, n Notification, replaces ID, buttons []string) (ID, error) {
	l, err := d.connected(ctx)
	if err != nil {
		return ID{}, err
	}
	server, err := l.server(ctx)
	if err != nil {
		return ID{}, err
	}
	object := l.Object(server, serverPath)
	var abilities []string
	if err := object.CallWithContext(ctx, serverName+".GetCapabilities", dbus.FlagNoAutoStart).Store(&abilities); err != nil {
		return ID{}, reason(ctx, err)
	}
	if slices.Contains(abilities, "body-markup") {
		n.Body = escape(n.Body)
	}
	id := ID{Bus: l.bus, Server: server}
	if replaces.Bus == id.Bus && replaces.Server == id.Server { // else the number is somebody else's by now
		id.Number = replaces.Number
	}
	hints := map[string]dbus.Variant{"urgency": dbus.MakeVariant(urgencyNormal)}
	actions, expiry := []string{}, expiryOfServer
	if len(buttons) > 0 {
		if !slices.Contains(abilities, "actions") {
			return ID{}, ErrNoButtons
		}
		for i, label := range buttons {
			actions = append(actions, strconv.Itoa(i), label)
		}
		// Without it desktops put the notification away, and a program waits for the answer.
		hints["urgency"], expiry = dbus.MakeVariant(urgencyCritical), 0
	}
	if n.Button != "" && slices.Contains(abilities, "actions") {
		actions = append(actions, actionDefault, n.Button, actionButton, n.Button)
	}
	if n.Reply != "" && slices.Contains(abilities, actionReply) {
		actions = append(actions, actionReply, n.Reply)
		hints["x-kde-reply-placeholder-text"] = dbus.MakeVariant(n.Reply)
	}
	err = object.CallWithContext(ctx, serverName+".Notify", dbus.FlagNoAutoStart,
		appName, id.Number, "dialog-password", n.Title, n.Body, actions, hints, expiry).Store(&id.Number)
	return id, reason(ctx, err)
}

// Withdraw takes a notification back. One that is gone already is no failure. It
// ends within 5 s, and starts no service.
func (d *Desktop) Withdraw(ctx context.Context, id ID) error {
	if id.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	err := d.withdraw(ctx, id)
	if errors.Is(err, ErrNone) {
		return nil // whoever showed it is gone
	}
	if err != nil {
		d.Close()
	}
	return err
}

func (d *Desktop) withdraw(ctx context.Context, id ID) error {
	l, err := d.connected(ctx)
	if err != nil || l.bus != id.Bus {
		return err
	}
	server, err := l.owner(ctx)
	if err != nil || server != id.Server {
		return err
	}
	err = l.Object(server, serverPath).CallWithContext(ctx, serverName+".CloseNotification", dbus.FlagNoAutoStart, id.Number).Err
	if _, said := errors.AsType[dbus.Error](err); said {
		return nil // the service's answer to a number that it no longer has
	}
	return reason(ctx, err)
}

// Close gives the connection up. What is shown stays, and the Desktop can be used
// on.
func (d *Desktop) Close() {
	if d.link != nil {
		_ = d.link.Close()
		d.link.release()
		d.link = nil
	}
}

// address gives the session bus's address, "" where there is none. A process that
// a service manager or cron started may not have the variable; the bus is in the
// user's runtime folder then, which is XDG_RUNTIME_DIR wherever that is set
// (https://specifications.freedesktop.org/basedir-spec/latest/).
func (d *Desktop) address() string {
	if a := d.getenv(busVariable); a != "" && a != "autolaunch:" {
		return a
	}
	dir := d.getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join(d.runUser, strconv.Itoa(os.Getuid()))
	}
	path := filepath.Join(dir, "bus")
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(path)
}

// connected gives a connection that works, as far as is known.
func (d *Desktop) connected(ctx context.Context) (*link, error) {
	if d.link != nil && d.link.Connected() {
		return d.link, nil
	}
	d.Close()
	address := d.address()
	if address == "" {
		return nil, fmt.Errorf("%w: there is no D-Bus session bus", ErrNone)
	}
	// ctx is to end the handshake too, which a bus that accepts and never answers
	// would hold forever; but not the connection, which outlives this call.
	life, release := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, release)
	conn, err := dbus.Connect(address, dbus.WithContext(life))
	if !stop() || err != nil {
		release()
		if err == nil {
			_ = conn.Close()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: the D-Bus session bus cannot be reached: %v", ErrNone, err)
	}
	d.link = &link{Conn: conn, release: release}
	if err := conn.BusObject().CallWithContext(ctx, busName+".GetId", 0).Store(&d.link.bus); err != nil {
		return d.link, reason(ctx, err)
	}
	return d.link, reason(ctx, d.listen(ctx, d.link))
}

// listen has answers come until the connection ends.
func (d *Desktop) listen(ctx context.Context, l *link) error {
	signals := make(chan *dbus.Signal, waiting)
	l.Signal(signals) // closed with the connection
	bus := l.bus
	go func() {
		for s := range signals {
			if a, ok := answerOf(s, bus); ok {
				select {
				case d.answers <- a:
				default:
				}
			}
		}
	}()
	for _, member := range []string{"ActionInvoked", "NotificationReplied"} {
		err := l.AddMatchSignalContext(ctx, dbus.WithMatchObjectPath(serverPath), dbus.WithMatchInterface(serverName), dbus.WithMatchMember(member))
		if err != nil {
			return err
		}
	}
	return nil
}

// answerOf reads a signal. Anybody on the bus could send one: the ID has who did.
func answerOf(s *dbus.Signal, bus string) (Answer, bool) {
	var number uint32
	var text string
	if dbus.Store(s.Body, &number, &text) != nil {
		return Answer{}, false
	}
	a := Answer{ID: ID{Bus: bus, Server: s.Sender, Number: number}}
	switch s.Name {
	case serverName + ".ActionInvoked":
		return a, text == actionDefault || text == actionButton
	case serverName + ".NotificationReplied":
		a.Reply = creds.NewSecret(text)
		return a, true
	}
	return Answer{}, false
}

// server gives the service's own address on the bus, which no later one will have,
// and has it started if need be.
func (l *link) server(ctx context.Context) (string, error) {
	owner, err := l.owner(ctx)
	if !errors.Is(err, ErrNone) {
		return owner, err
	}
	var started uint32
	err = l.BusObject().CallWithContext(ctx, busName+".StartServiceByName", 0, serverName, uint32(0)).Store(&started)
	if err != nil {
		return "", reason(ctx, err)
	}
	return l.owner(ctx)
}

// owner is server for one that runs.
func (l *link) owner(ctx context.Context) (owner string, err error) {
	err = l.BusObject().CallWithContext(ctx, busName+".GetNameOwner", 0, serverName).Store(&owner)
	return owner, reason(ctx, err)
}

// reason tells what an error on the bus means.
func reason(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the notification service: %w", ctx.Err())
	}
	if e, ok := errors.AsType[dbus.Error](err); ok {
		switch name, _ := strings.CutPrefix(e.Name, busName+".Error."); {
		case name == "NameHasNoOwner", name == "ServiceUnknown", strings.HasPrefix(name, "Spawn."):
			return fmt.Errorf("%w: %v", ErrNone, e)
		}
	}
	return fmt.Errorf("the notification service: %v", err)
}

// escape has a body with markup show a plain text: markup is a small part of
// HTML, by the specification.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
