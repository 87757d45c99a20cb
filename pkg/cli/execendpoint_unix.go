//go:build unix

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/endpoint"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/state"
)

// Commands that only exec starts.
const (
	endpointStage = "exec-endpoint"
	daemonStage   = "exec-daemon"
)

// endpointOrder is what the process with the endpoint is told, on its stdin.
type endpointOrder struct {
	Profile string
	PID     int // of the process that becomes the command
	Folder  string
	First   localapi.Process
}

// endpointAnswer is what it says when it serves and watches, or that it cannot.
type endpointAnswer struct {
	URL, Token string
	Code       creds.Code
	Op, Hint   string
}

// Descriptors of the process with the endpoint.
const (
	lockFD = 3 + iota // the copy's lock: it is held as long as one of its holders lives
	orderFD
	answerFD
)

// execStages are the commands that exec starts.
func (a *app) execStages() []*cobra.Command {
	var serve bool
	e := &cobra.Command{
		Use: endpointStage, Short: "Serve the command of mfad exec", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if serve {
				return a.serveEndpoint()
			}
			return a.endpointApart()
		},
	}
	e.Flags().BoolVar(&serve, "serve", false, "be the process that stays")
	d := &cobra.Command{
		Use: daemonStage, Short: "Start the daemon unless it runs", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := a.daemon(cmd.Context())
			return err
		},
	}
	return []*cobra.Command{e, d}
}

// startEndpoint starts the process with the endpoint and waits until it serves. It
// is the child of one that has ended by then: the command has no child that it does
// not know.
func (a *app) startEndpoint(ctx context.Context, o endpointOrder, lock *os.File) (url, token string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errors.New("it does not answer"))
	defer cancel()
	order, err := json.Marshal(o)
	if err != nil {
		return "", "", noEndpoint(err)
	}
	stdin, toStdin, err := os.Pipe()
	if err != nil {
		return "", "", noEndpoint(err)
	}
	defer toStdin.Close()
	fromStdout, stdout, err := os.Pipe()
	if err != nil {
		stdin.Close()
		return "", "", noEndpoint(err)
	}
	defer fromStdout.Close()
	cmd, err := a.again(ctx, endpointStage)
	if err == nil {
		cmd.Dir = "/"
		cmd.Stdin, cmd.Stdout, cmd.ExtraFiles = stdin, stdout, []*os.File{lock}
		if log := a.daemonLog(); log != nil {
			defer log.Close()
			cmd.Stderr = log // never mfad's own: a pipe there ends with the command
		}
		detach(cmd)
		err = cmd.Run()
	}
	stdin.Close()
	stdout.Close()
	if err == nil {
		stop := context.AfterFunc(ctx, func() {
			_ = toStdin.SetDeadline(time.Unix(1, 0)) // both end at once
			_ = fromStdout.SetDeadline(time.Unix(1, 0))
		})
		defer stop()
		_, err = toStdin.Write(order)
	}
	toStdin.Close()
	var answer endpointAnswer
	if err == nil {
		err = json.NewDecoder(fromStdout).Decode(&answer)
	}
	switch {
	case ctx.Err() != nil:
		return "", "", noEndpoint(context.Cause(ctx))
	case errors.Is(err, io.EOF):
		return "", "", noEndpoint(errors.New("it ended at once"))
	case err != nil:
		return "", "", noEndpoint(err)
	case answer.Code != "":
		return "", "", &creds.Error{Code: answer.Code, Op: answer.Op, Hint: answer.Hint}
	}
	return answer.URL, answer.Token, nil
}

func noEndpoint(err error) error {
	return &creds.Error{Code: creds.CodeInternal, Op: "start the process that serves the command's credentials",
		Hint: "add --env for credentials that do not renew themselves", Err: err}
}

// daemonLog opens the log of daemons that a command started; nil: it cannot be.
func (a *app) daemonLog() *os.File {
	p, err := a.paths()
	if err != nil {
		return nil
	}
	log, err := os.OpenFile(state.Dir(p.State).Path(logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	return log
}

// endpointApart starts the process that stays, and ends.
func (a *app) endpointApart() error {
	cmd, err := a.again(context.Background(), endpointStage, "--serve")
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{os.NewFile(lockFD, "lock"), os.Stdin, os.Stdout}
	detach(cmd)
	return cmd.Start()
}

// serveEndpoint is the life of the process that stays: it ends with the command.
// What asks it to end before does the same to the command, which may need
// credentials to tidy up: only SIGKILL ends it.
func (a *app) serveEndpoint() error {
	harden()
	// Caught, and not ignored: a daemon that is started from here must not ignore them.
	signal.Notify(make(chan os.Signal, 1), unlessIgnored(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGPIPE)...)
	closeInherited(answerFD - lockFD + 1)
	for fd := lockFD; fd <= answerFD; fd++ {
		unix.CloseOnExec(fd)
	}
	lock, order, answer := os.NewFile(lockFD, "lock"), os.NewFile(orderFD, "order"), os.NewFile(answerFD, "answer")
	var o endpointOrder
	err := json.NewDecoder(order).Decode(&o)
	order.Close()
	if err != nil {
		return usage("run: mfad exec --help", "%s is a part of mfad exec", endpointStage)
	}
	copied := &configCopy{folder: o.Folder, name: filepath.Base(o.Folder), lock: lock}
	a.err = &laterNotes{log: os.Stderr, path: o.Folder + noteSuffix}
	server, ended, err := a.serve(o)
	if err != nil {
		e := endpointAnswer{Code: creds.CodeOf(err), Op: err.Error(), Hint: creds.HintOf(err)}
		if json.NewEncoder(answer).Encode(e) != nil { // mfad is gone, which would remove the copy
			copied.remove()
		}
		return nil
	}
	told := json.NewEncoder(answer).Encode(endpointAnswer{URL: server.URL(), Token: server.Token().Reveal()})
	answer.Close()
	if told == nil { // else it is gone already
		ended()
	}
	server.Close()
	a.takeBack(context.Background(), copied)
	return nil
}

// serve opens the endpoint and the watch.
func (a *app) serve(o endpointOrder) (s *endpoint.Server, ended func(), err error) {
	first, err := fromProcess(o.First)
	if err != nil {
		return nil, nil, err
	}
	if ended, err = watchProcess(o.PID); err != nil {
		return nil, nil, noEndpoint(fmt.Errorf("watch process %d: %w", o.PID, err))
	}
	s, err = endpoint.Listen(a.execSource(o.Profile, o.First.Grant), first)
	return s, ended, err
}
