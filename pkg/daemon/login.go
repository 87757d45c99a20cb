package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

// Login implements [localapi.Backend].
func (d *Daemon) Login(ctx context.Context, r localapi.LoginRequest, talk localapi.Talk) (localapi.Outcome, error) {
	d.windows.seen(localapi.DisplayOf(ctx))
	c, err := d.inForce()
	if err != nil {
		return localapi.Outcome{}, err
	}
	identity, profileName, err := identityOf(c, r.Target)
	if err != nil {
		return localapi.Outcome{}, err
	}
	if id := c.Identities[identity]; id.Type != profile.TypeKey {
		return localapi.Outcome{}, &creds.Error{Code: creds.CodeUsage, Op: "identity " + identity + " is federated and takes no code",
			Hint: "run: mfad refresh"}
	}
	g := gift{identity: identity, code: r.Code, canAsk: r.CanAsk && talk.CanAsk(), timeout: timeout(r.TimeoutSeconds, loginDefault)}
	if root := rootOf(c.Profiles[profileName]); root != nil && root.RoleARN != "" {
		g.profile = root.Name
	}
	spent, err := d.give(ctx, g, talk)
	if err != nil {
		return localapi.Outcome{}, err
	}
	out := d.outcome(identity)
	if spent != "" {
		out = d.outcome("", d.engine.Chained(spent)...)
	}
	out.Note = d.loginNote(g, spent, profileName)
	return out, nil
}

// loginNote says what a user who gave a code for one profile may not expect.
func (d *Daemon) loginNote(g gift, spent, target string) string {
	switch {
	case g.profile == "":
		return ""
	case spent == "":
		next := "AWS does not tell, so the next code asks for the longest"
		if k, err := d.engine.Knowledge(g.profile); err == nil && k.Known.Known() {
			next = k.Known.String()
		}
		return "the code started the session of " + g.identity + ", since it was not known how long " + g.profile + " may live; " +
			next + ": mfad login " + g.profile
	}
	if target != spent {
		return target + " is chained to " + spent + ", and the code went there; it started no session: mfad login " + g.identity
	}
	if _, lives := d.engine.Session(g.identity); lives {
		return ""
	}
	return "the code went to " + spent + " alone; for all profiles of " + g.identity + " run: mfad login " + g.identity
}

// rootOf is the profile at the root of p's chain.
func rootOf(p *profile.Profile) *profile.Profile {
	for p != nil && p.Source != nil {
		p = p.Source
	}
	return p
}

// gift is a code that somebody gives, or comes to be asked for.
type gift struct {
	identity string
	profile  string // whose role it is for; empty: the session
	console  bool   // the role's credentials are for a console session
	code     string // empty: it is asked for
	canAsk   bool
	timeout  time.Duration
}

// give has a code spent, and waits until what it freshens is published. It tells
// which profile's role it went to; empty: it started the session.
func (d *Daemon) give(ctx context.Context, g gift, talk localapi.Talk) (spent string, err error) {
	if g.code != "" {
		if g.code, err = mfa.ParseCode(g.code); err != nil {
			return "", err
		}
	}
	if err := d.ready(ctx); err != nil {
		return "", err
	}
	d.beginLogin()
	ctx, cancel := context.WithTimeout(ctx, g.timeout+settleLimit)
	defer cancel()
	if g.code == "" {
		spent, err = g.profile, d.askFor(ctx, g, talk)
	} else {
		spent, err = d.offer(ctx, g)
	}
	return spent, errors.Join(err, d.endLogin(err == nil))
}

// beginLogin suspends a lock. Its mark on disk stays: only a login that succeeds
// ends a lock.
func (d *Daemon) beginLogin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logins++
	if d.locked {
		d.relock, d.locked = true, false
		d.engine.Unlock()
		d.changedLocked()
	}
}

// endLogin ends a suspended lock, or restores it once no other login is under
// way that may still end it. A lock that came meanwhile stays.
func (d *Daemon) endLogin(ok bool) error {
	d.mu.Lock()
	d.logins--
	end := d.relock && ok && !d.locked
	again := d.relock && !ok && d.logins == 0
	if end || again {
		d.relock = false
	}
	d.mu.Unlock()
	switch {
	case end:
		return d.dir.SetLocked(false)
	case again:
		return d.setLocked(true)
	}
	return nil
}

// askFor has a person asked, or a program, until there is what the code is for.
func (d *Daemon) askFor(ctx context.Context, g gift, talk localapi.Talk) error {
	seat := d.desk.Sit(g.identity, g.profile, g.canAsk, true)
	defer seat.Leave()
	if !d.desk.CanAsk(g.identity) {
		target := g.identity
		if g.profile != "" {
			target = g.profile
		}
		return &creds.Error{Code: creds.CodeMFARequired, Op: "there is no terminal to ask for a code on",
			Hint: fmt.Sprintf("run: mfad login %s --code - (the code on stdin)", target)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	var loginErr error
	go func() {
		defer close(over)
		loginErr = d.engine.Login(ctx, g.identity, refresh.LoginOptions{Profile: g.profile, Console: g.console})
	}()
	return hear(ctx, g.identity, seat, over, func() error { return loginErr }, talk)
}

// offer gives the code at hand. It is over when that code is spent: what else is
// wanted then is for the next one.
func (d *Daemon) offer(ctx context.Context, g gift) (spent string, err error) {
	login, cancel := context.WithCancel(ctx)
	defer cancel()
	given := make(chan (<-chan mfa.Outcome), 1)
	over := make(chan error, 1)
	var withdraw func()
	go func() {
		over <- d.engine.Login(login, g.identity, refresh.LoginOptions{Profile: g.profile, Console: g.console, Give: func() {
			result, undo, _ := d.desk.Offer(g.identity, g.profile, creds.NewSecret(g.code)) // its form was checked
			withdraw = undo
			given <- result
		}})
	}()
	select {
	case err := <-over: // it did not come to that
		return "", err
	case result := <-given:
		defer withdraw()
		select {
		case r := <-result: // what AWS said of this very code
			if r.Err != nil {
				return "", r.Err
			}
			cancel()
			if r.Profile != g.profile { // what the session looks up is to be told
				d.engine.Learned(ctx, g.profile)
			}
			return r.Profile, d.engine.Settled(ctx, d.engine.Freshened(g.identity, r.Profile)...)
		case err := <-over:
			return g.profile, err
		}
	}
}
