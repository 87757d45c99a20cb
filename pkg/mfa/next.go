package mfa

import (
	"context"
	"errors"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Next opens an identity's question for a code that is wanted for a profile's
// role, or for the session where profile is empty; or asks again because of prev.
// It blocks until somebody gives a code, be it for that or for something else.
func (d *Desk) Next(ctx context.Context, identity, profile string, prev error) (code Code, err error) {
	turn, err := d.open(ctx, identity, profile, prev)
	if err != nil {
		return Code{}, err
	}
	defer func() { d.close(identity, turn, err == nil) }()
	for {
		d.mu.Lock()
		q := d.questionLocked(identity)
		if q.turn != turn {
			d.mu.Unlock()
			return Code{}, ErrOver
		}
		if ctx.Err() == nil && len(q.offers) > 0 {
			o := q.offers[0]
			q.offers = q.offers[1:]
			d.noteStepLocked(identity)
			d.mu.Unlock()
			return Code{Code: o.code, Profile: o.profile, Done: func(r Outcome) { o.result <- r }}, nil
		}
		set, changed, useProcess := d.settings[identity], q.changed, d.methodLocked(identity) == Process
		d.mu.Unlock()
		if useProcess {
			code, err := d.processUnlessMoot(ctx, identity, set, prev)
			switch {
			case ctx.Err() != nil:
				return Code{}, context.Cause(ctx)
			case errors.Is(err, errMoot):
			case err == nil:
				return Code{Code: code, Program: true}, nil
			case !d.processFailed(identity, err):
				return Code{}, err
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Code{}, context.Cause(ctx)
		}
	}
}

// noteStepLocked remembers the step in which an identity's device gave a code.
func (d *Desk) noteStepLocked(identity string) {
	d.steps[d.settings[identity].Serial] = d.stepOf(time.Now())
}

// errMoot tells that the program's code is not needed any more.
var errMoot = errors.New("a code was given elsewhere, or is not to come from this program")

// processUnlessMoot runs the program, and stops it when somebody gives a code
// meanwhile, when nobody waits any more, or when the config changed.
func (d *Desk) processUnlessMoot(ctx context.Context, identity string, set Settings, prev error) (creds.Secret, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		for ctx.Err() == nil {
			d.mu.Lock()
			q := d.questionLocked(identity)
			moot := len(q.offers) > 0 || d.settings[identity].Process != set.Process || d.settings[identity].hasProgram() != set.hasProgram() || d.methodLocked(identity) != Process
			changed := q.changed
			d.mu.Unlock()
			if moot {
				cancel(errMoot)
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}()
	code, err := d.runProcess(ctx, identity, set, prev)
	if err != nil && errors.Is(context.Cause(ctx), errMoot) {
		err = errMoot
	}
	cancel(nil)
	<-watching
	return code, err
}

// ErrOver ends a call of Next whose question was settled, or asked anew.
var ErrOver = errors.New("the question is over")

// open puts the question on the desk and gives the turn.
func (d *Desk) open(ctx context.Context, identity, profile string, prev error) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil { // it was withdrawn; the desk may be another question's by now
		return 0, context.Cause(ctx)
	}
	q := d.questionLocked(identity)
	if q.since.IsZero() {
		q.since = time.Now().Round(0)
	}
	if q.target != profile { // another question: what went wrong with the last does not count
		q.since, q.broken = time.Now().Round(0), nil
	}
	q.turn++
	q.open, q.sent, q.reason, q.target = true, false, "", profile
	if prev != nil {
		q.reason = prev.Error()
	}
	was := q.asked
	q.asked = nil // whoever was asked has answered, or is asked again with the reason
	d.callLocked(identity)
	if was != nil && q.asked != was {
		was.tell(Event{Kind: Stop})
	}
	return q.turn, nil
}

// close takes the question off while its code is on the way to AWS.
func (d *Desk) close(identity string, turn int, sent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.questionLocked(identity)
	if q.turn != turn {
		return
	}
	if q.open, q.sent = false, sent; !sent {
		q.hushLocked() // it was given up
	}
}

// processFailed remembers that the program gave no code, and tells whether
// another way to ask is left.
func (d *Desk) processFailed(identity string, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.questionLocked(identity)
	q.broken, q.reason = err, err.Error()
	if d.methodLocked(identity) == "" && len(q.offers) == 0 {
		return false // all who wait get the program's failure
	}
	d.callLocked(identity)
	return true
}
