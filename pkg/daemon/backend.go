package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

const (
	// waitDefault fits into the minute that Go's SDK gives a credential_process.
	waitDefault = 50 * time.Second
	// loginDefault is how long a login waits for a code.
	loginDefault = 5 * time.Minute
	// settleLimit is how long a login or refresh waits for AWS and the files.
	settleLimit = 40 * time.Second
)

// timeout reads a client's wish.
func timeout(seconds float64, unset time.Duration) time.Duration {
	if seconds <= 0 {
		return unset
	}
	return time.Duration(seconds * float64(time.Second))
}

// Credentials implements [localapi.Backend].
func (d *Daemon) Credentials(ctx context.Context, r localapi.CredentialsRequest, talk localapi.Talk) (_ localapi.Process, err error) {
	defer func() { d.tell(ctx, r, err) }()
	d.windows.seen(localapi.DisplayOf(ctx))
	p, err := d.servable(r.Profile)
	if err != nil {
		return localapi.Process{}, err
	}
	c, ok := d.engine.Cached(r.Profile)
	if !ok && r.Cached {
		return localapi.Process{}, &creds.Error{Code: creds.CodeMFARequired, Op: "nothing is cached for profile " + r.Profile,
			Hint: "run: mfad login " + p.Identity}
	}
	wait, cancel := context.WithTimeout(ctx, timeout(r.TimeoutSeconds, waitDefault))
	defer cancel()
	why, err := d.allow(wait, wish{profile: p, command: r.Command, grant: r.Grant, cached: r.Cached, noPrompt: r.NoPrompt,
		terminal: asker(r.CanAsk && !r.NoPrompt, talk)})
	if err != nil {
		return localapi.Process{}, err
	}
	if !ok {
		if c, err = d.obtain(wait, p, r.NoPrompt, r.CanAsk && talk.CanAsk(), talk); err != nil {
			return localapi.Process{}, err
		}
	}
	out := process(c, r.For, d.clock.Now())
	if p.Confirm && r.Command != "" {
		if out.Grant, err = d.store.grant(p.Name); err != nil {
			return localapi.Process{}, err
		}
	}
	d.handedOut(ctx, p, c.Expires, why)
	return out, nil
}

// obtain gets a profile's credentials, by asking for a code if only that helps.
func (d *Daemon) obtain(ctx context.Context, p *profile.Profile, noPrompt, canAsk bool, talk localapi.Talk) (creds.Credentials, error) {
	if err := d.ready(ctx); err != nil {
		return creds.Credentials{}, err
	}
	for {
		c, err := d.engine.Credentials(ctx, p.Name)
		if creds.CodeOf(err) != creds.CodeMFARequired || noPrompt {
			return c, err
		}
		if err := d.awaitCode(ctx, p, canAsk, talk); err != nil {
			return creds.Credentials{}, err
		}
	}
}

// servable tells why nothing can be served at all: no such profile, or mfad is
// locked.
func (d *Daemon) servable(name string) (*profile.Profile, error) {
	c, err := d.inForce()
	if err != nil {
		return nil, err
	}
	p, err := c.Profile(name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, refresh.ErrLocked
	}
	return p, nil
}

// process is what a tool gets. Go's SDKs ask again only when credentials have
// run out, so the end is told a minute early where there is room for it; it is
// never told in the past.
func process(c creds.Credentials, purpose string, t time.Time) localapi.Process {
	expires := c.Expires
	if purpose != localapi.ForExport && expires.Sub(t) > 2*time.Minute {
		expires = expires.Add(-time.Minute)
	}
	return localapi.Process{
		Version: 1, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(),
		SessionToken: c.SessionToken.Reveal(), Expiration: expires.UTC().Format(time.RFC3339),
	}
}

