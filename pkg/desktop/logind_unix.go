//go:build dragonfly || freebsd || linux || netbsd || openbsd

package desktop

import (
	"context"
	"os"
	"slices"

	"github.com/godbus/dbus/v5"
)

// Names of logind's interface
// (https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html).
const (
	logind        = "org.freedesktop.login1"
	logindPath    = "/org/freedesktop/login1"
	logindManager = logind + ".Manager"
	logindSession = logind + ".Session"
	logindUser    = logind + ".User"
	properties    = "org.freedesktop.DBus.Properties"
)

// logindSignals: a session's hints, or the user's sessions, or logind itself
// changed. Other people's sessions are told of too, which are few.
var logindSignals = [][]dbus.MatchOption{
	{dbus.WithMatchSender(logind), dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, logindSession)},
	{dbus.WithMatchSender(logind), dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, logindUser)},
	{dbus.WithMatchSender(logind), dbus.WithMatchInterface(logindManager), dbus.WithMatchMember("SessionNew")},
	{dbus.WithMatchSender(logind), dbus.WithMatchInterface(logindManager), dbus.WithMatchMember("SessionRemoved")},
	{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, logind)},
}

// sleepSignals: the machine is about to sleep (true), or has resumed (false).
var sleepSignals = [][]dbus.MatchOption{
	{dbus.WithMatchSender(logind), dbus.WithMatchInterface(logindManager), dbus.WithMatchMember("PrepareForSleep")},
}

// heard passes on that the machine has resumed, if that is what a signal tells.
func (d *Desktop) heard(s *dbus.Signal) {
	if s.Name != logindManager+".PrepareForSleep" || d.Woke == nil || len(s.Body) != 1 {
		return
	}
	if asleep, ok := s.Body[0].(bool); ok && !asleep {
		d.Woke()
	}
}

// logind gives the state of the session with an id if it is a graphical one of the
// user's, else of the session that logind calls the user's display.
func (l *link) logind(ctx context.Context, id string) State {
	if l == nil {
		return State{}
	}
	if id != "" {
		var path dbus.ObjectPath
		if l.call(ctx, logind, logindPath, logindManager+".GetSession", id).Store(&path) == nil {
			if s := l.sessionState(ctx, path); s.Known {
				return s
			}
		}
	}
	var path dbus.ObjectPath
	if l.call(ctx, logind, logindPath, logindManager+".GetUser", uint32(os.Getuid())).Store(&path) != nil {
		return State{}
	}
	var display struct {
		ID   string
		Path dbus.ObjectPath
	}
	var v dbus.Variant
	if l.call(ctx, logind, string(path), properties+".Get", logindUser, "Display").Store(&v) != nil || v.Store(&display) != nil || display.ID == "" {
		return State{}
	}
	return l.sessionState(ctx, display.Path)
}

// sessionState is unknown for sessions in which no window can be.
func (l *link) sessionState(ctx context.Context, path dbus.ObjectPath) State {
	var all map[string]dbus.Variant
	if l.call(ctx, logind, string(path), properties+".GetAll", logindSession).Store(&all) != nil {
		return State{}
	}
	var s struct {
		kind         string
		active       bool
		locked, idle bool
		user         struct {
			ID   uint32
			Path dbus.ObjectPath
		}
	}
	for name, to := range map[string]any{"Type": &s.kind, "Active": &s.active, "LockedHint": &s.locked, "IdleHint": &s.idle, "User": &s.user} {
		if v, ok := all[name]; !ok || v.Store(to) != nil {
			return State{}
		}
	}
	if !slices.Contains([]string{"x11", "wayland", "mir"}, s.kind) || int(s.user.ID) != os.Getuid() {
		return State{}
	}
	return State{Known: true, Locked: s.locked || !s.active, Idle: s.idle}
}
