package daemon

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/plan"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

// caller makes the engine's AWS calls.
type caller struct{ d *Daemon }

// StartSession implements [refresh.AWS].
func (c caller) StartSession(ctx context.Context, id refresh.Identity, code creds.Secret, why string) (creds.Credentials, error) {
	ctx = about(ctx, subject{identity: id.Name, way: string(refresh.ViaSession), why: why})
	cl, err := c.identityClient(id.Name, id.Serial)
	if err != nil {
		return creds.Credentials{}, err
	}
	got, err := c.spend(ctx, id, id.Name, code, func(key creds.Credentials) (creds.Credentials, error) {
		got, err := cl.StartSession(ctx, key, id.Serial, code, id.SessionDuration)
		got.Principal = key.Principal
		return got, err
	})
	if err != nil {
		return creds.Credentials{}, err
	}
	if !c.d.isLocked() { // a lock that came meanwhile wants nothing kept
		c.d.store.add(id, got) // before anything else can go wrong: it cost a code
	}
	return got, nil
}

// AssumeDirect implements [refresh.AWS].
func (c caller) AssumeDirect(ctx context.Context, id refresh.Identity, p refresh.Profile, code creds.Secret, why string) (creds.Credentials, error) {
	ctx = about(ctx, subject{id.Name, p.Name, string(refresh.ViaDirect), why})
	cl, r, err := c.role(p)
	if err != nil {
		return creds.Credentials{}, err
	}
	got, err := c.spend(ctx, id, p.Name, code, func(key creds.Credentials) (creds.Credentials, error) {
		return cl.AssumeRoleWithCode(ctx, key, r, id.Serial, code)
	})
	if err != nil {
		return creds.Credentials{}, err
	}
	if !c.d.isLocked() {
		c.d.store.addDirect(p, got)
	}
	return got, nil
}

// spend makes a call that carries a code, signed by the identity's long-term key.
// Target is the identity or profile that the code is for.
func (c caller) spend(ctx context.Context, id refresh.Identity, target string, code creds.Secret,
	call func(key creds.Credentials) (creds.Credentials, error)) (creds.Credentials, error) {
	key, err := c.d.longTerm(ctx, id.Name)
	if err != nil {
		return creds.Credentials{}, err
	}
	// Noted before it is sent: a daemon that is killed now must not send it again.
	unspend, err := c.d.store.spend(id.Serial, code, c.d.clock.Now())
	if err != nil {
		return creds.Credentials{}, err
	}
	got, err := call(key)
	_, unsent := errors.AsType[*awsapi.NotSentError](err)
	// AWS checks the stamp, as the whole signature, before it looks at what is asked.
	unread := creds.CodeOf(err) == creds.CodeClockSkew
	if unsent || unread {
		unspend()
	}
	if unread {
		err = &creds.Error{Code: creds.CodeClockSkew, Op: err.Error(),
			Hint: "set this machine's clock; AWS did not look at the code, so it may be given again: mfad login " + target}
	}
	if creds.IsTransient(err) {
		err = &creds.Error{Code: creds.CodeOf(err), Op: err.Error(),
			Hint: "no code is sent twice: run mfad login " + target + " with the next one"}
	}
	return got, err
}

// AssumeRole implements [refresh.AWS].
func (c caller) AssumeRole(ctx context.Context, p refresh.Profile, from creds.Credentials) (creds.Credentials, refresh.Via, error) {
	cl, r, err := c.role(p)
	if err != nil {
		return creds.Credentials{}, "", err
	}
	via := refresh.ViaSession
	id := c.d.conf().Identities[p.Identity]
	switch {
	case p.Source != "":
		via = refresh.ViaChain
	case id != nil && id.Type != profile.TypeKey:
		return c.federated(ctx, cl, id, p.Name, r)
	}
	got, err := cl.AssumeRole(about(ctx, subject{identity: p.Identity, profile: p.Name, way: string(via)}), from, r)
	return got, via, err
}

