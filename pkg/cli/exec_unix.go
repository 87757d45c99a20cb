//go:build unix

package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

// execServed runs a command in this process's place, with an endpoint beside it.
// It returns only an error.
func (a *app) execServed(ctx context.Context, p execProfile, path string, command []string, first localapi.Process) error {
	copied, err := a.copyAWSConfig(ctx, p)
	if err != nil {
		return err
	}
	defer copied.remove() // no command had it
	url, token, err := a.startEndpoint(ctx, endpointOrder{Profile: p.name, PID: os.Getpid(), Folder: copied.folder, First: first}, copied.lock)
	if err != nil {
		return err
	}
	return runInstead(ctx, path, command, childEnvironment(os.Environ(), a.servedVariables(url, token, copied, p)))
}

// runInstead runs a command in this process's place; it returns only an error.
func runInstead(ctx context.Context, path string, command, env []string) error {
	signal.Reset(unlessIgnored(os.Interrupt, unix.SIGTERM)...) // one that comes from here on ends this process at once
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	keepIgnored()
	return notRunnable(path, &fs.PathError{Op: "exec", Path: path, Err: syscall.Exec(path, command, env)})
}

// unlessIgnored leaves out what was ignored when mfad was started, as under nohup:
// to listen for it would end that for a command too.
func unlessIgnored(all ...os.Signal) []os.Signal {
	var heard []os.Signal
	for _, s := range all {
		if !signal.Ignored(s) {
			heard = append(heard, s)
		}
	}
	return heard
}

// keepIgnored has the command ignore SIGQUIT where SIGINT is ignored: a shell
// without job control has commands in the background ignore both (POSIX, Shell
// Command Language, "Signals and Error Handling"). Go's runtime keeps only SIGHUP
// and SIGINT as they were, and does not tell how the others were.
func keepIgnored() {
	if signal.Ignored(unix.SIGINT) {
		signal.Ignore(unix.SIGQUIT)
	}
}

// commandEnded tells whether a process is gone.
func commandEnded(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// daemonApart is daemonStatus, for a process that becomes another program or stays:
// a daemon that it starts is no child of it.
func (a *app) daemonApart(ctx context.Context) (localapi.Status, error) {
	st, err := answers(ctx, a.client())
	if creds.CodeOf(err) != creds.CodeDaemonDown {
		return st, err
	}
	cmd, err := a.again(ctx, daemonStage)
	if err != nil {
		return st, notStarted(err)
	}
	cmd.Stderr = os.Stderr
	err = cmd.Run()
	if e, ended := errors.AsType[*exec.ExitError](err); ended && e.ExitCode() > 0 {
		return st, childStatus(e.ExitCode()) // it has said why
	} else if err != nil {
		return st, notStarted(err)
	}
	return answers(ctx, a.client())
}

// again prepares another run of this program, with the same config.
func (a *app) again(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if a.config != "" {
		p, err := a.paths()
		if err != nil {
			return nil, err
		}
		args = append(args, "--config", p.Config)
	}
	if a.verbose {
		args = append(args, "--verbose")
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = "mfad" // whatever this program is called
	cmd.Env = environFromAnywhere()
	return cmd, nil
}
