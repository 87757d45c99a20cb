package refresh

import (
	"cmp"
	"context"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// directTries is how many codes are tried on one role within alarmWindow.
const directTries = 2

// directRest is how long a role that AWS refuses direct is only served through
// the session.
const directRest = 24 * time.Hour

// prepare has a role's maximum looked up before a code is spent on it: a longer
// time than it allows would be refused, and the code lost.
func (e *Engine) prepare(ctx context.Context, name string) {
	e.mu.Lock()
	p := e.profiles[name]
	if p != nil {
		p.wanted = e.Now()
	}
	e.mu.Unlock()
	if p != nil && p.Role.Duration == 0 {
		e.Nudge()
		e.Learned(ctx, name)
	}
}

// loginRoleLocked checks that a code can be spent on a profile's role, and
// forgets why it was not tried lately: a person asks for it.
func (e *Engine) loginRoleLocked(id *identity, name string) error {
	p := e.profiles[name]
	if p == nil || p.Identity != id.Name || p.Source != "" || p.Role.ARN == "" {
		return noProfile(name)
	}
	t := e.Now()
	if err := e.mayDirectLocked(p, plan.Ask(id.view(t), e.roleLocked(p, id, t), t), t); err != nil {
		return err
	}
	p.off = failure{}
	return nil
}

// mayDirectLocked tells why a code must not be spent on p's role just now: AWS
// refused too much lately, and alarms go off on that.
func (e *Engine) mayDirectLocked(p *profile, d time.Duration, t time.Time) error {
	at := e.restsLocked(p, d, t)
	switch {
	case !at.After(t):
		return nil
	case !at.After(t.Add(airborne)):
		return &creds.Error{Code: creds.CodeTimeout, Op: "AWS has not said yet for how long roles may be assumed; the code was not sent",
			Hint: "in a moment run: mfad login " + p.Name}
	}
	return tooOften(p, at)
}

func tooOften(p *profile, at time.Time) error {
	return &creds.Error{Code: creds.CodeRefused,
		Op:   "AWS refused two such calls within five minutes, and a third sets off alarms in many accounts; the code was not sent",
		Hint: "at " + at.Local().Format("15:04:05") + " run: mfad login " + p.Name}
}

// assumeDirect spends a code on a profile's role. Its error is the reason why the
// code did not do.
func (e *Engine) assumeDirect(ctx context.Context, id *identity, a *asker, cfg Identity, s plan.Spend, at Attempt, n *tally) error {
	e.mu.Lock()
	p := e.profiles[s.Profile]
	err := withdrawn(id)
	if p != nil && id.asker == a && !e.locked {
		if err = e.mayDirectLocked(p, s.Duration, e.Now()); err != nil {
			e.settleLocked(id, p.Name, err)
		}
	}
	if err != nil { // it is not sent
		e.mu.Unlock()
		return err
	}
	ask := p.Profile
	ask.Role.Duration = s.Duration
	risky := !e.known[ask.Role.ARN].Safe(s.Duration)
	e.riskLocked(id.Name, risky, 1)
	e.mu.Unlock()
	c, err := e.AWS.AssumeDirect(ctx, cfg, ask, at.Code, s.Why)
	if err == nil && !c.UsableAt(e.Now()) {
		err = &creds.Error{Code: creds.CodeClockSkew, Op: "AWS's credentials have run out on arrival by this machine's clock",
			Hint: "set the clock, then run: mfad login " + p.Name}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.riskLocked(id.Name, risky, -1)
	e.learnLocked(ask, err, e.Now())
	if err != nil {
		e.refuseLocked(p, RefusedDirect, err, e.Now())
		err = e.tooLongLocked(p, err)
	}
	if e.profiles[p.Name] != p || p.Fingerprint != ask.Fingerprint || e.locked {
		return cmp.Or(err, withdrawn(id)) // the configuration went on meanwhile
	}
	if err != nil {
		e.directFailedLocked(ctx, id, p, err, n)
		return err
	}
	p.direct, p.off, id.fail = c, failure{}, failure{}
	e.forgiveLocked(p)
	for _, name := range e.chainedLocked(p.Name)[1:] {
		e.profiles[name].force = true // what is assumed from it changes with it
	}
	e.serveLocked(p)
	e.batch.add(p.Name, e.Now())
	e.Log.Info("assumed direct", "profile", p.Name, "expires", c.Expires, "why", s.Why)
	e.settleLocked(id, p.Name, nil)
	return nil
}

// tooLongLocked adds the next step to AWS's refusal of a duration.
func (e *Engine) tooLongLocked(p *profile, err error) error {
	if creds.CodeOf(err) != creds.CodeDuration {
		return err
	}
	next := e.known[p.Role.ARN].Ask(e.Now(), false)
	return &creds.Error{Code: creds.CodeDuration, Op: err.Error(),
		Hint: "the next code asks for " + plan.Short(next) + ": mfad login " + p.Name + "; to raise it: mfad role " + p.Name + " --set-max-duration 12h"}
}

// directFailedLocked plans what follows a code that did not do for a role.
func (e *Engine) directFailedLocked(ctx context.Context, id *identity, p *profile, err error, n *tally) {
	t := e.Now()
	e.Log.Warn("not assumed direct", "profile", p.Name, "error", err)
	switch creds.CodeOf(err) {
	case creds.CodeMFARejected, creds.CodeMFAUsedCode, creds.CodeMFABadCode:
		if !n.again(err, directTries) {
			e.failedLocked(ctx, id, p.Name, err)
		}
		return
	case creds.CodeDuration:
		// The next code is tried with less, where somebody waits and AWS was not
		// bothered too much yet.
		if e.triedLocked(p, t).After(t) || id.wants[p.Name] == nil {
			e.settleLocked(id, p.Name, err)
		}
		return
	case creds.CodeAccessDenied, creds.CodeRefused:
		p.off.next = t.Add(directRest)
	default:
		p.off.count++
		p.off.next = t.Add(retryAfter(err, p.off.count, p.direct.Lifetime(), e.Draw()))
	}
	p.off.err = err
	e.settleLocked(id, p.Name, err)
}

// checkDirectLocked drops p's direct credentials if AWS does not know them any more.
func (e *Engine) checkDirectLocked(p *profile) {
	id, c := e.ids[p.Identity], p.direct
	if id == nil {
		return
	}
	e.verifyLocked(id, c, &p.flying, func(error) { e.dropDirectLocked(p, c) })
}

// dropDirectLocked forgets direct credentials that AWS does not know any more.
func (e *Engine) dropDirectLocked(p *profile, c creds.Credentials) {
	if e.profiles[p.Name] == p && p.direct.AccessKeyID == c.AccessKeyID {
		p.direct, p.force = creds.Credentials{}, true
		e.serveLocked(p)
		e.batch.add(p.Name, e.Now())
	}
}

// Direct gives credentials of a profile that came direct and live.
func (e *Engine) Direct(name string) (creds.Credentials, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.profiles[name]
	if p == nil || e.locked || !p.direct.UsableAt(e.Now()) {
		return creds.Credentials{}, false
	}
	return p.direct, true
}

// Chained names a profile and all that are assumed from it, near or far.
func (e *Engine) Chained(name string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.chainedLocked(name)
}

func (e *Engine) chainedLocked(name string) []string {
	from := map[string][]string{}
	for _, p := range e.profiles {
		if p.Source != "" {
			from[p.Source] = append(from[p.Source], p.Name)
		}
	}
	names := []string{name}
	for i := 0; i < len(names); i++ {
		names = append(names, from[names[i]]...)
	}
	return names
}

// Session gives an identity's session, if it lives.
func (e *Engine) Session(identity string) (creds.Credentials, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := e.ids[identity]
	if id == nil || e.locked || !id.session.UsableAt(e.Now()) {
		return creds.Credentials{}, false
	}
	return id.session, true
}
