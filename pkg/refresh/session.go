package refresh

import (
	"cmp"
	"context"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// startSession spends a code on an identity's session. Its error is the reason
// why the code did not do.
func (e *Engine) startSession(ctx context.Context, id *identity, a *asker, cfg Identity, s plan.Spend, at Attempt, n *tally) error {
	e.mu.Lock()
	gone := id.asker != a || e.locked
	e.mu.Unlock()
	if gone {
		return withdrawn(id)
	}
	c, err := e.AWS.StartSession(ctx, cfg, at.Code, s.Why)
	if err == nil && !c.UsableAt(e.Now()) {
		err = &creds.Error{Code: creds.CodeClockSkew, Op: "AWS's session has run out on arrival by this machine's clock",
			Hint: "set the clock, then run: mfad login " + id.Name}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if id.asker != a || e.locked {
		return cmp.Or(err, withdrawn(id))
	}
	if err != nil {
		if !n.again(err, tries) {
			e.failedLocked(ctx, id, "", err)
		}
		return err
	}
	e.Log.Info("MFA session", "identity", id.Name, "expires", c.Expires)
	id.session, id.fail = c, failure{}
	e.freshenLocked(id, e.Now())
	e.settleLocked(id, "", nil)
	return nil
}

// freshenLocked has everything below an identity fetched at once.
func (e *Engine) freshenLocked(id *identity, t time.Time) {
	for _, p := range id.below {
		e.forgiveLocked(p)
		if p.Role.ARN == "" {
			e.serveLocked(p)
			e.batch.add(p.Name, t)
		} else if !p.outlasts(t) {
			p.force = true
		}
	}
	e.batch.add("", t) // the session itself is to be kept
}

// hiccup is the pause after AWS refused a session that it knows after all.
const hiccup = 2 * time.Second

// checkSessionLocked drops an identity's session, which AWS refused for p's role,
// if AWS does not know it any more.
func (e *Engine) checkSessionLocked(id *identity, p *profile) {
	if p.fail.count == 1 {
		p.fail.next = e.Now().Add(hiccup)
	}
	e.askAboutLocked(id)
}

// askAboutLocked drops an identity's session if AWS does not know it any more. One
// that is over by AWS's time stays what it is.
func (e *Engine) askAboutLocked(id *identity) {
	session := id.session
	e.verifyLocked(id, session, &id.verifying, func(err error) {
		if id.session.AccessKeyID == session.AccessKeyID && session.UsableAt(e.Now()) {
			e.dropSessionLocked(id, err)
		}
	})
}

// verifyLocked asks AWS whether it still knows credentials of an identity, and
// calls gone, under the lock, if it does not. Busy, guarded by Engine.mu, is set
// meanwhile; where it is already, AWS is not asked.
func (e *Engine) verifyLocked(id *identity, c creds.Credentials, busy *bool, gone func(error)) {
	if *busy || e.run == nil {
		return
	}
	*busy = true
	cfg, ctx := id.Identity, e.run
	e.flights.Go(func() {
		err := e.AWS.Verify(ctx, cfg, c)
		e.mu.Lock()
		defer e.mu.Unlock()
		*busy = false
		if isGone(err) {
			gone(err)
		}
		e.changedLocked()
		e.Nudge()
	})
}

// isGone tells by AWS's answer whether the credentials that signed are of no more
// use.
func isGone(err error) bool {
	code := creds.CodeOf(err)
	return code == creds.CodeInvalidKey || code == creds.CodeExpired
}

// dropSessionLocked forgets a session that is of no more use.
func (e *Engine) dropSessionLocked(id *identity, why error) {
	id.session = creds.Credentials{}
	if why != nil {
		id.fail.err = &creds.Error{Code: creds.CodeInvalidKey, Op: "AWS ended the MFA session of " + id.Name + " early",
			Hint: "run: mfad login " + id.Name, Err: why}
	}
	for _, p := range id.below { // what failed is told, and tried as soon as there is another session
		p.fail.count, p.fail.next = 0, time.Time{}
		e.serveLocked(p)
	}
	e.batch.all = true
}

// Refresh fetches the named profiles now, all of them where none is named, and
// waits until they are published. How each went is in Status. It spends no code:
// credentials that came direct are only checked with AWS, where they are named.
func (e *Engine) Refresh(ctx context.Context, names ...string) error {
	e.mu.Lock()
	if e.locked {
		e.mu.Unlock()
		return ErrLocked
	}
	named := len(names) > 0
	if !named {
		for name := range e.profiles {
			names = append(names, name)
		}
	}
	t := e.Now()
	for _, name := range names {
		p := e.profiles[name]
		if p == nil {
			e.mu.Unlock()
			return noProfile(name)
		}
		_, err := e.signerLocked(p, t)
		switch {
		case p.Role.ARN == "":
		case p.outlasts(t) && named:
			e.checkDirectLocked(p)
		case p.outlasts(t):
		case canSign(err):
			p.force = true
			e.forgiveLocked(p)
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
	t := e.Now()
	for _, name := range names {
		p := e.profiles[name]
		if p == nil {
			continue
		}
		if p.flying || e.batch.holds(name) {
			return true
		}
		if !p.force {
			continue
		}
		if _, err := e.signerLocked(p, t); canSign(err) {
			return true
		}
	}
	return false
}
