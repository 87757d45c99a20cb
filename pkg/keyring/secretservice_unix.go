//go:build dragonfly || freebsd || linux || netbsd || openbsd

package keyring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

// Names of the Secret Service API, draft 0.2
// (https://specifications.freedesktop.org/secret-service-spec/latest/).
const (
	secretsName      = "org.freedesktop.secrets"
	secretsPath      = dbus.ObjectPath("/org/freedesktop/secrets")
	secretService    = "org.freedesktop.Secret.Service"
	secretCollection = "org.freedesktop.Secret.Collection"
	secretPrompt     = "org.freedesktop.Secret.Prompt"
	loginCollection  = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
	noObject         = dbus.ObjectPath("/")

	propertiesGet = "org.freedesktop.DBus.Properties.Get"
	busVariable   = "DBUS_SESSION_BUS_ADDRESS"
)

// promptsInCall is false because questions have a connection of their own here.
const promptsInCall = false

// desktop is the Secret Service, reached without go-keyring: each question to
// it goes over a private connection that ends with its context, so none can
// outlive its caller.
type desktop struct {
	runUser string                    // where the system keeps per-user runtime folders; /run/user
	startup time.Duration             // limit of a step of unlock that waits for no person
	shared  atomic.Pointer[dbus.Conn] // the connection that go-keyring was last given
	shy     atomic.Bool               // KWallet asks a person even to use an open wallet
}

func newSystem() system { return &desktop{runUser: "/run/user", startup: startup} }

// address gives the session bus's address, "" where there is none. godbus looks
// into /run/user alone; XDG_RUNTIME_DIR is where the bus is by the XDG Base
// Directory Specification.
func (d *desktop) address() string {
	if a := os.Getenv(busVariable); a != "" && a != "autolaunch:" {
		return a
	}
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), filepath.Join(d.runUser, strconv.Itoa(os.Getuid()))} {
		path := filepath.Join(dir, "bus")
		if _, err := os.Stat(path); dir != "" && err == nil {
			return "unix:path=" + dbus.EscapeBusAddressValue(path)
		}
	}
	return ""
}

// bus is one private connection.
type bus struct {
	*dbus.Conn
	release context.CancelFunc
}

func (b bus) hangUp() {
	_ = b.Close()
	b.release()
}

// connect bounds what godbus does not: ctx also covers the handshake, which a
// bus that accepts and never answers would hold forever. Once connected, ctx no
// longer ends the connection, so that a question can still be taken back.
func (d *desktop) connect(ctx context.Context) (bus, error) {
	address := d.address()
	if address == "" {
		return bus{}, fail(creds.CodeKeyringAbsent, hintUseFile, errors.New("there is no D-Bus session bus"))
	}
	life, release := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, release)
	conn, err := dbus.Connect(address, dbus.WithContext(life))
	if !stop() && ctx.Err() != nil {
		if err == nil {
			_ = conn.Close()
		}
		return bus{}, ctx.Err()
	}
	if err != nil {
		release()
		return bus{}, fail(creds.CodeKeyringAbsent, hintUseFile, fmt.Errorf("the D-Bus session bus cannot be reached: %v", err))
	}
	return bus{conn, release}, nil
}

// finding is what a look at the Secret Service gave.
type finding struct {
	collection dbus.ObjectPath // the one that go-keyring will use; noObject where there is none
	locked     bool
}

// look never asks a person. It lets the bus start the service, if the service
// is one that the bus can start.
func (b bus) look(ctx context.Context) (finding, error) {
	if err := b.hasService(ctx); err != nil {
		return finding{}, err
	}
	path, err := b.collection(ctx)
	if err != nil || path == noObject {
		return finding{collection: noObject}, reason(ctx, err)
	}
	var locked dbus.Variant
	err = b.Object(secretsName, path).CallWithContext(ctx, propertiesGet, 0, secretCollection, "Locked").Store(&locked)
	return finding{path, locked.Value() == true}, reason(ctx, err)
}

func (b bus) hasService(ctx context.Context) error {
	var owned bool
	var startable []string
	err := b.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, secretsName).Store(&owned)
	if err == nil && !owned {
		err = b.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.ListActivatableNames", 0).Store(&startable)
	}
	if err == nil && !owned && !slices.Contains(startable, secretsName) {
		return fail(creds.CodeKeyringAbsent, hintUseFile, errors.New("no keyring service runs on the D-Bus session bus"))
	}
	return reason(ctx, err)
}

