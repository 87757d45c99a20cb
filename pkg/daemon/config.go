package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/plan"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

// load reads the config and puts it in force. A broken one changes nothing but
// what Status says.
func (d *Daemon) load() error {
	c, err := profile.Load(d.Paths.Config, d.loadOptions())
	d.mu.Lock()
	d.cfgErr = err
	d.changedLocked()
	if err == nil {
		d.config, d.loaded = c, true
		clear(d.clients)
	}
	ready := d.keyring.ready
	d.mu.Unlock()
	if err != nil {
		return err
	}
	d.desk.Configure(d.settings(c))
	d.windows.attend(c.IdentityNames())
	if ready {
		d.configure()
	}
	d.nudgeKeyring() // an identity may be new
	return nil
}

func (d *Daemon) loadOptions() profile.Options { return profile.Options{System: d.Paths.SystemConfig} }

// configure gives the engine the config in force.
func (d *Daemon) configure() {
	d.configuring.Lock() // so that an older config does not come after a newer one
	defer d.configuring.Unlock()
	d.engine.Configure(d.roster())
}

// resume gives it the first one, and what is left of a former run.
func (d *Daemon) resume(left refresh.Saved) {
	d.configuring.Lock()
	defer d.configuring.Unlock()
	ids, ps := d.roster()
	d.engine.Resume(ids, ps, left)
}

// roster is the config in force in the engine's terms.
func (d *Daemon) roster() (ids []refresh.Identity, ps []refresh.Profile) {
	c := d.conf()
	asks := d.settings(c)
	for _, name := range c.IdentityNames() {
		id := c.Identities[name]
		ids = append(ids, refresh.Identity{
			Name: name, Serial: id.MFASerial, Account: d.account(id), SessionDuration: id.SessionDuration,
			Unattended: asks[name].Unattended && slices.Contains(methods(c), mfa.Process),
			Federated:  id.Type != profile.TypeKey, Fingerprint: id.Type + " " + id.MFASerial,
		})
	}
	for _, name := range c.ProfileNames() {
		p := c.Profiles[name]
		ps = append(ps, refresh.Profile{
			Name: name, Identity: p.Identity, Source: p.SourceProfile, Role: role(p), Mode: plan.Mode(p.MFA), MaxAge: p.MFAMaxAge,
			Before:      refresh.Window{Share: float64(p.RefreshBefore.Percent) / 100, Fixed: p.RefreshBefore.Duration},
			Fingerprint: profile.Fingerprint(p),
		})
	}
	return ids, ps
}

// role is a profile's role in STS's terms; its session name may still be open.
func role(p *profile.Profile) creds.Role {
	r := creds.Role{
		ARN: p.RoleARN, SessionName: p.RoleSessionName, Duration: p.Duration, ExternalID: p.ExternalID,
		SourceIdentity: p.SourceIdentity, TransitiveTags: p.TransitiveSessionTags, PolicyARNs: p.PolicyARNs, Policy: p.Policy,
	}
	for _, t := range p.SessionTags {
		r.Tags = append(r.Tags, creds.Tag(t))
	}
	return r
}

// methods are the ways to get a code, in order. Auto takes a program where there
// is one, and a terminal.
func methods(c *profile.Config) []mfa.Method {
	if c.Defaults.Prompt == nil {
		return []mfa.Method{mfa.Process, mfa.Terminal, mfa.Dialog}
	}
	var ms []mfa.Method
	for _, m := range c.Defaults.Prompt {
		ms = append(ms, mfa.Method(m))
	}
	return ms
}

// settings says how each identity's codes are got. A stored seed takes the place
// of a program.
func (d *Daemon) settings(c *profile.Config) map[string]mfa.Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]mfa.Settings{}
	for name, id := range c.Identities {
		s := mfa.Settings{Serial: id.MFASerial, Process: id.MFAProcess, Unattended: id.MFAProcessUnattended, Methods: methods(c)}
		if d.held[name].seed {
			s.Process, s.Unattended = "", true
			s.Generate = func(ctx context.Context) (creds.Secret, error) { return d.generate(ctx, name) }
		}
		all[name] = s
	}
	return all
}

