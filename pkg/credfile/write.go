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

	"github.com/gofrs/flock"

	"github.com/mfad/mfad/pkg/durable"
)

const (
	lockName    = ".mfad.lock"
	lockGap     = 5 * time.Millisecond
	maxAttempts = 100 // each is spoilt by another program's write
)

// plan gives the bytes that a file shall have, d.Src itself if it may stay. It is
// called again when the file changed meanwhile.
type plan func(d *document) ([]byte, error)

// edit brings the file at path to what p makes of it, and tells whether it was
// replaced.
func (f *Files) edit(ctx context.Context, path string, p plan) (bool, error) {
	began := time.Now()
	s, err := f.lookSince(ctx, path, began)
	if err != nil {
		return false, err
	}
	defer s.close()
	// Most calls change nothing. They need no lock and may find a folder that
	// cannot be written.
	first, err := f.attempt(s, p)
	if err != nil {
		return false, err
	}
	if first.settled() {
		if tidy(first) {
			return false, nil
		}
	} else if err := replaceable(path); err != nil {
		return false, err // before a lock, or a folder, is made in vain
	}
	unlock, err := lock(ctx, path, filepath.Dir(s.real))
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := f.heal(ctx, path, s.real); err != nil {
		return false, err
	}
	f.tightenFolder(filepath.Dir(s.real))
	return f.rewriteSince(ctx, path, p, began, first)
}

// rewrite is edit under the lock, beside a file that nobody left anything of.
func (f *Files) rewrite(ctx context.Context, path string, p plan) (bool, error) {
	return f.rewriteSince(ctx, path, p, time.Now(), nil)
}

// rewriteSince is rewrite by a caller that has been trying since began, and has
// the attempt last, if that is not nil.
func (f *Files) rewriteSince(ctx context.Context, path string, p plan, began time.Time, last *attempt) (bool, error) {
	for range maxAttempts {
		s, err := f.lookAgain(ctx, path, began, last)
		if err != nil {
			return false, err
		}
		if last == nil || !s.same(last.snapshot) { // to plan a large file takes long
			last, err = f.attempt(s, p)
		} else {
			last = &attempt{s, last.next}
		}
		if err != nil {
			s.close()
			return false, err
		}
		written, again, err := f.tryOnce(last)
		if err != nil || !again {
			return written, err
		}
	}
	return false, restless("write", path)
}

// lookAgain is lookSince by a caller that may have looked before.
func (f *Files) lookAgain(ctx context.Context, path string, began time.Time, last *attempt) (*snapshot, error) {
	if last != nil {
		if s := f.reopen(last.snapshot); s != nil {
			return s, nil
		}
	}
	return f.lookSince(ctx, path, began)
}

// attempt is what a file held, and shall hold.
type attempt struct {
	*snapshot
	next []byte
}

func (a *attempt) settled() bool { return bytes.Equal(a.next, a.data) }

// mine tells whether mfad will have anything in the file.
func (a *attempt) mine() bool {
	return bytes.Contains(a.next, []byte(keyProfile)) || bytes.Contains(a.next, []byte(keyAdded))
}

func (f *Files) attempt(s *snapshot, p plan) (*attempt, error) {
	next, err := p(newDocument(s.path, s.data, f.reading(s.path)))
	if err != nil {
		return nil, err
	}
	return &attempt{s, next}, nil
}

// tidy tells whether nothing is left to do beside a file that may stay as it is.
func tidy(a *attempt) bool {
	if a.info != nil && a.info.Mode().Perm()&^0o600 != 0 && enforcesModes && a.mine() {
		return false
	}
	return len(leftovers(a.real)) == 0
}

