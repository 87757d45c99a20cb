package credfile

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// How long a replaced file is looked at. A program that had it open before the
// rename writes to it after, where nobody would ever read it.
const (
	lateGap   = 6 * time.Millisecond
	lateSlow  = 50 * time.Millisecond  // when nothing happens
	lateQuiet = 100 * time.Millisecond // after the rename, or the last change
	lateGone  = 250 * time.Millisecond // before a deletion is believed where the system does not tell who writes
	lateGive  = 2 * time.Second        // then a write that goes on is left to a later edit
	lateMerge = 10 * time.Second       // for taking over what was written
	lateStale = time.Minute            // after a process was killed: nobody goes on writing
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

// fail tells a failure: at once, and the first one by Flush too.
func (f *Files) fail(err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	if f.failed == nil {
		f.failed = err
	}
	f.mu.Unlock()
	if f.Late != nil {
		f.Late(err)
	}
}

// editor is a way to change a file: edit, or rewrite under the lock.
type editor func(ctx context.Context, path string, p plan) (bool, error)

// follow merges what is written to the replaced file s into the one that took
// its place, and ends s and its second name. The second name stays for a later
// edit where that could do better: what failed may work then, and a write that has
// not ended may have. The error is that of a merge; what cannot be merged, or not
// yet, is told by fail.
func (f *Files) follow(ctx context.Context, s *snapshot, by editor) error {
	defer s.close()
	err := f.observe(ctx, s, by)
	if err == nil {
		s.second.drop()
		return nil
	}
	if _, hopeless := errors.AsType[*unmergeable](err); hopeless {
		s.second.drop()
		f.fail(err)
		return nil
	}
	s.second.release()
	if waiting, ok := errors.AsType[*unfinished](err); ok {
		if waiting.error != nil && f.firstWait(s) {
			f.fail(waiting.error)
		}
		return nil
	}
	return err
}

// firstWait tells whether nobody was told yet that s is still being written.
func (f *Files) firstWait(s *snapshot) bool {
	if s.second == nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waited == nil {
		f.waited = map[string]bool{}
	}
	told := f.waited[s.second.old]
	f.waited[s.second.old] = true
	return !told
}

// observe is follow without the end.
func (f *Files) observe(ctx context.Context, s *snapshot, by editor) error {
	began := time.Now()
	changed := began
	base, last := s.data, s.data
	for {
		gap := lateGap
		if time.Since(changed) > lateGone {
			gap = lateSlow
		}
		if err := pause(ctx, gap); err != nil {
			return err
		}
		steady := holds(s.file, last)
		if !steady {
			var err error
			if last, err = readAll(s.file); err != nil {
				return broken("read the replaced", s.path, err)
			}
		}
		now := last
		switch still := time.Since(changed); {
		case !steady:
			changed = time.Now() // in the middle of a write
		case bytes.Equal(now, base):
			if still > lateQuiet && !beingWritten(s) {
				return nil
			}
		case f.ripe(s, base, now, still):
			if err := f.takeOver(ctx, s, base, now, by); err != nil {
				return err
			}
			s.second = s.second.renew(s.real, s.info, now)
			base, changed = now, time.Now()
		case still > lateQuiet && over(s):
			return partial(s)
		}
		if age := time.Since(began); age > lateGive && steady || age > lateMerge {
			return unended(s, base, now)
		}
	}
}

// ripe tells whether late, which has been still for so long, may be merged. What
// it adds and changes may be as soon as it is not cut off. What it lacks may be yet
// to be written, and counts as deleted only once nobody writes any more.
func (f *Files) ripe(s *snapshot, base, late []byte, still time.Duration) bool {
	if cutOff(base, late) {
		return false
	}
	if newDocument(s.path, late, f.reading(s.path)).refused == nil && !loses(base, late) {
		return true
	}
	if open, known := openForWriting(s.file); known {
		return !open
	}
	return still >= lateGone
}

func beingWritten(s *snapshot) bool {
	open, _ := openForWriting(s.file)
	return open
}

// over tells whether certainly nobody can write to s any more.
func over(s *snapshot) bool {
	open, known := openForWriting(s.file)
	return known && !open
}

// unended is how a watch ends that saw no end: base is what was merged last.
func unended(s *snapshot, base, now []byte) error {
	if bytes.Equal(now, base) {
		if beingWritten(s) {
			return &unfinished{} // it may never write
		}
		return nil
	}
	if over(s) || !s.writtenSince(lateStale) {
		return partial(s)
	}
	return &unfinished{&creds.Error{
		Code: creds.CodeTimeout,
		Op:   "merge into " + s.path + " what another program wrote at the same time: it has not finished",
		Hint: "let that program end, or find it, for example with: lsof +D " + filepath.Dir(s.path),
	}}
}

// partial says that a program ended in the middle of its write. What is missing
// may be deleted or not have been written, and the file that everybody sees is
// whole, so nothing of it is taken over.
func partial(s *snapshot) error {
	return &unmergeable{&creds.Error{
		Code: creds.CodeConflict,
		Op:   "merge into " + s.path + " what another program wrote at the same time: the end of it is missing",
		Hint: "repeat what that program did",
	}}
}

// writtenSince tells whether s was written less than d ago.
func (s *snapshot) writtenSince(d time.Duration) bool {
	info, err := s.file.Stat()
	return err != nil || time.Since(info.ModTime()).Abs() < d
}

// unfinished says that a later edit may find the end of the write; without an
// error nothing was written yet.
type unfinished struct{ error }

func (u *unfinished) Error() string { return "another program has not finished writing" }

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
