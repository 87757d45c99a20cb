package credfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// How long a file must hold still before what it says is believed. The AWS CLI
// truncates it and writes it anew: a reader in between sees nothing, or half.
const (
	stillGap   = 5 * time.Millisecond   // between two looks
	stillFresh = 25 * time.Millisecond  // after a write less than this ago
	stillGone  = 250 * time.Millisecond // if the file is suddenly empty, missing or much shorter
	stillGive  = 5 * time.Second        // then mfad gives up
	stillLong  = 3 * time.Second        // at rest, by the file's own time of change: some file systems keep it to 2 s only
)

// snapshot is what a path held while nobody was writing to it.
type snapshot struct {
	path string // as the user names it
	real string // where its symbolic links lead
	file *os.File
	info fs.FileInfo // nil if there is no file
	data []byte

	second *second // once it is being replaced; nil where there is none
}

func (s *snapshot) close() {
	if s.file != nil {
		_ = s.file.Close() // it was only read
	}
}

// same tells whether two looks saw the same file with the same content.
func (s *snapshot) same(o *snapshot) bool {
	if s.real != o.real || (s.info == nil) != (o.info == nil) {
		return false
	}
	return s.info == nil || os.SameFile(s.info, o.info) && bytes.Equal(s.data, o.data)
}

// lookOnce reads the file as it is at this moment.
func lookOnce(path string) (*snapshot, error) {
	real, err := resolve(path)
	if err != nil {
		return nil, broken("find", path, err)
	}
	s := &snapshot{path: path, real: real}
	// Opening a named pipe would wait for a writer, so look before.
	info, err := os.Stat(real)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		return nil, conflict(path, 0, "not a file that can be replaced", "name another file with AWS_SHARED_CREDENTIALS_FILE or AWS_CONFIG_FILE")
	}
	if err == nil {
		s.file, err = os.Open(real)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, conflict(path, 0, "mfad may not read it", "run: ls -l "+real)
	}
	if err != nil {
		return nil, broken("open", path, err)
	}
	if s.info, err = s.file.Stat(); err == nil {
		s.data, err = readAll(s.file)
	}
	if err != nil {
		s.close()
		return nil, broken("read", path, err)
	}
	return s, nil
}

// readAll reads an open file from its start, wherever its offset stands.
func readAll(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	_, err = b.ReadFrom(io.NewSectionReader(file, 0, 1<<40))
	return b.Bytes(), err
}

// look reads the file once it holds still. The caller closes the snapshot.
func (f *Files) look(ctx context.Context, path string) (*snapshot, error) {
	began := time.Now()
	since := began
	last, err := lookOnce(path)
	if err != nil {
		return nil, err
	}
	if f.rested(last) {
		f.remember(last.real, len(last.data))
		return last, nil
	}
	for {
		need := f.patience(last)
		if err := pause(ctx, stillGap); err != nil {
			last.close()
			return nil, err
		}
		next, err := lookOnce(path)
		if err != nil {
			last.close()
			return nil, err
		}
		same := next.same(last)
		last.close()
		last = next
		switch {
		case !same:
			since = time.Now()
		case time.Since(since) >= need:
			f.remember(last.real, len(last.data))
			return last, nil
		}
		if time.Since(began) > stillGive {
			last.close()
			return nil, &creds.Error{
				Code: creds.CodeTimeout,
				Op:   "read " + path + ": another program keeps writing to it",
				Hint: "find out which one, for example with: lsof " + path,
			}
		}
	}
}

// rested tells whether s has not been written for long, by its time of change
// before and after it was read: watching it would tell nothing new.
func (f *Files) rested(s *snapshot) bool {
	if s.info == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.seen[s.real] == 0 // it was not there, or empty, before either
	}
	after, err := s.file.Stat()
	return err == nil && after.ModTime().Equal(s.info.ModTime()) && after.Size() == int64(len(s.data)) &&
		time.Since(after.ModTime()) > stillLong
}

// patience is how long s must stay as it is to be believed. An emptied file is
// more often one that is being written than one that the user emptied.
func (f *Files) patience(s *snapshot) time.Duration {
	f.mu.Lock()
	was := f.seen[s.real]
	f.mu.Unlock()
	switch {
	case s.info != nil && len(s.data) == 0 && time.Since(s.info.ModTime()).Abs() < stillGone, len(s.data) < was/2:
		return stillGone
	case s.info != nil && time.Since(s.info.ModTime()).Abs() < stillFresh:
		return stillFresh
	}
	return stillGap
}

func (f *Files) remember(real string, size int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[string]int{}
	}
	f.seen[real] = size
}

// pause waits for d, or for the end of ctx and gives its error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reading gives the way in which tools name the sections of path.
func (f *Files) reading(path string) reading {
	if path == f.Config {
		return readConfig
	}
	return readCredentials
}

// peek reads a file that is not going to be changed.
func (f *Files) peek(ctx context.Context, path string) (*document, error) {
	s, err := f.look(ctx, path)
	if err != nil {
		return nil, err
	}
	s.close()
	return newDocument(path, s.data, f.reading(path)), nil
}

// peekChecked is peek, where a file that botocore refuses is an error too.
func (f *Files) peekChecked(ctx context.Context, path string) (*document, error) {
	d, err := f.peek(ctx, path)
	if err != nil {
		return nil, err
	}
	return d, asError(d.refused)
}

// maxLinks is how many symbolic links are followed, as many as Linux does.
const maxLinks = 40

// resolve follows path's symbolic links to the file that they lead to, which need
// not exist, nor its folder.
func resolve(path string) (string, error) {
	for range maxLinks {
		real, err := filepath.EvalSymlinks(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return real, err
		}
		target, err := os.Readlink(path)
		if err != nil { // nothing there, so no link either
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				dir = filepath.Dir(path)
			}
			return filepath.Join(dir, filepath.Base(path)), nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", errors.New("too many symbolic links")
}
