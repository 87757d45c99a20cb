//go:build dragonfly || freebsd || linux || netbsd || openbsd

package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

// startup is how long Unlock waits where no person is waited for. It is longer
// than another call may take: the bus may have to start the service first.
const startup = 10 * time.Second

var errDismissed = errors.New("the question for its password was dismissed, or there is no desktop to ask on")

// unlock implements system. It asks over a connection of our own: go-keyring
// would wait for the answer without end and take any other signal for it.
func (d *desktop) unlock(ctx context.Context) error {
	b, question, err := d.prepare(ctx)
	if err != nil {
		return err
	}
	if b.Conn != nil {
		defer b.hangUp()
		if question != noObject {
			if err := b.ask(ctx, question); err != nil {
				return err
			}
		}
	}
	// What counts is what holds afterwards, not what the question said.
	brief, cancel := context.WithTimeout(ctx, d.startup)
	defer cancel()
	collection, err := d.open(brief)
	if err != nil {
		return hung(ctx, err)
	}
	return d.unguard(ctx, collection)
}

// prepare starts unlocking, or making, the collection, and gives the prompt
// that has to be answered for it over the same connection, noObject if none
// has; no connection where nothing is locked. Nobody is asked yet, so a service
// that takes its time hangs.
func (d *desktop) prepare(ctx context.Context) (bus, dbus.ObjectPath, error) {
	brief, cancel := context.WithTimeout(ctx, d.startup)
	defer cancel()
	b, err := d.connect(brief)
	if err != nil {
		return bus{}, noObject, hung(ctx, err)
	}
	found, err := b.look(brief)
	if err == nil && (found.collection == noObject || found.locked) {
		var prompt dbus.ObjectPath
		if prompt, err = b.question(brief, found); err == nil {
			return b, prompt, nil
		}
	}
	b.hangUp()
	return bus{}, noObject, hung(ctx, err)
}

// hung tells the end of a step's own time, which is shorter than ctx, from ctx's.
func hung(ctx context.Context, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	return fail(creds.CodeKeyringTimeout, hintHung, fmt.Errorf("the keyring did not answer in time: %w", err))
}

// question starts unlocking, or making, the collection, and gives the prompt
// that has to be answered for it, noObject if none has.
func (b bus) question(ctx context.Context, found finding) (dbus.ObjectPath, error) {
	svc := b.Object(secretsName, secretsPath)
	prompt := noObject
	if found.collection == noObject {
		name := firstCollection
		if b.isOne(ctx, kwallets) {
			name = kdeFirst
		}
		label := map[string]dbus.Variant{secretCollection + ".Label": dbus.MakeVariant(name)}
		var made dbus.ObjectPath
		err := svc.CallWithContext(ctx, secretService+".CreateCollection", 0, label, "default").Store(&made, &prompt)
		return prompt, reason(ctx, err)
	}
	var done []dbus.ObjectPath
	err := svc.CallWithContext(ctx, secretService+".Unlock", 0, []dbus.ObjectPath{found.collection}).Store(&done, &prompt)
	return prompt, reason(ctx, err)
}

// ask shows a prompt and waits until it is completed. If ctx ends first, the
// prompt is taken back where the service bears that.
func (b bus) ask(ctx context.Context, prompt dbus.ObjectPath) error {
	signals := make(chan *dbus.Signal, 16)
	b.Signal(signals)
	defer b.RemoveSignal(signals) // the connection may live on
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(secretPrompt)},
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secretsName)},
	} {
		if err := b.AddMatchSignalContext(ctx, match...); err != nil {
			return reason(ctx, err)
		}
		defer b.forgetMatch(ctx, match)
	}
	object := b.Object(secretsName, prompt)
	if err := object.CallWithContext(ctx, secretPrompt+".Prompt", 0, "").Err; err != nil {
		return reason(ctx, err)
	}
	for {
		select {
		case s, open := <-signals:
			if !open {
				return fail(creds.CodeKeyringFailed, hintUseFile, errors.New("the D-Bus session bus went away during the question"))
			}
			if s.Name == "org.freedesktop.DBus.NameOwnerChanged" {
				return fail(creds.CodeKeyringFailed, hintUseFile, errors.New("the keyring service went away during the question"))
			}
			if s.Path == prompt && s.Name == secretPrompt+".Completed" {
				return completed(s)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if !b.isGNOME(last) {
				_ = object.CallWithContext(last, secretPrompt+".Dismiss", 0).Err
			}
			return ctx.Err()
		}
	}
}

// forgetMatch has the bus send no more of what a question waited for.
func (b bus) forgetMatch(ctx context.Context, match []dbus.MatchOption) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = b.RemoveMatchSignalContext(last, match...) // else it ends with the connection
}

// isGNOME tells whether the service is gnome-keyring, which Dismiss kills: 42.1
// fails an assertion of its own, and every secret that was open with it is
// locked. Its window stays instead; who still answers it unlocks the keyring.
func (b bus) isGNOME(ctx context.Context) bool { return b.isOne(ctx, []string{"org.gnome.keyring"}) }

// isOne tells whether the Secret Service has one of these names as well.
func (b bus) isOne(ctx context.Context, names []string) bool {
	return b.alias(ctx, names) != ""
}

// alias is the first of these names that the Secret Service has as well, empty if it
// has none.
func (b bus) alias(ctx context.Context, names []string) string {
	owner := func(name string) (owner string) {
		_ = b.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, name).Store(&owner) // none owns it: ""
		return owner
	}
	service := owner(secretsName)
	for _, name := range names {
		if service != "" && owner(name) == service {
			return name
		}
	}
	return ""
}

func completed(s *dbus.Signal) error {
	var dismissed bool
	if len(s.Body) > 0 {
		dismissed, _ = s.Body[0].(bool)
	}
	if dismissed {
		return fail(creds.CodeKeyringLocked, hintUseFile, errDismissed)
	}
	return nil
}
