package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mfad/mfad/pkg/awsmfa"
	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

// serve does for a profile of mfad's what aws-mfa does: the daemon has the key and
// the credentials, and a code is spent only where nothing else helps.
func (r *awsMFARun) serve(ctx context.Context, p *profile.Profile, file awsmfa.File) error {
	id := r.conf.Identities[p.Identity]
	if err := r.agrees(p, id, file); err != nil {
		return err
	}
	client, st, err := r.daemonStatus(ctx)
	if err != nil {
		return err
	}
	r.warnOtherFiles(st)
	r.files = &credfile.Files{Credentials: st.Daemon.Credentials, Config: st.Daemon.AWSConfig}
	is, err := profileIn(st, p.Name)
	if err != nil {
		return err
	}
	expires, err := r.living(ctx, client, is)
	if err != nil {
		return err
	}
	left, isLeft := file.Left(p.Section, p.RoleARN, time.Now())
	switch {
	case r.o.Force:
		r.log.Info("Forcing refresh of credentials.")
	case expires == nil && isLeft:
		r.log.Info("%s", awsmfa.StillValid(left, time.Now()))
		return nil
	case expires != nil:
		if err := r.keep(ctx, p); err != nil {
			return err
		}
		r.log.Info("%s", awsmfa.StillValid(*expires, time.Now()))
		return nil
	case p.Write == profile.WriteCredentials && !file.Has(p.Section):
		r.log.Info("Short term credentials section %s is missing, obtaining new credentials.", p.Section)
	default:
		r.log.Info("Your credentials have expired, renewing.")
	}
	return r.login(ctx, client, p, id, st)
}

// agrees refuses what the arguments ask for and mfad's config does not have: what
// the daemon keeps fresh is the config's.
func (r *awsMFARun) agrees(p *profile.Profile, id *profile.Identity, file awsmfa.File) error {
	role, _ := file.Get(r.names.Long, "assume_role")
	role = orElse(orElse(r.o.Role, r.getenv("MFA_ASSUME_ROLE")), role)
	device, _ := file.Get(r.names.Long, "aws_mfa_device")
	device = orElse(orElse(r.o.Device, r.getenv("MFA_DEVICE")), device)
	switch {
	case role != "" && role != p.RoleARN:
		return &creds.Error{Code: creds.CodeConfig, Op: fmt.Sprintf("The profile %s is mfad's, and not for the role %s but for %s", p.Name, role, orElse(p.RoleARN, "none")),
			Hint: "run: mfad profile add NAME --identity " + p.Identity + " --role-arn " + role + ", and then: mfad aws-mfa --profile NAME"}
	case device != "" && id.MFASerial != "" && device != id.MFASerial:
		return &creds.Error{Code: creds.CodeConfig, Op: fmt.Sprintf("The profile %s is mfad's, and its device is not %s but %s", p.Name, device, id.MFASerial),
			Hint: "leave out --device, MFA_DEVICE and aws_mfa_device, or correct mfa_serial in " + id.File}
	}
	if r.o.Duration != 0 || r.getenv("MFA_STS_DURATION") != "" {
		r.note("the profile %s is mfad's: its config says how long it lives, not --duration or MFA_STS_DURATION", p.Name)
	}
	return nil
}

func profileIn(st localapi.Status, name string) (localapi.ProfileStatus, error) {
	i := slices.IndexFunc(st.Profiles, func(s localapi.ProfileStatus) bool { return s.Name == name })
	if i < 0 {
		return localapi.ProfileStatus{}, &creds.Error{Code: creds.CodeUnknownProfile, Op: "The daemon does not know the profile " + name + " yet", Hint: "run: mfad status"}
	}
	return st.Profiles[i], nil
}

