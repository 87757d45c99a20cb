package credfile

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// How long a replaced file is looked at. A program that had it open before the
// rename writes to it after, where nobody would ever read it.
const (
	lateGap   = 6 * time.Millisecond
	lateQuiet = 100 * time.Millisecond // after the rename, or the last change
	lateGive  = 2 * time.Second        // a program that truncated it and never wrote
	lateMerge = 10 * time.Second       // for taking over what it wrote
)

// watch looks at the file that s held and that has just been replaced, on a
// goroutine of its own that Flush waits for, and closes it in the end.
func (f *Files) watch(s *snapshot) {
	if s.file == nil || !keepsReplaced {
		s.close()
		return
	}
	done := make(chan struct{})
	f.mu.Lock()
	if f.watches == nil {
		f.watches = map[chan struct{}]struct{}{}
	}
	f.watches[done] = struct{}{}
	f.mu.Unlock()
	go func() {
		err := f.follow(context.Background(), s, f.edit)
		f.fail(err)
		f.mu.Lock()
		delete(f.watches, done)
		f.mu.Unlock()
		close(done)
	}()
}

// fail notes for Flush the first failure.
func (f *Files) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
}

// editor is a way to change a file: edit, or rewrite under the lock.
type editor func(ctx context.Context, path string, p plan) (bool, error)

// follow merges what is written to the replaced file s into the one that took
// its place, and ends s and its second name. If it fails the second name stays
// for a later edit, unless that could not do better either: then it is noted for
// Flush.
func (f *Files) follow(ctx context.Context, s *snapshot, by editor) error {
	defer s.close()
	err := f.observe(ctx, s, by)
	switch _, hopeless := errors.AsType[*unmergeable](err); {
	case err == nil:
		s.second.drop()
	case hopeless:
		s.second.drop()
		f.fail(err)
		err = nil
	default:
		s.second.release()
	}
	return err
}

// observe is follow without the end.
func (f *Files) observe(ctx context.Context, s *snapshot, by editor) error {
	began := time.Now()
	changed := began
	base, last := s.data, s.data
	for {
		if err := pause(ctx, lateGap); err != nil {
			return err
		}
		now, err := readAll(s.file)
		if err != nil {
			return broken("read the replaced", s.path, err)
		}
		steady := bytes.Equal(now, last)
		last = now
		switch {
		case !steady:
			changed = time.Now() // in the middle of a write
		case bytes.Equal(now, base):
			if time.Since(changed) > lateQuiet {
				return nil
			}
		case len(now) > 0:
			if err := f.takeOver(ctx, s, base, now, by); err != nil {
				return err
			}
			s.second = s.second.renew(s.real, s.info, now)
			base, changed = now, time.Now()
		}
		if age := time.Since(began); age > lateGive && steady || age > lateMerge {
			return nil
		}
	}
}

// takeOver applies to the file what another program changed from base to late in
// the one that it replaced.
func (f *Files) takeOver(ctx context.Context, s *snapshot, base, late []byte, by editor) error {
	ctx, cancel := context.WithTimeout(ctx, lateMerge)
	defer cancel()
	_, err := by(ctx, s.path, f.mergePlan(s.path, base, late))
	if err == nil {
		return nil
	}
	return &creds.Error{
		Code: creds.CodeOf(err),
		Op:   "merge into " + s.path + " what another program wrote at the same time",
		Hint: "repeat what that program did",
		Err:  err,
	}
}
