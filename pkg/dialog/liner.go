package dialog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// grace is how long a program may take to close its window when told to.
const grace = time.Second

// liner is a program that gets its texts as arguments and prints the answer as
// one line.
type liner struct {
	name      string
	env       []string
	arguments func(Prompt) []string
	question  func(Prompt) []string // of a window with two buttons
	yes       string                // what it prints for a yes; empty: its exit status tells
	// declined tells from exit status and stderr that the person did.
	declined func(status int, said string) bool
	closed   int // another status with which a question's window says no; 0: there is none
}

func (l liner) program() program { return program{name: l.name, ask: l.ask, confirm: l.confirm} }

func (l liner) ask(ctx context.Context, d *Dialog, p Prompt) (creds.Secret, error) {
	return l.run(ctx, d, l.arguments(p), l.declined)
}

func (l liner) confirm(ctx context.Context, d *Dialog, p Prompt) error {
	answer, err := l.run(ctx, d, l.question(p), func(status int, said string) bool {
		return l.declined(status, said) || status > 0 && status == l.closed
	})
	if err == nil && l.yes != "" && answer.Reveal() != l.yes {
		err = errors.New("it printed another answer than it was told")
	}
	return err
}

// run opens one window and gives the line that is printed.
func (l liner) run(ctx context.Context, d *Dialog, args []string, declined func(status int, said string) bool) (creds.Secret, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := d.command(ctx, args...)
	cmd.Env = append(cmd.Env, l.env...)
	answer, said := &bounded{full: cancel}, &bounded{}
	defer answer.wipe()
	cmd.Stdout, cmd.Stderr = answer, said
	err := cmd.Start()
	if err == nil {
		if err = cmd.Wait(); errors.Is(err, exec.ErrWaitDelay) {
			err = nil // it has ended well, and left something behind that holds its stdout
		}
		sweep(cmd)
	}
	var exit *exec.ExitError
	switch {
	case answer.over:
		return creds.Secret{}, errTooMuch
	case errors.As(err, &exit) && declined(exit.ExitCode(), said.text()):
		return creds.Secret{}, errDeclined
	case err != nil && strings.Contains(said.text(), "display"):
		return creds.Secret{}, fmt.Errorf("it cannot open the display: %v", err)
	case err != nil:
		return creds.Secret{}, err
	}
	line, more, _ := bytes.Cut(answer.buf[:answer.n], []byte("\n"))
	if len(more) > 0 {
		return creds.Secret{}, errTooMuch
	}
	return creds.NewSecret(string(line)), nil
}

// errTooMuch is about the program, not about the person: no window gives two lines.
var errTooMuch = errors.New("it printed more than an answer")

// command is one run of the program. The end of ctx closes its window.
func (d *Dialog) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.path, args...)
	cmd.Env = append([]string(nil), d.env...)
	cmd.WaitDelay = grace
	alone(cmd)
	return cmd
}

// bounded keeps the beginning of what a program prints.
type bounded struct {
	buf  [1024]byte
	n    int
	over bool
	full func() // called once there is more; may be nil
}

// Write takes everything, so that a program does not fail for the rest.
func (b *bounded) Write(p []byte) (int, error) {
	n := copy(b.buf[b.n:], p)
	b.n += n
	if n < len(p) && !b.over {
		b.over = true
		if b.full != nil {
			b.full()
		}
	}
	return len(p), nil
}

func (b *bounded) text() string { return string(b.buf[:b.n]) }

func (b *bounded) wipe() { clear(b.buf[:]) }
