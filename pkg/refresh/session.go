package refresh

import (
	"context"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// tries is how many codes AWS may reject before a question rests.
const tries = 3

// rest is how long the engine asks nothing by itself after a question failed.
const rest = time.Minute

// sessionFlight is one question for a code, until a session or a failure.
type sessionFlight struct {
	cancel context.CancelFunc
	done   chan struct{} // closed at the end
	err    error         // set before done
}

// startSessionLocked opens the question for an identity's code, unless it is open.
func (e *Engine) startSessionLocked(id *identity) *sessionFlight {
	if id.flight != nil {
		return id.flight
	}
	if e.run == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(e.run)
	f := &sessionFlight{cancel: cancel, done: make(chan struct{})}
	id.flight = f
	cfg := id.Identity
	e.flights.Go(func() {
		defer cancel()
		c, err := e.fly(ctx, cfg)
		if err != nil && e.stopped(ctx) {
			err = errStopping
		}
		e.landSession(id, f, c, err)
	})
	e.changedLocked()
	return f
}

// stopped tells whether Start's context, of which ctx is a child, has ended.
func (e *Engine) stopped(ctx context.Context) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return ctx.Err() != nil && (e.run == nil || e.run.Err() != nil)
}

// fly asks for codes until AWS takes one.
func (e *Engine) fly(ctx context.Context, id Identity) (creds.Credentials, error) {
	var prev error
	for rejected, used := 0, 0; ; {
		a, err := e.Codes.Next(ctx, id, prev)
		if err != nil {
			return creds.Credentials{}, err
		}
		c, err := e.AWS.StartSession(ctx, id, a.Code)
		if err == nil && !c.UsableAt(now()) {
			err = &creds.Error{Code: creds.CodeClockSkew, Op: "AWS's session has run out on arrival by this machine's clock",
				Hint: "set the clock, then run: mfad login " + id.Name}
		}
		if a.Done != nil {
			a.Done(err)
		}
		switch creds.CodeOf(err) {
		case "":
			return c, nil
		case creds.CodeMFAUsedCode: // it was not sent; but a program may know no other
			if used++; used == tries {
				return creds.Credentials{}, err
			}
		case creds.CodeMFARejected:
			if rejected++; rejected == tries {
				return creds.Credentials{}, err
			}
		default:
			return creds.Credentials{}, err
		}
		if prev = err; ctx.Err() != nil {
			return creds.Credentials{}, context.Cause(ctx)
		}
	}
}

// withdrawLocked ends an identity's question from this side: the config went on,
// or mfad was locked.
func (e *Engine) withdrawLocked(id *identity) {
	if f := id.flight; f != nil {
		f.cancel()
		e.overLocked(id, f, &creds.Error{Code: creds.CodeCancelled, Op: "the question for identity " + id.Name + " was withdrawn"})
	}
}

// overLocked tells everybody how a question ended.
func (e *Engine) overLocked(id *identity, f *sessionFlight, err error) {
	e.Codes.Settle(id.Identity, err) // while no other question can be open
	id.flight, f.err = nil, err
	close(f.done)
	e.changedLocked()
	e.Nudge()
}

// landSession takes in how a question ended.
func (e *Engine) landSession(id *identity, f *sessionFlight, c creds.Credentials, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if id.flight != f {
		return // it was withdrawn
	}
	t := now()
	if err != nil {
		e.Log.Warn("no MFA session", "identity", id.Name, "error", err)
		id.fail.err, id.fail.count = err, id.fail.count+1
		pause := retryAfter(err, id.fail.count, id.session.Lifetime(), e.Draw())
		if !creds.IsTransient(err) {
			pause = max(rest, pause)
		}
		id.fail.next = t.Add(pause)
	} else {
		e.Log.Info("MFA session", "identity", id.Name, "expires", c.Expires)
		id.session, id.fail = c, failure{}
		e.freshenLocked(id, t)
	}
	e.overLocked(id, f, err)
}

// freshenLocked has everything below an identity fetched at once.
func (e *Engine) freshenLocked(id *identity, t time.Time) {
	for _, p := range e.profiles {
		if p.Identity != id.Name {
			continue
		}
		p.fail = failure{}
		if p.Role.ARN == "" {
			e.serveSessionLocked(p)
			e.batch.add(p.Name, t)
		} else {
			p.force = true
		}
	}
	e.batch.add("", t) // the session itself is to be kept
}

