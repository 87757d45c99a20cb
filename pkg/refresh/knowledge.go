package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// RoleKnowledge is what is known of a profile's role.
type RoleKnowledge struct {
	Known  plan.Known
	MaxAge time.Duration // for its trust policy; zero: any
	Off    time.Time     // until when it is not tried direct; zero: it may be
	OffWhy error
}

// Knowledge gives what is known of a profile's role.
func (e *Engine) Knowledge(name string) (RoleKnowledge, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.profiles[name]
	if p == nil {
		return RoleKnowledge{}, noProfile(name)
	}
	k := RoleKnowledge{Known: e.known[p.Role.ARN], MaxAge: e.maxAgeLocked(p)}
	if p.off.next.After(e.Now()) {
		k.Off, k.OffWhy = p.off.next, p.off.err
	}
	return k, nil
}

// Looked takes in what GetRole told somebody who asked about a profile's role on
// their own, signed by from.
func (e *Engine) Looked(name string, from creds.Credentials, d time.Duration, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.profiles[name]
	if p == nil {
		return
	}
	id := e.ids[p.Identity]
	own := id == nil || id.session.AccessKeyID != from.AccessKeyID
	e.lookedLocked(p, p.Profile, from, own, d, err, e.Now())
	e.changedLocked()
	e.Nudge()
}

// MayLook tells from when on AWS may be asked about a profile's role, where it is
// not known that it answers: it refused the like lately, and alarms go off on
// more. Zero: now.
func (e *Engine) MayLook(name string) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, t := e.profiles[name], e.Now()
	if p == nil || e.known[p.Role.ARN].Exact {
		return time.Time{}
	}
	if at := e.searchLocked(p.Identity, t); at.After(t) {
		return at
	}
	return time.Time{}
}

// Refused takes in that AWS refused to change a profile's role.
func (e *Engine) Refused(name string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.profiles[name]; p != nil {
		e.refuseLocked(p, RefusedUpdate, err, e.Now())
	}
}

// Set takes in that somebody set the maximum of a profile's role.
func (e *Engine) Set(name string, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.profiles[name]; p != nil {
		e.unlearnLocked(p)
		e.known[p.Role.ARN] = e.known[p.Role.ARN].Told(d, "set with mfad role", e.Now())
		e.Nudge()
	}
}

// Unlearn forgets all that was learned of a profile's role.
func (e *Engine) Unlearn(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.profiles[name]; p != nil {
		e.unlearnLocked(p)
	}
}

func (e *Engine) unlearnLocked(p *profile) {
	delete(e.known, p.Role.ARN)
	delete(e.looks, p.Role.ARN)
	for _, o := range e.profiles {
		if o.Role.ARN == p.Role.ARN {
			o.off, o.deniedAt = failure{}, 0
		}
	}
	e.batch.add("", e.Now())
	e.changedLocked()
}
