package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/mfad/mfad/pkg/creds"
)

// terminal is the person's terminal, whatever stdin and stdout are.
type terminal struct{ file *os.File }

// openTerminal opens it; an error means that there is none.
func openTerminal() (*terminal, error) {
	f, err := os.OpenFile(ttyPath, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &terminal{f}, nil
}

func (t *terminal) close() { _ = t.file.Close() }

// canAskHere tells whether a person could be asked on this process's terminal now.
func canAskHere() bool {
	t, err := openTerminal()
	if err != nil {
		return false
	}
	defer t.close()
	return foreground(t.file)
}

// errEOF is what Ctrl-D at a question gives.
var errEOF = &creds.Error{Code: creds.CodeCancelled, Op: "no answer was given"}

// line asks a question and reads one line, until ctx ends.
func (t *terminal) line(ctx context.Context, question string) (string, error) {
	if _, err := fmt.Fprint(t.file, question); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = t.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := bufio.NewReader(t.file).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		flushInput(t.file)
		fmt.Fprint(t.file, "\r\x1b[K") // a question that is over leaves no trace
		return "", context.Cause(ctx)
	case errors.Is(err, io.EOF):
		fmt.Fprintln(t.file)
		return "", errEOF
	case err != nil:
		return "", err
	}
	return strings.TrimSpace(text), nil
}

// secret asks a question and reads one line that is not shown.
func (t *terminal) secret(question string) (creds.Secret, error) {
	if _, err := fmt.Fprint(t.file, question); err != nil {
		return creds.Secret{}, err
	}
	b, err := term.ReadPassword(int(t.file.Fd()))
	fmt.Fprintln(t.file)
	if errors.Is(err, io.EOF) {
		return creds.Secret{}, errEOF
	}
	return creds.NewSecret(strings.TrimSpace(string(b))), err
}
