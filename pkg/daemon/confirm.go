package daemon

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/profile"
)

// Confirms asks a person on a desktop whether a program may use a profile. Its errors
// tell that nobody could be asked so. The end of ctx takes the question away.
type Confirms interface {
	// Dialog asks in a window.
	Dialog(ctx context.Context, q consent.Question, on mfa.Display) (allowed bool, err error)
	// Notification asks in a notification with buttons.
	Notification(ctx context.Context, q consent.Question, on mfa.Display) (allowed bool, err error)
}

// lookLimit is how long a desktop may take to tell whether somebody sits there; where
// it does not tell, somebody does.
const lookLimit = time.Second

// errAway ends a question on a desktop that nobody sits at.
var errAway = errors.New("the screen is locked, or nobody has touched it for long")

// wish is a hand-out that a person may have to allow.
type wish struct {
	profile  *profile.Profile
	command  string // that `mfad exec` becomes; empty: whoever asks gets the credentials
	grant    string // of an earlier answer
	cached   bool   // nobody waits: only what was allowed before counts
	noPrompt bool
	terminal func(consent.Question) // has the client ask; nil: it has no terminal
}

// allow has a person allow a hand-out of a profile that wants that, and tells for the
// audit log how it came; empty: nobody had to. A no, that nobody can be asked, and that
// nobody answers before ctx's deadline, is [creds.CodeCancelled].
func (d *Daemon) allow(ctx context.Context, w wish) (why string, err error) {
	if !w.profile.Confirm {
		return "", nil
	}
	if w.command != "" && !filepath.IsAbs(w.command) {
		return "", &creds.Error{Code: creds.CodeUsage, Op: "the command of a run is named by its absolute path", Hint: "see docs/api.md"}
	}
	if w.grant != "" {
		if err := d.ready(ctx); err != nil { // a daemon that has just started does not know the key yet
			return "", err
		}
		if d.store.granted(w.profile.Name, w.grant) {
			return "allowed when the command was started", nil
		}
	}
	r := d.request(ctx, w)
	v, known := d.consents.Remembered(r.Key)
	switch {
	case known: // also a no
	case w.cached:
		return "", unasked(w.profile.Name)
	case w.noPrompt:
		err = consent.ErrNobody
	default:
		v, err = d.consents.Ask(ctx, r)
	}
	if err == nil {
		why = said(v, time.Now())
	}
	if err == nil && v.Allowed {
		return why, nil
	}
	err = refusedBy(r.Question, err)
	if creds.CodeOf(err) == creds.CodeCancelled && !w.cached { // who asked so asks again
		d.record(audit.Record{Action: audit.HandOut, Identity: w.profile.Identity, Profile: w.profile.Name, Why: why,
			PID: r.Question.PID, Program: r.Question.Program}.Ended(err))
	}
	return "", err
}

// request says who wants what, and how a person can be asked.
func (d *Daemon) request(ctx context.Context, w wish) consent.Request {
	who := localapi.ProgramOf(ctx)
	r := consent.Request{
		Key:      consent.Key{Profile: w.profile.Name, Program: who.ID},
		Question: consent.Question{Profile: w.profile.Name, Program: who.Program, PID: who.PID, Path: who.Path},
		Ways:     d.ways(d.windows.display()), Terminal: w.terminal,
	}
	if w.command != "" {
		name := filepath.Base(w.command)
		r.Question = consent.Question{Profile: w.profile.Name, Program: localapi.Printable(name), PID: who.Peer,
			Path: localapi.PrintablePath(w.command), By: who.Program, Run: true}
		// What the same shell starts again is the same run; an interpreter may run anything.
		if r.Key.Program = "run " + w.command + "\x00" + who.ID; who.ID == "" || localapi.IsInterpreter(name) {
			r.Key.Program = ""
		}
	}
	return r
}

// ways are the config's, but for a program: that cannot tell who wants it.
func (d *Daemon) ways(on mfa.Display) []consent.Way {
	prompt := d.conf().Defaults.Prompt
	if prompt == nil {
		prompt = []string{"terminal", "dialog", "notification"}
	}
	var ways []consent.Way
	for _, name := range prompt {
		switch {
		case name == "terminal":
			ways = append(ways, consent.Way{Name: name})
		case d.Confirms == nil:
		case name == "dialog" && on != nil:
			ways = append(ways, d.attended(name, on, d.Confirms.Dialog))
		case name == "notification":
			ways = append(ways, d.attended(name, on, d.Confirms.Notification))
		}
	}
	return ways
}

