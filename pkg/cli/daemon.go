package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
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
	closeInherited(handedOver(a.getenv))
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

// handedOver gives how many descriptors from 3 up a service manager left for this
// process (sd_listen_fds(3)).
func handedOver(getenv func(string) string) int {
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return n
}

// dropCredentials removes what could reach a child or a library of the daemon
// and act there as somebody else.
func dropCredentials() {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); isCredential(name) {
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
