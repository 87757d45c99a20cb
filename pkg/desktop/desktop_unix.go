//go:build dragonfly || freebsd || linux || netbsd || openbsd

package desktop

import (
	"context"
	"slices"
	"time"
)

// State asks for the state, within 500 ms. logind knows it; where there is none, or
// none that knows a graphical session of the user's, the screen saver is asked, which
// does not know of idleness. Without an answer the State is the zero one.
func (d *Desktop) State(ctx context.Context) State {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	system := d.dialSystem(ctx)
	defer system.close()
	if s := system.logind(ctx, d.getenv("XDG_SESSION_ID")); s.Known {
		return s
	}
	session := d.dialSession(ctx)
	defer session.close()
	return session.saver(ctx)
}

// Watch calls changed with the state, and again with each that differs, until ctx
// ends, and Woke when the machine has woken up. Where changed is nil that is all it is
// for, and the session bus is left alone. Nothing is polled: the services tell. While
// there is none the state is unknown, and one is looked for every 30 s.
func (d *Desktop) Watch(ctx context.Context, changed func(State)) {
	var last State
	first := true
	tell := func(s State) {
		if changed != nil && ctx.Err() == nil && (first || s != last) {
			first, last = false, s
			changed(s)
		}
	}
	for ctx.Err() == nil {
		if changed == nil {
			d.followSleep(ctx)
		} else {
			d.follow(ctx, tell)
		}
		tell(State{})
		t := time.NewTimer(d.untilNext())
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// followSleep tells of sleeps until the bus is lost.
func (d *Desktop) followSleep(ctx context.Context) {
	system := d.dialSystem(ctx)
	defer system.close()
	if d.Woke == nil || !system.subscribe(ctx, sleepSignals) {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case s, open := <-system.signals():
			if !open {
				return
			}
			d.heard(s)
		}
	}
}

// follow tells states until a bus is lost, or another might know more.
func (d *Desktop) follow(ctx context.Context, tell func(State)) {
	system, session := d.dialSystem(ctx), d.dialSession(ctx)
	defer system.close()
	defer session.close()
	if told := system.subscribe(ctx, slices.Concat(logindSignals, sleepSignals)); !session.subscribe(ctx, saverSignals) && !told {
		return
	}
	for {
		within, cancel := context.WithTimeout(ctx, limit)
		s := system.logind(within, d.getenv("XDG_SESSION_ID"))
		if !s.Known {
			s = session.saver(within)
		}
		cancel()
		tell(s)
		var again <-chan time.Time
		if !s.Known { // it was slow to answer, or there may be a session bus by then
			again = time.After(d.untilNext())
		}
		select {
		case <-ctx.Done():
			return
		case <-again:
			if session == nil {
				return
			}
		case s, open := <-system.signals():
			if !open {
				return
			}
			d.heard(s)
		case _, open := <-session.signals():
			if !open {
				return
			}
		}
	}
}
