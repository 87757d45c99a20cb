package credfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
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

	// A program that hardly pauses between its writes never lets the file rest for
	// stillFresh. After a while of that a shorter rest will do, of a file that is
	// not cut off: the look before the rename and the one at the replaced file keep
	// what is written meanwhile.
	hurryAfter = 200 * time.Millisecond
	hurryGap   = time.Millisecond
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
		return nil, unreachable(path, err)
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

// holds tells whether the open file has exactly this content, without keeping it.
func holds(file *os.File, data []byte) bool {
	var part [32 << 10]byte
	for off := 0; ; {
		n, err := file.ReadAt(part[:], int64(off))
		if n > len(data)-off || !bytes.Equal(part[:n], data[off:off+n]) {
			return false
		}
		off += n
		if err != nil {
			return errors.Is(err, io.EOF) && off == len(data)
		}
	}
}

// reopen gives the snapshot again if the file has long been at rest and is what it
// was: that takes less than to look anew. Nil means to look.
func (f *Files) reopen(s *snapshot) *snapshot {
	if s.info == nil || !s.current() {
		return nil
	}
	again := *s
	var err error
	if again.file, err = os.Open(s.real); err != nil {
		return nil
	}
	if again.info, err = again.file.Stat(); err != nil || !os.SameFile(again.info, s.info) || !holds(again.file, s.data) || !f.rested(&again) {
		again.close()
		return nil
	}
	return &again
}

// current tells whether the path still leads to the file that s has open. What the
// file holds is another question.
func (s *snapshot) current() bool {
	real, err := resolve(s.path)
	if err != nil || real != s.real {
		return false
	}
	info, err := os.Stat(real)
	return err == nil && os.SameFile(info, s.info)
}

// unchanged tells whether the file is what s saw, at this moment.
func (s *snapshot) unchanged() bool {
	if s.info != nil {
		return s.current() && holds(s.file, s.data)
	}
	now, err := lookOnce(s.path)
	if err != nil {
		return false // the next look tells
	}
	defer now.close()
	return now.same(s)
}

// look reads the file once it holds still. The caller closes the snapshot.
func (f *Files) look(ctx context.Context, path string) (*snapshot, error) {
	return f.lookSince(ctx, path, time.Now())
}

// lookSince is look by a caller that has been trying since then.
func (f *Files) lookSince(ctx context.Context, path string, trying time.Time) (*snapshot, error) {
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
	whole := last.data // as last seen without a cut
	for {
		need, gap := f.patience(last), stillGap
		if time.Since(trying) > hurryAfter {
			gap = hurryGap
			if need <= stillFresh && len(last.data) > 0 && !cutOff(whole, last.data) {
				need = hurryGap
			}
		}
		if err := pause(ctx, gap); err != nil {
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
		if !same {
			since = time.Now()
			if !cutOff(whole, last.data) {
				whole = last.data
			}
		} else if time.Since(since) >= stillGap {
			whole = last.data
		}
		if same && time.Since(since) >= need {
			f.remember(last.real, len(last.data))
			return last, nil
		}
		if time.Since(began) > stillGive {
			last.close()
			return nil, restless("read", path)
		}
	}
}

// restless says that mfad gave up waiting for another program.
func restless(op, path string) error {
	return &creds.Error{
		Code: creds.CodeTimeout,
		Op:   op + " " + path + ": another program keeps writing to it",
		Hint: "find out which one, for example with: lsof " + path,
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
