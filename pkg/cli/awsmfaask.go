package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mfad/mfad/pkg/awsmfa"
	"github.com/mfad/mfad/pkg/creds"
)

// ensureFile offers to create a credentials file that is not there.
func (r *awsMFARun) ensureFile(ctx context.Context) error {
	path := r.files.Credentials
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return nil
	}
	missing := &creds.Error{Code: creds.CodeConfig, Op: "Could not locate credentials file at " + path, Hint: "answer y, or run: mfad setup"}
	answer, err := r.input(ctx, missing.Op+", would you like to create one? [y/n]")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || !strings.EqualFold(answer, "y") {
		return missing
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return notCreated(path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return notCreated(path, err)
	}
	return f.Close()
}

func notCreated(path string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return &creds.Error{Code: creds.CodeConflict, Op: "Could not create credentials file at " + path, Err: err, Hint: "run: ls -ld " + filepath.Dir(path)}
}

// errNoAnswer is the end of stdin at a question.
var errNoAnswer error = &creds.Error{Code: creds.CodeCancelled, Op: "No answer was given", Hint: "run the command on a terminal, or give the answer on stdin"}

// input asks as Python's input does: the question on stdout, the answer from stdin.
func (r *awsMFARun) input(ctx context.Context, question string) (string, error) {
	fmt.Fprint(r.out, question)
	line, err := readUnless(ctx, func() (string, error) { return r.in.ReadString('\n') })
	if errors.Is(err, io.EOF) {
		if line == "" {
			fmt.Fprintln(r.out) // below the question
			return "", errNoAnswer
		}
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

// setup asks for a long-term key and writes its section.
func (r *awsMFARun) setup(ctx context.Context, file awsmfa.File) error {
	name, err := r.input(ctx, "Profile name to [default]: ")
	if err != nil {
		return err
	}
	section := orElse(name, "default") + "-long-term"
	if file.Has(section) {
		return &creds.Error{Code: creds.CodeConflict, Op: "Section '" + section + "' already exists", Hint: "choose another name, or delete the section"}
	}
	var parts [2]creds.Secret
	for i, key := range []string{"aws_access_key_id", "aws_secret_access_key"} {
		if parts[i], err = r.hidden(ctx, key+": "); err != nil {
			return err
		}
		if parts[i].IsZero() {
			return &creds.Error{Code: creds.CodeUsage, Op: "You must supply " + key}
		}
	}
	key := creds.Credentials{AccessKeyID: parts[0].Reveal(), SecretAccessKey: parts[1]}
	if err := r.files.AddKey(ctx, section, key); err != nil {
		return err
	}
	r.flush(ctx)
	return nil
}

// hidden asks on the terminal without showing the answer; without one, on stderr
// and stdin.
func (r *awsMFARun) hidden(ctx context.Context, question string) (creds.Secret, error) {
	if t, err := openTerminal(); err == nil {
		defer t.close()
		if foreground(t.file) {
			s, err := t.secret(ctx, question)
			if errors.Is(err, errEOF) {
				err = errNoAnswer
			}
			return s, err
		}
	}
	fmt.Fprint(r.err, question)
	line, err := readUnless(ctx, func() (string, error) { return r.in.ReadString('\n') })
	if errors.Is(err, io.EOF) {
		if err = nil; line == "" {
			err = errNoAnswer
		}
	}
	return creds.NewSecret(strings.TrimSpace(line)), err
}
