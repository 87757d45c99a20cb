package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Resume is the first [Engine.Configure], together with what a former run published:
// between the two nothing is fetched, and nobody asked, for what there is already. It
// ignores what no longer fits the configuration. While locked it takes back only what
// is no secret.
func (e *Engine) Resume(ids []Identity, profiles []Profile, left Saved) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.configureLocked(ids, profiles)
	e.restoreLocked(left)
}

// restoreLocked changes nothing that the engine has already.
func (e *Engine) restoreLocked(s Saved) {
	for arn, k := range s.Roles {
		if _, newer := e.known[arn]; !newer {
			e.known[arn] = k
		}
	}
	had := e.refusals.all()
	e.refusals = refused{}
	e.refusals.add(s.Refusals...)
	e.refusals.add(had...)
	e.refusals.past(e.Now())
	if e.locked {
		return
	}
	t := e.Now()
	lately := t.Add(-overlong)
	for name, saved := range s.Sessions {
		id := e.ids[name]
		switch {
		case id == nil || id.Fingerprint != saved.Fingerprint:
			e.parked[name] = saved
		case id.session.IsZero() && saved.Credentials.UsableAt(lately):
			id.session = saved.Credentials
		}
	}
	for _, all := range []map[string]SavedProfile{s.Spare, s.Profiles} {
		for name, saved := range all {
			p, c := e.profiles[name], saved.Credentials
			if p == nil || saved.Fingerprint != p.Fingerprint || !c.UsableAt(lately) {
				continue
			}
			// What came without a code is fetched again, also if by its beginning the
			// clock is behind: it may be over.
			if saved.Via == ViaDirect || c.UsableAt(t) && !fromTheFuture(c, t) {
				p.restore(saved)
			}
		}
	}
	for _, p := range e.profiles {
		e.restLocked(p, t)
		e.serveLocked(p)
	}
	e.awake = time.Time{}
	e.touchLocked()
}

// overlong is how long ago what cost a code has to have ended to be forgotten at a
// start: the clock may be wrong.
const overlong = 48 * time.Hour

// restore takes back credentials, unless newer ones came meanwhile.
func (p *profile) restore(saved SavedProfile) {
	switch {
	case saved.Via == ViaDirect && p.direct.IsZero():
		p.direct = saved.Credentials
	case saved.Via != ViaDirect && p.through.IsZero():
		p.through, p.way = saved.Credentials, saved.Via
	}
}

// Lock forgets all sessions and credentials. Until Unlock nothing is fetched,
// asked or served.
func (e *Engine) Lock() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.locked = true
	clear(e.parked)
	for _, id := range e.ids {
		id.session, id.fail = creds.Credentials{}, failure{}
		e.withdrawLocked(id)
	}
	for name, p := range e.profiles {
		e.profiles[name] = &profile{Profile: p.Profile} // a call in the air lands on the old one
	}
	e.indexLocked()
	e.touchLocked()
}

// Unlock ends a Lock.
func (e *Engine) Unlock() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.locked = false
	for _, p := range e.profiles {
		e.restLocked(p, e.Now())
	}
	e.touchLocked()
}

// Forget drops an identity's session, as when its key was replaced.
func (e *Engine) Forget(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.parked, name)
	if id := e.ids[name]; id != nil {
		e.dropSessionLocked(id, nil)
		id.fail = failure{}
	}
	e.touchLocked()
}

// Retry forgets what failed, so that everything is tried again at once: the
// keyring was unlocked, or a person asked for it.
func (e *Engine) Retry() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range e.ids {
		id.fail = failure{}
	}
	for _, p := range e.profiles {
		p.fail = failure{}
	}
	e.touchLocked()
}
