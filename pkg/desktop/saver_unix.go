//go:build dragonfly || freebsd || linux || netbsd || openbsd

package desktop

import (
	"context"

	"github.com/godbus/dbus/v5"
)

// savers are the screen savers that can be asked: the name that desktops share,
// under both of the paths that are in use, and GNOME's own.
var savers = []struct{ name, path string }{
	{"org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"},
	{"org.freedesktop.ScreenSaver", "/ScreenSaver"},
	{"org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"},
}

// saverSignals: a screen saver came on or went off, or came or went itself.
var saverSignals = [][]dbus.MatchOption{
	{dbus.WithMatchInterface("org.freedesktop.ScreenSaver"), dbus.WithMatchMember("ActiveChanged")},
	{dbus.WithMatchInterface("org.gnome.ScreenSaver"), dbus.WithMatchMember("ActiveChanged")},
	{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, "org.freedesktop.ScreenSaver")},
	{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, "org.gnome.ScreenSaver")},
}

// saver is the state by the first screen saver that answers.
func (l *link) saver(ctx context.Context) State {
	if l == nil {
		return State{}
	}
	for _, s := range savers {
		var active bool
		if l.call(ctx, s.name, s.path, s.name+".GetActive").Store(&active) == nil {
			return State{Known: true, Locked: active}
		}
	}
	return State{}
}