// living tells until when the profile's credentials serve; nil: a code is needed.
// What the daemon can fetch without one it is asked to.
func (r *awsMFARun) living(ctx context.Context, client *localapi.Client, is localapi.ProfileStatus) (*time.Time, error) {
	switch is.State {
	case "conflict":
		return nil, is.Error.Err()
	case "refreshing", "waiting", "expired":
		var out localapi.Outcome
		if err := client.Do(ctx, "/v1/refresh", localapi.RefreshRequest{Profiles: []string{is.Name}}, &out); err != nil {
			return nil, ctx.Err() // the login tells
		}
		expires, err := outcomeOf(out, is.Name)
		if creds.CodeOf(err) == creds.CodeConflict {
			return nil, err
		}
		return expires, nil
	}
	if is.Usable {
		return is.Expires, nil
	}
	return nil, nil
}

// outcomeOf gives until when a profile lives, or why it does not.
func outcomeOf(out localapi.Outcome, name string) (*time.Time, error) {
	for _, p := range out.Profiles {
		if p.Name != name {
			continue
		}
		if p.Error != nil {
			return nil, p.Error.Err()
		}
		if p.Expires != nil && p.Expires.After(time.Now()) {
			return p.Expires, nil
		}
	}
	return nil, &creds.Error{Code: creds.CodeTimeout, Op: "The profile " + name + " has no credentials yet", Hint: "run: mfad status " + name}
}

// login spends a code: on the role where the config wants it direct, else on the
// session of the identity, which freshens all of its profiles.
func (r *awsMFARun) login(ctx context.Context, client *localapi.Client, p *profile.Profile, id *profile.Identity, st localapi.Status) error {
	seconds := secondsOf(p, id, st)
	req := localapi.LoginRequest{Target: p.Identity}
	direct, role := p.MFA == profile.MFADirect && p.RoleARN != "" && p.Source == nil, ""
	if direct {
		req.Target, role = p.Name, p.RoleARN
	}
	if r.o.Token != "" || !supplied(id, st) {
		code, err := r.code(ctx, id.MFASerial, seconds)
		if err != nil {
			return err
		}
		req.Code = code.Reveal()
	}
	r.log.Info("%s", awsmfa.Fetching(p.Section, role, seconds))
	var out localapi.Outcome
	if err := r.converse(ctx, client, "/v1/login", req, &out); err != nil {
		return refusedLogin(direct, err)
	}
	expires, err := outcomeOf(out, p.Name)
	if err != nil {
		return refusedLogin(direct, err)
	}
	if err := r.keep(ctx, p); err != nil {
		return err
	}
	if out.Note != "" {
		r.note("%s", out.Note)
	}
	r.log.Info("%s", awsmfa.Success(awsmfa.Seconds(*expires, time.Now()), *expires))
	r.flush(ctx)
	return nil
}

// refusedLogin words what AWS said as aws-mfa does; what stands in the way here says
// so itself.
func refusedLogin(direct bool, err error) error {
	action := "GetSessionToken"
	if direct {
		action = "AssumeRole"
	}
	switch exitStatus(creds.CodeOf(err)) {
	case exitStatus(creds.CodeRefused), exitStatus(creds.CodeUnavailable):
		return awsmfa.Refused(action, err)
	}
	return err
}

// supplied tells whether codes of the identity come without a person.
func supplied(id *profile.Identity, st localapi.Status) bool {
	return id.MFAProcess != "" || slices.ContainsFunc(st.Identities, func(s localapi.IdentityStatus) bool { return s.Name == id.Name && s.TOTPStored })
}

// secondsOf is what the code is to bring, as far as it is known.
func secondsOf(p *profile.Profile, id *profile.Identity, st localapi.Status) int {
	if p.MFA != profile.MFADirect || p.RoleARN == "" {
		return int(id.SessionDuration / time.Second)
	}
	if p.Duration > 0 {
		return int(p.Duration / time.Second)
	}
	if is, err := profileIn(st, p.Name); err == nil && is.MaxSessionDuration != nil {
		return *is.MaxSessionDuration
	}
	return int(12 * time.Hour / time.Second)
}

// keep gives the section aws-mfa's own keys too.
func (r *awsMFARun) keep(ctx context.Context, p *profile.Profile) error {
	if p.Write != profile.WriteCredentials {
		r.note("the profile %s is served by credential_process, and no section is written", p.Name)
		return nil
	}
	return r.files.KeepAWSMFA(ctx, p.Section, p.Name, p.RoleARN)
}
