//go:build dragonfly || freebsd || linux || netbsd || openbsd

package keyring

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

var errDismissed = errors.New("the question for its password was dismissed, or there is no desktop to ask on")

// unlock implements system. It asks over a connection of our own: go-keyring
// would wait for the answer without end and take any other signal for it.
func (d *desktop) unlock(ctx context.Context) error {
	b, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer b.hangUp()
	found, err := b.look(ctx)
	if err != nil {
		return err
	}
	if found.collection != noObject && !found.locked {
		return nil
	}
	question, err := b.question(ctx, found)
	if err != nil {
		return err
	}
	if question != noObject {
		if err := b.ask(ctx, question); err != nil {
			return err
		}
	}
	// What counts is what holds afterwards, not what the question said.
	return d.open(ctx)
}

// question starts unlocking, or making, the collection, and gives the prompt
// that has to be answered for it, noObject if none has.
func (b bus) question(ctx context.Context, found finding) (dbus.ObjectPath, error) {
	svc := b.Object(secretsName, secretsPath)
	prompt := noObject
	if found.collection == noObject {
		label := map[string]dbus.Variant{secretCollection + ".Label": dbus.MakeVariant("Login")}
		var made dbus.ObjectPath
		err := svc.CallWithContext(ctx, secretService+".CreateCollection", 0, label, "default").Store(&made, &prompt)
		return prompt, reason(ctx, err)
	}
	var done []dbus.ObjectPath
	err := svc.CallWithContext(ctx, secretService+".Unlock", 0, []dbus.ObjectPath{found.collection}).Store(&done, &prompt)
	return prompt, reason(ctx, err)
}

// ask shows a prompt and waits until it is completed. If ctx ends first, or the
// service goes away, the prompt is taken back.
func (b bus) ask(ctx context.Context, prompt dbus.ObjectPath) error {
	signals := make(chan *dbus.Signal, 16)
	b.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(secretPrompt)},
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secretsName)},
	} {
		if err := b.AddMatchSignalContext(ctx, match...); err != nil {
			return reason(ctx, err)
		}
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
			_ = object.CallWithContext(last, secretPrompt+".Dismiss", 0).Err
			return ctx.Err()
		}
	}
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
