package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/state"
)

func (a *app) daemonCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "daemon",
		Short: "Run the daemon in the foreground",
		Long: `Run the daemon in the foreground. Other commands start it when they need it; run
it yourself under a service manager or to see its log. A second one exits with
status 0 and names the first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDaemon(cmd.Context()) },
	}
}

func (a *app) runDaemon(ctx context.Context) error {
	passphrase, err := keyring.Passphrase(keyring.ProcessEnvironment())
	if err != nil {
		return err
	}
	p, err := a.paths()
	if err != nil {
		return err
	}
	dropCredentials()
	debug.SetGCPercent(50) // it works for milliseconds and rests for minutes: memory is what it costs
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	o := daemon.Options{
		Version: version(), Paths: p, Getenv: a.getenv, Keyring: a.keyring, Passphrase: passphrase, Command: selfCommand(),
		CodeStep: a.codeStep,
		Log:      slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level})),
	}
	err = daemon.Run(ctx, o)
	if held, ok := errors.AsType[*state.HeldError](err); ok {
		a.note("a daemon is running already, process %d", held.PID)
		return nil
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return statusError(0)
	}
	return err
}

// dropCredentials removes what could reach a child or a library of the daemon
// and act there as somebody else.
func dropCredentials() {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
			"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN":
			_ = os.Unsetenv(name)
		}
	}
}

// selfCommand is the name by which tools start this program: as it is found in
// PATH, so that an upgrade of the package is no change.
func selfCommand() string {
	self, err := os.Executable()
	if err != nil {
		return "mfad"
	}
	return daemon.CommandPath(os.Getenv("PATH"), self)
}
