package refresh

import (
	"cmp"
	"slices"
	"strings"
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

// refused are the refusals of the last day. Those of roles without a code are
// apart, since no bound counts them, and there may be many: each profile that AWS
// refuses has one an hour.
type refused struct {
	counted []Refusal            // by the bounds on the search and on codes; oldest first
	roles   map[string][]Refusal // by profile, the last few of each; oldest first
}

// lastFew is how many refusals of a role without a code are kept for a profile:
// more make no pause longer.
const lastFew = len(pauses)

// add takes in refusals, oldest first.
func (s *refused) add(rs ...Refusal) {
	if s.roles == nil {
		s.roles = map[string][]Refusal{}
	}
	for _, r := range rs {
		if r.Call != RefusedRole || r.isSearch() {
			s.counted = append(s.counted, r)
			continue
		}
		kept := s.roles[r.Profile]
		s.roles[r.Profile] = append(kept[max(0, len(kept)+1-lastFew):], r)
	}
}

// forgive forgets why a profile was refused its role without a code.
func (s *refused) forgive(profile string) { delete(s.roles, profile) }

// of gives a profile's, oldest first.
func (s *refused) of(profile string) []Refusal {
	all := slices.Clone(s.roles[profile])
	for _, r := range s.counted {
		if r.Profile == profile {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, older)
	return all
}

// all gives all of them, oldest first.
func (s *refused) all() []Refusal {
	all := slices.Clone(s.counted)
	for _, rs := range s.roles {
		all = append(all, rs...)
	}
	slices.SortStableFunc(all, older)
	return all
}

func older(a, b Refusal) int {
	return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Profile, b.Profile))
}

// prune forgets those of a day ago.
func (s *refused) prune(t time.Time) {
	old := func(r Refusal) bool { return t.Sub(r.Time).Abs() >= directRest }
	s.counted = slices.DeleteFunc(s.counted, old)
	for name, rs := range s.roles {
		if s.roles[name] = slices.DeleteFunc(rs, old); len(s.roles[name]) == 0 {
			delete(s.roles, name)
		}
	}
}

// past has none lie in the future, where a clock that was set back leaves them.
func (s *refused) past(t time.Time) {
	clamp := func(rs []Refusal) {
		for i := range rs {
			if rs[i].Time.After(t) {
				rs[i].Time = t
			}
		}
	}
	clamp(s.counted)
	for _, rs := range s.roles {
		clamp(rs)
	}
}

// bound is from when on there are fewer than most refusals of a kind within
// alarmWindow; zero: there are now.
func (s *refused) bound(t time.Time, most int, is func(*Refusal) bool) time.Time {
	for i := len(s.counted) - 1; i >= 0; i-- {
		r := &s.counted[i]
		age := t.Sub(r.Time)
		if age >= alarmWindow {
			break // and so are those before
		}
		if age > -alarmWindow && is(r) {
			if most--; most == 0 {
				return r.Time.Add(alarmWindow)
			}
		}
	}
	return time.Time{}
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
	e.refusals.add(Refusal{Time: t, Identity: p.Identity, Profile: p.Name, RoleARN: p.Role.ARN, Call: call, Code: creds.CodeOf(err),
		Message: err.Error(), Hint: creds.HintOf(err), Fingerprint: p.Fingerprint})
	e.batch.add("", t)
}

// forgiveLocked forgets why p was refused without a code: it worked, or
// something changed.
func (e *Engine) forgiveLocked(p *profile) {
	p.fail = failure{}
	e.refusals.forgive(p.Name)
}

// triedLocked is from when on another code may be tried on p's role.
func (e *Engine) triedLocked(p *profile, t time.Time) time.Time {
	return e.refusals.bound(t, directTries, func(r *Refusal) bool { return r.RoleARN == p.Role.ARN && r.Call == RefusedDirect })
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
	return later(at, e.refusals.bound(t, alarmMost-1, func(r *Refusal) bool { return r.Identity == identity && r.isLookup() }))
}

// searchLocked is from when on the search for the maximum of an identity's roles
// may make another call. Those in the air count as refused.
func (e *Engine) searchLocked(identity string, t time.Time) time.Time {
	most := alarmMost - e.risky[identity]
	if most <= 0 {
		return t.Add(airborne)
	}
	return e.refusals.bound(t, most, func(r *Refusal) bool { return r.Identity == identity && r.isSearch() })
}

// riskLocked counts the calls in the air that AWS may refuse for their length.
func (e *Engine) riskLocked(identity string, risky bool, by int) {
	if risky {
		e.risky[identity] += by
	}
}

// restLocked takes up, after a restart, what a profile's refusals mean.
func (e *Engine) restLocked(p *profile, t time.Time) {
	for _, r := range e.refusals.of(p.Name) {
		if r.Fingerprint != p.Fingerprint {
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
