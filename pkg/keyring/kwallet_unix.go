//go:build dragonfly || freebsd || linux || netbsd || openbsd

package keyring

import (
	"context"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// What a new collection is called.
const (
	firstCollection = "Login"
	// kdeFirst is the wallet that KDE opens with the login's password (pam_kwallet);
	// one by another name would have to be unlocked by hand each time.
	kdeFirst = "kdewallet"
)

// kwallets are KWallet's own names.
var kwallets = []string{"org.kde.kwalletd5", "org.kde.kwalletd6"}

// joinTime is what KWallet may take to unlock a collection whose wallet is open.
const joinTime = time.Second

// join unlocks a collection that needs nobody's answer for that, and tells whether it
// did. KWallet's Secret Service calls a collection locked until somebody has unlocked
// it there, also where the login has opened its wallet long ago: without this one would
// wait for a person to unlock what is open.
//
// KWallet can be set to ask before a program uses an open wallet. Then this is not
// tried again, so that no window opens over and over.
func (d *desktop) join(ctx context.Context, b bus, found finding) bool {
	if d.shy.Load() || !b.isOpenWallet(ctx, found.collection) {
		return false
	}
	prompt, err := b.question(ctx, found)
	if err != nil {
		return false
	}
	if prompt != noObject {
		brief, cancel := context.WithTimeout(ctx, joinTime)
		defer cancel()
		if b.ask(brief, prompt) != nil {
			d.shy.Store(true)
			return false
		}
	}
	again, err := b.look(ctx)
	return err == nil && again.collection == found.collection && !again.locked
}

// isOpenWallet tells whether a collection is a wallet of KDE's that is open.
func (b bus) isOpenWallet(ctx context.Context, collection dbus.ObjectPath) bool {
	service := b.alias(ctx, kwallets)
	if service == "" {
		return false
	}
	var label dbus.Variant
	if b.Object(secretsName, collection).CallWithContext(ctx, propertiesGet, 0, secretCollection, "Label").Store(&label) != nil {
		return false
	}
	path := dbus.ObjectPath("/modules/" + strings.TrimPrefix(service, "org.kde."))
	var open bool
	err := b.Object(service, path).CallWithContext(ctx, "org.kde.KWallet.isOpen", 0, label.Value()).Store(&open)
	return err == nil && open
}
