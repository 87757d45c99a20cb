package cli

import (
	"context"
	"errors"
	"math"
	"os/user"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/awsmfa"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/state"
)

// renew fetches what is wanted with a long-term key of the file, and writes it.
// All that can fail without AWS is looked at before a code is asked for.
func (r *awsMFARun) renew(ctx context.Context, want awsmfa.Order, key creds.Credentials) error {
	session := r.sessionName()
	if err := want.Check(session); err != nil {
		return err
	}
	if awsapi.IsFIDO(want.Device) {
		return &creds.Error{Code: creds.CodeMFADevice, Op: "The device " + want.Device + " is a FIDO device, which AWS takes in the console only",
			Hint: "register a virtual MFA device for the user, and name that"}
	}
	shadowed, err := r.files.CheckAWSMFA(ctx, want.Short)
	if err != nil {
		return err
	}
	client, err := r.awsClient(ctx, want)
	if err != nil {
		return err
	}
	if shadowed != nil {
		r.complain(shadowed.Error(), shadowed.Hint)
	}
	code, err := r.code(ctx, want.Device, want.Duration)
	if err != nil {
		return err
	}
	r.log.Info("%s", awsmfa.Fetching(want.Short, want.Role, want.Duration))
	got, err := fetch(ctx, client, want, key, session, code)
	if err != nil {
		return err
	}
	if err := r.files.PutAWSMFA(ctx, want.Short, got, want.Role); err != nil {
		return err
	}
	r.log.Info("%s", awsmfa.Success(want.Duration, got.Expires))
	r.flush(ctx)
	return nil
}

// flush waits for what another program writes to the replaced file at this moment.
// The credentials are written whatever comes of it.
func (r *awsMFARun) flush(ctx context.Context) {
	if err := r.files.Flush(ctx); err != nil && ctx.Err() == nil {
		r.complain(err.Error(), creds.HintOf(err))
	}
}

// fetch makes the one call.
func fetch(ctx context.Context, client *awsapi.Client, want awsmfa.Order, key creds.Credentials, session string, code creds.Secret) (creds.Credentials, error) {
	d := time.Duration(want.Duration) * time.Second
	action := "GetSessionToken"
	var got creds.Credentials
	var err error
	if want.Role != "" {
		action = "AssumeRole"
		got, err = client.AssumeRoleWithCode(ctx, key, creds.Role{ARN: want.Role, SessionName: session, Duration: d}, want.Device, code)
	} else {
		got, err = client.StartSession(ctx, key, want.Device, code, d)
	}
	if err != nil && ctx.Err() == nil {
		return got, awsmfa.Refused(action, err)
	}
	return got, err
}

// code is that of the arguments, or is asked for. It is looked at before it is
// sent.
func (r *awsMFARun) code(ctx context.Context, device string, seconds int) (creds.Secret, error) {
	text := r.o.Token
	if text != "" {
		r.log.Debug("Received token as argument")
	} else {
		var err error
		if text, err = r.input(ctx, awsmfa.Prompt(device, seconds)); err != nil {
			return creds.Secret{}, err
		}
	}
	text = strings.TrimSpace(text)
	if mfa.CheckCode(text) != nil {
		return creds.Secret{}, awsmfa.ErrBadCode
	}
	return creds.NewSecret(text), nil
}

// sessionName is that of the arguments, or the user's login name.
func (r *awsMFARun) sessionName() string {
	if r.o.SessionName != "" {
		return r.o.SessionName
	}
	return r.loginName()
}

// loginName is the user's, which Python's getpass.getuser, and with it aws-mfa, looks
// for in these places.
func (a *app) loginName() string {
	for _, name := range []string{"LOGNAME", "USER", "LNAME", "USERNAME"} {
		if v := a.getenv(name); v != "" {
			return v
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// awsClient reaches AWS as the daemon would, by mfad's config and AWS's own
// variables.
func (r *awsMFARun) awsClient(ctx context.Context, want awsmfa.Order) (*awsapi.Client, error) {
	def := profile.Defaults{}
	if r.conf != nil {
		def = r.conf.Defaults
	}
	e, err := daemon.Endpoint(def, r.getenv)
	if err != nil {
		return nil, err
	}
	for _, region := range []string{r.getenv("AWS_REGION"), r.getenv("AWS_DEFAULT_REGION"), r.regionOf(ctx, want), def.Region,
		profile.DefaultRegion(orElse(want.Role, want.Device))} {
		e.Region = orElse(e.Region, region)
	}
	e.Observe = r.observe(want)
	return awsapi.New(e)
}

// regionOf is what AWS's own files say of the profile.
func (r *awsMFARun) regionOf(ctx context.Context, want awsmfa.Order) string {
	credentials, config := r.files.View(ctx)
	for _, name := range []string{want.Profile, want.Short} {
		for _, p := range append(config.Profiles, credentials.Profiles...) {
			if k, ok := p.Key("region"); ok && p.Name == name {
				return k.Value
			}
		}
	}
	return ""
}

// observe writes each call to the audit log, beside the daemon that may write
// there too: a line is one write, and only the daemon begins a new file.
func (r *awsMFARun) observe(want awsmfa.Order) func(context.Context, awsapi.Call) {
	way := "session"
	if want.Role != "" {
		way = "direct"
	}
	return func(_ context.Context, c awsapi.Call) {
		rec := audit.Record{Action: c.Action, Profile: want.Short, RoleARN: c.RoleARN, Way: way, Why: "mfad aws-mfa",
			Asked: int(c.Asked / time.Second), Given: int(c.Given / time.Second)}
		if !c.Expires.IsZero() {
			rec.Expires = &c.Expires
		}
		if err := r.record(rec.Ended(c.Err)); err != nil {
			r.note("the audit log cannot be written: %v", err)
		}
	}
}

func (r *awsMFARun) record(rec audit.Record) error {
	folder, err := profile.StateDir(r.getenv, r.home)
	if err != nil {
		return err
	}
	dir := state.Dir(folder)
	if err := dir.Ensure(); err != nil {
		return err
	}
	log := &audit.Log{Path: dir.Path(audit.FileName), Max: math.MaxInt64}
	return errors.Join(log.Append(rec), log.Close())
}
