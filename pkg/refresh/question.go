package refresh

import (
	"context"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// want is something that somebody waits for a code for; guarded by Engine.mu.
type want struct {
	profile string // whose role, direct; empty: the session
	console bool   // for a console session
	logins  int    // callers of Login that wait; with the last one the want goes
	stays   bool   // it stays until it is settled: a person may answer later
	since   time.Time
	done    chan struct{}
	err     error // set before done
}

// wantLocked gives the want for a profile's role, or for the session.
func (id *identity) wantLocked(profile string, t time.Time) *want {
	w := id.wants[profile]
	if w == nil {
		w = &want{profile: profile, since: t, done: make(chan struct{})}
		id.wants[profile] = w
	}
	return w
}

// settleLocked ends what anybody wanted for a profile, or of the session.
func (e *Engine) settleLocked(id *identity, profile string, err error) {
	e.Codes.Settle(id.Identity, profile, err)
	if w := id.wants[profile]; w != nil {
		delete(id.wants, profile)
		w.err = err
		close(w.done)
	}
	e.changedLocked()
	e.Nudge()
}

// dropWantsLocked settles what is wanted for profiles that are gone, or are not to
// have a code of their own any more.
func (e *Engine) dropWantsLocked(id *identity) {
	t := e.Now()
	for name, w := range id.wants {
		p := e.profiles[name]
		switch {
		case name == "":
		case p == nil || p.Identity != id.Name || p.Source != "" || p.Role.ARN == "",
			w.logins == 0 && !plan.Want(id.view(t), e.roleLocked(p, id, t), t):
			e.settleLocked(id, name, withdrawn(id))
		}
	}
}

func withdrawn(id *identity) error {
	return &creds.Error{Code: creds.CodeCancelled, Op: "the question for identity " + id.Name + " was withdrawn"}
}

// withdrawLocked ends an identity's questions from this side: the config went on,
// or mfad was locked.
func (e *Engine) withdrawLocked(id *identity) {
	if a := id.asker; a != nil {
		a.cancel()
		id.asker = nil
		e.settleLocked(id, a.target, withdrawn(id))
	}
	for name := range id.wants {
		e.settleLocked(id, name, withdrawn(id))
	}
}

// Question is an open question for an identity's code.
type Question struct {
	Done <-chan struct{} // closed at its end, or once the profile is usable
	// Err tells how it ended; call it after Done.
	Err func() error
}

// Ask opens the question for the code that a profile needs to be usable, unless
// it is open. Where no code is needed the Question is nil. While the last
// question's failure rests, that failure is returned and nobody is asked. The
// question stays open when ctx ends: a person may answer later.
func (e *Engine) Ask(ctx context.Context, profile string) (*Question, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.profiles[profile]
	if p == nil {
		return nil, noProfile(profile)
	}
	id, err := e.identityLocked(p.Identity)
	t := e.Now()
	if err != nil || p.current.UsableAt(t) {
		return nil, err
	}
	if _, err := e.signerLocked(p, t); p.Role.ARN != "" && creds.CodeOf(err) != creds.CodeMFARequired {
		return nil, nil
	}
	switch root := e.rootLocked(p); {
	case id.asker == nil && id.fail.next.After(t):
		return nil, resting(id)
	case e.run == nil:
		return nil, errStopping
	default:
		target := ""
		if root.Role.ARN != "" && plan.Want(id.view(t), e.roleLocked(root, id, t), t) {
			target = root.Name
		}
		w := id.wantLocked(target, t)
		if w.stays && id.asker != nil { // for another program already
			e.Nudge()
		} else {
			w.stays = true
			e.askLocked(id, e.viewLocked(id, t))
		}
		return e.questionLocked(ctx, w, profile), nil
	}
}

// questionLocked watches for the end of a question, or of the need for it.
func (e *Engine) questionLocked(ctx context.Context, w *want, profile string) *Question {
	done := make(chan struct{})
	go func() {
		for {
			e.mu.Lock()
			p, changed := e.profiles[profile], e.changed
			served := p == nil || p.current.UsableAt(e.Now())
			e.mu.Unlock()
			if served {
				close(done)
				return
			}
			select {
			case <-changed:
			case <-w.done:
				close(done)
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return &Question{Done: done, Err: func() error {
		select {
		case <-w.done:
			return w.err
		default:
			return nil
		}
	}}
}

// resting is the answer while nobody is asked because of the last failure.
func resting(id *identity) error {
	if creds.CodeOf(id.fail.err) != creds.CodeMFARejected {
		return id.fail.err
	}
	return &creds.Error{Code: creds.CodeMFARejected, Op: "AWS took none of the last codes, so nobody is asked for a while",
		Hint: "run: mfad login " + id.Name}
}

var errStopping = &creds.Error{Code: creds.CodeDaemonDown, Op: "the daemon is stopping", Hint: "run it again: mfad daemon"}

// LoginOptions say what a code is for.
type LoginOptions struct {
	// Profile has its role assumed direct; empty: the session is started. It is a
	// profile with a role and without a source profile.
	Profile string
	// Console tells that the credentials are for a console session.
	Console bool
	// Give hands over a code, once it is known what for and before anybody is
	// asked; nil: there is none. It must not call the engine.
	Give func()
}

// Login opens the question for an identity's code, also where a session lives,
// and waits for its end and for all profiles below, or for the one that it is
// for. Codes has the code, or gets it.
func (e *Engine) Login(ctx context.Context, name string, o LoginOptions) error {
	if o.Profile != "" && !o.Console {
		e.prepare(ctx, o.Profile)
	}
	e.mu.Lock()
	id, err := e.identityLocked(name)
	if err == nil && o.Profile != "" {
		err = e.loginRoleLocked(id, o.Profile)
	}
	if err == nil && e.run == nil {
		err = errStopping
	}
	if err != nil {
		e.mu.Unlock()
		return err
	}
	id.fail = failure{}
	w := id.wantLocked(o.Profile, e.Now())
	w.logins++
	w.console = w.console || o.Console
	if o.Give != nil {
		o.Give()
	}
	e.askLocked(id, e.viewLocked(id, e.Now()))
	below := e.freshenedLocked(id, o.Profile)
	e.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
		e.leave(id, w)
		return context.Cause(ctx)
	}
	if w.err != nil {
		return w.err
	}
	return e.Settled(ctx, below...)
}

// leave takes back what a caller of Login wanted, unless others want it too.
func (e *Engine) leave(id *identity, w *want) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.logins--
	if id.wants[w.profile] == w && w.logins == 0 && !w.stays {
		e.settleLocked(id, w.profile, withdrawn(id))
		e.askLocked(id, e.viewLocked(id, e.Now()))
	}
}

// identityLocked finds an identity that may be asked for a code.
func (e *Engine) identityLocked(name string) (*identity, error) {
	id := e.ids[name]
	switch {
	case id == nil:
		return nil, &creds.Error{Code: creds.CodeUnknownProfile, Op: "there is no identity " + name, Hint: "run: mfad identity list"}
	case e.locked:
		return nil, ErrLocked
	case id.Federated:
		return nil, &creds.Error{Code: creds.CodeUsage, Op: "identity " + name + " is federated and takes no code"}
	}
	return id, nil
}

// Freshened names what a code freshens that is spent on a profile's role, or, where
// that is empty, on an identity's session.
func (e *Engine) Freshened(identity, profile string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if id := e.ids[identity]; id != nil {
		return e.freshenedLocked(id, profile)
	}
	return nil
}

func (e *Engine) freshenedLocked(id *identity, profile string) []string {
	if profile != "" {
		return e.chainedLocked(profile)
	}
	var names []string
	for _, p := range id.below {
		names = append(names, p.Name)
	}
	return names
}

// rootLocked is the profile at the root of p's chain; p itself without one.
func (e *Engine) rootLocked(p *profile) *profile {
	for p.Source != "" && e.profiles[p.Source] != nil {
		p = e.profiles[p.Source]
	}
	return p
}
