package refresh

import (
	"context"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// step starts whatever is due at t and tells when to look again.
func (e *Engine) step(t time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t.Before(e.looked) {
		e.clockSetBackLocked()
	}
	next := t.Add(poll)
	if !e.locked {
		for _, id := range e.ids {
			if at, ok := e.sessionDueLocked(id, t); ok && !at.After(t) {
				e.startSessionLocked(id)
			} else if ok {
				next = earlier(next, at)
			}
		}
		next = earlier(next, e.refreshDueLocked(t))
	}
	next = earlier(next, e.expiryLocked(t))
	return earlier(next, e.publishDueLocked(t))
}

// clockSetBackLocked forgets what was put off to moments of another time.
func (e *Engine) clockSetBackLocked() {
	for _, id := range e.ids {
		id.fail.next = time.Time{}
	}
	for _, p := range e.profiles {
		p.fail.next = time.Time{}
	}
	e.batch.since, e.batch.retry = time.Time{}, time.Time{}
}

// expiryLocked tells whoever watches when something has run out since the last
// look, and gives the moment when the next will.
func (e *Engine) expiryLocked(t time.Time) time.Time {
	next, ended := t.Add(poll), false
	see := func(c creds.Credentials) {
		if c.Expires.After(t) {
			next = earlier(next, c.Expires)
		} else if c.Expires.After(e.looked) {
			ended = true
		}
	}
	for _, id := range e.ids {
		see(id.session)
	}
	for _, p := range e.profiles {
		see(p.current)
	}
	if e.looked = t; ended {
		e.changedLocked()
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// refreshDueLocked starts the roles that are due at t, and with them those that
// soon will be. It tells when the next one is due.
func (e *Engine) refreshDueLocked(t time.Time) time.Time {
	next := t.Add(poll)
	var due, soon []*profile
	for _, p := range e.profiles {
		at, ok := e.profileDueLocked(p, t)
		switch {
		case !ok:
		case !at.After(t):
			due = append(due, p)
		case !at.After(t.Add(together(p.current))) && p.fail.count == 0:
			soon = append(soon, p)
			next = earlier(next, at)
		default:
			next = earlier(next, at)
		}
	}
	if len(due) > 0 {
		for _, p := range append(due, soon...) {
			e.startRoleLocked(p)
		}
	}
	return next
}

// sessionDueLocked tells when an identity's session is to be started or renewed
// by the engine's own doing; ok is false where there is nothing to start.
// Without a session, and where a person must be asked, only a request starts one.
func (e *Engine) sessionDueLocked(id *identity, t time.Time) (at time.Time, ok bool) {
	if id.Federated || id.flight != nil {
		return time.Time{}, false
	}
	if id.session.UsableAt(t) {
		return later(renewAt(id.session, id.Unattended), id.fail.next), true
	}
	if !id.Unattended {
		return time.Time{}, false
	}
	return later(t, id.fail.next), true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// profileDueLocked tells when a role is to be assumed; ok is false where it
// cannot be: it is being fetched, it has no role, or what signs is not there.
func (e *Engine) profileDueLocked(p *profile, t time.Time) (at time.Time, ok bool) {
	if p.flying || p.Role.ARN == "" {
		return time.Time{}, false
	}
	_, err := e.signerLocked(p, t)
	return e.planLocked(p, t), err == nil
}

// planLocked tells when a role should be assumed, if it can be.
func (e *Engine) planLocked(p *profile, t time.Time) time.Time {
	switch {
	case p.force:
		return t
	case !p.current.UsableAt(t), p.current.Issued.After(t.Add(time.Minute)):
		// None, run out, or from a future that a stepped clock took back.
		return later(t, p.fail.next)
	}
	return later(dueAt(p.Before, p.current, e.endingLocked(p)), p.fail.next)
}

// endingLocked is the MFA session whose end p has to reckon with. There is none
// for federated identities, and none while a program gets the next session's
// code: everything is fetched with that one in a moment.
func (e *Engine) endingLocked(p *profile) creds.Credentials {
	id := e.ids[p.Identity]
	if id == nil || id.Unattended && id.flight != nil {
		return creds.Credentials{}
	}
	return id.session
}

// signerLocked gives the credentials that p's role is assumed with. A parent
// that is due itself goes first.
func (e *Engine) signerLocked(p *profile, t time.Time) (creds.Credentials, error) {
	id := e.ids[p.Identity]
	if id == nil {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeConfig, Op: "profile " + p.Name + " has no identity"}
	}
	if p.Source == "" {
		if id.Federated {
			return creds.Credentials{}, nil
		}
		if !id.session.UsableAt(t) {
			return creds.Credentials{}, needCode(id)
		}
		return id.session, nil
	}
	parent := e.profiles[p.Source]
	if parent == nil {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeConfig, Op: "profile " + p.Name + " has no source profile " + p.Source}
	}
	_, err := e.signerLocked(parent, t)
	coming := err == nil || err == errParentFirst // the parent can be assumed itself
	switch {
	case parent.flying, coming && parent.Role.ARN != "" && !e.planLocked(parent, t).After(t):
		return creds.Credentials{}, errParentFirst
	case parent.current.UsableAt(t):
		return parent.current, nil
	case parent.fail.err != nil:
		return creds.Credentials{}, parent.fail.err
	}
	return creds.Credentials{}, err
}

// errParentFirst is never shown: whoever meets it waits for the parent.
var errParentFirst = &creds.Error{Code: creds.CodeTimeout, Op: "waiting for the source profile"}

// needCode is the answer where only a code helps.
func needCode(id *identity) error {
	return &creds.Error{
		Code: creds.CodeMFARequired,
		Op:   "identity " + id.Name + " has no MFA session",
		Hint: "run: mfad login " + id.Name,
		Err:  id.fail.err,
	}
}

// startRoleLocked puts one AssumeRole call for p into the air.
func (e *Engine) startRoleLocked(p *profile) {
	from, err := e.signerLocked(p, now())
	if err != nil || p.flying || e.run == nil {
		return
	}
	p.flying, p.force = true, false
	e.batch.flying++
	cfg, ctx := p.Profile, e.run
	e.flights.Go(func() {
		select {
		case e.slots <- struct{}{}:
			defer func() { <-e.slots }()
		case <-ctx.Done():
		}
		c, via, err := e.AWS.AssumeRole(ctx, cfg, from)
		e.landRole(p, cfg, from, c, via, err)
	})
}

// landRole takes in what AWS answered for p, which was asked with cfg, signed
// by from.
func (e *Engine) landRole(p *profile, cfg Profile, from, c creds.Credentials, via Via, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.Nudge()
	defer e.changedLocked()
	t := now()
	p.flying = false
	e.batch.flying--
	if e.profiles[cfg.Name] != p || p.Fingerprint != cfg.Fingerprint || e.locked {
		return // the configuration went on meanwhile
	}
	if err == nil && !c.UsableAt(t) {
		err = &creds.Error{Code: creds.CodeClockSkew, Op: "AWS's credentials have run out on arrival by this machine's clock",
			Hint: "set the clock, then run: mfad refresh " + cfg.Name}
	}
	if err != nil {
		e.failRoleLocked(p, from, err, t)
		return
	}
	p.current, p.via, p.fail = c, via, failure{}
	e.batch.add(p.Name, t)
	e.Log.Debug("refreshed", "profile", p.Name, "via", string(via), "expires", c.Expires)
}

// failRoleLocked plans what follows a failed call.
func (e *Engine) failRoleLocked(p *profile, from creds.Credentials, err error, t time.Time) {
	e.Log.Warn("refresh failed", "profile", p.Name, "error", err)
	p.fail.err, p.fail.count = err, p.fail.count+1
	p.fail.next = t.Add(retryAfter(err, p.fail.count, p.current.Lifetime(), e.Draw()))
	id := e.ids[p.Identity]
	if id == nil || from.IsZero() || from.AccessKeyID != id.session.AccessKeyID {
		return
	}
	switch creds.CodeOf(err) {
	case creds.CodeExpired:
		e.dropSessionLocked(id, err)
	case creds.CodeInvalidKey:
		// The session may be revoked; or this role alone may be refused it, for
		// its region. A session costs a person a code: AWS is asked about it.
		e.verifyLocked(id, p)
	}
}

// hiccup is the pause after AWS refused a session that it knows after all.
const hiccup = 2 * time.Second

// verifyLocked finds out whether AWS still knows an identity's session.
func (e *Engine) verifyLocked(id *identity, p *profile) {
	if p.fail.count == 1 {
		p.fail.next = now().Add(hiccup)
	}
	if id.verifying || e.run == nil {
		return
	}
	id.verifying = true
	cfg, session, ctx := id.Identity, id.session, e.run
	e.flights.Go(func() {
		err := e.AWS.Verify(ctx, cfg, session)
		e.mu.Lock()
		defer e.mu.Unlock()
		id.verifying = false
		if code := creds.CodeOf(err); id.session.AccessKeyID == session.AccessKeyID && (code == creds.CodeInvalidKey || code == creds.CodeExpired) {
			e.dropSessionLocked(id, err)
		}
		e.changedLocked()
		e.Nudge()
	})
}

// dropSessionLocked forgets a session that is of no more use.
func (e *Engine) dropSessionLocked(id *identity, why error) {
	id.session = creds.Credentials{}
	if why != nil {
		id.fail.err = &creds.Error{Code: creds.CodeInvalidKey, Op: "AWS ended the MFA session of " + id.Name + " early",
			Hint: "run: mfad login " + id.Name, Err: why}
	}
	for _, p := range e.profiles {
		if p.Identity == id.Name {
			p.fail = failure{}
			e.serveSessionLocked(p)
		}
	}
	e.batch.all = true
}

// Credentials gives what tools may use of a profile now. Where AWS has to be
// asked it waits for that, until ctx ends; many callers cause one call. The
// error's code is [creds.CodeMFARequired] where only a token code helps.
func (e *Engine) Credentials(ctx context.Context, name string) (creds.Credentials, error) {
	for {
		c, changed, err := e.look(name)
		if changed == nil {
			return c, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if cause := context.Cause(ctx); creds.CodeOf(cause) == creds.CodeDaemonDown {
				err = cause
			}
			if err == nil {
				err = &creds.Error{Code: creds.CodeTimeout, Op: "AWS has not answered for profile " + name + " in time"}
			}
			return creds.Credentials{}, err
		}
	}
}

// Cached gives a profile's credentials if they are usable now, and does nothing
// else.
func (e *Engine) Cached(name string) (creds.Credentials, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.profiles[name]
	if p == nil || e.locked || !p.current.UsableAt(now()) {
		return creds.Credentials{}, false
	}
	return p.current, true
}

// look is one look at a profile. A channel means: not yet, wait for it; err is
// then what failed last.
func (e *Engine) look(name string) (creds.Credentials, <-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := now()
	p := e.profiles[name]
	switch {
	case p == nil:
		return creds.Credentials{}, nil, &creds.Error{Code: creds.CodeUnknownProfile, Op: "there is no profile " + name,
			Hint: "run: mfad profile list"}
	case e.locked:
		return creds.Credentials{}, nil, &creds.Error{Code: creds.CodeLocked, Op: "mfad is locked", Hint: "run: mfad unlock"}
	case p.current.UsableAt(t):
		return p.current, nil, nil
	case p.flying:
		return creds.Credentials{}, e.changed, p.fail.err
	}
	if p.Role.ARN == "" {
		return creds.Credentials{}, nil, needCode(e.ids[p.Identity])
	}
	if _, err := e.signerLocked(p, t); err == errParentFirst {
		e.Nudge()
		return creds.Credentials{}, e.changed, nil
	} else if err != nil {
		return creds.Credentials{}, nil, err
	}
	if id := e.ids[p.Identity]; id.verifying {
		return creds.Credentials{}, e.changed, p.fail.err
	}
	if p.fail.err != nil && p.fail.next.Sub(t) > hiccup && !creds.IsTransient(p.fail.err) {
		return creds.Credentials{}, nil, p.fail.err
	}
	e.Nudge()
	return creds.Credentials{}, e.changed, p.fail.err
}
