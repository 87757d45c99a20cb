//go:build dragonfly || freebsd || linux || netbsd || openbsd

package desktop

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// systemBus is where every system has it
// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-types-system).
const systemBus = "unix:path=/var/run/dbus/system_bus_socket"

// link is a connection to a bus; nil: it cannot be reached. It is one call's or one
// watch's own: a call that hangs is ended by ending its connection, which must be
// nobody else's.
type link struct {
	*dbus.Conn
	release context.CancelFunc
	changes chan *dbus.Signal
}

func (d *Desktop) dialSystem(ctx context.Context) *link {
	address := d.getenv("DBUS_SYSTEM_BUS_ADDRESS")
	if address == "" {
		address = systemBus
	}
	return dial(ctx, address)
}

func (d *Desktop) dialSession(ctx context.Context) *link { return dial(ctx, d.sessionBus()) }

// sessionBus is the session bus's address: in the runtime folder, if nothing else
// is said.
func (d *Desktop) sessionBus() string {
	if a := d.getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" && !strings.HasPrefix(a, "autolaunch:") {
		return a
	}
	dir := d.getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + strconv.Itoa(os.Getuid())
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))
}

// dial connects to a bus, within the limit; nil: it cannot. Only sockets are
// dialled: other addresses have a program started.
func dial(ctx context.Context, address string) *link {
	for a := range strings.SplitSeq(address, ";") {
		if !strings.HasPrefix(a, "unix:") {
			return nil
		}
	}
	life, release := context.WithCancel(ctx)
	slow := time.AfterFunc(limit, release) // the handshake of a bus that never answers
	conn, err := dbus.Connect(address, dbus.WithContext(life))
	if !slow.Stop() || err != nil {
		release()
		if err == nil {
			_ = conn.Close()
		}
		return nil
	}
	return &link{Conn: conn, release: release}
}

func (l *link) close() {
	if l != nil {
		_ = l.Close()
		l.release()
	}
}

// signals are closed with the connection; nil, which never delivers, if there is
// none.
func (l *link) signals() <-chan *dbus.Signal {
	if l == nil {
		return nil
	}
	return l.changes
}

// subscribe has a bus tell of what a state depends on; false: it does not.
func (l *link) subscribe(ctx context.Context, wanted [][]dbus.MatchOption) bool {
	if l == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// While the channel is full godbus keeps what comes; its order does not matter, as
	// the state is asked for after each.
	l.changes = make(chan *dbus.Signal, 16)
	l.Signal(l.changes)
	for _, options := range wanted {
		if l.AddMatchSignalContext(ctx, options...) != nil {
			return false
		}
	}
	return true
}

// call asks a service that runs; none is started for it.
func (l *link) call(ctx context.Context, service, path, method string, args ...any) *dbus.Call {
	return l.Object(service, dbus.ObjectPath(path)).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
}
