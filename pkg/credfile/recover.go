package credfile

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Recover finishes what a killed mfad process left beside the two files: what
// another program wrote to a file at the moment in which mfad replaced it is
// merged, and copies, which hold secrets, go. Apply and ApplyConfig do the same
// for their file first; call Recover at a start, where it may be long until they
// are. It writes nothing, not even a folder, where nothing was left. What cannot
// be merged is told as a late write is, see [Files.Late]. A write that has not ended
// is waited for after Recover has returned, and at the next edits; Flush waits too.
// Errors are those of Apply.
func (f *Files) Recover(ctx context.Context) error {
	var failed []error
	for _, path := range []string{f.Credentials, f.Config} {
		failed = append(failed, f.recover(ctx, path))
	}
	return errors.Join(failed...)
}

func (f *Files) recover(ctx context.Context, path string) error {
	real, err := resolve(path)
	if err != nil {
		return broken("find", path, err)
	}
	if len(leftovers(real)) == 0 {
		return nil
	}
	unlock, err := lock(ctx, path, filepath.Dir(real))
	if err != nil {
		return err
	}
	defer unlock()
	return f.heal(ctx, path, real)
}

// leftovers lists the files of a process that was killed, which hold secrets.
// Under the lock none of them is in use.
func leftovers(real string) []string {
	var found []string
	for _, name := range beside(real) {
		if filepath.Ext(name) == tempSuffix || !secondOf(stem(name)).alive() {
			found = append(found, name)
		}
	}
	return found
}

func stem(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

// heal does away with the leftovers beside real, under the lock. A replaced file
// that still has a second name is merged first.
func (f *Files) heal(ctx context.Context, path, real string) error {
	for _, name := range leftovers(real) {
		if filepath.Ext(name) == tempSuffix {
			_ = os.Remove(name) // the next call tries again
			continue
		}
		if err := f.resume(ctx, path, real, secondOf(stem(name))); err != nil {
			return err
		}
	}
	return nil
}

// resume does what the process would have done that gave k to the file that it
// replaced by real.
func (f *Files) resume(ctx context.Context, path, real string, k *second) error {
	mine, err := k.claim()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.drop() // without a base nobody can tell what is new
		return nil
	case err != nil:
		return broken("lock", k.base, err)
	case !mine:
		return nil
	}
	s := &snapshot{path: path, real: real, second: k}
	if s.file, err = os.Open(k.old); errors.Is(err, fs.ErrNotExist) {
		k.drop()
		return nil
	}
	if err == nil {
		s.info, err = s.file.Stat()
	}
	if err == nil {
		s.data, err = os.ReadFile(k.base)
	}
	if err != nil {
		k.release()
		s.close()
		return broken("read", k.old, err)
	}
	late, err := readAll(s.file)
	if err != nil {
		k.release()
		s.close()
		return broken("read", k.old, err)
	}
	now, err := os.Stat(real)
	unchanged := bytes.Equal(late, s.data)
	switch {
	case err == nil && os.SameFile(now, s.info), unchanged && over(s):
		k.drop() // it was not replaced, or nobody can write to it any more
		s.close()
		return nil
	case !unchanged && f.ripe(s, s.data, late, time.Since(s.info.ModTime())):
		return f.follow(ctx, s, f.rewrite)
	}
	f.watch(s) // the edit at hand need not wait for the end of a write
	return nil
}

// MergeConfig takes over into the AWS config file what somebody changed from base
// to late in a copy of it, section by section. What changed in the file meanwhile
// stays, also where both changed the same key. It fails with a [creds.CodeConflict]
// where the copy, or the file, cannot be read by AWS's tools, and else as Apply
// does; then nothing is written.
func (f *Files) MergeConfig(ctx context.Context, base, late []byte) error {
	_, err := f.edit(ctx, f.Config, f.mergePlan(f.Config, base, late))
	if u, ok := errors.AsType[*unmergeable](err); ok {
		return u.error
	}
	return err
}

// mergePlan is the plan that takes over what changed from base to late in a file
// that was replaced.
func (f *Files) mergePlan(path string, base, late []byte) plan {
	read := f.reading(path)
	from, to := newDocument(path, base, read), newDocument(path, late, read)
	return func(d *document) ([]byte, error) {
		for _, side := range []*document{from, to} {
			if side.refused != nil {
				return nil, &unmergeable{side.refused}
			}
		}
		if d.refused != nil {
			return nil, d.refused
		}
		next := merge(from, to, d)
		if e := newDocument(path, next, read).refused; e != nil {
			return nil, &unmergeable{errors.New("the merged file could not be read")}
		}
		if bytes.Equal(next, d.Src) {
			return d.Src, nil
		}
		return next, nil
	}
}

// unmergeable says that trying again would not help.
type unmergeable struct{ error }

func (u *unmergeable) Unwrap() error { return u.error }
