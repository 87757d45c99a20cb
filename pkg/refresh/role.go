package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

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