// attended is a way to ask on a desktop as long as somebody sits there.
func (d *Daemon) attended(name string, on mfa.Display, ask func(context.Context, consent.Question, mfa.Display) (bool, error)) consent.Way {
	if on == nil {
		on = mfa.Display{} // the daemon's own
	}
	return consent.Way{Name: name, Ask: func(ctx context.Context, q consent.Question) (allowed bool, err error) {
		ctx, cancel := context.WithCancelCause(ctx)
		var watching sync.WaitGroup
		defer watching.Wait()
		defer cancel(nil)
		if d.Presence != nil {
			told := make(chan struct{}, 1)
			watching.Go(func() {
				d.Presence.Watch(ctx, on, func(away bool) {
					if away {
						cancel(errAway)
					}
					select {
					case told <- struct{}{}:
					default:
					}
				})
			})
			select {
			case <-told:
			case <-time.After(lookLimit):
			case <-ctx.Done():
			}
		}
		if ctx.Err() == nil {
			allowed, err = ask(ctx, q, on)
		}
		if ctx.Err() != nil { // an answer that comes with it is nobody's who may give one
			allowed, err = false, context.Cause(ctx)
		}
		if err != nil {
			d.Log.Info("nobody can be asked", "way", name, "error", err)
		}
		return allowed, err
	}}
}

// Confirm implements [localapi.Backend].
func (d *Daemon) Confirm(_ context.Context, r localapi.ConfirmRequest) error {
	return d.consents.Answer(r.ID, r.Allow)
}

// said words an answer for the audit log.
func said(v consent.Verdict, now time.Time) string {
	text := "denied"
	if v.Allowed {
		text = "allowed"
	}
	if v.By == "terminal" {
		text += " on the terminal"
	} else {
		text += " in a " + v.By
	}
	if age := now.Sub(v.At).Truncate(time.Second); age > 0 {
		text += ", " + age.String() + " before"
	}
	return text
}

// unasked is the answer to who does not wait for a person.
func unasked(profile string) error {
	return &creds.Error{Code: creds.CodeCancelled, Op: "a person has to allow the use of profile " + profile,
		Hint: "run: mfad credential-process --profile " + profile}
}

// refusedBy words why a hand-out is refused; cause is nil where a person said no.
func refusedBy(q consent.Question, cause error) error {
	e := &creds.Error{Code: creds.CodeCancelled}
	switch {
	case cause == nil:
		e.Op, e.Hint = "a person did not allow "+q.Name()+" to use profile "+q.Profile, "if that was a mistake, try again in ten seconds"
	case errors.Is(cause, consent.ErrNobody):
		e.Op = "a person has to allow " + q.Name() + " to use profile " + q.Profile + ", and there is nobody to ask"
		e.Hint = "run it in a terminal, or at a desktop that is not locked"
	case errors.Is(cause, context.DeadlineExceeded):
		e.Op, e.Hint = "nobody allowed "+q.Name()+" to use profile "+q.Profile+" in time", "try again, and answer the question"
	default: // the client is gone, or the daemon stops
		return cause
	}
	return e
}

// display is where windows can be opened now; nil: nowhere.
func (w *windows) display() mfa.Display {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.on
}

// grant makes a text that stands for a person's yes.
func (s *store) grant(profile string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return "", &creds.Error{Code: creds.CodeKeyringLocked, Op: "the keyring is not open yet", Hint: "run: mfad unlock"}
	}
	g, err := s.file.Grant(profile)
	return g.Reveal(), err
}

// granted tells whether a text is a grant for a profile.
func (s *store) granted(profile, grant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file != nil && s.file.Granted(profile, creds.NewSecret(grant))
}

// asker is how a client's person can be asked; nil: not at all.
func asker(canAsk bool, talk localapi.Talk) func(consent.Question) {
	if !canAsk || !talk.CanAsk() {
		return nil
	}
	return talk.Confirm
}
