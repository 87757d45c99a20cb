package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/endpoint"
	"github.com/mfad/mfad/pkg/localapi"
)

// execServed runs a command with an endpoint and a copy of the AWS config of its
// own, and takes both away after it.
func (a *app) execServed(ctx context.Context, p execProfile, path string, command []string, first localapi.Process) error {
	quiet := holdOut() // from here on nothing ends mfad before it has cleaned up
	defer quiet()
	copied, err := a.copyAWSConfig(ctx, p)
	if err != nil {
		return err
	}
	defer func() { a.takeBack(context.WithoutCancel(ctx), copied) }()
	c, err := fromProcess(first)
	if err != nil {
		return err
	}
	server, err := endpoint.Listen(a.execSource(p.name, first.Grant), c)
	if err != nil {
		return err
	}
	defer server.Close()
	return runInstead(ctx, path, command, childEnvironment(os.Environ(), a.servedVariables(server.URL(), server.Token().Reveal(), copied, p)))
}

// runInstead runs a command and ends with its status: Windows has no way to put
// one process in another's place.
func runInstead(ctx context.Context, path string, command, env []string) error {
	quiet := holdOut()
	defer quiet()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cmd := &exec.Cmd{Path: path, Args: command, Env: env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	err := cmd.Run()
	if e, exited := errors.AsType[*exec.ExitError](err); exited {
		return childStatus(e.ExitCode())
	} else if err != nil {
		return notRunnable(path, err)
	}
	return nil
}

// unlessIgnored: Windows has no signals that a process inherits ignored.
func unlessIgnored(all ...os.Signal) []os.Signal { return all }

// holdOut keeps Ctrl-C from ending mfad, until quiet is called: the console sends
// it to the command too.
func holdOut() (quiet func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	return func() { signal.Stop(c) }
}

// execStages: exec starts nothing but the command.
func (a *app) execStages() []*cobra.Command { return nil }

// daemonApart is daemonStatus: a daemon has no ties to who started it.
func (a *app) daemonApart(ctx context.Context) (localapi.Status, error) {
	_, st, err := a.daemonStatus(ctx)
	return st, err
}

// commandEnded: exec on Windows takes its copy back before it ends.
func commandEnded(int) bool { return false }
