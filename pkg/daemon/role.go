package daemon

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

// Role implements [localapi.Backend].
func (d *Daemon) Role(ctx context.Context, r localapi.RoleRequest, talk localapi.Talk) (localapi.RoleAnswer, error) {
	d.windows.seen(localapi.DisplayOf(ctx))
	c, err := d.inForce()
	if err != nil {
		return localapi.RoleAnswer{}, err
	}
	p, err := c.Profile(r.Profile)
	switch {
	case err != nil:
		return localapi.RoleAnswer{}, err
	case p.RoleARN == "":
		return localapi.RoleAnswer{}, &creds.Error{Code: creds.CodeUsage, Op: "profile " + p.Name + " has no role: it is the MFA session itself",
			Hint: "set session_duration in [identity " + p.Identity + "]"}
	}
	a := localapi.RoleAnswer{Profile: p.Name, Identity: p.Identity, RoleARN: p.RoleARN, Mode: p.MFA, Chain: chain(p)}
	mayAt := d.engine.MayLook(p.Name) // before what is known is forgotten
	if r.Learn && mayAt.IsZero() {
		d.engine.Unlearn(p.Name)
	}
	most := time.Duration(r.SetMaxSeconds) * time.Second
	if most != 0 {
		if err := d.maySetMaximum(ctx, p, most, r.CanAsk && talk.CanAsk(), talk); err != nil {
			return localapi.RoleAnswer{}, err
		}
	}
	info, by, lookErr := d.lookUp(ctx, p, mayAt)
	if a.LookError = localapi.WireError(lookErr); lookErr == nil {
		a.Trust = trustHints(info.Trust)
	}
	if most != 0 {
		if err := d.setMaximum(ctx, p, most, by, info.Description); err != nil {
			return localapi.RoleAnswer{}, err
		}
	}
	return a, d.fillRole(&a)
}

// fillRole adds what the engine knows.
func (d *Daemon) fillRole(a *localapi.RoleAnswer) error {
	k, err := d.engine.Knowledge(a.Profile)
	if err != nil {
		return err
	}
	st := d.engine.Status().Profiles[a.Profile]
	a.Exact, a.Maximum, a.Learned, a.Why = k.Known.Exact, k.Known.String(), moment(k.Known.Learned), st.Why
	if k.Known.Maximum > 0 {
		a.MaxSessionDuration = wholeSeconds(k.Known.Maximum)
	}
	if k.MaxAge > 0 {
		a.MFAMaxAge = wholeSeconds(k.MaxAge)
	}
	if !st.Current.IsZero() {
		a.Via = optional(string(st.Via))
	}
	a.DirectOff, a.DirectErr = moment(k.Off), localapi.WireError(k.OffWhy)
	return nil
}

// chain names the profiles from the root of p's chain to p.
func chain(p *profile.Profile) []string {
	var names []string
	for ; p != nil; p = p.Source {
		names = append(names, p.Name)
	}
	slices.Reverse(names)
	return names
}

// signers are the credentials that may look at a role or change it: the MFA
// session where the role is in the user's account, and the role's own.
func (d *Daemon) signers(p *profile.Profile) []creds.Credentials {
	var all []creds.Credentials
	account := d.account(d.conf().Identities[p.Identity])
	if c, ok := d.engine.Session(p.Identity); ok && (account == "" || account == profile.Account(p.RoleARN)) {
		all = append(all, c)
	}
	if c, ok := d.engine.Cached(p.Name); ok {
		all = append(all, c)
	}
	return all
}

// lookUp asks AWS about a role, with whatever is at hand, and tells what worked.
// MayAt is from when on it may; zero: now.
func (d *Daemon) lookUp(ctx context.Context, p *profile.Profile, mayAt time.Time) (info awsapi.RoleInfo, by creds.Credentials, err error) {
	cl, err := d.client(d.conf().Region(p))
	if err != nil {
		return info, by, err
	}
	err = &creds.Error{Code: creds.CodeMFARequired, Op: "there is neither a session nor a role to ask AWS with", Hint: "run: mfad login " + p.Identity}
	ctx = about(ctx, subject{identity: p.Identity, profile: p.Name})
	for _, from := range d.signers(p) {
		if !mayAt.IsZero() {
			return info, by, &creds.Error{Code: creds.CodeRefused, Op: "AWS refused two such calls within five minutes, and is not asked again yet",
				Hint: "at " + mayAt.Local().Format("15:04:05") + " run: mfad role " + p.Name}
		}
		if info, err = roleInfo(ctx, cl, from, p.RoleARN); err == nil {
			d.engine.Looked(p.Name, from, info.MaxSessionDuration, nil)
			return info, from, nil
		}
		d.engine.Looked(p.Name, from, 0, err)
		mayAt = d.engine.MayLook(p.Name)
	}
	return awsapi.RoleInfo{}, by, err
}

