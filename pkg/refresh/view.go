package refresh

import (
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/plan"
)

// view is what the planner has to know at a moment.
type view struct {
	at       time.Time
	identity plan.Identity
	roles    []plan.Role
}

// view is what the planner has to know of an identity at t, to judge one role.
func (id *identity) view(t time.Time) plan.Identity {
	return plan.Identity{Name: id.Name, Unattended: id.Unattended, Session: id.session.UsableAt(t)}
}

// viewLocked is what the planner has to know of an identity and its roles at t, to
// choose among them. It looks at every profile of the identity.
func (e *Engine) viewLocked(id *identity, t time.Time) view {
	if id.Federated {
		return view{at: t, identity: id.view(t)} // takes no code
	}
	v := view{at: t, identity: id.view(t), roles: make([]plan.Role, 0, len(id.below))}
	v.identity.Wanted = e.sessionWantedLocked(id, t)
	if w := id.wants[""]; w != nil && w.logins > 0 {
		v.identity.Asked = w.since
	}
	for _, p := range id.below {
		if p.Source == "" && p.Role.ARN != "" {
			v.roles = append(v.roles, e.roleLocked(p, id, t))
		}
	}
	return v
}

// next is what a code would be spent on if one came then by itself.
func (v view) next() (plan.Spend, bool) { return plan.Next(v.identity, v.roles, v.at) }

// roleLocked is what the planner has to know of a profile with a role.
func (e *Engine) roleLocked(p *profile, id *identity, t time.Time) plan.Role {
	r := plan.Role{Profile: p.Name, Mode: p.Mode, Duration: p.Role.Duration, Known: e.known[p.Role.ARN]}
	if p.current.UsableAt(t) {
		r.Expires = p.current.Expires
	}
	if p.direct.UsableAt(t) {
		r.Direct, r.Lifetime = p.direct.Expires, p.direct.Lifetime()
		if p.Before != (Window{}) {
			r.Before = p.Before.of(r.Lifetime)
		}
	}
	w := id.wants[p.Name]
	switch {
	case w != nil && w.logins > 0:
		r.Asked, r.Console = w.since, w.console
	case w != nil:
		r.Waits = true
	}
	if !p.Mode.Spends(id.Unattended) {
		return r // the rest only puts off what is spent by itself: here nothing is
	}
	r.Lookup, r.Young, r.Rests = e.lookAheadLocked(p, id, t), e.maxAgeLocked(p) > 0, later(p.off.next, id.fail.next)
	if w == nil {
		r.Rests = later(r.Rests, e.restsLocked(p, plan.Ask(id.view(t), r, t), t))
	}
	return r
}

// sessionWantedLocked says why a session is to be started at t; empty: it is not.
func (e *Engine) sessionWantedLocked(id *identity, t time.Time) string {
	if id.wants[""] != nil {
		return "a program waits for a profile of " + id.Name
	}
	if id.fail.next.After(t) {
		return ""
	}
	switch at, ok := e.sessionDueLocked(id, t); {
	case ok && !at.After(t) && !id.session.UsableAt(t):
		return "no session lives, and codes come by themselves"
	case ok && !at.After(t):
		return "the session ends at " + id.session.Expires.Local().Format("15:04")
	}
	if !id.session.UsableAt(t) {
		return ""
	}
	for _, p := range id.below {
		if t.Sub(p.used) < inUse && !p.outlasts(t) && e.agedLocked(p, t) {
			return "the role of " + p.Name + " wants an MFA younger than " + plan.Short(e.maxAgeLocked(p)) + ", and the profile is in use"
		}
	}
	return ""
}

// outlasts tells whether p has direct credentials that live longer than any that
// could be fetched without a code at t.
func (p *profile) outlasts(t time.Time) bool { return p.direct.Expires.After(t.Add(plan.Hour)) }

// durationLocked is what to ask for when p's role is assumed without a code.
// Signed by a session or along a chain AWS grants an hour; with an assertion as
// much as the role allows.
func (e *Engine) durationLocked(p *profile, id *identity, t time.Time) time.Duration {
	want := p.Role.Duration
	if want == 0 {
		want = plan.Hour
	}
	if p.Source != "" || !id.Federated {
		return min(want, plan.Hour)
	}
	k := e.known[p.Role.ARN]
	most := k.Ask(t, true)
	if p.Role.Duration > 0 {
		most = min(most, p.Role.Duration)
	}
	if k.Safe(most) || p.current.UsableAt(t) && !e.lookAheadLocked(p, id, t) && !e.restsLocked(p, most, t).After(t) {
		return most
	}
	return min(want, plan.Hour) // always granted: something is better than nothing
}

// sameAccount tells whether a role is in an account; true where the account is
// not known.
func sameAccount(account, arn string) bool {
	f := strings.SplitN(arn, ":", 6)
	return account == "" || len(f) == 6 && f[4] == account
}
