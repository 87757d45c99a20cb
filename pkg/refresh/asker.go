package refresh

import (
	"context"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// tries is how many codes AWS may reject before a question rests.
const tries = 3

// rest is how long the engine asks nothing by itself after a question failed.
const rest = time.Minute

// asker asks for one identity's codes, one after the other, as long as any is
// wanted; guarded by Engine.mu.
type asker struct {
	cancel context.CancelFunc
	open   bool   // somebody is being asked
	target string // for this profile; empty: the session
}

// askLocked has a code asked for if one is wanted now, by id's view, and for what
// it is wanted most.
func (e *Engine) askLocked(id *identity, v view) {
	if e.locked || e.run == nil || id.Federated || id.verifying {
		return
	}
	s, ok := v.next()
	if a := id.asker; a != nil {
		switch {
		case !a.open:
		case !ok:
			a.cancel() // what was wanted is there, or not wanted any more
		case a.target != s.Profile:
			a.target = s.Profile
			e.Codes.Retarget(id.Identity, s.Profile)
			e.changedLocked()
		}
		return
	}
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(e.run)
	a := &asker{cancel: cancel}
	id.asker = a
	e.flights.Go(func() {
		defer cancel()
		e.ask(ctx, id, a)
	})
	e.changedLocked()
}

// tally counts what became of the codes for one target.
type tally struct {
	rejected, used int
	last           error
}

// ask is an asker's work.
func (e *Engine) ask(ctx context.Context, id *identity, a *asker) {
	counts := map[string]*tally{}
	for {
		e.mu.Lock()
		s, ok := e.viewLocked(id, e.Now()).next()
		if !ok || id.asker != a || e.locked || ctx.Err() != nil {
			e.overLocked(ctx, id, a)
			e.mu.Unlock()
			return
		}
		a.open, a.target = true, s.Profile
		cfg := id.Identity
		e.changedLocked()
		e.mu.Unlock()
		var prev error
		if n := counts[s.Profile]; n != nil {
			prev = n.last
		}
		attempt, err := e.Codes.Next(ctx, cfg, s.Profile, prev)
		e.mu.Lock()
		a.open = false
		if err != nil && err != ErrOver && id.asker == a && ctx.Err() == nil {
			e.gaveUpLocked(id, a.target, err)
		}
		e.mu.Unlock()
		if err == nil {
			e.spend(ctx, id, a, s, attempt, counts)
		}
	}
}

// stoppedLocked tells whether Start's context, of which ctx is a child, has ended.
func (e *Engine) stoppedLocked(ctx context.Context) bool {
	return ctx.Err() != nil && (e.run == nil || e.run.Err() != nil)
}

// overLocked ends an asker.
func (e *Engine) overLocked(ctx context.Context, id *identity, a *asker) {
	if id.asker != a {
		return // it was withdrawn
	}
	id.asker = nil
	if e.stoppedLocked(ctx) {
		for name := range id.wants {
			e.settleLocked(id, name, errStopping)
		}
	}
	e.changedLocked()
	e.Nudge()
}

// spend sends a code, which was asked for to be spent as asked says, to where it
// does most, and takes in what came of it.
func (e *Engine) spend(ctx context.Context, id *identity, a *asker, asked plan.Spend, at Attempt, counts map[string]*tally) {
	e.mu.Lock()
	v := e.viewLocked(id, e.Now())
	s, ok := plan.Choose(v.identity, v.roles, plan.Code{Profile: at.Profile, Program: at.Program}, v.at)
	if ok && s.Profile == "" && asked.Prepares != "" {
		s = asked // that is why there is a code
	}
	cfg := id.Identity
	e.mu.Unlock()
	var err error
	n := counts[s.Profile]
	if n == nil {
		n = &tally{}
		counts[s.Profile] = n
	}
	switch {
	case !ok: // nobody wants it any more
	case s.Profile == "":
		err = e.startSession(ctx, id, a, cfg, s, at, n)
	default:
		err = e.assumeDirect(ctx, id, a, cfg, s, at, n)
	}
	if n.last = err; at.Done != nil {
		at.Done(s, err)
	}
	if ok && err == nil && s.Prepares != "" { // whoever is asked again is to know why
		counts[s.Prepares] = &tally{last: &creds.Error{Code: creds.CodeMFARequired, Op: s.Why}}
	}
}

// again counts a code that did not do and tells whether another may be asked for.
func (n *tally) again(err error, most int) bool {
	switch creds.CodeOf(err) {
	case creds.CodeMFAUsedCode: // it was not sent; but a program may know no other
		n.used++
		return n.used < tries
	case creds.CodeMFARejected:
		n.rejected++
		return n.rejected < most
	}
	return false
}

// gaveUpLocked takes in that no code came, or none that AWS took: nothing is
// asked by itself for a while.
func (e *Engine) gaveUpLocked(id *identity, target string, err error) {
	e.Log.Warn("no code", "identity", id.Name, "profile", target, "error", err)
	id.fail.err, id.fail.count = err, id.fail.count+1
	pause := retryAfter(err, id.fail.count, id.session.Lifetime(), e.Draw())
	if !creds.IsTransient(err) {
		pause = max(rest, pause)
	}
	id.fail.next = e.Now().Add(pause)
	e.settleLocked(id, target, err)
}

// failedLocked ends a question whose codes did not do.
func (e *Engine) failedLocked(ctx context.Context, id *identity, target string, err error) {
	if e.stoppedLocked(ctx) {
		err = errStopping
	}
	e.gaveUpLocked(id, target, err)
}
