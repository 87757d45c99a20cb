package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/service"
	"github.com/mfad/mfad/pkg/state"
)

func (a *app) daemonCommand() *cobra.Command {
	asService := false
	c := &cobra.Command{
		Use:   "daemon",
		Short: "Run the daemon in the foreground",
		Long: `Run the daemon in the foreground. Other commands start it when they need it; run
it yourself to see its log, and "mfad service install" to have it kept running. A
second one exits with status 0 and names the first. SIGHUP has it read its config
again where no terminal belongs to it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDaemon(cmd.Context(), asService) },
	}
	// For service managers that do not say who they are.
	c.Flags().BoolVar(&asService, service.Flag, false, "run as a service, and write to the log in the state folder")
	_ = c.Flags().MarkHidden(service.Flag) // it is there
	return c
}

// runDaemon runs the daemon. asService: a service manager said so by a flag.
func (a *app) runDaemon(ctx context.Context, asService bool) error {
	harden()
	handed, err := service.Receive()
	closeInherited(0) // what was received closes on exec
	p, noPaths := a.paths()
	handed.Supervised = handed.Supervised || asService
	if handed.Supervised && noPaths == nil && (asService || isNull(os.Stderr)) {
		a.logToFile(p) // before anything that can fail: it is started again and again, and nobody else hears why
	}
	if err != nil {
		return &creds.Error{Code: creds.CodeInternal, Op: "take the socket that the service manager opened",
			Hint: "run: mfad service install", Err: err}
	}
	passphrase, err := keyring.Passphrase(keyring.ProcessEnvironment())
	if err != nil {
		return err
	}
	if noPaths != nil {
		return noPaths
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
	o.Listener, o.Hangups = handed.Listener, hangups()
	if handed.Notifier != nil {
		o.Supervisor = handed.Notifier
	}
	if l := handed.Listener; l == nil {
		o.Ready = func() { _ = os.Remove(service.SocketLock(p.Socket)) } // it is no service manager's any more
	} else {
		release, err := holdSocket(l.Addr().String())
		if err != nil {
			return err
		}
		defer release()
	}
	err = runAsHanded(ctx, o, handed)
	if held, ok := errors.AsType[*state.HeldError](err); ok {
		a.note("a daemon is running already, process %d", held.PID)
		return nil
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return statusError(0)
	}
	return err
}

// runAsHanded runs a daemon; as a service it takes over from another daemon that
// runs, since nobody starts that again, and what is asked at the service's socket
// would not be answered.
func runAsHanded(ctx context.Context, o daemon.Options, handed service.Handed) error {
	occupied := handed.Listener == nil && unheld(o.Paths.Socket) // to be asked first: trying it starts the service
	err := daemon.Run(ctx, o)
	for handed.Supervised && ctx.Err() == nil {
		held, ok := errors.AsType[*state.HeldError](err)
		if !ok {
			break
		}
		handed.Notifier.Tell("STATUS=taking over from " + held.Error())
		if err = endDaemon(ctx, state.Dir(o.Paths.State), held.PID); err == nil {
			err = daemon.Run(ctx, o)
		}
	}
	if _, held := errors.AsType[*state.HeldError](err); err == nil || held || !occupied {
		return err
	}
	return &creds.Error{Code: creds.CodeConflict, Op: "the service listens at " + o.Paths.Socket,
		Hint: "run: mfad service start; or, for a daemon without it: systemctl --user stop mfad.socket mfad.service", Err: err}
}

// endDaemon ends the daemon that holds a state folder's lock and is not the
// service's, and waits until the lock is free. It asks for nothing that a code was
// given for: that lies in the folder. The pid is what was read of the lock.
func endDaemon(ctx context.Context, dir state.Dir, pid int) error {
	const patience, pause = 20 * time.Second, 100 * time.Millisecond
	asked := 0
	for end := time.Now().Add(patience); time.Now().Before(end); {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		lock, err := dir.Lock()
		held, ok := errors.AsType[*state.HeldError](err)
		if !ok {
			return errors.Join(err, lock.Release())
		}
		// Read twice alike: a process that has only just got the lock may not have
		// written its number over its predecessor's.
		if held.PID == pid && pid > 0 && pid != asked {
			if p, err := os.FindProcess(pid); err == nil {
				_ = terminate(p) // it may have ended since
			}
			asked = pid
		}
		pid = held.PID
	}
	return &creds.Error{Code: creds.CodeTimeout, Op: "a daemon that does not belong to the service does not end, process " + strconv.Itoa(pid),
		Hint: killCommand(pid)}
}

// hangups gives the signals on which a daemon reads its config again, as one does
// that no terminal belongs to; at a terminal a hangup ends it.
func hangups() <-chan os.Signal {
	if hasTerminal() || len(unlessIgnored(syscall.SIGHUP)) == 0 {
		return nil
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}

// logToFile has a daemon write to the log in the state folder whose service manager
// gave it nowhere to write, as systemd does where there is no journal.
func (a *app) logToFile(p daemon.Paths) {
	dir := state.Dir(p.State)
	if dir.Ensure() != nil {
		return // told by whoever needs it
	}
	log, err := openLog(dir)
	if err != nil {
		return
	}
	a.err = log
	_ = debug.SetCrashOutput(log, debug.CrashOptions{})
}

// isNull tells whether a file is the null device.
func isNull(f *os.File) bool {
	here, err := f.Stat()
	if err != nil {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(here, null)
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
