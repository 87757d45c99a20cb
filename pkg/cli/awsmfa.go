package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/awsmfa"
	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/profile"
)

// MainAs is [Main] of a program that is called by this name, with or without a
// path: aws-mfa is `mfad aws-mfa`, every other name mfad.
func MainAs(name string) int {
	a := processApp()
	if strings.TrimSuffix(filepath.Base(name), ".exe") != awsmfa.Name {
		return a.main()
	}
	conceal()
	ctx, stop := signal.NotifyContext(context.Background(), unlessIgnored(os.Interrupt, syscall.SIGTERM)...)
	defer stop()
	return a.awsMFA(ctx, os.Args[1:])
}

func (a *app) awsMFACommand() *cobra.Command {
	return &cobra.Command{
		Use:   "aws-mfa [FLAG...]",
		Short: "Do what aws-mfa does, for scripts that call it",
		Long: `Take aws-mfa's flags, variables, streams, exit statuses and file layout: fetch
short-term credentials for [P] with the long-term key of [P-long-term] and one
code, unless those that are there still serve. A link to mfad with the name
aws-mfa does the same. No daemon is needed for a key that lies in the file; a
profile that mfad's config has is served by the daemon, with the key from the
keyring. --help lists the flags.`,
		Example:            "  mfad aws-mfa --profile corp\n  ln -s \"$(command -v mfad)\" ~/.local/bin/aws-mfa",
		DisableFlagParsing: true, // argparse's rules are others
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := a.globalFlags(args)
			if err != nil {
				return err
			}
			if status := a.awsMFA(cmd.Context(), args); status != 0 {
				return childStatus(status) // aws-mfa's own, whatever mfad's would be
			}
			return nil
		},
	}
}

// globalFlags takes mfad's own flags, which come before all of aws-mfa's.
func (a *app) globalFlags(args []string) (rest []string, err error) {
	for len(args) > 0 {
		name, value, explicit := strings.Cut(args[0], "=")
		switch {
		case name == "-v" || name == "--verbose":
			a.verbose = true
		case name == "--json":
			return nil, usage("leave out --json", "aws-mfa has no answer in JSON")
		case name == "--config" && explicit:
			a.config = value
		case name == "--config" && len(args) > 1:
			a.config, args = args[1], args[1:]
		default:
			return args, nil
		}
		args = args[1:]
	}
	return nil, nil
}

// awsMFA runs aws-mfa with these arguments and gives its exit status.
func (a *app) awsMFA(ctx context.Context, args []string) int {
	o, err := awsmfa.Parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(a.err, "%s%s: error: %v\n", awsmfa.Usage(), awsmfa.Name, err)
		return 2
	case o.Help:
		fmt.Fprint(a.out, awsmfa.Help())
		return 0
	}
	if o.Token != "" {
		a.note("others can read a code that is an argument: leave out --token, and give the code on stdin")
	}
	r := &awsMFARun{app: a, o: o, in: bufio.NewReader(a.in), log: &awsmfa.Log{W: a.out, Level: o.LogLevel}}
	if err := r.run(ctx); err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(a.out) // below a question
			err = &creds.Error{Code: creds.CodeInterrupted, Op: "Interrupted"}
		}
		r.log.Error("%s", awsMFAText(err))
		if hint := creds.HintOf(err); hint != "" {
			fmt.Fprintf(a.err, "hint: %s\n", hint)
		}
		return 1
	}
	return 0
}

// awsMFAText is an error in one line.
func awsMFAText(err error) string {
	if all, ok := errors.AsType[*profile.Errors](err); ok {
		return all.List[0].String()
	}
	return err.Error()
}

// awsMFARun is one run of aws-mfa.
type awsMFARun struct {
	*app
	o     awsmfa.Options
	in    *bufio.Reader // stdin, for all questions
	log   *awsmfa.Log
	names awsmfa.Names

	files   *credfile.Files
	conf    *profile.Config // mfad's own; nil where it cannot be read
	confErr error           // why
}

func (r *awsMFARun) run(ctx context.Context) error {
	names, namesErr := r.o.Names(r.getenv)
	r.names = names
	if err := r.locate(); err != nil {
		return err
	}
	var kept *profile.Profile
	if namesErr == nil && !r.o.Setup {
		kept = r.kept()
	}
	if kept == nil {
		if err := r.ensureFile(ctx); err != nil {
			return err
		}
	}
	file, err := r.read(ctx)
	if err != nil {
		return err
	}
	if r.o.Setup {
		return r.setup(ctx, file)
	}
	if namesErr != nil {
		return namesErr
	}
	r.log.Info("%s", r.o.Validating(names, file))
	if kept != nil {
		return r.serve(ctx, kept, file)
	}
	key, err := file.Key(names.Long)
	if err != nil {
		return r.orConfig(err)
	}
	want, err := r.o.Order(names, file, r.getenv)
	if err != nil {
		return err
	}
	if want.Fresh(r.o.Force, file, time.Now(), r.log) {
		return nil
	}
	return r.renew(ctx, want, key)
}

// locate finds the files. Mfad's config may be broken: it counts only where the
// key is not in the file.
func (r *awsMFARun) locate() error {
	credentials, config, err := profile.AWSFiles(r.getenv, r.home)
	if err != nil {
		return err
	}
	user, system, err := profile.Paths(r.getenv, r.home)
	if err != nil {
		return err
	}
	if r.config != "" {
		if user, err = filepath.Abs(r.config); err != nil {
			return err
		}
	}
	if r.conf, r.confErr = profile.Load(user, profile.Options{System: system, Home: r.home}); r.confErr != nil {
		r.conf = nil
	} else {
		if r.getenv("AWS_SHARED_CREDENTIALS_FILE") == "" {
			credentials = orElse(r.conf.Defaults.CredentialsFile, credentials)
		}
		if r.getenv("AWS_CONFIG_FILE") == "" {
			config = orElse(r.conf.Defaults.ConfigFile, config)
		}
	}
	r.files = &credfile.Files{Credentials: credentials, Config: config}
	return nil
}

// kept is the profile of mfad's whose section the short-term credentials go to;
// nil: the section is aws-mfa's. Two that write to one section would undo each
// other's work, so what mfad's daemon keeps fresh it alone renews.
func (r *awsMFARun) kept() *profile.Profile {
	if r.conf == nil {
		return nil
	}
	for _, name := range r.conf.ProfileNames() {
		if p := r.conf.Profiles[name]; p.Section == r.names.Short && p.Write != profile.WriteNone {
			return p
		}
	}
	return nil
}

// orConfig adds to a missing key that mfad's config, which may know of it, cannot
// be read.
func (r *awsMFARun) orConfig(err error) error {
	if r.confErr == nil {
		return err
	}
	return &creds.Error{Code: creds.CodeOf(err), Op: err.Error(), Hint: "mfad's config cannot be used: " + awsMFAText(r.confErr)}
}

// read gives what stands in the credentials file.
func (r *awsMFARun) read(ctx context.Context) (awsmfa.File, error) {
	view, _ := r.files.View(ctx)
	if view.Err != nil {
		return nil, &creds.Error{Code: creds.CodeConflict, Hint: creds.HintOf(view.Err),
			Op: "There was a problem reading or parsing your credentials file: " + view.Err.Error()}
	}
	file := awsmfa.File{}
	for _, p := range view.Profiles {
		keys := map[string]string{}
		for _, k := range p.Keys {
			keys[k.Name] = k.Value
		}
		file[p.Name] = keys
	}
	return file, nil
}
