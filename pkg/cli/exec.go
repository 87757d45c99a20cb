package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/endpoint"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

// execFlags are what `exec` takes besides profile and command.
type execFlags struct {
	env, noPrompt bool
	wait          time.Duration
}

func (a *app) execCommand() *cobra.Command {
	var f execFlags
	c := &cobra.Command{
		Use:   "exec PROFILE [--env] [--] [COMMAND...]",
		Short: "Run a command with a profile's credentials",
		Long: `Run a command ($SHELL if none is given) with a profile's credentials, which renew
themselves as long as it runs: AWS's SDKs ask an address of this machine for
them, which only the command and what it starts know. With --env they are plain
variables, which do not renew themselves.

AWS credentials in the environment are not passed on, and AWS_PROFILE names a
profile of this run alone, so that nothing in the AWS files wins. Other profiles
work by name. MFAD_PROFILE names PROFILE. On Unix the command takes mfad's place:
its process, its signals and its exit status are as without mfad. 126: it cannot
be run; 127: it is not found.`,
		Example: "  mfad exec prod -- terraform apply\n  mfad exec prod",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, command, err := splitExec(cmd, args)
			if err != nil {
				return err
			}
			if help, _ := cmd.Flags().GetBool("help"); help {
				return cmd.Help()
			}
			return a.exec(cmd.Context(), f, name, orShell(command, a.getenv))
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return a.complete(false)(cmd, args, start)
		},
	}
	flags := c.Flags()
	flags.SetInterspersed(false) // what follows the command is the command's
	flags.BoolVar(&f.env, "env", false, "set variables, which do not renew themselves")
	flags.BoolVar(&f.noPrompt, "no-prompt", false, "have nobody asked for a code")
	flags.DurationVar(&f.wait, "timeout", 50*time.Second, "how long to wait for a code or for AWS before the command starts")
	return c
}

// splitExec tells the profile from the command. Flags may stand on either side of
// the profile, and end at the command or at --.
func splitExec(cmd *cobra.Command, args []string) (name string, command []string, err error) {
	name, command = args[0], args[1:]
	if cmd.ArgsLenAtDash() == 0 || len(command) == 0 {
		return name, command, nil
	}
	if err := cmd.Flags().Parse(command); err != nil {
		return "", nil, cmd.FlagErrorFunc()(cmd, err)
	}
	return name, cmd.Flags().Args(), nil
}

// orShell is the command, else the user's shell.
func orShell(command []string, getenv func(string) string) []string {
	switch {
	case len(command) > 0:
		return command
	case runtime.GOOS == "windows":
		return []string{orElse(getenv("ComSpec"), "cmd.exe")}
	}
	return []string{orElse(getenv("SHELL"), "/bin/sh")}
}

// childStatus is the exit status of a command that ran.
type childStatus int

// Error is never shown.
func (s childStatus) Error() string { return fmt.Sprintf("the command ended with status %d", int(s)) }

// notRunError is a command that could not be started.
type notRunError struct {
	status     int // 126, or 127: not found, as in a shell (POSIX, "Exit Status for Commands")
	text, hint string
}

// Error says which command, and why.
func (e *notRunError) Error() string { return e.text }

func notFound(name string) error {
	return &notRunError{127, "there is no command " + name, "check its name and PATH"}
}

// notRunnable words why a command that is there does not start.
func notRunnable(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) && !isFile(name) {
		return notFound(name)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return &notRunError{126, fmt.Sprintf("run %s: %v", name, err), "it must be an executable file, and a script needs its #! line"}
}

// findCommand gives the path of a command as a shell would find it.
func findCommand(name string, getenv func(string) string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot) && runtime.GOOS != "windows": // the user's PATH has the folder at hand in it
		return path, nil
	case strings.ContainsRune(name, filepath.Separator):
		if e, ok := errors.AsType[*exec.Error](err); ok {
			err = e.Err
		}
		return "", notRunnable(name, err)
	}
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		if path := filepath.Join(dir, name); name != "" && isFile(path) {
			return "", notRunnable(path, fs.ErrPermission)
		}
	}
	return "", notFound(name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// exec runs a command. Whatever mfad has to complain of comes before it starts.
func (a *app) exec(ctx context.Context, f execFlags, name string, command []string) error {
	st, err := a.daemonApart(ctx)
	if err != nil {
		return err
	}
	p, err := a.execProfile(st, name)
	if err != nil {
		return err
	}
	path, err := findCommand(command[0], a.getenv)
	if err != nil {
		return err
	}
	a.takeBackLeftovers(ctx) // what was written inside the one before counts
	config, err := a.readAWSConfig()
	if err != nil {
		return err
	}
	p.inherit(config)
	r := localapi.CredentialsRequest{Profile: name, For: localapi.ForExport, NoPrompt: f.noPrompt,
		TimeoutSeconds: f.wait.Seconds(), CanAsk: !f.noPrompt && canAskHere()}
	if p.confirm { // an older daemon does not know the field
		if r.Command, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	first, err := a.credentials(ctx, r, f.wait)
	if err != nil {
		return err
	}
	if f.env {
		return runInstead(ctx, path, command, childEnvironment(os.Environ(), a.staticVariables(name, first, p.region)))
	}
	return a.execServed(ctx, p, path, command, first)
}

// servedVariables are what a command finds its credentials by.
func (a *app) servedVariables(url, token string, copied *configCopy, p execProfile) map[string]string {
	set := pastProxy(endpoint.Host, a.getenv)
	maps.Copy(set, map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
		"AWS_PROFILE": copied.name, "AWS_CONFIG_FILE": copied.path(),
		outerConfig: fromAnywhere("AWS_CONFIG_FILE", a.getenv("AWS_CONFIG_FILE")), "MFAD_PROFILE": p.name,
		"AWS_SDK_LOAD_CONFIG": "1", // the first SDKs for Go and JavaScript read the config file only then
	})
	return set
}

// execProfile is what exec needs to know of a profile.
type execProfile struct {
	name, section, region, output string
	confirm                       bool     // a person allows the use of it
	settings                      []string // other lines of the AWS config for the command's own profile
}

// execProfile looks a profile up in the daemon's config. A broken edit is no
// reason not to run: the daemon serves by the config before it.
func (a *app) execProfile(st localapi.Status, name string) (execProfile, error) {
	found := execProfile{name: name, section: name}
	paths, err := a.paths()
	if err != nil {
		return found, err
	}
	c, err := profile.Load(st.Daemon.Config, profile.Options{System: paths.SystemConfig})
	if err != nil {
		known := slices.ContainsFunc(st.Profiles, func(p localapi.ProfileStatus) bool { return p.Name == name })
		if known {
			return found, nil
		}
		return found, err
	}
	p, err := c.Profile(name)
	if err != nil {
		return found, err
	}
	return execProfile{name: name, section: p.Section, region: orElse(p.Region, c.Defaults.Region), output: p.Output, confirm: p.Confirm}, nil
}