// inForce gives the config in force; the error says why none ever was.
func (d *Daemon) inForce() (*profile.Config, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.loaded && d.cfgErr != nil {
		return nil, d.cfgErr
	}
	return d.config, nil
}

// client gives the client for a region, made once for each config.
func (d *Daemon) client(region string) (*awsapi.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cl := d.clients[region]; cl != nil {
		return cl, nil
	}
	e, err := Endpoint(d.config.Defaults, d.Getenv)
	if err != nil {
		return nil, err
	}
	e.Region, e.Clock, e.Observe = region, &d.clock, d.observe
	cl, err := awsapi.New(e)
	if err == nil {
		d.clients[region] = cl
	}
	return cl, err
}

// Endpoint says where and how a daemon reaches AWS, by its config and, below that,
// its environment. The region is left open. An address that would not be used is a
// [creds.CodeConfig] error.
func Endpoint(def profile.Defaults, getenv func(string) string) (awsapi.Endpoint, error) {
	e := awsapi.Endpoint{
		URL: first(def.EndpointURL, getenv("AWS_ENDPOINT_URL")), STS: first(def.EndpointURLSTS, getenv("AWS_ENDPOINT_URL_STS")),
		IAM:      first(def.EndpointURLIAM, getenv("AWS_ENDPOINT_URL_IAM")),
		CABundle: first(def.CABundle, getenv("AWS_CA_BUNDLE")),
		FIPS:     flag(def.UseFIPS, getenv("AWS_USE_FIPS_ENDPOINT")), DualStack: flag(def.UseDualStack, getenv("AWS_USE_DUALSTACK_ENDPOINT")),
		HTTPSProxy: def.HTTPSProxy, NoProxy: def.NoProxy,
	}
	for _, url := range []string{e.URL, e.STS, e.IAM} {
		if err := profile.CheckEndpoint(url); url != "" && err != nil {
			return e, &creds.Error{Code: creds.CodeConfig, Op: "the AWS endpoint " + url + " is not used", Hint: "use https, or an address of this machine", Err: err}
		}
	}
	return e, nil
}

// flag reads an AWS boolean, which the SDKs take in any case.
func flag(set *bool, env string) bool {
	if set != nil {
		return *set
	}
	return strings.EqualFold(env, "true")
}

// configError is the first thing that is wrong with the config, for Status.
func configError(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	if all, ok := errors.AsType[*profile.Errors](err); ok {
		text = all.List[0].String()
		if n := len(all.List) - 1; n > 0 {
			text += fmt.Sprintf(" (and %d more)", n)
		}
	}
	return &text
}

// Reload reads the config now instead of when the watcher notices, and brings
// the files in line. A file in the way is no failure: Status tells it.
func (d *Daemon) Reload(ctx context.Context) error {
	err := d.load()
	d.rewrite(ctx)
	return err
}

// identityOf finds what a login is for: an identity, or a profile's; the only
// identity where nothing is named.
func identityOf(c *profile.Config, target string) (identity, profileName string, err error) {
	names := c.IdentityNames()
	switch {
	case target == "" && len(names) == 1:
		return names[0], "", nil
	case target == "" && len(names) == 0:
		return "", "", &creds.Error{Code: creds.CodeUsage, Op: "there is no identity yet", Hint: "run: mfad setup"}
	case target == "":
		return "", "", &creds.Error{Code: creds.CodeUsage, Op: "there are several identities: " + strings.Join(names, ", "),
			Hint: "run: mfad login " + names[0]}
	case slices.Contains(names, target):
		return target, "", nil
	}
	p, err := c.Profile(target)
	if err != nil {
		return "", "", &creds.Error{Code: creds.CodeUnknownProfile, Op: "there is no identity or profile " + target,
			Hint: first(creds.HintOf(err), "run: mfad status")}
	}
	return p.Identity, target, nil
}
