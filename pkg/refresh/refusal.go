package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// RefusedCall is what AWS refused.
type RefusedCall string

// The calls whose refusals are remembered.
const (
	RefusedRole   RefusedCall = "role"   // a role, without a code
	RefusedDirect RefusedCall = "direct" // a role, with a code
	RefusedLookup RefusedCall = "lookup" // GetRole, as the role itself
	// RefusedSessionLookup is GetRole as the MFA session.
	RefusedSessionLookup RefusedCall = "session_lookup"
	RefusedUpdate        RefusedCall = "update" // UpdateRole
)

// Refusal is one call that AWS refused. Refusals outlive a restart: who asks
// again and again trips alarms.
type Refusal struct {
	Time        time.Time
	Identity    string
	Profile     string
	RoleARN     string
	Call        RefusedCall
	Code        creds.Code
	Message     string
	Hint        string
	Fingerprint string // of the profile
}

// Three refused calls within five minutes set off alarms that many accounts have.
const (
	alarmWindow = 5 * time.Minute
	alarmMost   = 2 // refusals that the search for a role's maximum may cause within it
	// airborne is when to look again while calls are in the air that may be refused.
	airborne = time.Second
)

// isSearch tells whether a refusal came from the search for a role's maximum.
func (r Refusal) isSearch() bool { return r.isLookup() || r.Code == creds.CodeDuration }

func (r Refusal) isLookup() bool {
	return r.Call == RefusedLookup || r.Call == RefusedSessionLookup || r.Call == RefusedUpdate
}

// refuseLocked remembers that AWS refused a call for p.
func (e *Engine) refuseLocked(p *profile, call RefusedCall, err error, t time.Time) {
	if creds.IsTransient(err) || isLocal(err) {
		return
	}
	switch creds.CodeOf(err) {
	case creds.CodeMFAUsedCode, creds.CodeMFABadCode, creds.CodeCancelled, creds.CodeConfig, creds.CodeKeyNotFound:
		return // AWS was not asked
	}
	kept := e.refusals[:0]
	for _, r := range e.refusals {
		if t.Sub(r.Time).Abs() < directRest {
			kept = append(kept, r)
		}
	}
	e.refusals = append(kept, Refusal{Time: t, Identity: p.Identity, Profile: p.Name, RoleARN: p.Role.ARN, Call: call, Code: creds.CodeOf(err),
		Message: err.Error(), Hint: creds.HintOf(err), Fingerprint: p.Fingerprint})
	e.batch.add("", t)
}

// forgiveLocked forgets why p was refused without a code: it worked, or
// something changed.
func (e *Engine) forgiveLocked(p *profile) {
	p.fail = failure{}
	kept := e.refusals[:0]
	for _, r := range e.refusals {
		if r.Profile != p.Name || r.Call != RefusedRole || r.isSearch() {
			kept = append(kept, r)
		}
	}
	e.refusals = kept
}

// triedLocked is from when on another code may be tried on p's role.
func (e *Engine) triedLocked(p *profile, t time.Time) time.Time {
	return e.bound(t, directTries, func(r Refusal) bool { return r.RoleARN == p.Role.ARN && r.Call == RefusedDirect })
}

// restsLocked is from when on a call for p's role that asks for d may be made.
func (e *Engine) restsLocked(p *profile, d time.Duration, t time.Time) time.Time {
	at := e.triedLocked(p, t)
	if !e.known[p.Role.ARN].Safe(d) {
		at = later(at, e.searchLocked(p.Identity, t))
	}
	return at
}

// lookupLocked is from when on a role's maximum may be looked up. Lookups use up
// one refusal at most: the other is for whoever has a code in hand, if any has.
func (e *Engine) lookupLocked(identity string, t time.Time) time.Time {
	at := e.searchLocked(identity, t)
	if e.risky[identity] > 0 {
		at = later(at, t.Add(airborne))
	}
	if id := e.ids[identity]; id != nil && id.Federated {
		return at
	}
	return later(at, e.bound(t, alarmMost-1, func(r Refusal) bool { return r.Identity == identity && r.isLookup() }))
}

// searchLocked is from when on the search for the maximum of an identity's roles
// may make another call. Those in the air count as refused.
func (e *Engine) searchLocked(identity string, t time.Time) time.Time {
	most := alarmMost - e.risky[identity]
	if most <= 0 {
		return t.Add(airborne)
	}
	return e.bound(t, most, func(r Refusal) bool { return r.Identity == identity && r.isSearch() })
}

// bound is from when on there are fewer than most refusals of a kind within
// alarmWindow; zero: there are now.
func (e *Engine) bound(t time.Time, most int, is func(Refusal) bool) time.Time {
	var recent []time.Time
	for _, r := range e.refusals {
		if age := t.Sub(r.Time); is(r) && age < alarmWindow && age > -alarmWindow {
			recent = append(recent, r.Time)
		}
	}
	if len(recent) < most {
		return time.Time{}
	}
	return recent[len(recent)-most].Add(alarmWindow)
}

// riskLocked counts the calls in the air that AWS may refuse for their length.
func (e *Engine) riskLocked(identity string, risky bool, by int) {
	if risky {
		e.risky[identity] += by
	}
}

// pastLocked has no refusal lie in the future, where a clock that was set back
// leaves them.
func (e *Engine) pastLocked(t time.Time) {
	for i, r := range e.refusals {
		if r.Time.After(t) {
			e.refusals[i].Time = t
		}
	}
}

// restLocked takes up, after a restart, what a profile's refusals mean.
func (e *Engine) restLocked(p *profile, t time.Time) {
	for _, r := range e.refusals {
		if r.Profile != p.Name || r.Fingerprint != p.Fingerprint {
			continue
		}
		err := &creds.Error{Code: r.Code, Op: r.Message, Hint: r.Hint}
		switch {
		case r.Call == RefusedRole && !p.current.IsZero() && r.Time.Before(p.through.Issued):
		case r.Call == RefusedRole:
			p.fail.err, p.fail.count = err, p.fail.count+1
			p.fail.next = r.Time.Add(retryAfter(err, p.fail.count, 0, e.Draw()))
		case r.Call == RefusedDirect && (r.Code == creds.CodeAccessDenied || r.Code == creds.CodeRefused) && r.Time.After(p.direct.Issued):
			p.off = failure{err: err, count: 1, next: r.Time.Add(directRest)}
		}
	}
}
