package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/service"
	"github.com/mfad/mfad/pkg/state"
)

// paths finds where everything lies.
func (a *app) paths() (daemon.Paths, error) {
	var p daemon.Paths
	var err error
	if p.Config, p.SystemConfig, err = profile.Paths(a.getenv, a.home); err != nil {
		return p, err
	}
	if a.config != "" {
		if p.Config, err = filepath.Abs(a.config); err != nil {
			return p, err
		}
	}
	if p.State, err = profile.StateDir(a.getenv, a.home); err != nil {
		return p, err
	}
	if p.Socket, err = profile.Socket(a.getenv, a.home); err != nil {
		return p, err
	}
	p.AWSCredentials, p.AWSConfig, err = profile.AWSFiles(a.getenv, a.home)
	return p, err
}

// client makes a client that has not connected yet, and starts no daemon: not by
// connecting to a service manager's socket either.
func (a *app) client() *localapi.Client {
	c := a.awakening()
	c.Sockets = slices.DeleteFunc(c.Sockets, unheld)
	return c
}

// awakening is client, where a daemon may be started by connecting.
func (a *app) awakening() *localapi.Client {
	return &localapi.Client{
		Sockets: profile.Sockets(a.getenv, a.home, os.Getuid()), Version: version(), Display: mfa.DisplayOf(a.getenv),
		Mismatch: func(other string) {
			next := "stop the daemon to have the new one started"
			if a.startsService() != nil {
				next = "run: mfad service restart"
			}
			a.note("the daemon is version %s, this command is %s; %s", other, version(), next)
		},
	}
}

// startLimit is how long a daemon that was just started may take to answer.
const startLimit = 10 * time.Second

// daemon gives a client of a daemon that answers, after starting one if need be.
func (a *app) daemon(ctx context.Context) (*localapi.Client, error) {
	c, _, err := a.daemonStatus(ctx)
	return c, err
}

