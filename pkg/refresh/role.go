package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// startRoleLocked puts one AssumeRole call for p into the air.
func (e *Engine) startRoleLocked(p *profile) {
	t := e.Now()
	from, err := e.signerLocked(p, t)
	id := e.ids[p.Identity]
	if err != nil || p.flying || e.run == nil {
		return
	}
	p.flying, p.force = true, false
	e.batch.flying++
	cfg, ctx := p.Profile, e.run
	cfg.Role.Duration = e.durationLocked(p, id, t)
	risky := !e.known[cfg.Role.ARN].Safe(cfg.Role.Duration)
	e.riskLocked(cfg.Identity, risky, 1)
	e.flights.Go(func() {
		leave := e.pace.take(ctx)
		c, via, err := e.AWS.AssumeRole(ctx, cfg, from)
		leave(creds.CodeOf(err) == creds.CodeThrottled)
		e.landRole(p, cfg, from, c, via, err, risky)
	})
}

// landRole takes in what AWS answered for p, which was asked with cfg, signed
// by from.
func (e *Engine) landRole(p *profile, cfg Profile, from, c creds.Credentials, via Via, err error, risky bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.Nudge()
	defer e.changedLocked()
	t := e.Now()
	p.flying = false
	e.batch.flying--
	e.riskLocked(cfg.Identity, risky, -1)
	e.learnLocked(cfg, err, t)
	if err != nil {
		e.refuseLocked(p, RefusedRole, err, t)
	}
	if e.profiles[cfg.Name] != p || p.Fingerprint != cfg.Fingerprint || e.locked {
		return // the configuration went on meanwhile
	}
	if err == nil && !c.UsableAt(t) {
		err = &creds.Error{Code: creds.CodeClockSkew, Op: "AWS's credentials have run out on arrival by this machine's clock",
			Hint: "set the clock, then run: mfad refresh " + cfg.Name}
	}
	if id := e.ids[p.Identity]; id != nil && id.session.AccessKeyID == from.AccessKeyID && !from.IsZero() {
		e.youngLocked(p, t.Sub(from.Issued), err)
	}
	if err != nil {
		e.failRoleLocked(p, cfg.Role.Duration, from, err, t)
		return
	}
	p.through, p.way = c, via
	e.forgiveLocked(p)
	e.serveLocked(p)
	e.batch.add(p.Name, t)
	e.Log.Debug("refreshed", "profile", p.Name, "via", string(via), "expires", c.Expires)
}

// failRoleLocked plans what follows a failed call.
func (e *Engine) failRoleLocked(p *profile, asked time.Duration, from creds.Credentials, err error, t time.Time) {
	e.Log.Warn("refresh failed", "profile", p.Name, "error", err)
	id := e.ids[p.Identity]
	if creds.CodeOf(err) == creds.CodeDuration && id != nil && id.Federated && p.Source == "" && asked > plan.Hour {
		p.force = true // with less, at once: no code is lost by it
		return
	}
	p.fail.err, p.fail.count = err, p.fail.count+1
	p.fail.next = t.Add(retryAfter(err, p.fail.count, p.through.Lifetime(), e.Draw()))
	if id == nil || from.IsZero() || from.AccessKeyID != id.session.AccessKeyID {
		return
	}
	switch creds.CodeOf(err) {
	case creds.CodeExpired:
		e.dropSessionLocked(id, err)
	case creds.CodeInvalidKey:
		// The session may be revoked; or this role alone may be refused it, for
		// its region. A session costs a person a code: AWS is asked about it.
		e.checkSessionLocked(id, p)
	}
}
