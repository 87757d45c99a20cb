package keyring

import (
	"context"
	"errors"
	"time"

	zalando "github.com/zalando/go-keyring"

	"github.com/mfad/mfad/pkg/creds"
)

// service is the name that all of mfad's items carry in the OS keyring.
const service = "mfad"

const (
	unattended = 2 * time.Second  // no person is involved: a healthy keyring needs milliseconds
	attended   = 90 * time.Second // the desktop may ask a person for a password
)

// OS is the keyring of the operating system: the Secret Service (GNOME Keyring,
// KWallet, KeePassXC) on Linux and the BSDs, the Keychain on macOS, the
// Credential Manager on Windows. Items carry the service name "mfad".
//
// Every call ends within 2 seconds, Unlock within 90; a Secret Service that does
// not even get to ask has 10 of them. Calls run one after the other; while one
// hangs in the system, later ones fail at once with [creds.CodeKeyringTimeout].
// Where the Secret Service is used, its state is looked at first over a
// connection of our own, so that a locked or missing keyring is told in
// milliseconds, no window opens and no bus is started.
//
// To make that hold, OS sets DBUS_SESSION_BUS_ADDRESS in this process before
// the first call that needs it, if it is unset and the bus was found below
// XDG_RUNTIME_DIR or /run/user: without an address the D-Bus library would run
// dbus-launch, which leaves a bus and a keyring daemon behind. OS also takes
// the shared connection of github.com/godbus/dbus/v5 for its own and closes it
// when a call hangs; use private connections for anything else.
//
// Make one with [NewOS] and share it.
type OS struct {
	library library
	system  system
	calls   *lane
	prompts *lane
	quick   time.Duration // limit of a call
	slow    time.Duration // limit of Unlock
}

// library is what go-keyring does, without the service's name.
type library interface {
	Get(name string) (string, error)
	Set(name, value string) error
	Delete(name string) error
}

// system is what mfad does by itself around go-keyring, on one kind of
// operating system.
type system interface {
	// ready tells whether go-keyring can be called for an item, any where name is
	// empty, without asking a person or starting a program; if not, why.
	ready(ctx context.Context, name string) error
	// unlock lets the desktop ask until ready.
	unlock(ctx context.Context) error
	// hangUp makes a hanging call of go-keyring return, where that is possible.
	hangUp()
	// classify tells what an error of go-keyring means.
	classify(err error) error
}

// NewOS gives the OS keyring. It opens nothing and never fails; each call tells
// what is wrong by then.
func NewOS() *OS { return newOS(goKeyring{}, newSystem()) }

func newOS(lib library, sys system) *OS {
	return &OS{library: lib, system: sys, calls: newLane(sys.hangUp), prompts: newLane(nil), quick: unattended, slow: attended}
}

type goKeyring struct{}

func (goKeyring) Get(name string) (string, error) { return zalando.Get(service, name) }
func (goKeyring) Set(name, value string) error    { return zalando.Set(service, name, value) }
func (goKeyring) Delete(name string) error        { return zalando.Delete(service, name) }

// Check tells whether the keyring can be used right now: nil, or an error as of
// a [Store]. It never asks a person. A keyring that has no collection to put
// items into yet counts as locked, since Unlock makes one. On macOS and Windows
// it is always nil; only a real call can tell there.
func (o *OS) Check(ctx context.Context) error {
	_, err := o.calls.run(ctx, o.quick, func(ctx context.Context) (creds.Secret, error) {
		return creds.Secret{}, o.system.ready(ctx, "")
	})
	return named("reach the keyring", err)
}

// Unlock lets the desktop ask a person for the keyring's password, and whether mfad
// may have its items where the keyring asks that, and waits for at most 90 seconds. It
// is nil at once if nothing is locked. Where the keyring has no collection yet, the
// desktop offers to make one. A question
// that is dismissed, or that no desktop is there to show, gives
// [creds.CodeKeyringLocked]; it is taken back when ctx ends, except from
// gnome-keyring, whose window stays and may still be answered. Other calls are
// not held up meanwhile, except on macOS and Windows.
func (o *OS) Unlock(ctx context.Context) error {
	l := o.prompts
	if promptsInCall {
		l = o.calls
	}
	_, err := l.run(ctx, o.slow, func(ctx context.Context) (creds.Secret, error) {
		return creds.Secret{}, o.system.unlock(ctx)
	})
	return named(opUnlock, err)
}

// Get implements [Store].
func (o *OS) Get(ctx context.Context, name string) (creds.Secret, error) {
	if err := before(ctx, name); err != nil {
		return creds.Secret{}, named(opRead(name), err)
	}
	value, err := o.calls.run(ctx, o.quick, func(ctx context.Context) (creds.Secret, error) {
		if err := o.system.ready(ctx, name); err != nil {
			return creds.Secret{}, err
		}
		text, err := o.library.Get(name)
		return creds.NewSecret(text), o.meaning(err)
	})
	return value, named(opRead(name), err)
}

// Set implements [Store].
func (o *OS) Set(ctx context.Context, name string, value creds.Secret) error {
	if err := beforeSet(ctx, name, value); err != nil {
		return named(opStore(name), err)
	}
	_, err := o.calls.run(ctx, o.quick, func(ctx context.Context) (creds.Secret, error) {
		if err := o.system.ready(ctx, name); err != nil {
			return creds.Secret{}, err
		}
		if err := o.library.Set(name, value.Reveal()); err != nil {
			return creds.Secret{}, o.meaning(err)
		}
		// The library reports success for a write whose question was dismissed. And the
		// keyring may give out nothing without a question, not even what it was just given.
		if err := o.system.ready(ctx, name); err != nil {
			return creds.Secret{}, err
		}
		text, err := o.library.Get(name)
		if errors.Is(err, zalando.ErrNotFound) || err == nil && !value.Equal(creds.NewSecret(text)) {
			err = fail(creds.CodeKeyringFailed, hintDesktop, errWriteLost)
		}
		return creds.Secret{}, o.meaning(err)
	})
	return named(opStore(name), err)
}

// Delete implements [Store].
func (o *OS) Delete(ctx context.Context, name string) error {
	if err := before(ctx, name); err != nil {
		return named(opDelete(name), err)
	}
	_, err := o.calls.run(ctx, o.quick, func(ctx context.Context) (creds.Secret, error) {
		if err := o.system.ready(ctx, name); err != nil {
			return creds.Secret{}, err
		}
		if err := o.library.Delete(name); err != nil {
			return creds.Secret{}, o.meaning(err)
		}
		switch _, err := o.library.Get(name); {
		case errors.Is(err, zalando.ErrNotFound):
			return creds.Secret{}, nil
		case err != nil:
			return creds.Secret{}, o.meaning(err)
		}
		return creds.Secret{}, fail(creds.CodeKeyringFailed, hintDesktop, errStillHere)
	})
	return named(opDelete(name), err)
}

// meaning gives a *creds.Error for an error of the library's.
func (o *OS) meaning(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*creds.Error](err); ok {
		return err
	}
	switch {
	case errors.Is(err, zalando.ErrNotFound):
		return fail(creds.CodeKeyNotFound, "", errNotFound)
	case errors.Is(err, zalando.ErrSetDataTooBig):
		return fail(creds.CodeKeyringFailed, hintUseFile, errors.New("the item is too big for this keyring"))
	case errors.Is(err, zalando.ErrUnsupportedPlatform):
		return fail(creds.CodeKeyringAbsent, hintUseFile, err)
	}
	return o.system.classify(err)
}
