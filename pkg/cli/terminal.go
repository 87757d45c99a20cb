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
	"unicode/utf8"

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
var errEOF = &creds.Error{Code: creds.CodeCancelled, Op: "no answer was given", Hint: "run it again"}

// line asks a question and reads one line, until ctx ends.
func (t *terminal) line(ctx context.Context, question string) (string, error) {
	if _, err := fmt.Fprint(t.file, question); err != nil {
		return "", err
	}
	if err := t.file.SetReadDeadline(time.Time{}); err != nil { // a system that cannot wait for its terminal
		return t.lineUninterrupted(ctx)
	}
	stop := context.AfterFunc(ctx, func() { _ = t.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := bufio.NewReader(t.file).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		flushInput(t.file)
		t.erase(question) // a question that is over leaves no trace
		return "", context.Cause(ctx)
	case errors.Is(err, io.EOF):
		fmt.Fprintln(t.file)
		return "", errEOF
	case err != nil:
		return "", err
	}
	return strings.TrimSpace(text), nil
}

// erase takes back a question behind which the cursor stands, and all of its lines
// where the terminal has broken it.
func (t *terminal) erase(question string) {
	up := 0
	if raw, err := t.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if columns, _, err := term.GetSize(int(fd)); err == nil && columns > 0 {
				up = (utf8.RuneCountInString(question) - 1) / columns
			}
		})
	}
	if up == 0 {
		fmt.Fprint(t.file, "\r\x1b[K")
		return
	}
	fmt.Fprintf(t.file, "\r\x1b[%dA\x1b[J", up)
}

// lineUninterrupted is line where a read, once begun, ends only with a line. It
// may then swallow one that was typed after ctx ended.
func (t *terminal) lineUninterrupted(ctx context.Context) (string, error) {
	text, err := readUnless(ctx, func() (string, error) { return bufio.NewReader(t.file).ReadString('\n') })
	if errors.Is(err, io.EOF) {
		return "", errEOF
	}
	return strings.TrimSpace(text), err
}

// secret asks a question and reads one line that is not shown, until ctx ends.
func (t *terminal) secret(ctx context.Context, question string) (creds.Secret, error) {
	if _, err := fmt.Fprint(t.file, question); err != nil {
		return creds.Secret{}, err
	}
	fd := int(t.file.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return creds.Secret{}, err
	}
	text, err := readUnless(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
	if ctx.Err() != nil {
		_ = term.Restore(fd, before) // the read goes on, and with it the silence
	}
	fmt.Fprintln(t.file)
	if errors.Is(err, io.EOF) {
		return creds.Secret{}, errEOF
	}
	return creds.NewSecret(strings.TrimSpace(text)), err
}

// readUnless reads what cannot be interrupted, unless ctx ends first.
func readUnless(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := read()
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		return a.text, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// stdinIsTerminal tells whether somebody types what stdin holds.
func (a *app) stdinIsTerminal() bool {
	in, ok := a.in.(*os.File)
	return ok && term.IsTerminal(int(in.Fd()))
}

// readStdin reads stdin to its end, or its first line, unless ctx ends first.
func (a *app) readStdin(ctx context.Context, all bool) (string, error) {
	const most = 64 << 10
	return readUnless(ctx, func() (string, error) {
		if all {
			b, err := io.ReadAll(io.LimitReader(a.in, most))
			return string(b), err
		}
		line, err := bufio.NewReader(io.LimitReader(a.in, most)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
}
