package keyring

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

var errStillWaiting = errors.New("still waiting for the keyring to answer an earlier call")

// lane runs calls that know no context one after the other, each in its own
// goroutine, and stops waiting for one when its time is over. A call that hangs
// keeps the lane: the next ones wait for at most their own time and, once it is
// clear that it hangs, not at all. So no more than one goroutine per lane can
// ever be stuck, however often the daemon tries.
type lane struct {
	turn chan struct{} // holds a token while a call is under way
	// hangUp tries to make a call return that has not answered in time. It may
	// be called more than once on a call and must not wait. May be nil.
	hangUp func()

	mu      sync.Mutex // guards overdue
	overdue time.Time  // when the call under way should have answered; zero when none is
}

func newLane(hangUp func()) *lane {
	return &lane{turn: make(chan struct{}, 1), hangUp: hangUp}
}

type outcome struct {
	value creds.Secret
	err   error
}

// run gives what call gives, or after limit (or when ctx ends) the context's
// error. The call gets a context that ends then, too.
func (l *lane) run(ctx context.Context, limit time.Duration, call func(context.Context) (creds.Secret, error)) (creds.Secret, error) {
	overdue := time.Now().Add(limit)
	ctx, cancel := context.WithDeadline(ctx, overdue)
	defer cancel()
	if err := l.enter(ctx, overdue); err != nil {
		return creds.Secret{}, err
	}
	done := make(chan outcome, 1)
	go func() {
		defer l.leave()
		done <- survive(ctx, call)
	}()
	select {
	case r := <-done:
		return r.value, late(ctx, r.err)
	case <-ctx.Done():
	}
	select {
	case r := <-done: // both happened; the answer says more
		return r.value, late(ctx, r.err)
	default:
		l.giveUp()
		return creds.Secret{}, late(ctx, ctx.Err())
	}
}

// late adds to a context's error what a person can do about it.
func late(ctx context.Context, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil {
		return err
	}
	return fail(creds.CodeKeyringTimeout, hintHung, fmt.Errorf("the keyring did not answer in time: %w", err))
}

// enter waits for the lane, for a call that should have answered when it is
// overdue.
func (l *lane) enter(ctx context.Context, overdue time.Time) error {
	if err := ctx.Err(); err != nil {
		return late(ctx, err)
	}
	select {
	case l.turn <- struct{}{}:
	default:
		if l.isOverdue() {
			return fail(creds.CodeKeyringTimeout, hintHung, errStillWaiting)
		}
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			l.giveUp()
			return late(ctx, ctx.Err())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.overdue = overdue
	return nil
}

func (l *lane) leave() {
	l.mu.Lock()
	l.overdue = time.Time{}
	l.mu.Unlock()
	<-l.turn
}

func (l *lane) isOverdue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.overdue.IsZero() && !time.Now().Before(l.overdue)
}

// giveUp ends a wait. A caller that went away by itself, or had little time,
// says nothing about the keyring: only a call that is overdue is hung up on.
func (l *lane) giveUp() {
	if l.hangUp != nil && l.isOverdue() {
		l.hangUp()
	}
}

// survive turns a panic of the library's into an error: it reads from a closed
// channel when the bus goes away below a question, and the daemon must live on.
func survive(ctx context.Context, call func(context.Context) (creds.Secret, error)) (r outcome) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error: // its text is the runtime's and holds no value
			r = outcome{err: fail(creds.CodeKeyringFailed, hintUseFile, fmt.Errorf("the keyring went away: %v", p))}
		default:
			r = outcome{err: fail(creds.CodeKeyringFailed, hintUseFile, errors.New("the keyring's library panicked"))}
		}
	}()
	value, err := call(ctx)
	return outcome{value, err}
}
