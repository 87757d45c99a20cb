//go:build dragonfly || freebsd || linux || netbsd || openbsd

package keyring

import (
	"context"
	"errors"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

const secretItem = "org.freedesktop.Secret.Item"

var errGuarded = errors.New("the keyring is open, and asks before it gives out mfad's item")

// guarded gives those of mfad's items with a name, all where it is empty, that the
// keyring gives out only when a person has allowed it, over the connection that is used
// for them: KeePassXC can be set to ask that, and is by default. go-keyring would have
// it ask, and wait without end.
func (b bus) guarded(ctx context.Context, collection dbus.ObjectPath, name string) ([]dbus.ObjectPath, error) {
	wanted := map[string]string{"service": service}
	if name != "" {
		wanted["username"] = name
	}
	var items, locked []dbus.ObjectPath
	if err := b.Object(secretsName, collection).CallWithContext(ctx, secretCollection+".SearchItems", 0, wanted).Store(&items); err != nil {
		return nil, reason(ctx, err)
	}
	for _, item := range items {
		var is dbus.Variant
		err := b.Object(secretsName, item).CallWithContext(ctx, propertiesGet, 0, secretItem, "Locked").Store(&is)
		if err != nil {
			return nil, reason(ctx, err)
		}
		if is.Value() == true {
			locked = append(locked, item)
		}
	}
	return locked, nil
}

// unguard has a person asked for all of mfad's items that are guarded. What is allowed
// is allowed to the connection that asks, so this is go-keyring's.
func (d *desktop) unguard(ctx context.Context, collection dbus.ObjectPath) error {
	shared, err := d.share()
	if err != nil {
		return err
	}
	brief, cancel := context.WithTimeout(ctx, d.startup)
	defer cancel()
	items, err := shared.guarded(brief, collection, "")
	if err != nil || len(items) == 0 {
		return hung(ctx, err)
	}
	var done []dbus.ObjectPath
	prompt := noObject
	err = shared.Object(secretsName, secretsPath).CallWithContext(brief, secretService+".Unlock", 0, items).Store(&done, &prompt)
	if err != nil {
		return hung(ctx, reason(brief, err))
	}
	if prompt != noObject {
		if err := shared.ask(ctx, prompt); err != nil {
			return err
		}
	}
	after, cancelAfter := context.WithTimeout(ctx, d.startup)
	defer cancelAfter()
	if items, err = shared.guarded(after, collection, ""); err == nil && len(items) > 0 {
		err = fail(creds.CodeKeyringLocked, hintDesktop, errGuarded)
	}
	return hung(ctx, err)
}
