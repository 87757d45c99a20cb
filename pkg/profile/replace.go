package profile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/durable"
)

// edit replaces a config by a changed one, or leaves it as it is.
type edit struct {
	op     string // for errors
	path   string
	opts   Options
	change func(old []byte) ([]byte, error)
	verify func(data []byte) error // after it was found to load
}

// tries is how often an edit starts again because another program wrote too.
const tries = 5

func (e *edit) run() error {
	target, err := e.target()
	if err != nil {
		return err
	}
	dir := filepath.Dir(target)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return e.stuck(dir, err)
	}
	if b, ok := errors.AsType[*bad](checkWriters(dir, true)); ok {
		return e.fail(creds.CodeConfig, b.hint, "%s", b.msg)
	}
	unlock := lockFolder(dir)
	defer unlock()
	for range tries {
		done, err := e.once(target)
		if done || err != nil {
			return err
		}
	}
	return e.fail(creds.CodeConfig, "try again when nothing else writes it", "%s keeps changing", target)
}

// target is the file behind a symlink, which stays one.
func (e *edit) target() (string, error) {
	target, err := filepath.EvalSymlinks(e.path)
	if err == nil {
		if info, err := os.Stat(target); err != nil || !info.Mode().IsRegular() {
			return "", e.fail(creds.CodeConfig, "name a file with --config", "%s is not a regular file", target)
		}
		return target, nil
	}
	if _, linkErr := os.Lstat(e.path); linkErr == nil || !errors.Is(err, fs.ErrNotExist) {
		return "", e.stuck(e.path, err)
	}
	return e.path, nil
}

// plan gives what the file holds and what it shall hold, which loads.
func (e *edit) plan() (old, data []byte, existed bool, err error) {
	l := &loader{opts: e.opts}
	old, existed = l.file(e.path)
	if err := l.err(nil); err != nil {
		return nil, nil, false, e.refused(err)
	}
	if data, err = e.change(old); err != nil {
		return nil, nil, false, err
	}
	if _, err := l.load(e.path, data); err != nil {
		return nil, nil, false, e.refused(err)
	}
	return old, data, existed, e.verify(data)
}

// once gives false where the file was changed by another program meanwhile.
func (e *edit) once(target string) (done bool, err error) {
	old, data, existed, err := e.plan()
	if err != nil {
		return false, err
	}
	temp, err := writeTemp(target, data)
	if err != nil {
		return false, e.stuck(target, err)
	}
	now, err := os.ReadFile(target)
	if exists := err == nil; exists != existed || !bytes.Equal(now, old) {
		return false, os.Remove(temp)
	}
	if err := os.Rename(temp, target); err != nil {
		_ = os.Remove(temp)
		return false, e.stuck(target, err)
	}
	if err := durable.SyncFolder(filepath.Dir(target)); err != nil {
		return true, e.stuck(target, err)
	}
	return true, nil
}

// writeTemp puts data, safe on disk, beside target.
func writeTemp(target string, data []byte) (name string, err error) {
	// CreateTemp makes the file 0600.
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// refused says that the config would not load; the list stays reachable.
func (e *edit) refused(err error) error {
	return &creds.Error{Code: creds.CodeConfig, Op: e.op, Hint: creds.HintOf(err), Err: err}
}

func (e *edit) stuck(path string, err error) error {
	return &creds.Error{
		Code: creds.CodeConfig, Op: e.op,
		Hint: "make " + shellWord(path) + " writable, or make the change where the file comes from",
		Err:  err,
	}
}