// Question is an open question for an identity's code.
type Question struct {
	Done <-chan struct{} // closed at its end
	// Err tells how it ended; call it after Done.
	Err func() error
}

// Ask opens the question for an identity's code, unless it is open. Where a
// session lives there is nothing to ask, and the Question is nil. While the last
// question's failure rests, that failure is returned and nobody is asked.
func (e *Engine) Ask(name string) (*Question, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id, err := e.identityLocked(name)
	t := now()
	switch {
	case err != nil || id.session.UsableAt(t):
		return nil, err
	case id.flight == nil && id.fail.next.After(t):
		return nil, resting(id)
	}
	f := e.startSessionLocked(id)
	if f == nil {
		return nil, errStopping
	}
	return &Question{Done: f.done, Err: func() error { return f.err }}, nil
}

// resting is the answer while nobody is asked because of the last failure.
func resting(id *identity) error {
	if creds.CodeOf(id.fail.err) != creds.CodeMFARejected {
		return id.fail.err
	}
	return &creds.Error{Code: creds.CodeMFARejected, Op: "AWS took none of the last codes, so nobody is asked for a while",
		Hint: "run: mfad login " + id.Name}
}

var errStopping = &creds.Error{Code: creds.CodeDaemonDown, Op: "the daemon is stopping", Hint: "run it again: mfad daemon"}

// Login opens the question for an identity's code, also where a session lives,
// and waits for its end and for all profiles below. Codes has the code, or gets it.
func (e *Engine) Login(ctx context.Context, name string) error {
	e.mu.Lock()
	id, err := e.identityLocked(name)
	if err != nil {
		e.mu.Unlock()
		return err
	}
	id.fail = failure{}
	f := e.startSessionLocked(id)
	e.mu.Unlock()
	if f == nil {
		return errStopping
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if f.err != nil {
		return f.err
	}
	return e.Settled(ctx, e.below(name)...)
}

// identityLocked finds an identity that may be asked for a code.
func (e *Engine) identityLocked(name string) (*identity, error) {
	id := e.ids[name]
	switch {
	case id == nil:
		return nil, &creds.Error{Code: creds.CodeUnknownProfile, Op: "there is no identity " + name, Hint: "run: mfad identity list"}
	case e.locked:
		return nil, ErrLocked
	case id.Federated:
		return nil, &creds.Error{Code: creds.CodeUsage, Op: "identity " + name + " is federated and takes no code"}
	}
	return id, nil
}

// below names the profiles of an identity.
func (e *Engine) below(identity string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, p := range e.profiles {
		if p.Identity == identity {
			names = append(names, p.Name)
		}
	}
	return names
}

// Refresh fetches the named profiles now, all of them where none is named, and
// waits until they are published. How each went is in Status.
func (e *Engine) Refresh(ctx context.Context, names ...string) error {
	e.mu.Lock()
	if e.locked {
		e.mu.Unlock()
		return ErrLocked
	}
	if len(names) == 0 {
		for name := range e.profiles {
			names = append(names, name)
		}
	}
	t := now()
	for _, name := range names {
		p := e.profiles[name]
		if p == nil {
			e.mu.Unlock()
			return noProfile(name)
		}
		if _, err := e.signerLocked(p, t); p.Role.ARN != "" && canSign(err) {
			p.force, p.fail = true, failure{}
		}
	}
	e.touchLocked()
	e.mu.Unlock()
	return e.Settled(ctx, names...)
}

// Settled waits until nothing is under way for the named profiles: each was
// tried, and what came of it is published.
func (e *Engine) Settled(ctx context.Context, names ...string) error {
	for {
		e.mu.Lock()
		busy, changed := e.busyLocked(names), e.changed
		e.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &creds.Error{Code: creds.CodeTimeout, Op: "not everything was refreshed in time",
				Hint: "run: mfad status", Err: context.Cause(ctx)}
		}
	}
}

func (e *Engine) busyLocked(names []string) bool {
	t := now()
	for _, name := range names {
		p := e.profiles[name]
		if p == nil {
			continue
		}
		_, err := e.signerLocked(p, t)
		if p.flying || p.force && canSign(err) || e.batch.holds(name) {
			return true
		}
	}
	return false
}
