package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// steps carries out what is decided, a told step at a time, or only tells it.
type steps struct{ Options }

func (s steps) tell(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// command runs a program that changes something.
func (s steps) command(ctx context.Context, name string, args ...string) error {
	s.tell("run %s", commandLine(name, args))
	if s.DryRun {
		return nil
	}
	_, err := s.ask(ctx, name, args...)
	return err
}

// ask runs a program that only tells something, also where nothing is to be done.
func (s steps) ask(ctx context.Context, name string, args ...string) (string, error) {
	if s.Run != nil {
		return s.Run(ctx, name, args...)
	}
	return run(ctx, name, args...)
}

// standing is what is at a path that mfad writes.
type standing int

const (
	absent standing = iota
	ours            // as mfad wrote it, in this version or another
	theirs          // somebody else wrote or changed it
)

// look tells what is at path. A link into nowhere is nothing; one to /dev/null,
// which is how systemd's units are masked, is somebody's.
func look(path string) (standing, []byte, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return absent, nil, nil
	case err != nil:
		return absent, nil, failed("read "+path, err)
	case genuine(text):
		return ours, text, nil
	}
	return theirs, text, nil
}

// write brings a file of mfad's up to date. What somebody else wrote or changed is
// shown and left alone, unless forced: [creds.CodeConflict].
func (s steps) write(path string, text []byte) (changed bool, err error) {
	there, old, err := look(path)
	if err != nil {
		return false, err
	}
	if bytes.Equal(old, text) {
		s.tell("%s is up to date", path)
		return false, nil
	}
	if there == theirs && !s.Force {
		s.show(path, old, text)
		return false, &creds.Error{Code: creds.CodeConflict, Op: path + " was not written by mfad, or was changed since",
			Hint: "move your changes into a drop-in (systemctl --user edit mfad.service), then run: mfad service install --force"}
	}
	s.tell("write %s", path)
	if there == theirs || s.DryRun {
		s.show(path, old, text)
	}
	if s.DryRun {
		return true, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // as systemctl makes it
		return false, failed("make "+filepath.Dir(path), err)
	}
	return true, replace(path, text)
}

// show tells what would become of a file.
func (s steps) show(path string, old, text []byte) {
	if s.Diff != nil {
		fmt.Fprint(s.Out, s.Diff(path, old, text))
	}
}

// replace writes a file whole: a service manager may be reading it.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".mfad-*")
	if err != nil {
		return failed("write "+path, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return failed("write "+path, err)
	}
	return nil
}

// remove takes a file of mfad's away, and the folder if nothing else is in it. What
// somebody else wrote or changed stays, unless forced, and is told.
func (s steps) remove(path string) (removed bool, err error) {
	there, _, err := look(path)
	if err != nil || there == absent {
		return false, err
	}
	if there == theirs && !s.Force {
		s.tell("leave %s, which was not written by mfad or was changed since (--force removes it)", path)
		return false, nil
	}
	s.tell("remove %s", path)
	if s.DryRun {
		return true, nil
	}
	if err := os.Remove(path); err != nil {
		return false, failed("remove "+path, err)
	}
	_ = os.Remove(filepath.Dir(path)) // where it is empty
	return true, nil
}

// yield ends a daemon that is not the service's.
func (s steps) yield(ctx context.Context) error {
	if s.Yield == nil {
		return nil
	}
	return s.Yield(ctx)
}

func failed(op string, err error) error {
	hint := "see whether the folder is yours and has room"
	if errors.Is(err, fs.ErrPermission) {
		hint = "see whether the folder is yours: ls -ld " + strings.TrimPrefix(filepath.Dir(op[strings.LastIndex(op, " ")+1:]), " ")
	}
	return &creds.Error{Code: creds.CodeInternal, Op: op, Hint: hint, Err: err}
}

// notInstalled is the error of what needs a service.
func notInstalled() error {
	return &creds.Error{Code: creds.CodeUsage, Op: "no service is installed", Hint: "run: mfad service install"}
}
