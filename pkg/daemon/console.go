package daemon

import (
	"context"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/console"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/plan"
	"github.com/mfad/mfad/pkg/profile"
)

// Limits of a console session
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html).
const (
	shortestConsole = 15 * time.Minute
	longestConsole  = 12 * time.Hour
)

// allowAll is the session policy of a console session without a role: it then has
// what the user has, since a federated user never has more
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html).
const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// consoleLogin is one sign-in on its way.
type consoleLogin struct {
	p           *profile.Profile
	gift        gift // for the identity; its code may be given already
	client      *awsapi.Client
	endpoint    string
	destination string
	duration    time.Duration // asked for; zero: what there is
	talk        localapi.Talk
	notes       []string
	why         string // a person allowed it; empty: nobody had to
}

// Console implements [localapi.Backend].
func (d *Daemon) Console(ctx context.Context, r localapi.ConsoleRequest, talk localapi.Talk) (localapi.ConsoleAnswer, error) {
	d.windows.seen(localapi.DisplayOf(ctx))
	l, err := d.consoleLogin(r, talk)
	if err != nil {
		return localapi.ConsoleAnswer{}, err
	}
	wait, cancel := context.WithTimeout(ctx, l.gift.timeout)
	defer cancel()
	l.why, err = d.allow(wait, wish{profile: l.p, terminal: asker(l.gift.canAsk, talk)})
	if err != nil {
		return localapi.ConsoleAnswer{}, err
	}
	c, asked, err := d.consoleCredentials(ctx, l)
	if err != nil {
		return localapi.ConsoleAnswer{}, err
	}
	return d.signIn(ctx, l, c, asked)
}

// consoleLogin checks what is asked for, before a code is spent on it.
func (d *Daemon) consoleLogin(r localapi.ConsoleRequest, talk localapi.Talk) (*consoleLogin, error) {
	p, err := d.servable(r.Profile)
	if err != nil {
		return nil, err
	}
	l := &consoleLogin{p: p, duration: time.Duration(r.DurationSeconds) * time.Second, talk: talk, gift: gift{
		identity: p.Identity, code: r.Code, canAsk: r.CanAsk && talk.CanAsk(), timeout: timeout(r.TimeoutSeconds, loginDefault)}}
	if l.duration != 0 && (l.duration < shortestConsole || l.duration > longestConsole) {
		return nil, &creds.Error{Code: creds.CodeUsage, Op: "AWS gives console sessions of 15m to 12h, not " + plan.Short(l.duration), Hint: "add --duration 12h"}
	}
	c := d.conf()
	id := c.Identities[p.Identity]
	partition := first(profile.Partition(p.RoleARN), profile.Partition(id.MFASerial), profile.Partition(id.PrincipalARN), "aws")
	region := first(r.Region, c.Region(p))
	if l.destination, err = console.Destination(partition, region, r.Destination); err != nil {
		return nil, err
	}
	if l.endpoint, err = console.Federation(partition, region); err != nil {
		return nil, err
	}
	if other := first(c.Defaults.SigninURL, d.Getenv("MFAD_SIGNIN_URL")); other != "" {
		if err := profile.CheckEndpoint(other); err != nil {
			return nil, &creds.Error{Code: creds.CodeConfig, Op: "the sign-in endpoint " + other + " is not used", Hint: "use https, or an address of this machine", Err: err}
		}
		l.endpoint = other
	}
	l.client, err = d.client(c.Region(p))
	return l, err
}

func (l *consoleLogin) note(text string) { l.notes = append(l.notes, text) }

// noteCode says that a code that came along was left alone.
func (l *consoleLogin) noteCode() {
	if l.gift.code != "" {
		l.note("the code was not needed, and was not sent")
	}
}

// noteLife says why the console does not last what a user may expect.
func (l *consoleLogin) noteLife() {
	l.note("the console lasts as long as the credentials; any time up to 12h takes a code: --duration 12h")
}

// consoleCredentials gets what the console is opened with, and the duration that
// AWS can be asked for with it: only for a role that was assumed direct.
func (d *Daemon) consoleCredentials(ctx context.Context, l *consoleLogin) (creds.Credentials, time.Duration, error) {
	id := d.conf().Identities[l.p.Identity]
	switch {
	case l.p.RoleARN == "":
		c, err := d.federationToken(ctx, l)
		return c, 0, err
	case l.p.Source != nil || id.Type != profile.TypeKey:
		c, err := d.boundConsole(ctx, l)
		return c, 0, err
	}
	if c, ok := d.engine.Direct(l.p.Name); ok {
		l.noteCode()
		if l.duration > 0 {
			return c, l.duration, nil
		}
		l.note("the console lasts as long as the credentials; up to 12h, without a code: --duration 12h")
		if served, ok := d.engine.Cached(l.p.Name); ok {
			c = served // they live longer
		}
		return c, 0, nil
	}
	if c, ok := d.engine.Cached(l.p.Name); ok && l.gift.code == "" && time.Until(c.Expires) >= l.duration {
		l.noteLife()
		return c, 0, nil
	}
	if l.duration == 0 && l.gift.code == "" {
		ctx, cancel := context.WithTimeout(ctx, l.gift.timeout)
		defer cancel()
		c, err := d.obtain(ctx, l.p, false, l.gift.canAsk, l.talk)
		l.noteLife()
		return c, 0, err
	}
	g := l.gift
	g.profile, g.console = l.p.Name, true
	if _, err := d.give(ctx, g, l.talk); err != nil {
		return creds.Credentials{}, 0, err
	}
	c, ok := d.engine.Direct(l.p.Name)
	if !ok {
		return c, 0, &creds.Error{Code: creds.CodeInternal, Op: "the role " + l.p.RoleARN + " was not assumed", Hint: "run: mfad status " + l.p.Name}
	}
	return c, l.duration, nil
}