// awaitCode waits until p has what it needs a code for. Its error says why it
// will not: nobody can be asked, the codes were wrong, AWS is not reached.
func (d *Daemon) awaitCode(ctx context.Context, p *profile.Profile, canAsk bool, talk localapi.Talk) error {
	seat := d.desk.Sit(p.Identity, p.Name, canAsk, false)
	defer seat.Leave()
	if !d.desk.CanAsk(p.Identity) {
		return nobody(p.Identity)
	}
	for {
		q, err := d.engine.Ask(ctx, p.Name)
		if q != nil {
			return hear(ctx, p.Identity, seat, q.Done, q.Err, talk)
		}
		if !creds.IsTransient(err) {
			return err
		}
		// AWS is out of reach: a code would be lost, so nobody is asked.
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

// hear passes the desk's words on until the question is over.
func hear(ctx context.Context, identity string, seat *mfa.Seat, done <-chan struct{}, result func() error, talk localapi.Talk) error {
	for {
		select {
		case <-done:
			return result()
		case e := <-seat.Events():
			if e.Kind == mfa.Nobody {
				return nobody(identity)
			}
			talk.Say(e)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &creds.Error{Code: creds.CodeMFARequired, Op: "nobody gave a code in time", Hint: "run: mfad login " + identity}
			}
			return context.Cause(ctx)
		}
	}
}

// nobody is the answer where only a code helps and nobody can be asked.
func nobody(identity string) error {
	return &creds.Error{Code: creds.CodeMFARequired, Op: "a code is needed and there is nobody to ask",
		Hint: "run: mfad login " + identity}
}

// ready waits until the keyring has answered, and gives what is wrong with it. A
// keyring that could not be used is looked at again first: it may have been
// unlocked since. Without an identity there is nothing to wait for.
func (d *Daemon) ready(ctx context.Context) error {
	d.mu.Lock()
	stale := d.keyring.err != nil
	d.mu.Unlock()
	return d.readyAfter(ctx, stale)
}

// readyAfter is ready, where anew has the keyring looked at once more in any case.
func (d *Daemon) readyAfter(ctx context.Context, anew bool) error {
	d.mu.Lock()
	begun := d.keyring.begun
	d.mu.Unlock()
	if anew {
		d.nudgeKeyring()
	}
	for {
		d.mu.Lock()
		done := d.keyring.ready || len(d.config.Identities) == 0
		err, looked, changed := d.keyring.err, d.keyring.looked, d.changed
		d.mu.Unlock()
		switch {
		case done:
			return nil
		case err != nil && (!anew || looked > begun): // of a look that began after this call
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &creds.Error{Code: creds.CodeKeyringTimeout, Op: "the keyring has not answered", Hint: "run: mfad status"}
		}
	}
}

// Refresh implements [localapi.Backend].
func (d *Daemon) Refresh(ctx context.Context, r localapi.RefreshRequest) (localapi.Outcome, error) {
	for _, name := range r.Profiles {
		if _, err := d.servable(name); err != nil {
			return localapi.Outcome{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	if err := d.ready(ctx); err != nil {
		return localapi.Outcome{}, err
	}
	err := d.engine.Refresh(ctx, r.Profiles...)
	if err != nil && creds.CodeOf(err) != creds.CodeTimeout {
		return localapi.Outcome{}, err
	}
	return d.outcome("", r.Profiles...), nil
}

// Unlock implements [localapi.Backend].
func (d *Daemon) Unlock(ctx context.Context, r localapi.UnlockRequest) error {
	kr, err := d.theKeyring(ctx)
	if err != nil {
		return err
	}
	if err := unlock(ctx, kr, creds.NewSecret(r.Passphrase)); err != nil {
		return err
	}
	if err := d.setLocked(false); err != nil {
		return err
	}
	d.mu.Lock()
	d.relock = false
	d.mu.Unlock()
	err = d.readyAfter(ctx, true)
	d.engine.Retry()
	return err
}

// Lock implements [localapi.Backend].
func (d *Daemon) Lock(context.Context) (localapi.Outcome, error) {
	out := d.outcome("")
	err := d.setLocked(true)
	d.record(audit.Record{Action: audit.Lock}.Ended(err))
	return out, err
}

// setLocked begins or ends a lock; it lasts over restarts.
func (d *Daemon) setLocked(locked bool) error {
	d.mu.Lock()
	was := d.locked
	d.mu.Unlock()
	if was == locked && d.dir.Locked() == locked {
		return nil
	}
	if err := d.dir.SetLocked(locked); err != nil {
		return err
	}
	d.mu.Lock()
	d.locked = locked
	d.changedLocked()
	d.mu.Unlock()
	if !locked {
		d.engine.Unlock()
		return nil
	}
	d.engine.Lock()
	d.consents.Forget()
	return d.sink.forget()
}
