package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/setup"
)

// setupFlags are the answers that came with the command.
type setupFlags struct {
	from, key, identity, serial, region   string
	profiles, write, login, code, service string
	roles, modes                          []string
	remove, keep, yes, dryRun             bool
}

func (a *app) setupCommand() *cobra.Command {
	var o setupFlags
	c := &cobra.Command{
		Use:   "setup",
		Short: "Go from nothing to fresh profiles: find keys, roles and devices, ask, and set all up",
		Long: `Find the long-term keys and roles in the AWS files, also those of aws-mfa, and the
key's MFA devices in IAM; ask what is to become of them; show what will change in
each file; and change it after one yes. The key goes into the keyring, the roles
become profiles, and one code has them fresh. Lines in the AWS files that would be
in the way are commented out, and "mfad profile remove" brings them back.

Every answer is also a flag, and nothing is asked that a flag answers. A second run
adds what is new.`,
		Example: `  mfad setup
  mfad setup --dry-run
  mfad setup --from default --profiles prod,dev --yes
  mfad setup --key - --identity corp --role prod=arn:aws:iam::222222222222:role/Admin --yes <key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := &setupRun{app: a, flags: o}
			defer s.close()
			return s.run(cmd.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "take the long-term key of a `PROFILE` in the AWS files")
	f.StringVar(&o.key, "key", "", "`-` reads the key from stdin: id and secret on two lines, or the JSON of aws iam create-access-key")
	f.StringVar(&o.identity, "identity", "", "the `NAME` that mfad gives the key")
	f.StringVar(&o.serial, "mfa-serial", "", "the `ARN` or serial number of the MFA device")
	f.StringVar(&o.region, "region", "", "the `REGION` whose STS is asked, and of profiles that the AWS files do not know")
	f.StringVar(&o.profiles, "profiles", "", "which roles become profiles: all, none, or `NAMES` with commas between")
	f.StringArrayVar(&o.roles, "role", nil, "one more profile, `NAME=ARN` of its role")
	f.StringSliceVar(&o.modes, "mode", nil, "session or direct, or PROFILE=`MODE`")
	f.StringVar(&o.write, "write", profile.WriteCredentials, "credentials, process or none: the `WAY` in which tools get them")
	f.BoolVar(&o.remove, "remove-keys", false, "take the key out of the AWS file once the keyring has it")
	f.BoolVar(&o.keep, "keep-keys", false, "leave the key in the AWS file")
	f.StringVar(&o.login, "login", "yes", "yes or no: `WHETHER` to spend a code right away")
	f.StringVar(&o.service, "service", "", "yes or no: `WHETHER` the system is to keep the daemon running (see mfad service)")
	f.StringVar(&o.code, "code", "", "`-` reads the code from stdin")
	f.BoolVar(&o.yes, "yes", false, "take the default for each question, and change the files")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would change, and change nothing")
	return c
}

func (o setupFlags) check() error {
	switch {
	case o.key != "" && o.key != "-":
		return usage("write --key - and give the key on stdin", "a key is never an argument: others can read those")
	case o.key != "" && o.from != "":
		return usage("use one of --from and --key", "the key can come from one place only")
	case o.key != "" && o.code != "":
		return usage("use --from PROFILE, or run mfad login --code - afterwards", "the key and the code cannot both be on stdin")
	case o.remove && o.keep:
		return usage("use one of them", "--remove-keys and --keep-keys contradict each other")
	case !slices.Contains([]string{profile.WriteCredentials, profile.WriteProcess, profile.WriteNone}, o.write):
		return usage("use credentials, process or none", "--write %s is none of its ways", o.write)
	case o.login != "yes" && o.login != "no":
		return usage("use yes or no", "--login %s is neither", o.login)
	case o.service != "" && o.service != "yes" && o.service != "no":
		return usage("use yes or no", "--service %s is neither", o.service)
	}
	for _, r := range o.roles {
		if name, arn, ok := strings.Cut(r, "="); !ok || name == "" || !strings.HasPrefix(arn, "arn:") {
			return usage("write --role NAME=arn:aws:iam::ACCOUNT:role/ROLE", "--role %s is no NAME=ARN", r)
		}
	}
	for _, m := range o.modes {
		if mode := m[strings.IndexByte(m, '=')+1:]; !isMode(mode) {
			return usage("use session or direct, or PROFILE=session", "--mode %s is no mode", m)
		}
	}
	return nil
}

func isMode(text string) bool { return text == profile.MFASession || text == profile.MFADirect }

// setupRun is one run: what was found, and what was answered so far.
type setupRun struct {
	*app
	flags setupFlags
	tty   *terminal // nil: nobody can be asked

	where   daemon.Paths // with the AWS files that the daemon writes
	opts    profile.Options
	config  *profile.Config
	files   *credfile.Files
	found   setup.Found
	answers setup.Answers
	left    bool              // profiles were left out
	owner   daemon.Owner      // of the key that was looked at last
	batch   bool              // several keys, whose names are not asked for
	planned []profile.Section // what the config gets for the keys before

	arns      map[string]string // the users of identities, as far as the daemon or AWS has told
	looseFlag bool              // flags.serial was not given for this key in particular
	otherKeys []string          // identities of which the keyring has another key than was found
}

func (s *setupRun) close() {
	if s.tty != nil {
		s.tty.close()
	}
}

// sit finds the terminal, if a person could be asked on it.
func (s *setupRun) sit() {
	if t, err := openTerminal(); err == nil && foreground(t.file) {
		s.tty = t
	} else if err == nil {
		t.close()
	}
}

func (s *setupRun) run(ctx context.Context) error {
	if err := s.flags.check(); err != nil {
		return err
	}
	s.sit()
	if err := s.look(ctx); err != nil {
		return err
	}
	s.answers = setup.Answers{Region: s.flags.region, Write: s.flags.write, Command: s.processCommand()}
	for _, step := range []func(context.Context) error{s.chooseKey, s.inspect, s.chooseRemoval, s.chooseProfiles, s.chooseModes} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.answers.Unfinished = s.found.Unfinished(s.answers.Origin.Identity, s.config)
	plan := setup.Make(s.found, s.answers)
	if plan.Empty() {
		s.nothingToDo()
		return s.offerService(ctx)
	}
	diff, err := s.preview(ctx, plan)
	if err != nil {
		return err
	}
	s.warnBereft()
	if s.flags.dryRun {
		fmt.Fprint(s.out, diff)
		if err := s.offerService(ctx); err != nil {
			return err
		}
		s.note("this was a dry run: nothing was changed")
		return nil
	}
	question := "make these changes?"
	if !s.answers.Origin.Key.Credentials.IsZero() {
		question = "put the key into the keyring and " + question
	}
	if err := s.agree(ctx, diff, question); err != nil {
		return err
	}
	if err := s.apply(ctx, plan); err != nil {
		return err
	}
	if err := s.offerService(ctx); err != nil {
		return err
	}
	return s.spendCode(ctx)
}

// look reads mfad's config and AWS's files, those of the daemon that runs, if one
// does. None is started.
func (s *setupRun) look(ctx context.Context) (err error) {
	if s.where, err = s.paths(); err != nil {
		return err
	}
	s.opts = profile.Options{System: s.where.SystemConfig}
	if s.config, err = profile.Load(s.where.Config, s.opts); err != nil {
		return err
	}
	s.where.AWSCredentials = orElse(s.config.Defaults.CredentialsFile, s.where.AWSCredentials)
	s.where.AWSConfig = orElse(s.config.Defaults.ConfigFile, s.where.AWSConfig)
	st, err := answers(ctx, s.client())
	switch {
	case err == nil:
		if err := s.sameConfig(st); err != nil {
			return err
		}
		s.where.AWSCredentials, s.where.AWSConfig = st.Daemon.Credentials, st.Daemon.AWSConfig
		s.learnUsers(st)
	case creds.CodeOf(err) != creds.CodeDaemonDown:
		return err
	}
	s.files = &credfile.Files{Credentials: s.where.AWSCredentials, Config: s.where.AWSConfig}
	now, err := s.files.Preview(ctx, credfile.Claims{}, nil, nil)
	if err != nil {
		return err
	}
	s.found = setup.Scan(setup.File{Path: s.where.AWSCredentials, Text: now.Credentials.Old}, setup.File{Path: s.where.AWSConfig, Text: now.Config.Old})
	return nil
}

// sameConfig refuses to plan for another config than the daemon's.
func (s *setupRun) sameConfig(st localapi.Status) error {
	if st.Daemon.Config == s.where.Config {
		return nil
	}
	return &creds.Error{Code: creds.CodeConflict, Op: "the daemon that runs uses another config, " + st.Daemon.Config,
		Hint: "use that with --config, or stop the daemon: process " + fmt.Sprint(st.Daemon.PID)}
}

// processCommand is what the daemon puts before credential-process.
func (s *setupRun) processCommand() string {
	if s.config.Defaults.Command != "" {
		return s.config.Defaults.Command
	}
	return selfCommand()
}

func (s *setupRun) nothingToDo() {
	if s.left {
		s.note("nothing to do but what was left out")
		return
	}
	s.note("nothing to do: all that was found is set up (see mfad status)")
	fmt.Fprintln(s.err, "hint: for another key run: mfad setup --key -; for another role: mfad setup --role NAME=ARN")
}

// preview gives the diff of each file that will change.
func (s *setupRun) preview(ctx context.Context, plan setup.Plan) (string, error) {
	return s.previewFor(ctx, plan, s.answers.Profiles)
}

// previewFor is preview, where the plan is one for these profiles.
func (s *setupRun) previewFor(ctx context.Context, plan setup.Plan, chosen []setup.Candidate) (string, error) {
	was, is, err := profile.PreviewSections(s.where.Config, plan.Sections(), s.opts)
	if err != nil {
		return "", err
	}
	aws, err := s.files.Preview(ctx, plan.Claims, plan.Static, plan.Process)
	if err != nil {
		return "", err
	}
	for _, c := range chosen {
		if e := aws.Conflicts[c.Profile]; e != nil {
			return "", e
		}
	}
	return setup.Diff(s.where.Config, was, is) + setup.Diff(aws.Config.Path, aws.Config.Old, aws.Config.New) +
		setup.Diff(aws.Credentials.Path, aws.Credentials.Old, aws.Credentials.New), nil
}

// agree shows the diff and asks, once.
func (s *setupRun) agree(ctx context.Context, diff, question string) error {
	if s.flags.yes {
		_, err := fmt.Fprint(s.out, diff)
		return err
	}
	if s.tty == nil {
		return nobodyAgrees()
	}
	fmt.Fprintf(s.tty.file, "\n%s\n", diff)
	ok, err := s.yesNo(ctx, question, true)
	if err == nil && !ok {
		err = &creds.Error{Code: creds.CodeCancelled, Op: "nothing was changed", Hint: "run it again with other answers, or look first: mfad setup --dry-run"}
	}
	return err
}

func nobodyAgrees() error {
	return usage("look at it with --dry-run, then add --yes", "there is no terminal to agree on: --yes is missing")
}

// warnBereft names the profiles that lose their source with the key.
func (s *setupRun) warnBereft() {
	if left := s.found.Bereft(s.answers, s.config); len(left) > 0 {
		s.note("without the key in [%s] these profiles of the AWS config will fail: %s", s.answers.Origin.Key.Profile, strings.Join(left, ", "))
	}
}

// talk is where is told what questions are about.
func (s *setupRun) talk() io.Writer {
	if s.tty != nil {
		return s.tty.file
	}
	return s.err
}