// maySetMaximum checks that a role's maximum can be set now: with a living
// session, or a code just given.
func (d *Daemon) maySetMaximum(ctx context.Context, p *profile.Profile, most time.Duration, canAsk bool, talk localapi.Talk) error {
	if most < time.Hour || most > 12*time.Hour {
		return &creds.Error{Code: creds.CodeUsage, Op: "AWS takes a maximum of 1h to 12h", Hint: "add --set-max-duration 12h"}
	}
	if d.isLocked() {
		return refresh.ErrLocked
	}
	if id := d.conf().Identities[p.Identity]; id.Type == profile.TypeKey {
		if _, ok := d.engine.Session(p.Identity); !ok {
			if _, err := d.give(ctx, gift{identity: p.Identity, canAsk: canAsk, timeout: loginDefault}, talk); err != nil {
				return err
			}
		}
	}
	return nil
}

// setMaximum changes a role's MaxSessionDuration, or says how somebody who may
// does it. UpdateRole without a description is not said to keep the old one: it
// is handed back where it could be read. By is who may read the role; AWS is asked
// once, since refusals set off alarms.
func (d *Daemon) setMaximum(ctx context.Context, p *profile.Profile, most time.Duration, by creds.Credentials, description *string) error {
	cl, err := d.client(d.conf().Region(p))
	if err != nil {
		return err
	}
	name := profile.RoleName(p.RoleARN)
	err = &creds.Error{Code: creds.CodeMFARequired, Op: "there is neither a session nor a role to ask AWS with"}
	ctx = about(ctx, subject{identity: p.Identity, profile: p.Name})
	if all := d.signers(p); by.IsZero() && len(all) > 0 {
		by = all[0]
	}
	if !by.IsZero() {
		if err = cl.SetMaxSessionDuration(ctx, by, name, most, description); err == nil {
			d.engine.Set(p.Name, most)
			return nil
		}
		d.engine.Refused(p.Name, err)
	}
	if creds.CodeOf(err) != creds.CodeAccessDenied {
		return err
	}
	return &creds.Error{Code: creds.CodeAccessDenied, Op: "the maximum of " + p.RoleARN + " was not changed",
		Hint: "whoever may change roles in account " + profile.Account(p.RoleARN) + " runs: aws iam update-role --role-name " + name +
			" --max-session-duration " + strconv.Itoa(int(most/time.Second)),
		Err: err}
}

// isLocked tells whether mfad is locked.
func (d *Daemon) isLocked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.locked
}

// account is the account of an identity's user; empty if not known.
func (d *Daemon) account(id *profile.Identity) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return first(profile.Account(id.MFASerial), profile.Account(d.held[id.Name].user))
}

// knownConditions are the condition keys of trust policies that decide about
// mfad's calls, with what they mean for them.
var knownConditions = []struct{ key, means string }{
	{"aws:MultiFactorAuthPresent", "an MFA"},
	{"aws:MultiFactorAuthAge", "a young MFA (mfa_max_age)"},
	{"sts:ExternalId", "an external_id"},
	{"sts:SourceIdentity", "a source_identity"},
	{"sts:RoleSessionName", "a certain role_session_name"},
	{"aws:RequestTag/", "session_tags"},
	{"aws:TagKeys", "certain session_tags"},
	{"sts:TransitiveTagKeys", "transitive_session_tags"},
	{"aws:SourceIp", "a certain network"},
	{"aws:PrincipalOrgID", "a principal of its organization"},
	{"aws:PrincipalTag/", "tags on the user"},
}

// trustHints tells what a trust policy asks for, in words.
func trustHints(policy string) []string {
	hints := []string{}
	for _, k := range knownConditions {
		if strings.Contains(strings.ToLower(policy), `"`+strings.ToLower(k.key)) {
			hints = append(hints, "its trust policy asks for "+k.means)
		}
	}
	return hints
}
