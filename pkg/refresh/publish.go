package refresh

import (
	"context"
	"maps"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// straggler is how long a batch waits for the calls still in the air before what
// has come is published without them, and how long after another at least: a
// thousand slow calls are a write a second.
const straggler = time.Second

// batch is what was fetched and is not published yet; guarded by Engine.mu.
type batch struct {
	dirty  map[string]bool // profiles; "" stands for everything else
	since  time.Time       // when the first of them came
	wrote  time.Time       // when the last batch with profiles went out
	flying int             // AssumeRole calls in the air
	all    bool            // publish at once: the configuration or a lock changed
	busy   map[string]bool // what is being published just now; nil: nothing
	failed int             // how often in a row the sink failed
	retry  time.Time       // not before
}

// add marks a profile as fetched at t.
func (b *batch) add(profile string, t time.Time) {
	if len(b.dirty) == 0 {
		b.since = t
	}
	b.dirty[profile] = true
}

// profiles tells whether there are any in it.
func (b *batch) profiles() bool {
	return len(b.dirty) > 1 || len(b.dirty) == 1 && !b.dirty[""]
}

// holds tells whether a profile's news are on their way to the sink.
func (b *batch) holds(profile string) bool { return b.dirty[profile] || b.busy[profile] || b.all }

// publishDueLocked starts the publishing of a batch that is complete, or that
// has waited long enough, and tells when else to look.
func (e *Engine) publishDueLocked(t time.Time) time.Time {
	b := &e.batch
	if b.busy != nil || (len(b.dirty) == 0 && !b.all && b.failed == 0) || e.run == nil {
		return t.Add(poll)
	}
	if len(b.dirty) == 0 && !b.all && b.retry.After(t) {
		return b.retry
	}
	profiles := b.profiles()
	var at time.Time
	switch {
	case b.all:
	case b.flying > 0:
		at = later(b.since, b.wrote).Add(straggler)
	case profiles:
		at = b.wrote.Add(straggler)
	}
	if t.Before(at) {
		return at
	}
	if profiles {
		b.wrote = t
	}
	saved := e.savedLocked()
	b.busy = maps.Clone(b.dirty)
	clear(b.dirty)
	b.all = false
	// A batch goes out even while the daemon is being stopped: it is paid for.
	ctx := context.WithoutCancel(e.run)
	e.flights.Go(func() {
		err := e.Sink.Publish(ctx, saved)
		e.mu.Lock()
		b.busy = nil
		if b.failed++; err == nil {
			b.failed = 0
		} else {
			pause := pauses[min(b.failed+1, len(pauses)-1)]
			b.retry = e.Now().Add(pause)
			e.Log.Error("publish failed", "error", err, "again_in", pause)
		}
		e.changedLocked()
		e.mu.Unlock()
		e.Nudge()
	})
	return t.Add(poll)
}

// savedLocked is everything that a restart needs.
func (e *Engine) savedLocked() Saved {
	t := e.Now()
	e.refusals.prune(t)
	s := Saved{
		Sessions: maps.Clone(e.parked), Profiles: make(map[string]SavedProfile, len(e.profiles)), Spare: map[string]SavedProfile{},
		Roles: maps.Clone(e.known), Refusals: e.refusals.all(),
	}
	for name, id := range e.ids {
		if !id.session.IsZero() {
			s.Sessions[name] = SavedSession{id.session, id.Fingerprint}
		}
	}
	for name, p := range e.profiles {
		if !p.current.IsZero() {
			s.Profiles[name] = SavedProfile{p.current, p.via, p.Fingerprint}
		}
		if p.via == ViaDirect && p.through.UsableAt(t) {
			s.Spare[name] = SavedProfile{p.through, p.way, p.Fingerprint}
		} else if p.via != ViaDirect && p.direct.UsableAt(t) {
			s.Spare[name] = SavedProfile{p.direct, ViaDirect, p.Fingerprint}
		}
	}
	return s
}

// Changed gives a channel that closes when Status has changed.
func (e *Engine) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// State is a profile's or an identity's state, in the words of `mfad status`.
type State string

// The states of a profile; [StateConflict] is the sink's to find.
const (
	StateConflict    State = "conflict"
	StateRefreshing  State = "refreshing"
	StateMFARequired State = "mfa_required" // also an identity's
	StateExpired     State = "expired"
	StateFailing     State = "failing" // also an identity's
	StateWaiting     State = "waiting"
	StateFresh       State = "fresh"
	StateReady       State = "ready"  // an identity's only
	StateLocked      State = "locked" // an identity's only
)

// Status is a picture of the engine at one moment.
type Status struct {
	Identities map[string]IdentityStatus
	Profiles   map[string]ProfileStatus
}

// IdentityStatus is an identity's part of [Status].
type IdentityStatus struct {
	State   State
	Session creds.Credentials // zero: none
	Asking  bool              // a question for a code is open
	Target  string            // the profile that it is for, direct; empty: the session
	Err     error             // the last failure, nil once it is cured
}

// ProfileStatus is a profile's part of [Status].
type ProfileStatus struct {
	State   State
	Via     Via // empty: never fetched
	Current creds.Credentials
	Next    time.Time // the next planned refresh; zero: none
	Err     error
	Known   plan.Known // what was learned of the role
	Why     string     // why it is served the way it is; empty: there is only one
	Warning error      // what the config asks for in vain; nil: nothing
}

// Status gives the present picture.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.Now()
	s := Status{Identities: make(map[string]IdentityStatus, len(e.ids)), Profiles: make(map[string]ProfileStatus, len(e.profiles))}
	for name, id := range e.ids {
		st := IdentityStatus{State: StateReady, Session: id.session, Err: id.fail.err}
		if id.asker != nil {
			st.Asking, st.Target = true, id.asker.target
		}
		switch {
		case e.locked:
			st.State = StateLocked
		case id.Federated, id.session.UsableAt(t):
		case id.fail.err != nil && (creds.IsTransient(id.fail.err) || isLocal(id.fail.err)):
			st.State = StateFailing
		default:
			st.State = StateMFARequired
		}
		s.Identities[name] = st
	}
	for name, p := range e.profiles {
		s.Profiles[name] = e.profileStatusLocked(p, t)
	}
	return s
}

