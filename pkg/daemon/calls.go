package daemon

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

// sessionCap is what STS grants for a role that is assumed with temporary
// credentials, whatever the role allows
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining).
const sessionCap = time.Hour

// caller makes the engine's AWS calls.
type caller struct{ d *Daemon }

// StartSession implements [refresh.AWS].
func (c caller) StartSession(ctx context.Context, id refresh.Identity, code creds.Secret) (creds.Credentials, error) {
	key, err := c.d.longTerm(ctx, id.Name)
	if err != nil {
		return creds.Credentials{}, err
	}
	cl, err := c.identityClient(id.Name, id.Serial)
	if err != nil {
		return creds.Credentials{}, err
	}
	// Noted before it is sent: a daemon that is killed now must not send it again.
	if err := c.d.store.spend(id.Serial, code, time.Now()); err != nil {
		return creds.Credentials{}, err
	}
	got, err := cl.StartSession(ctx, key, id.Serial, code, id.SessionDuration)
	if _, unsent := errors.AsType[*awsapi.NotSentError](err); unsent {
		c.d.store.unspend(id.Serial)
	}
	if creds.IsTransient(err) {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeOf(err), Op: err.Error(),
			Hint: "no code is sent twice: run mfad login " + id.Name + " with the next one"}
	} else if err != nil {
		return creds.Credentials{}, err
	}
	got.Principal = key.Principal
	c.d.store.add(id, got) // before anything else can go wrong: it cost a code
	return got, nil
}

// AssumeRole implements [refresh.AWS].
func (c caller) AssumeRole(ctx context.Context, p refresh.Profile, from creds.Credentials) (creds.Credentials, refresh.Via, error) {
	conf := c.d.conf()
	cfg, err := conf.Profile(p.Name)
	if err != nil {
		return creds.Credentials{}, "", err
	}
	cl, err := c.d.client(conf.Region(cfg))
	if err != nil {
		return creds.Credentials{}, "", err
	}
	r := p.Role
	if r.SessionName == "" {
		r.SessionName = c.d.sessionName(p.Identity)
	}
	if id := conf.Identities[p.Identity]; p.Source == "" && id != nil && id.Type != profile.TypeKey {
		return c.federated(ctx, cl, id, r)
	}
	if r.Duration == 0 || r.Duration > sessionCap {
		r.Duration = sessionCap
	}
	via := refresh.ViaSession
	if p.Source != "" {
		via = refresh.ViaChain
	}
	got, err := cl.AssumeRole(ctx, from, r)
	return got, via, err
}

// Verify implements [refresh.AWS].
func (c caller) Verify(ctx context.Context, id refresh.Identity, session creds.Credentials) error {
	cl, err := c.identityClient(id.Name, id.Serial)
	if err == nil {
		_, err = cl.CallerIdentity(ctx, session)
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
	arn := d.users[identity]
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
func (c codes) Next(ctx context.Context, id refresh.Identity, prev error) (refresh.Attempt, error) {
	code, done, err := c.desk.Next(ctx, id.Name, prev)
	return refresh.Attempt{Code: code, Done: done}, err
}

// Settle implements [refresh.Codes].
func (c codes) Settle(id refresh.Identity, err error) { c.desk.Settle(id.Name, err) }