// collection finds the collection the way go-keyring does: "login" if there is
// one, else what the alias "default" stands for.
func (b bus) collection(ctx context.Context) (dbus.ObjectPath, error) {
	var all dbus.Variant
	svc := b.Object(secretsName, secretsPath)
	if err := svc.CallWithContext(ctx, propertiesGet, 0, secretService, "Collections").Store(&all); err != nil {
		return noObject, err
	}
	if paths, ok := all.Value().([]dbus.ObjectPath); ok && slices.Contains(paths, loginCollection) {
		return loginCollection, nil
	}
	path := noObject
	err := svc.CallWithContext(ctx, secretService+".ReadAlias", 0, "default").Store(&path)
	return path, err
}

// ready implements system.
func (d *desktop) ready(ctx context.Context, name string) error {
	collection, err := d.open(ctx)
	if err != nil {
		return err
	}
	shared, err := d.share()
	if err != nil || name == "" {
		return err
	}
	guarded, err := shared.guarded(ctx, collection, name)
	if err == nil && len(guarded) > 0 {
		err = fail(creds.CodeKeyringLocked, hintDesktop, errGuarded)
	}
	return err
}

// open tells whether there is a keyring, and not locked.
func (d *desktop) open(ctx context.Context) (collection dbus.ObjectPath, err error) {
	b, err := d.connect(ctx)
	if err != nil {
		return noObject, err
	}
	defer b.hangUp()
	found, err := b.look(ctx)
	switch {
	case err != nil:
		return noObject, err
	case found.collection == noObject:
		return noObject, fail(creds.CodeKeyringLocked, hintDesktop, errNoCollection)
	case found.locked && !d.join(ctx, b, found):
		return noObject, fail(creds.CodeKeyringLocked, hintDesktop, errors.New("the keyring is locked"))
	}
	return found.collection, nil
}

// share connects go-keyring to the bus that was just looked at, and gives the
// connection, which is not the caller's to close. It is only reached when there is
// one, so children inherit no address that is not true.
func (d *desktop) share() (bus, error) {
	if address := d.address(); os.Getenv(busVariable) != address {
		if err := os.Setenv(busVariable, address); err != nil {
			return bus{}, err
		}
	}
	conn, err := dbus.SessionBus() // the one that go-keyring will get
	if err != nil {
		return bus{}, reason(context.Background(), err)
	}
	d.shared.Store(conn)
	return bus{Conn: conn}, nil
}

// hangUp implements system. Closing the connection, which go-keyring shares
// with nobody else, makes its pending call fail; the next call opens a new one.
// Asking godbus for the connection here instead could itself hang, on a bus
// that has stopped to answer, and with it every later call.
func (d *desktop) hangUp() {
	if conn := d.shared.Swap(nil); conn != nil {
		go conn.Close() // waits for a write that is under way
	}
}

// classify implements system.
func (d *desktop) classify(err error) error {
	// go-keyring has no error value for a question that was dismissed.
	if strings.HasPrefix(err.Error(), "failed to unlock correct collection") {
		return fail(creds.CodeKeyringLocked, hintDesktop, errors.New("the keyring is locked"))
	}
	return reason(context.Background(), err)
}

// reason tells what an error on the bus means.
func reason(ctx context.Context, err error) error {
	switch e, ok := errors.AsType[dbus.Error](err); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case ok && (e.Name == "org.freedesktop.DBus.Error.ServiceUnknown" || strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.Spawn.")):
		return fail(creds.CodeKeyringAbsent, hintUseFile, fmt.Errorf("the keyring service cannot be started: %v", e))
	case ok && e.Name == "org.freedesktop.Secret.Error.IsLocked":
		return fail(creds.CodeKeyringLocked, hintDesktop, errors.New("the keyring is locked"))
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return fail(creds.CodeKeyringAbsent, hintUseFile, fmt.Errorf("the D-Bus session bus went away: %v", err))
	}
	return fail(creds.CodeKeyringFailed, hintUseFile, fmt.Errorf("the keyring service failed: %v", err))
}