// role gives the client for a profile's role, and what to ask it for.
func (c caller) role(p refresh.Profile) (*awsapi.Client, creds.Role, error) {
	conf := c.d.conf()
	cfg, err := conf.Profile(p.Name)
	if err != nil {
		return nil, creds.Role{}, err
	}
	r := p.Role
	if r.SessionName == "" {
		r.SessionName = c.d.sessionName(p.Identity)
	}
	cl, err := c.d.client(conf.Region(cfg))
	return cl, r, err
}

// roleInfo asks about a role. IAM finds it by its name in the account of whoever
// asks, so another account's role of that name is no answer.
func roleInfo(ctx context.Context, cl *awsapi.Client, from creds.Credentials, arn string) (awsapi.RoleInfo, error) {
	info, err := cl.Role(ctx, from, profile.RoleName(arn))
	if err == nil && (info.ARN != arn || info.MaxSessionDuration <= 0) {
		err = &creds.Error{Code: creds.CodeRefused, Op: "AWS told of another role, " + info.ARN}
	}
	return info, err
}

// MaxSessionDuration implements [refresh.AWS].
func (c caller) MaxSessionDuration(ctx context.Context, p refresh.Profile, from creds.Credentials) (time.Duration, error) {
	cl, r, err := c.role(p)
	if err != nil {
		return 0, err
	}
	info, err := roleInfo(about(ctx, subject{identity: p.Identity, profile: p.Name}), cl, from, r.ARN)
	return info.MaxSessionDuration, err
}

// Verify implements [refresh.AWS].
func (c caller) Verify(ctx context.Context, id refresh.Identity, session creds.Credentials) error {
	cl, err := c.identityClient(id.Name, id.Serial)
	if err == nil {
		_, err = cl.CallerIdentity(about(ctx, subject{identity: id.Name}), session)
	}
	return err
}

// identityClient calls where an identity's sessions are started.
func (c caller) identityClient(name, serial string) (*awsapi.Client, error) {
	conf := c.d.conf()
	id, err := conf.Identity(name)
	if err != nil {
		return nil, err
	}
	return c.d.client(first(id.Region, conf.Defaults.Region, profile.DefaultRegion(serial)))
}

// sessionName is what CloudTrail shows as the user of a role session: the IAM
// user's name, brought to the 2 to 64 characters [\w+=,.@-] that STS takes.
func (d *Daemon) sessionName(identity string) string {
	d.mu.Lock()
	arn := d.held[identity].user
	d.mu.Unlock()
	name := first(arn[strings.LastIndexByte(arn, '/')+1:], identity)
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_+=,.@-", r)) {
			return r
		}
		return '-'
	}, name)
	if len(name) > 64 {
		name = name[:64]
	}
	for len(name) < 2 {
		name += "_"
	}
	return name
}

// codes lets the desk supply the engine.
type codes struct{ desk *mfa.Desk }

// Next implements [refresh.Codes].
func (c codes) Next(ctx context.Context, id refresh.Identity, profile string, prev error) (refresh.Attempt, error) {
	code, err := c.desk.Next(ctx, id.Name, profile, prev)
	if err == mfa.ErrOver {
		err = refresh.ErrOver
	}
	a := refresh.Attempt{Code: code.Code, Profile: code.Profile, Program: code.Program}
	if code.Done != nil {
		a.Done = func(s plan.Spend, err error) { code.Done(mfa.Outcome{Profile: s.Profile, Why: s.Why, Err: err}) }
	}
	return a, err
}

// Retarget implements [refresh.Codes].
func (c codes) Retarget(id refresh.Identity, profile string) { c.desk.Retarget(id.Name, profile) }

// Settle implements [refresh.Codes].
func (c codes) Settle(id refresh.Identity, profile string, err error) {
	c.desk.Settle(id.Name, profile, err)
}
