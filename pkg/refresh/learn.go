package refresh

import (
	"context"
	"slices"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// look is a lookup of a role's maximum: in the air, or put off.
type look struct {
	flying bool
	next   time.Time     // not to be tried again before
	pause  time.Duration // of the last time that AWS gave no answer
}

// learnLocked takes in what AWS granted, or refused for its length, to a call
// that asked for ask.Role.Duration.
func (e *Engine) learnLocked(ask Profile, err error, t time.Time) {
	arn, d := ask.Role.ARN, ask.Role.Duration
	switch {
	case err == nil && d > plan.Hour:
		e.known[arn] = e.known[arn].Granted(d, t)
	case creds.CodeOf(err) == creds.CodeDuration:
		e.known[arn] = e.known[arn].Denied(d, t)
	}
}

// lookWorthLocked tells whether p's maximum is of any use: a code or an assertion
// could be spent on it.
func (e *Engine) lookWorthLocked(p *profile, id *identity, t time.Time) bool {
	switch {
	case p.Source != "" || p.Role.ARN == "":
		return false
	case id.Federated || t.Sub(p.wanted).Abs() < inUse:
		return true
	}
	return p.Mode.Spends(id.Unattended)
}

// lookSignerLocked gives the credentials that GetRole is to be asked with at t,
// and whether they are the role's own. Ok is false where there are none, or AWS
// was asked within a day.
func (e *Engine) lookSignerLocked(p *profile, id *identity, t time.Time) (c creds.Credentials, own, ok bool) {
	k := e.known[p.Role.ARN]
	stale := func(at time.Time) bool { return t.Sub(at).Abs() >= plan.Daily }
	if k.Exact && !stale(k.Learned) {
		return c, false, false
	}
	if !id.Federated && id.session.UsableAt(t) && sameAccount(id.Account, p.Role.ARN) && stale(k.LookedSession) && !e.blindLocked(id, t) {
		return id.session, false, true
	}
	if p.current.UsableAt(t) && stale(k.LookedRole) {
		return p.current, true, true
	}
	return c, false, false
}

// blindLocked tells whether AWS refused GetRole to an identity's session within a
// day: a permission is seldom for one role alone.
func (e *Engine) blindLocked(id *identity, t time.Time) bool {
	return slices.ContainsFunc(e.refusals.counted, func(r Refusal) bool {
		return r.Identity == id.Name && r.Call == RefusedSessionLookup && t.Sub(r.Time).Abs() < plan.Daily
	})
}

// lookAheadLocked tells whether p's maximum may be known in a moment: it is being
// looked up, or will be as soon as the role was fetched.
func (e *Engine) lookAheadLocked(p *profile, id *identity, t time.Time) bool {
	if !e.lookWorthLocked(p, id, t) {
		return false
	}
	l := e.looks[p.Role.ARN]
	if l.flying {
		return true
	}
	if later(l.next, e.lookupLocked(p.Identity, t)).After(t.Add(airborne)) {
		return false // put off: not in a moment
	}
	if _, _, ok := e.lookSignerLocked(p, id, t); ok {
		return true
	}
	_, err := e.signerLocked(p, t)
	k := e.known[p.Role.ARN]
	return !p.current.UsableAt(t) && p.fail.err == nil && canSign(err) && t.Sub(k.LookedRole) >= plan.Daily
}

// lookLocked starts the lookups that are due at t and tells when to look again.
func (e *Engine) lookLocked(t time.Time) time.Time {
	next := t.Add(poll)
	for _, p := range e.profiles {
		id := e.ids[p.Identity]
		if id == nil || e.run == nil || !e.lookWorthLocked(p, id, t) {
			continue
		}
		from, own, ok := e.lookSignerLocked(p, id, t)
		l := e.looks[p.Role.ARN]
		if !ok || l.flying {
			continue
		}
		if at := later(l.next, e.lookupLocked(p.Identity, t)); at.After(t) {
			next = earlier(next, at)
			continue
		}
		e.startLookLocked(p, from, own)
	}
	return next
}

func (e *Engine) startLookLocked(p *profile, from creds.Credentials, own bool) {
	arn := p.Role.ARN
	e.looks[arn] = look{flying: true, pause: e.looks[arn].pause}
	e.riskLocked(p.Identity, true, 1)
	cfg, ctx := p.Profile, e.run
	e.flights.Go(func() {
		d, err := e.AWS.MaxSessionDuration(ctx, cfg, from)
		e.landLook(ctx, p, cfg, from, own, d, err)
	})
}

// landLook takes in what GetRole said of p's role.
func (e *Engine) landLook(ctx context.Context, p *profile, cfg Profile, from creds.Credentials, own bool, d time.Duration, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.Nudge()
	defer e.changedLocked()
	e.riskLocked(cfg.Identity, true, -1)
	l := e.looks[cfg.Role.ARN]
	l.flying = false
	e.looks[cfg.Role.ARN] = l
	if ctx.Err() == nil {
		e.lookedLocked(p, cfg, from, own, d, err, e.Now())
	}
}

// lookedLocked takes in what GetRole said, or that it said nothing.
func (e *Engine) lookedLocked(p *profile, cfg Profile, from creds.Credentials, own bool, d time.Duration, err error, t time.Time) {
	arn := cfg.Role.ARN
	if creds.IsTransient(err) || isLocal(err) { // IAM may be out of reach for good
		pause := min(max(2*e.looks[arn].pause, time.Minute), time.Hour)
		e.looks[arn] = look{next: t.Add(pause), pause: pause}
		return
	}
	delete(e.looks, arn)
	k := e.known[arn]
	how := "GetRole as the MFA session"
	if own {
		how, k.LookedRole = "GetRole as the role itself", t
	} else {
		k.LookedSession = t
	}
	if err == nil {
		k = k.Told(d, how, t)
	} else {
		e.Log.Debug("the role's maximum cannot be looked up", "profile", cfg.Name, "how", how, "error", err)
		call := RefusedSessionLookup
		if own {
			call = RefusedLookup
		}
		e.refuseLocked(p, call, err, t)
		if isGone(err) && own && p.direct.AccessKeyID == from.AccessKeyID {
			e.checkDirectLocked(p) // IAM may not know them yet: STS is asked
		}
	}
	e.known[arn] = k
	e.batch.add("", t)
	if id := e.ids[cfg.Identity]; id != nil && id.Federated && err == nil && e.profiles[cfg.Name] == p &&
		e.durationLocked(p, id, t) > p.current.Lifetime()+time.Minute {
		p.force = true // an hour was taken to ask; now the role's full length is known
	}
}

// learnPatience is how long whoever wants a role waits for its maximum.
const learnPatience = 5 * time.Second

// Learned waits until a role's maximum is known, or cannot be in a moment.
func (e *Engine) Learned(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, learnPatience)
	defer cancel()
	for {
		e.mu.Lock()
		p, changed, t := e.profiles[name], e.changed, e.Now()
		id := (*identity)(nil)
		if p != nil {
			id = e.ids[p.Identity]
		}
		done := id == nil || e.known[p.Role.ARN].Known() || !e.lookAheadLocked(p, id, t)
		e.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