// tryOnce goes once from planning to renaming, under the lock, and closes the
// snapshot; again tells that the file changed on the way.
func (f *Files) tryOnce(a *attempt) (written, again bool, err error) {
	if a.settled() {
		defer a.close()
		if a.info != nil && a.mine() {
			// Only ever fewer rights; a file of somebody else's stays as it is.
			_ = a.file.Chmod(a.info.Mode().Perm() & 0o600)
		}
		return false, false, nil
	}
	if err := replaceable(a.path); err != nil {
		a.close()
		return false, false, err
	}
	replaced, err := f.replace(a.snapshot, a.next)
	if !replaced {
		a.close()
		return false, err == nil, err
	}
	f.remember(a.real, len(a.next))
	f.watch(a.snapshot) // closes it
	return true, false, err
}

// replace puts next in the place of s, unless the file is no longer what s saw.
// The second name of the old file is s.second then.
func (f *Files) replace(s *snapshot, next []byte) (replaced bool, err error) {
	temp, err := writeTemp(s.real, s.info, next)
	if err != nil {
		return false, irreplaceable("write a new", s.path, s.real, err)
	}
	if s.info != nil && keepsReplaced {
		if s.second, err = keepSecond(s.real, s.real, s.info, s.data); err != nil {
			return false, broken("keep the old", s.path, errors.Join(err, os.Remove(temp)))
		}
		defer func() {
			if !replaced {
				s.second.drop()
			}
		}()
	}
	if !s.unchanged() {
		return false, os.Remove(temp)
	}
	if s.info == nil {
		err = renameNew(temp, s.real)
	} else {
		releaseForRename(s)
		err = os.Rename(temp, s.real)
	}
	if err != nil {
		gone := os.Remove(temp)
		if errors.Is(err, fs.ErrExist) {
			return false, gone
		}
		return false, errors.Join(irreplaceable("replace", s.path, s.real, err), gone)
	}
	if s.second != nil {
		_ = s.file.Chmod(s.info.Mode().Perm() & 0o600) // nobody opens it any more
	}
	if err := durable.SyncFolder(filepath.Dir(s.real)); err != nil {
		return true, broken("sync the folder of", s.path, err)
	}
	return true, nil
}

// writeTemp writes data beside real, synced, with the rights and the group that
// go with old, nil if there is no file yet.
func writeTemp(real string, old fs.FileInfo, data []byte) (name string, err error) {
	dir, base := filepath.Split(real)
	file, err := os.CreateTemp(dir, tempPrefix(base)+"*"+tempSuffix) // O_EXCL, 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // the first error is the one to tell
		}
	}()
	mode := fs.FileMode(0o600)
	if old != nil {
		mode = old.Mode().Perm() & 0o600
	}
	err = inherit(file, real, old)
	if err == nil {
		_, err = file.Write(data)
	}
	err = errors.Join(err, file.Chmod(mode))
	if err == nil {
		err = file.Sync()
	}
	return file.Name(), errors.Join(err, file.Close())
}

// lock makes the folder if it has to, and waits for its other mfad processes.
func lock(ctx context.Context, path, dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, folderConflict(path, dir, err)
	}
	l := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lockGap); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, folderConflict(path, dir, err)
	}
	return func() { _ = l.Unlock() }, nil
}

// folderConflict tells a folder that does not take new files from a fault.
func folderConflict(path, dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) || readOnly(err) {
		return conflict(path, 0, "its folder cannot be written", "run: ls -ld "+dir+"; or set `write = process` for the profile")
	}
	return broken("lock the folder of", path, err)
}

// tightenFolder takes everybody else's rights from a folder that is AWS's own: it
// is called .aws, or holds nothing but AWS's two files and mfad's. A path may as
// well point into a folder that others need.
func (f *Files) tightenFolder(dir string) {
	info, err := os.Stat(dir)
	if err != nil || !enforcesModes || info.Mode().Perm()&0o077 == 0 || !f.ownFolder(dir) {
		return
	}
	_ = os.Chmod(dir, info.Mode().Perm()&0o700) // somebody else's folder stays as it is
}

func (f *Files) ownFolder(dir string) bool {
	if filepath.Base(dir) == ".aws" {
		return true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		switch n := e.Name(); {
		case n == filepath.Base(f.Credentials), n == filepath.Base(f.Config), strings.HasPrefix(n, ".mfad"):
		default:
			return false
		}
	}
	return true
}
