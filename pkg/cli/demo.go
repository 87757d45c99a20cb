package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/localapi"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See all of it on a built-in AWS; nothing of yours is touched",
		Long: `Run a daemon against a simulated AWS in which time flies: one code, ten roles in
three accounts fresh at once, renewed before they run out. On a terminal it goes
on until Ctrl-C; otherwise it plays one whole cycle and ends. All files lie in a
temporary folder, which is removed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context()) },
	}
}

// demoRoles are ten roles in three accounts.
var demoRoles = []struct{ profile, account, role string }{
	{"prod-admin", "222222222222", "Admin"}, {"prod-deploy", "222222222222", "Deploy"},
	{"prod-read", "222222222222", "ReadOnly"}, {"prod-billing", "222222222222", "Billing"},
	{"stage-admin", "333333333333", "Admin"}, {"stage-deploy", "333333333333", "Deploy"},
	{"stage-read", "333333333333", "ReadOnly"},
	{"dev-admin", "444444444444", "Admin"}, {"dev-deploy", "444444444444", "Deploy"}, {"dev-read", "444444444444", "ReadOnly"},
}

// How much faster than in life credentials run out: for a person to watch a
// role lives 15 s and a session a minute, for a script 3 s and 12 s.
const (
	demoWatched = 240
	demoPlayed  = 1200
)

// demo is a daemon and its AWS in a folder of their own.
type demo struct {
	app    *app
	dir    string
	sim    *awssim.Server
	device *awssim.Device
	client *localapi.Client
	begun  time.Time
}

func (a *app) demo(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "mfad-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	watched := isTerminal(a.out) && canAskHere()
	d := &demo{app: a, dir: dir, sim: awssim.Start(), begun: time.Now()}
	defer d.sim.Close()
	key := d.populate(watched)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended, err := d.start(ctx)
	if err != nil {
		return err
	}
	defer func() { cancel(); err = errors.Join(err, <-ended) }()
	if err := d.client.Do(ctx, "/v1/identities/add", key, nil); err != nil {
		return err
	}
	if watched {
		return d.watch(ctx)
	}
	return d.play(ctx)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// populate makes the simulated AWS: a user with an MFA device, and roles that
// want one. It gives the user's key.
func (d *demo) populate(watched bool) localapi.IdentityRequest {
	d.sim.LifetimeFactor = demoWatched
	if !watched {
		d.sim.LifetimeFactor = demoPlayed
		d.sim.CodeStepFactor = 30 // codes must come faster than a person's phone shows them
	}
	alice := d.sim.AddUser("111111111111", "alice")
	d.device = alice.AddMFA("alice")
	for _, r := range demoRoles {
		d.sim.AddRole(awssim.Role{Account: r.account, Name: r.role, Principals: []string{alice.ARN}, RequireMFA: true})
	}
	return localapi.IdentityRequest{Name: "demo", AccessKeyID: alice.AccessKeyID, SecretAccessKey: alice.SecretAccessKey}
}

// config is the demo's config.
func (d *demo) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[identity demo]\nmfa_serial = %s\nsession_duration = 4h\n", d.device.Serial)
	for _, r := range demoRoles {
		fmt.Fprintf(&b, "\n[profile %s]\nidentity = demo\nrole_arn = arn:aws:iam::%s:role/%s\nregion = eu-west-1\n", r.profile, r.account, r.role)
	}
	return b.String()
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// start runs the daemon; the channel gives how it ended.
func (d *demo) start(ctx context.Context) (<-chan error, error) {
	if err := os.WriteFile(d.path("mfad.ini"), []byte(d.config()), 0o600); err != nil {
		return nil, err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	o := daemon.Options{
		Version: version(), Keyring: &keyring.Memory{}, CodeStep: 30 * time.Second / time.Duration(max(1, d.sim.CodeStepFactor)), Log: slog.New(slog.DiscardHandler), Ready: func() { close(ready) },
		Paths: daemon.Paths{
			Config: d.path("mfad.ini"), State: d.path("state"), Socket: d.path("mfad.sock"),
			AWSCredentials: d.path("credentials"), AWSConfig: d.path("config"),
		},
		Getenv: func(name string) string {
			if name == "AWS_ENDPOINT_URL" {
				return d.sim.URL
			}
			return ""
		},
	}
	if d.app.verbose {
		o.Log = slog.New(slog.NewTextHandler(d.app.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	go func() { ended <- daemon.Run(ctx, o) }()
	d.client = &localapi.Client{Sockets: []string{d.path("mfad.sock")}, Version: version()}
	select {
	case <-ready:
		return ended, nil
	case err := <-ended:
		return nil, err
	}
}

// commands are the lines that point a real AWS CLI here.
func (d *demo) commands() string {
	return fmt.Sprintf("  export AWS_SHARED_CREDENTIALS_FILE=%s AWS_CONFIG_FILE=%s AWS_ENDPOINT_URL=%s\n  aws --profile %s sts get-caller-identity\n",
		d.path("credentials"), d.path("config"), d.sim.URL, demoRoles[0].profile)
}

// play is one whole cycle without a person.
func (d *demo) play(ctx context.Context) error {
	d.say("a simulated AWS at %s, in which an hour passes in %v", d.sim.URL, time.Hour/demoPlayed)
	fmt.Fprintf(d.app.out, "point a real AWS CLI at it while this runs:\n%s", d.commands())
	if err := d.giveCode(ctx); err != nil {
		return err
	}
	first, err := d.await(ctx, "all ten profiles are fresh", func(st localapi.Status) bool { return fresh(st) == len(demoRoles) })
	if err != nil {
		return err
	}
	writeStatus(d.app.out, first, time.Now(), statusStyle{})
	fmt.Fprintln(d.app.out)
	if err := d.prove(ctx); err != nil {
		return err
	}
	if _, err = d.await(ctx, "all ten were renewed, and nobody was asked", func(st localapi.Status) bool { return renewed(st, first) }); err != nil {
		return err
	}
	if _, err = d.await(ctx, "the session has ended, and with it the last profile", func(st localapi.Status) bool {
		return fresh(st) == 0 && st.Identities[0].State == "mfa_required"
	}); err != nil {
		return err
	}
	if err := d.giveCode(ctx); err != nil {
		return err
	}
	if _, err = d.await(ctx, "all ten profiles are fresh again", func(st localapi.Status) bool { return fresh(st) == len(demoRoles) }); err != nil {
		return err
	}
	if err := d.prove(ctx); err != nil {
		return err
	}
	d.say("that was one cycle; run it in a terminal to watch it")
	return nil
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.app.out, "%5.1fs  %s\n", time.Since(d.begun).Seconds(), fmt.Sprintf(format, args...))
}

// giveCode logs in with what the user's phone shows.
func (d *demo) giveCode(ctx context.Context) error {
	code, err := d.device.NextCode(ctx)
	if err != nil {
		return err
	}
	d.say("the phone shows %s; mfad login", code)
	var out localapi.Outcome
	return d.client.Do(ctx, "/v1/login", localapi.LoginRequest{Target: "demo", Code: code}, &out)
}

// await follows the daemon until what is hoped for has come.
func (d *demo) await(ctx context.Context, what string, hoped func(localapi.Status) bool) (localapi.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	seen, stop := context.WithCancel(ctx)
	defer stop()
	var last localapi.Status
	came := false
	check := func(st localapi.Status) {
		if last = st; !came && hoped(st) {
			came = true
			stop()
		}
	}
	err := d.client.Events(seen, check)
	if came {
		d.say("%s", what)
		return last, nil
	}
	return last, errors.Join(err, fmt.Errorf("it did not come about that %s", what))
}

// fresh counts usable profiles.
func fresh(st localapi.Status) int {
	n := 0
	for _, p := range st.Profiles {
		if p.State == "fresh" && p.Usable {
			n++
		}
	}
	return n
}

// renewed tells whether every profile outlives what it was at first.
func renewed(st, first localapi.Status) bool {
	for i, p := range st.Profiles {
		if p.Expires == nil || !p.Expires.After(*first.Profiles[i].Expires) {
			return false
		}
	}
	return fresh(st) == len(demoRoles)
}

// prove reads the credentials file as any tool does, and asks AWS whose
// credentials those are.
func (d *demo) prove(ctx context.Context) error {
	files := &credfile.Files{Credentials: d.path("credentials"), Config: d.path("config")}
	sections, err := files.Managed(ctx)
	if err != nil {
		return err
	}
	if len(sections) != len(demoRoles) {
		return &creds.Error{Code: creds.CodeInternal, Op: fmt.Sprintf("the credentials file has %d profiles", len(sections))}
	}
	c, err := awsapi.New(awsapi.Endpoint{URL: d.sim.URL})
	if err != nil {
		return err
	}
	who, err := c.CallerIdentity(ctx, sections[0].Credentials)
	if err != nil {
		return err
	}
	d.say("the credentials file serves %d profiles; %s is %s", len(sections), sections[0].Profile, who.ARN)
	return nil
}
