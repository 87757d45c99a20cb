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
		err := f.follow(s)
		s.close()
		f.mu.Lock()
		delete(f.watches, done)
		if f.failed == nil {
			f.failed = err
		}
		f.mu.Unlock()
		close(done)
	}()
}

// follow merges what is written to the replaced file s into the one that took
// its place.
func (f *Files) follow(s *snapshot) error {
	began := time.Now()
	changed := began
	base, last := s.data, s.data
	for {
		time.Sleep(lateGap)
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
			if err := f.takeOver(s, base, now); err != nil {
				return err
			}
			base, changed = now, time.Now()
		}
		if time.Since(began) > lateGive {
			return nil
		}
	}
}

// takeOver applies to the file what another program changed from base to late in
// the one that it replaced.
func (f *Files) takeOver(s *snapshot, base, late []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), lateMerge)
	defer cancel()
	read := f.reading(s.path)
	from, to := newDocument(s.path, base, read), newDocument(s.path, late, read)
	_, err := f.edit(ctx, s.path, func(d *document) ([]byte, error) {
		for _, side := range []*document{from, to, d} {
			if side.refused != nil {
				return nil, side.refused
			}
		}
		next := merge(from, to, d)
		if e := newDocument(s.path, next, read).refused; e != nil {
			return nil, errors.New("the merged file could not be read")
		}
		return next, nil
	})
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