// daemonStatus is daemon, with the answer that it gave.
func (a *app) daemonStatus(ctx context.Context) (*localapi.Client, localapi.Status, error) {
	autostart := a.getenv("MFAD_AUTOSTART") != "0"
	client := a.awakening
	if !autostart {
		client = a.client
	}
	c := client()
	st, err := answers(ctx, c)
	if failed := failing(c, err); failed != nil {
		return nil, st, failed
	}
	if creds.CodeOf(err) != creds.CodeDaemonDown { // a daemon that is just dying counts as none
		return c, st, err
	}
	if !autostart {
		return nil, st, &creds.Error{Code: creds.CodeDaemonDown, Op: "the daemon is not running and MFAD_AUTOSTART=0 forbids to start it", Hint: "run: mfad daemon"}
	}
	p, err := a.paths()
	if err != nil {
		return nil, st, err
	}
	spawned := false
	limit := time.Now().Add(startLimit)
	for time.Now().Before(limit) && ctx.Err() == nil {
		if !spawned {
			if spawned, err = a.start(ctx, p); err != nil {
				return nil, st, err
			}
		}
		c = client() // the daemon may have left its socket's path only now
		if st, err = answers(ctx, c); err == nil {
			return c, st, nil
		}
		if failed := failing(c, err); failed != nil {
			return nil, st, failed
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, st, &creds.Error{Code: creds.CodeDaemonDown, Op: "the daemon was started but does not answer",
		Hint: "see " + state.Dir(p.State).Path(logName), Err: err}
}

// logName is the file in the state folder for what a daemon says that a command
// started.
const logName = "daemon.log"

// maxLog is the size from which the next daemon begins a new log.
const maxLog = 1 << 20

// answers tells whether a daemon does, and what.
func answers(ctx context.Context, c *localapi.Client) (st localapi.Status, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, &creds.Error{Code: creds.CodeTimeout, Op: "the daemon runs but does not answer",
		Hint: "see mfad daemon, which names its process; end that, and try again"})
	defer cancel()
	return st, c.Do(ctx, "/v1/status", nil, &st)
}

// failing tells a service that does not start from a daemon that hangs, where one did
// not answer in time: the service manager listens, and no daemon has come. Nil: it is
// something else.
func failing(c *localapi.Client, err error) error {
	if creds.CodeOf(err) == creds.CodeTimeout && slices.ContainsFunc(c.Sockets, unheld) {
		return notStarting()
	}
	return nil
}

// notStarting is the error of a service that does not start.
func notStarting() error {
	return &creds.Error{Code: creds.CodeDaemonDown, Op: "the service does not start", Hint: "run: mfad service logs"}
}

// answerLimit is how long a daemon may take to say how things are. Right after
// its start it waits for the keyring for some seconds.
const answerLimit = 5 * time.Second

// start starts a daemon, unless one holds the lock: that one is still starting, or
// just ending. It does so through the service where one is installed, since that
// starts it again; by itself where that cannot be done.
func (a *app) start(ctx context.Context, p daemon.Paths) (started bool, err error) {
	dir := state.Dir(p.State)
	if err := dir.Ensure(); err != nil {
		return false, err
	}
	lock, err := dir.Lock()
	if _, held := errors.AsType[*state.HeldError](err); held {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if err := lock.Release(); err != nil {
		return false, err
	}
	if a.startService(ctx) {
		return true, nil
	}
	if command := a.startsService(); command != nil && unheld(p.Socket) {
		return false, notStarting() // one without it would find its socket taken
	}
	return a.spawn(p)
}

// startService has the service manager start the service, if one is installed and
// what this process was told of other places does not lead elsewhere.
func (a *app) startService(ctx context.Context) bool {
	command := a.startsService()
	if command == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		a.verbosef("the service does not start, and the daemon is started without it: %v: %s", err, strings.TrimSpace(string(out)))
		return false
	}
	a.verbosef("started the service")
	return true
}

// elsewhere are the variables that lead to another daemon than the service's.
var elsewhere = [...]string{"MFAD_CONFIG", "MFAD_STATE_DIR", "MFAD_SOCKET"}

// startsService is the command that starts the service, if one is installed and
// would be the daemon that this process wants; else nil.
func (a *app) startsService() []string {
	if a.config != "" {
		return nil
	}
	for _, v := range elsewhere {
		if a.getenv(v) != "" {
			return nil
		}
	}
	switch runtime.GOOS {
	case "darwin":
		return service.StartsAgent(a.home, os.Getuid())
	case "windows":
		return nil // asking takes longer than starting
	}
	return service.Starts(a.getenv, a.home)
}

// openLog opens the log in the state folder, or begins a new one where it has
// become large.
func openLog(dir state.Dir) (*os.File, error) {
	if info, err := os.Stat(dir.Path(logName)); err == nil && info.Size() > maxLog {
		_ = os.Rename(dir.Path(logName), dir.Path(logName+".old")) // else it goes on growing
	}
	return os.OpenFile(dir.Path(logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// spawn starts a daemon in the background.
func (a *app) spawn(p daemon.Paths) (spawned bool, err error) {
	log, err := openLog(state.Dir(p.State))
	if err != nil {
		return false, notStarted(err)
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return false, notStarted(err)
	}
	args := []string{"daemon"}
	if a.config != "" {
		args = append(args, "--config", p.Config)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "mfad" // whatever this program is called
	cmd.Dir, cmd.Env = "/", slices.DeleteFunc(environFromAnywhere(), forService)
	cmd.Stdout, cmd.Stderr = log, log
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return false, notStarted(err)
	}
	a.verbosef("started the daemon, process %d", cmd.Process.Pid)
	return true, cmd.Process.Release()
}

// forService tells whether an environment variable was for this process, or its
// parent, as a service: the daemon is another.
func forService(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return service.IsHanded(name)
}

func notStarted(err error) error {
	return &creds.Error{Code: creds.CodeInternal, Op: "start the daemon", Hint: "run: mfad daemon", Err: err}
}

func (a *app) verbosef(format string, args ...any) {
	if a.verbose {
		a.note(format, args...)
	}
}

// warnOtherFiles tells a user whose tools read other files than the daemon writes.
func (a *app) warnOtherFiles(st localapi.Status) {
	if p, err := a.paths(); err == nil && a.config != "" && p.Config != st.Daemon.Config {
		a.note("the daemon that runs uses another config, %s", st.Daemon.Config)
	}
	mine, _, err := profile.AWSFiles(a.getenv, a.home)
	if err == nil && a.getenv("AWS_SHARED_CREDENTIALS_FILE") != "" && mine != st.Daemon.Credentials {
		a.note("AWS_SHARED_CREDENTIALS_FILE is %s here, but the daemon writes %s", mine, st.Daemon.Credentials)
	}
}
