//go:build dragonfly || freebsd || linux || netbsd || openbsd

package notify

import (
	"context"
	"errors"
	"strconv"

	"github.com/godbus/dbus/v5"
)

// Ask shows a notification with buttons, waits until ctx ends for one to be pressed,
// and gives its index, or [Dismissed]. A click on the notification itself presses none.
// It has a connection of its own, so that it may run beside everything else; n's own
// Button and Reply are left out. However it ends nothing of it stays on the desktop.
//
// The error is ctx's cause, or wraps [ErrNone] or [ErrNoButtons].
func (d *Desktop) Ask(ctx context.Context, n Notification, buttons ...string) (pressed int, err error) {
	own := &Desktop{getenv: d.getenv, runUser: d.runUser, limit: d.limit, answers: make(chan Answer, waiting)}
	defer own.Close()
	signals := make(chan *dbus.Signal, waiting)
	n.Button, n.Reply = "", ""
	id, err := own.showAsked(ctx, n, buttons, signals)
	if err != nil {
		return Dismissed, err
	}
	defer func() { _ = own.Withdraw(context.WithoutCancel(ctx), id) }() // one that is gone is fine
	for {
		select {
		case s, open := <-signals:
			if !open {
				return Dismissed, errors.New("the session bus is gone")
			}
			if pressed, over, err := chosen(s, id, len(buttons)); over {
				return pressed, err
			}
		case <-ctx.Done():
			return Dismissed, context.Cause(ctx)
		}
	}
}

// showAsked shows n, after its signals were asked for. The end of ctx does not cut it
// short: what is half shown has no number yet by which it could be taken back.
func (d *Desktop) showAsked(ctx context.Context, n Notification, buttons []string, signals chan *dbus.Signal) (ID, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.limit)
	defer cancel()
	l, err := d.connected(ctx)
	if err != nil {
		return ID{}, err
	}
	l.Signal(signals) // closed with the connection
	err = l.AddMatchSignalContext(ctx, dbus.WithMatchObjectPath(serverPath), dbus.WithMatchInterface(serverName), dbus.WithMatchMember("NotificationClosed"))
	if err != nil {
		return ID{}, reason(ctx, err)
	}
	return d.show(ctx, n, ID{}, buttons)
}

// chosen tells whether a signal ends the question, and how. Only whoever shows the
// notification can press its buttons.
func chosen(s *dbus.Signal, id ID, buttons int) (pressed int, over bool, err error) {
	var number, why uint32
	var key string
	switch {
	case s.Sender != id.Server:
	case s.Name == serverName+".ActionInvoked" && dbus.Store(s.Body, &number, &key) == nil && number == id.Number:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < buttons {
			return i, true, nil
		}
	case s.Name == serverName+".NotificationClosed" && dbus.Store(s.Body, &number, &why) == nil && number == id.Number:
		if why != closedByPerson {
			err = errors.New("the notification went away unanswered")
		}
		return Dismissed, true, err
	}
	return Dismissed, false, nil
}
