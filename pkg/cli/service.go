package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/service"
	"github.com/mfad/mfad/pkg/setup"
	"github.com/mfad/mfad/pkg/state"
)

// supervisor is the service manager of a system.
type supervisor interface {
	Ready(ctx context.Context) error
	Install(ctx context.Context) error
	Uninstall(ctx context.Context) error
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Restart(ctx context.Context) error
	Status(ctx context.Context) (service.State, error)
	Log(file string, lines int, follow bool) []string
}

// serviceFlags are those of `mfad service` and its commands.
type serviceFlags struct {
	dryRun, strict, force, follow bool
	lines                         int
}

func (a *app) serviceCommand() *cobra.Command {
	var f serviceFlags
	c := &cobra.Command{
		Use:   "service",
		Short: "Have the daemon kept running by the system",
		Long: `Have the system's service manager start the daemon at login, start it again when it
fails, and start it when a command needs it: systemd's user instance, launchd, or
Windows' Task Scheduler. Each file that is written and each command that is run is
printed; with --dry-run nothing else is done.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.PersistentFlags().BoolVar(&f.dryRun, "dry-run", false, "only print what would be done")
	install := a.serviceDoes(&f, "install", "Install the service, start it, and have it start at login",
		`Install the service, start it, and have it start at login. Run it again after a change
of PATH, or to bring it up to date: sessions outlive the restart. A unit that a package
brought is used if it starts this very program. Drop-ins of yours stay as they are.`,
		supervisor.Install)
	install.Flags().BoolVar(&f.strict, "strict", false, "restrict what the daemon, and what it starts, may do (systemd); --strict=false takes that back")
	install.Flags().BoolVar(&f.force, "force", false, "overwrite files that mfad did not write, or that were changed")
	uninstall := a.serviceDoes(&f, "uninstall", "Stop the service and remove what was installed",
		`Stop the service and remove what was installed. Sessions and the log stay.`, supervisor.Uninstall)
	uninstall.Flags().BoolVar(&f.force, "force", false, "remove also files that mfad did not write, or that were changed")
	c.AddCommand(install, uninstall,
		a.serviceDoes(&f, "start", "Start the service", "Start the service.", supervisor.Start),
		a.serviceDoes(&f, "stop", "Stop the service until a command needs it",
			"Stop the service. The next command that needs the daemon starts it again.", supervisor.Stop),
		a.serviceDoes(&f, "restart", "Restart the service, after an upgrade too",
			"Restart the service with its program as it is now, after an upgrade. No session is lost.", supervisor.Restart),
		a.serviceStatusCommand(&f), a.serviceLogsCommand(&f))
	return c
}

// serviceDoes makes a command of something that changes the service.
func (a *app) serviceDoes(f *serviceFlags, name, short, long string, do func(supervisor, context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Long: long, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := a.serviceOptions(*f)
			if err != nil {
				return err
			}
			if strict := cmd.Flags().Lookup("strict"); strict != nil && strict.Changed {
				o.Strict = &f.strict
			}
			if err := do(newSupervisor(o), cmd.Context()); err != nil {
				return err
			}
			if name == "install" {
				a.afterInstall(cmd.Context(), o)
			}
			if !f.dryRun && (name == "install" || name == "restart") {
				a.tellLocked(cmd.Context())
			}
			return nil
		},
	}
}

// newSupervisor is this system's service manager.
func newSupervisor(o service.Options) supervisor {
	switch runtime.GOOS {
	case "darwin":
		return service.NewLaunchd(o)
	case "windows":
		return service.NewTaskScheduler(o)
	}
	return service.NewSystemd(o)
}

// serviceOptions say for whom, and with which program, the service is.
func (a *app) serviceOptions(f serviceFlags) (service.Options, error) {
	p, err := a.servicePaths()
	if err != nil {
		return service.Options{}, err
	}
	if a.config != "" {
		return service.Options{}, usage("leave out --config: the service uses "+p.Config, "the service has one config, the user's")
	}
	o := service.Options{
		Program: a.serviceProgram(p), Path: servicePath(a.getenv("PATH")), Home: a.home, UID: os.Getuid(), Getenv: a.getenv,
		Force: f.force, DryRun: f.dryRun, Out: a.out, Diff: setup.Diff,
	}
	if u, err := user.Current(); err == nil { // only told, and looked for
		o.User = u.Username
	}
	o.Yield = func(ctx context.Context) error { return a.endOther(ctx, state.Dir(p.State), f.dryRun) }
	return o, nil
}

// servicePaths is paths as the service finds them, which does not see what leads this
// shell to another daemon.
func (a *app) servicePaths() (daemon.Paths, error) { return a.asService().paths() }

// asService looks for what the service has.
func (a *app) asService() *app {
	return &app{home: a.home, getenv: func(v string) string {
		if slices.Contains(elsewhere[:], v) {
			return ""
		}
		return a.getenv(v)
	}}
}

// tellLocked says that a daemon which was started anew wants its passphrase again: the
// last one's was in memory only. A daemon that does not answer yet tells it itself.
func (a *app) tellLocked(ctx context.Context) {
	c := a.asService().client()
	c.Mismatch = nil
	st, err := answers(ctx, c)
	if e := st.Daemon.Keyring.Error; err == nil && e != nil && e.Code == creds.CodeKeyringLocked {
		a.note("the keyring is locked again; run: mfad unlock")
	}
}

// serviceProgram is how the service starts mfad: as credential_process does.
func (a *app) serviceProgram(p daemon.Paths) string {
	if c, err := profile.Load(p.Config, profile.Options{System: p.SystemConfig}); err == nil && filepath.IsAbs(c.Defaults.Command) {
		if _, err := os.Stat(c.Defaults.Command); err == nil {
			return c.Defaults.Command
		}
	}
	return selfCommand()
}

// servicePath is a PATH without what depends on the folder at hand, and each folder
// once.
func servicePath(path string) string {
	var dirs []string
	for _, dir := range filepath.SplitList(path) {
		if filepath.IsAbs(dir) && !strings.ContainsAny(dir, "\n\r") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, string(filepath.ListSeparator))
}

// endOther ends a daemon that a command started, so that the service's is the one.
func (a *app) endOther(ctx context.Context, dir state.Dir, dry bool) error {
	pid := dir.Holder()
	if pid <= 0 || !alive(pid) {
		return nil
	}
	if lock, err := dir.Lock(); err == nil {
		return lock.Release() // it was killed, and its number is another's now
	}
	fmt.Fprintf(a.out, "end the daemon that runs, process %d\n", pid)
	if dry {
		return nil
	}
	return endDaemon(ctx, dir, pid)
}

// afterInstall says what a service manager does not pass on.
func (a *app) afterInstall(ctx context.Context, o service.Options) {
	var has map[string]string
	if s, ok := newSupervisor(o).(*service.Systemd); ok {
		has = s.Environment(ctx)
	}
	if o.Path != "" && runtime.GOOS != "windows" {
		a.note("the service finds programs in this shell's PATH; run this again when it changes")
	}
	for _, v := range a.unseen(has) {
		if key := configKeys[v]; key != "" {
			a.note("the service does not see %s of this shell; set %s in [defaults] of the config", v, key)
		} else if next := withoutKey[v]; next != "" {
			a.note("the service does not see %s of this shell; %s", v, next)
		} else {
			a.note("the service does not see %s of this shell", v)
		}
	}
}

// configKeys are the keys of [defaults] that stand for variables of a shell.
var configKeys = map[string]string{
	"AWS_ENDPOINT_URL": "endpoint_url", "AWS_ENDPOINT_URL_STS": "endpoint_url_sts", "AWS_ENDPOINT_URL_IAM": "endpoint_url_iam",
	"AWS_CA_BUNDLE": "ca_bundle", "AWS_USE_FIPS_ENDPOINT": "use_fips_endpoint", "AWS_USE_DUALSTACK_ENDPOINT": "use_dualstack_endpoint",
	"AWS_SHARED_CREDENTIALS_FILE": "credentials_file", "AWS_CONFIG_FILE": "config_file",
	"HTTPS_PROXY": "https_proxy", "https_proxy": "https_proxy", "NO_PROXY": "no_proxy", "no_proxy": "no_proxy",
	"MFAD_SIGNIN_URL": "signin_url", "MFAD_KEYRING": "keyring",
}

// withoutKey says what to do about variables that no key stands for.
var withoutKey = map[string]string{
	"MFAD_CONFIG":                  "leave it unset, and link ~/.config/mfad/config.ini to that file",
	"MFAD_STATE_DIR":               "leave it unset: commands and the service have to agree on the folder",
	"MFAD_SOCKET":                  "leave it unset: commands and the service have to agree on the socket",
	"XDG_CONFIG_HOME":              agree,
	"XDG_STATE_HOME":               agree,
	"MFAD_KEYRING_PASSPHRASE":      "see \"The passphrase\" in docs/service.md, or run: mfad unlock",
	"MFAD_KEYRING_PASSPHRASE_FILE": "see \"The passphrase\" in docs/service.md, or run: mfad unlock",
}

const agree = "set it in ~/.config/environment.d too: commands and the service have to agree on folders"

// unseen are the variables of this shell that change what a daemon does, in order.
// Those that it drops in any case are none, nor is one whose key is set already, or
// that the service manager has too.
func (a *app) unseen(has map[string]string) []string {
	var set map[string]bool
	if p, err := a.servicePaths(); err == nil {
		if c, err := profile.Load(p.Config, profile.Options{System: p.SystemConfig}); err == nil {
			set = keysSet(c.Defaults)
		}
	}
	var found []string
	for _, table := range []map[string]string{configKeys, withoutKey} {
		for v, next := range table {
			if value := a.getenv(v); value != "" && !set[next] && has[v] != value {
				found = append(found, v)
			}
		}
	}
	slices.Sort(found)
	return found
}

// keysSet are the keys of [defaults] that a config sets, of those in configKeys.
func keysSet(d profile.Defaults) map[string]bool {
	return map[string]bool{
		"endpoint_url": d.EndpointURL != "", "endpoint_url_sts": d.EndpointURLSTS != "", "endpoint_url_iam": d.EndpointURLIAM != "",
		"ca_bundle": d.CABundle != "", "use_fips_endpoint": d.UseFIPS != nil, "use_dualstack_endpoint": d.UseDualStack != nil,
		"credentials_file": d.CredentialsFile != "", "config_file": d.ConfigFile != "",
		"https_proxy": d.HTTPSProxy != "", "no_proxy": d.NoProxy != "", "signin_url": d.SigninURL != "", "keyring": d.Keyring != "",
	}
}

func (a *app) serviceLogsCommand(f *serviceFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "logs", Short: "Show what the service's daemon said", Args: cobra.NoArgs,
		Long: `Show what the service's daemon said: from the journal, else from its log.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := a.serviceOptions(*f)
			if err != nil {
				return err
			}
			p, err := a.servicePaths()
			if err != nil {
				return err
			}
			if f.lines < 1 {
				return usage("run: mfad service logs -n 50", "the number of lines is at least 1")
			}
			file := state.Dir(p.State).Path(logName)
			return a.showLog(cmd.Context(), newSupervisor(o).Log(file, f.lines, f.follow), f.dryRun)
		},
	}
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what it says, until Ctrl-C")
	c.Flags().IntVarP(&f.lines, "lines", "n", 50, "how many `LINES`")
	return c
}

// showLog runs the program that shows a log.
func (a *app) showLog(ctx context.Context, command []string, dry bool) error {
	if dry {
		_, err := fmt.Fprintln(a.out, "run", strings.Join(command, " "))
		return err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	err := cmd.Run()
	if e, ended := errors.AsType[*exec.ExitError](err); ended && ctx.Err() == nil {
		return statusError(max(e.ExitCode(), 1)) // it has said why
	} else if err != nil && ctx.Err() == nil {
		return &creds.Error{Code: creds.CodeInternal, Op: "show the log", Hint: "see whether " + command[0] + " is installed", Err: err}
	}
	return ctx.Err()
}