func (e *Engine) profileStatusLocked(p *profile, t time.Time) ProfileStatus {
	st := ProfileStatus{Via: p.via, Current: p.current, Err: p.fail.err, Known: e.known[p.Role.ARN]}
	id := e.ids[p.Identity]
	if at, ok := e.profileDueLocked(p, t); ok && !e.locked {
		st.Next = at
	} else if p.Role.ARN == "" && id != nil && id.session.UsableAt(t) {
		st.Next = renewAt(id.session, id.Unattended)
	}
	if id != nil && p.Source == "" && p.Role.ARN != "" && !id.Federated {
		view, role := id.view(t), e.roleLocked(p, id, t)
		st.Why, st.Warning = plan.Reason(view, role, t), tooMuch(role)
		if at, ok := plan.Due(view, role, t); ok && id.Unattended && !e.locked && (st.Next.IsZero() || at.Before(st.Next)) {
			st.Next = at
		}
		if p.off.err != nil && p.off.next.After(t) {
			st.Why = "AWS refused it direct: " + p.off.err.Error() + "; " + st.Why
		}
	}
	_, signErr := e.signerLocked(p, t)
	usable := p.current.UsableAt(t)
	switch {
	case !usable && p.flying:
		st.State = StateRefreshing
	case !usable && (e.locked || creds.CodeOf(signErr) == creds.CodeMFARequired || p.Role.ARN == ""):
		st.State = StateMFARequired
	case !usable && (p.fail.err != nil || !p.current.IsZero()):
		st.State = StateExpired
	case usable && p.fail.err != nil:
		st.State = StateFailing
	case !usable:
		st.State = StateWaiting
	default:
		st.State = StateFresh
	}
	if signErr != nil && st.Err == nil && !usable && creds.CodeOf(signErr) != creds.CodeTimeout {
		st.Err = signErr
	}
	return st
}

// tooMuch tells that the config asks for more than the role allows, if it does.
func tooMuch(r plan.Role) error {
	if !r.Known.Exact || r.Duration <= r.Known.Maximum || r.Mode == plan.Session {
		return nil
	}
	return &creds.Error{Code: creds.CodeDuration,
		Op:   "duration asks for " + plan.Short(r.Duration) + ", but the role allows " + plan.Short(r.Known.Maximum) + " (" + r.Known.How + "), so that is asked for",
		Hint: "set duration = max; to raise it: mfad role " + r.Profile + " --set-max-duration " + plan.Short(r.Duration)}
}
