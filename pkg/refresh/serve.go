package refresh

import (
	"context"

	"github.com/mfad/mfad/pkg/creds"
)

// ErrLocked is the answer to everything between [Engine.Lock] and [Engine.Unlock].
var ErrLocked = &creds.Error{Code: creds.CodeLocked, Op: "mfad is locked", Hint: "run: mfad unlock"}

func noProfile(name string) error {
	return &creds.Error{Code: creds.CodeUnknownProfile, Op: "there is no profile " + name, Hint: "run: mfad profile list"}
}

// Credentials gives what tools may use of a profile now. Where AWS has to be
// asked it waits for that, until ctx ends; many callers cause one call. The
// error's code is [creds.CodeMFARequired] where only a token code helps.
func (e *Engine) Credentials(ctx context.Context, name string) (creds.Credentials, error) {
	for {
		c, changed, err := e.look(name)
		if changed == nil {
			return c, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if cause := context.Cause(ctx); creds.CodeOf(cause) == creds.CodeDaemonDown {
				err = cause
			}
			if err == nil {
				err = &creds.Error{Code: creds.CodeTimeout, Op: "AWS has not answered for profile " + name + " in time"}
			}
			return creds.Credentials{}, err
		}
	}
}

// Cached gives a profile's credentials if they are usable now. It starts nothing.
func (e *Engine) Cached(name string) (creds.Credentials, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.profiles[name]
	if p == nil {
		return creds.Credentials{}, false
	}
	e.useLocked(p)
	if e.locked || !p.current.UsableAt(e.Now()) {
		return creds.Credentials{}, false
	}
	return p.current, true
}

// useLocked notes that a client asked for p, and so for all that it is assumed
// from.
func (e *Engine) useLocked(p *profile) {
	for t := e.Now(); p != nil; p = e.profiles[p.Source] {
		p.used = t
	}
}

// look is one look at a profile. A channel means: not yet, wait for it; err is
// then what failed last.
func (e *Engine) look(name string) (creds.Credentials, <-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.Now()
	e.jumpLocked(t)
	p := e.profiles[name]
	switch {
	case p == nil:
		return creds.Credentials{}, nil, noProfile(name)
	case e.locked:
		return creds.Credentials{}, nil, ErrLocked
	case p.current.UsableAt(t):
		return p.current, nil, nil
	case p.flying:
		return creds.Credentials{}, e.changed, p.fail.err
	}
	if id := e.ids[p.Identity]; id != nil && id.verifying {
		return creds.Credentials{}, e.changed, p.fail.err
	}
	if p.Role.ARN == "" {
		return creds.Credentials{}, nil, needCode(e.ids[p.Identity])
	}
	if _, err := e.signerLocked(p, t); err == errParentFirst {
		e.Nudge()
		return creds.Credentials{}, e.changed, nil
	} else if err != nil {
		return creds.Credentials{}, nil, err
	}
	if err := p.fail.err; err != nil && p.fail.next.Sub(t) > hiccup && !creds.IsTransient(err) && creds.CodeOf(err) != creds.CodeClockSkew {
		return creds.Credentials{}, nil, err
	}
	e.Nudge()
	return creds.Credentials{}, e.changed, p.fail.err
}
