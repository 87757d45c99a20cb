package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// step starts whatever is due at t and tells when to look again.
func (e *Engine) step(t time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t.Before(e.looked.Add(-setBack)) {
		e.clockSetBackLocked(t)
	}
	e.jumpLocked(t)
	next := t.Add(poll)
	if !e.locked {
		for _, id := range e.ids { // first: what a program's code freshens in a moment is not fetched before
			v := e.viewLocked(id, t)
			e.askLocked(id, v)
			next = earlier(next, e.codeDueLocked(id, v))
		}
		next = earlier(next, e.refreshDueLocked(t))
		next = earlier(next, e.lookLocked(t))
	}
	next = earlier(next, e.expiryLocked(t))
	return earlier(next, e.publishDueLocked(t))
}

// jumpLocked has AWS asked about sessions that a jump of the wall clock, or a
// start, finds past their end, before anybody is asked for a code: the machine may
// have slept, or its clock may be wrong, and any answer of AWS's tells the time.
func (e *Engine) jumpLocked(t time.Time) {
	if e.locked || e.run == nil {
		return
	}
	was, is := e.awake, time.Now()
	e.awake = is
	jump := is.Round(0).Sub(was.Round(0)) - is.Sub(was)
	if !was.IsZero() && jump > nap {
		e.startOverLocked()
	}
	if !was.IsZero() && jump <= setBack {
		return
	}
	for _, id := range e.ids {
		if !id.session.IsZero() && !id.session.UsableAt(t) {
			e.askAboutLocked(id)
		}
	}
}

// setBack is by how much a clock must be set back for that to change any plans: a
// little is what keeps it right.
const setBack = time.Minute

// nap is the shortest sleep of the machine that is taken for one: a clock that is
// kept right jumps by less.
const nap = 5 * time.Second

// clockSetBackLocked forgets what was put off to moments of another time.
func (e *Engine) clockSetBackLocked(t time.Time) {
	for _, id := range e.ids {
		id.fail.next = time.Time{}
	}
	for _, p := range e.profiles {
		p.fail.next = time.Time{}
		if p.off.next.After(t.Add(directRest)) {
			p.off.next = time.Time{}
		}
	}
	clear(e.looks)
	e.refusals.past(t)
	e.batch.since, e.batch.wrote, e.batch.retry = time.Time{}, time.Time{}, time.Time{}
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
		see(p.direct)
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
		case !at.After(t.Add(together(p.through))) && p.fail.count == 0:
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
	if id.Federated {
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

// codeDueLocked tells when a code of an identity's is next wanted by the engine's
// own doing.
func (e *Engine) codeDueLocked(id *identity, v view) time.Time {
	t := v.at
	next := t.Add(poll)
	if id.asker != nil || id.Federated {
		return next // its end looks again
	}
	see := func(at time.Time) {
		if at.After(t) {
			next = earlier(next, at)
		}
	}
	if at, ok := e.sessionDueLocked(id, t); ok {
		see(at)
	}
	for _, r := range v.roles {
		if at, ok := plan.Due(v.identity, r, t); ok {
			see(at)
		}
	}
	for _, p := range id.below {
		if most := e.maxAgeLocked(p); most > 0 && !id.session.IsZero() {
			see(id.session.Issued.Add(most - min(ageMargin, most/2)))
		}
	}
	return next
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

// planLocked tells when a role should be assumed without a code, if it can be.
func (e *Engine) planLocked(p *profile, t time.Time) time.Time {
	session := e.endingLocked(p)
	at := dueAt(p.Before, p.through, session)
	switch {
	case p.force:
		return t
	case !p.through.UsableAt(t), fromTheFuture(p.through, t), creds.CodeOf(p.fail.err) == creds.CodeClockSkew:
		// None, run out, or from a future that a stepped clock took back; or AWS told
		// the time by its refusal.
		at = t
	}
	if p.direct.UsableAt(t) && !fromTheFuture(p.direct, t) {
		at = later(at, fallbackAt(p.direct, session))
	}
	return later(at, p.fail.next)
}

// fromTheFuture tells that by c's beginning the clock was set back.
func fromTheFuture(c creds.Credentials, t time.Time) bool { return c.Issued.After(t.Add(time.Minute)) }

// endingLocked is the MFA session whose end p has to reckon with: for a role that
// wants a young MFA it is when the session's gets too old. There is none for
// federated identities, and none while a program gets the next session's code:
// everything is fetched with that one in a moment.
func (e *Engine) endingLocked(p *profile) creds.Credentials {
	id := e.ids[p.Identity]
	if id == nil || id.asker != nil && id.asker.target == "" && id.Unattended {
		return creds.Credentials{}
	}
	session := id.session
	if most := e.maxAgeLocked(p); most > 0 && p.Source == "" && !session.IsZero() {
		if end := session.Issued.Add(most - min(ageMargin, most/2)); end.Before(session.Expires) {
			session.Expires = end
		}
	}
	return session
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
		if e.agedLocked(p, t) {
			return creds.Credentials{}, e.needFreshLocked(p, id)
		}
		return id.session, nil
	}
	parent := e.profiles[p.Source]
	if parent == nil {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeConfig, Op: "profile " + p.Name + " has no source profile " + p.Source}
	}
	_, err := e.signerLocked(parent, t)
	switch {
	case parent.flying, canSign(err) && parent.Role.ARN != "" && !e.planLocked(parent, t).After(t):
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

// canSign tells, by signerLocked's error, whether a role can be assumed now or
// once its parent has been.
func canSign(err error) bool { return err == nil || err == errParentFirst }

// needCode is the answer where only a code helps.
func needCode(id *identity) error {
	return &creds.Error{
		Code: creds.CodeMFARequired,
		Op:   "identity " + id.Name + " has no MFA session",
		Hint: "run: mfad login " + id.Name,
		Err:  id.fail.err,
	}
}
