// Package cli is the command line: one file for each command, which parses,
// calls the daemon through the local API, and prints. Answers go to stdout, talk
// to stderr, questions to the terminal. It alone knows exit statuses, and it
// never holds a credential longer than printing it takes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/profile"
)

// app is one run of the program: its streams, its surroundings and the global
// flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	home     string
	inside   string        // the profile of the `mfad exec` that this runs in
	keyring  keyring.Store // the daemon's; nil: as the config says
	codeStep time.Duration // of the MFA devices; zero: AWS's
	merge    mergeFunc     // of what a command of `exec` changed in its copy of the AWS config

	config  string
	json    bool
	verbose bool
}

// Main runs the command that os.Args names and gives the exit status.
func Main() int { return processApp().main() }

// processApp is the app of this process.
func processApp() *app {
	inside := os.Getenv("MFAD_PROFILE") // before it is gone
	stepOut()
	home, _ := os.UserHomeDir() // without one, the paths that need it say so
	return &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, home: home, inside: inside, merge: mergeAWSConfig}
}

func (a *app) main() int {
	conceal()
	ctx, stop := signal.NotifyContext(context.Background(), unlessIgnored(os.Interrupt, syscall.SIGTERM)...)
	defer stop()
	return a.run(ctx, os.Args[1:])
}

// run is Main without the process.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	_, ran := errors.AsType[childStatus](err)
	if err != nil && ctx.Err() != nil && !errors.Is(err, statusError(0)) && !ran {
		err = &creds.Error{Code: creds.CodeInterrupted, Op: "interrupted"}
	}
	return a.report(err)
}

// statusError ends a command with an exit status and without a word: all was
// said already.
type statusError int

// Error is never shown.
func (s statusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// report prints err for a person and gives the exit status.
func (a *app) report(err error) int {
	var s statusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &s):
		return int(s)
	}
	if status, ok := errors.AsType[childStatus](err); ok {
		return int(status)
	}
	if e, ok := errors.AsType[*notRunError](err); ok {
		a.complain(e.Error(), e.hint)
		return e.status
	}
	if all, ok := errors.AsType[*profile.Errors](err); ok {
		for _, p := range all.List {
			a.complain(p.String(), p.Hint)
		}
		return exitStatus(creds.CodeConfig)
	}
	a.complain(err.Error(), creds.HintOf(err))
	return exitStatus(creds.CodeOf(err))
}

// complain says what failed in one line, and the next step in another.
func (a *app) complain(what, hint string) {
	fmt.Fprintf(a.err, "mfad: %s\n", strings.TrimSpace(what))
	if hint != "" {
		fmt.Fprintf(a.err, "hint: %s\n", hint)
	}
}

// note says something that is no failure.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, "mfad: "+format+"\n", args...)
}

// exitStatus gives the status for an error code; docs/cli.md lists them.
func exitStatus(c creds.Code) int {
	switch c {
	case "":
		return 0
	case creds.CodeUsage, creds.CodeConfig, creds.CodeUnknownProfile, creds.CodeMFABadCode:
		return 2
	case creds.CodeDaemonDown:
		return 3
	case creds.CodeMFARequired, creds.CodeCancelled, creds.CodeMFAProcess, creds.CodeLocked, creds.CodeKeyNotFound,
		creds.CodeKeyringLocked, creds.CodeKeyringAbsent, creds.CodeKeyringTimeout:
		return 4
	case creds.CodeMFARejected, creds.CodeMFAUsedCode, creds.CodeMFADevice, creds.CodeAccessDenied, creds.CodeInvalidKey,
		creds.CodeExpired, creds.CodeClockSkew, creds.CodeDuration, creds.CodeRefused:
		return 5
	case creds.CodeThrottled, creds.CodeUnavailable, creds.CodeNetwork, creds.CodeTimeout:
		return 6
	case creds.CodeInterrupted:
		return 130
	}
	return 1
}

// usage is the error of a wrong command line.
func usage(hint, format string, args ...any) error {
	return &creds.Error{Code: creds.CodeUsage, Op: fmt.Sprintf(format, args...), Hint: hint}
}

// root is the whole tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mfad",
		Short: "Keep MFA-protected AWS profiles fresh",
		Long: `mfad asks for one MFA code, and every AWS profile that you use is fresh for as
long as AWS allows, in every tool, without another question.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", "mfad's config `FILE`")
	flags.BoolVar(&a.json, "json", false, "print the answer as JSON")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "say more on stderr")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("run: "+cmd.CommandPath()+" --help", "%v", err)
	})
	root.AddCommand(a.setupCommand(), a.importCommand(), a.exportConfigCommand())
	root.AddCommand(
		a.identityCommand(), a.profileCommand(), a.loginCommand(), a.unlockCommand(), a.lockCommand(), a.statusCommand(),
		a.refreshCommand(), a.credentialProcessCommand(), a.exportCommand(), a.execCommand(), a.consoleCommand(), a.roleCommand(), a.auditCommand(), a.doctorCommand(),
		a.awsMFACommand(), a.daemonCommand(), a.serviceCommand(), a.demoCommand(), a.manCommand(), a.versionCommand(),
	)
	root.AddCommand(a.execStages()...)
	strict(root)
	return root
}

// strict makes an argument too many or too few a usage error with a hint.
func strict(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage("run: "+cmd.CommandPath()+" --help", "%v", err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// version is what this build calls itself.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, "mfad", version())
			return err
		},
	}
}