// boundConsole gets the credentials of a profile whose console session ends with
// them.
func (d *Daemon) boundConsole(ctx context.Context, l *consoleLogin) (creds.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, l.gift.timeout)
	defer cancel()
	if l.duration > plan.Hour && l.p.Source != nil {
		return creds.Credentials{}, l.tooLong(plan.Hour) // before a code is asked for
	}
	if _, ok := d.engine.Cached(l.p.Name); !ok && l.gift.code != "" && d.conf().Identities[l.p.Identity].Type == profile.TypeKey {
		if _, err := d.give(ctx, l.gift, l.talk); err != nil {
			return creds.Credentials{}, err
		}
	} else {
		l.noteCode()
	}
	c, err := d.obtain(ctx, l.p, false, l.gift.canAsk, l.talk)
	if left := time.Until(c.Expires); err == nil && l.duration > left+time.Minute { // a minute is nothing to a person
		return creds.Credentials{}, l.tooLong(left)
	}
	if err == nil {
		l.note("the console lasts as long as the credentials")
	}
	return c, err
}

func (l *consoleLogin) tooLong(left time.Duration) error {
	why := "is federated"
	if l.p.Source != nil {
		why = "is chained to " + l.p.SourceProfile
	}
	return &creds.Error{Code: creds.CodeUsage,
		Op:   "a console session of " + l.p.Name + " cannot last " + plan.Short(l.duration) + ": the profile " + why + ", so it ends with its credentials, in " + plan.Short(left.Truncate(time.Second)),
		Hint: "leave --duration out; 12h takes a role that trusts the user itself, in a profile with an identity of its own"}
}

// federationToken makes credentials for a console session of the user's own. AWS
// wants the long-term key for it, and mfad a living session or a code: whoever has
// the machine alone gets none.
func (d *Daemon) federationToken(ctx context.Context, l *consoleLogin) (creds.Credentials, error) {
	if _, ok := d.engine.Session(l.p.Identity); !ok || l.gift.code != "" {
		if _, err := d.give(ctx, l.gift, l.talk); err != nil {
			return creds.Credentials{}, err
		}
	}
	key, err := d.longTerm(ctx, l.p.Identity)
	if err != nil {
		return creds.Credentials{}, err
	}
	policy := l.p.Policy
	if policy == "" && len(l.p.PolicyARNs) == 0 {
		policy = allowAll
	}
	asked := l.duration
	if asked == 0 {
		asked = longestConsole
	}
	l.note("this console session carries no MFA: what a policy allows only with MFA is refused there")
	ctx = about(ctx, subject{identity: l.p.Identity, profile: l.p.Name})
	name := d.sessionName(l.p.Identity)
	return l.client.FederationToken(ctx, key, name[:min(len(name), 32)], policy, l.p.PolicyARNs, asked)
}

// signIn trades credentials for a sign-in token. Where AWS refuses the duration it
// is left out: AWS gives no reason, and a shorter session is better than none.
func (d *Daemon) signIn(ctx context.Context, l *consoleLogin, c creds.Credentials, asked time.Duration) (localapi.ConsoleAnswer, error) {
	ctx = about(ctx, subject{identity: l.p.Identity, profile: l.p.Name})
	token, err := l.client.SigninToken(ctx, l.endpoint, c, asked)
	if creds.CodeOf(err) == creds.CodeRefused && asked > 0 {
		refused := err
		if token, err = l.client.SigninToken(ctx, l.endpoint, c, 0); err == nil {
			l.note("AWS refused a console session of " + plan.Short(asked) + " (" + refused.Error() + "); it lasts as long as the credentials")
			asked = 0
		}
	}
	if err != nil {
		return localapi.ConsoleAnswer{}, err
	}
	expires := c.Expires
	if asked > 0 {
		expires = time.Now().Round(0).Add(asked)
	}
	who := localapi.CallerOf(ctx)
	d.record(audit.Record{Action: audit.Console, Identity: l.p.Identity, Profile: l.p.Name, RoleARN: l.p.RoleARN, Why: l.why, Asked: int(l.duration / time.Second),
		Given: int(time.Until(expires).Round(time.Second) / time.Second), Expires: &expires, PID: who.PID, Program: who.Program}.Ended(nil))
	return localapi.ConsoleAnswer{
		Endpoint: l.endpoint, Destination: l.destination, SigninToken: token.Reveal(), Principal: c.Principal,
		Expires: expires.UTC().Truncate(time.Second), Note: strings.Join(l.notes, "; "),
	}, nil
}
