package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

const (
	defaultMax = 4 << 20 // bytes
	keep       = 4       // rotated files
)

// Log appends records to a file, 0600, in a folder that is there. Set the fields
// before the first Append. It is safe for concurrent use within one process;
// one process at a time appends to a file, such as the holder of the daemon's
// lock.
//
// A record is written with one write(2) and is not flushed to the disk: a kill
// of the process loses nothing that Append took, a power cut may lose the last
// seconds. Flushing each line would have every hand-out wait for the disk, some
// milliseconds where the rest takes microseconds, and CloudTrail has AWS's own
// record of the calls.
//
// A nil Log keeps nothing.
type Log struct {
	Path string
	Max  int64 // bytes from which a new file is begun; zero means 4 MiB

	mu      sync.Mutex  // guards what follows
	file    *os.File    // nil: not open
	opened  os.FileInfo // of file
	size    int64       // of file, after the last write of ours
	torn    bool        // file does not end with a line's end
	failing bool        // the last Append had an error
	lost    int         // records not written
	cause   error       // why the last of them was not
}

// Append adds r as one line, after repairs: a file that was removed or replaced
// is made again, half a line that a kill or a full disk left is ended, and a
// file that would grow over Max is rotated.
//
// An error ([creds.CodeInternal]) is for the caller's log; nothing else depends
// on it. Of failures in a row the first is returned and the others are counted:
// they become a record of their own, [Lost], as soon as one can be written.
func (l *Log) Append(r Record) error {
	if l == nil {
		return nil
	}
	now := time.Now()
	line := r.line(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 {
		if written, _ := l.writeLocked(l.lossLocked(now)); written {
			l.lost = 0
		}
	}
	written, err := l.writeLocked(line)
	if !written {
		l.lost++
		l.cause = err
	}
	again := l.failing
	l.failing = err != nil
	if err == nil || again {
		return nil
	}
	return failure(err)
}

// lossLocked is the line that stands for those that are missing.
func (l *Log) lossLocked(now time.Time) []byte {
	records := "1 record was"
	if l.lost > 1 {
		records = strconv.Itoa(l.lost) + " records were"
	}
	r := Record{Action: Lost, Outcome: string(creds.CodeInternal), Message: fmt.Sprintf("%s not written before this: %v", records, l.cause)}
	return r.line(now)
}

// Close closes the file. An Append that comes later opens it again.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closeLocked()
}

func (l *Log) closeLocked() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// writeLocked writes a line to the right file. A line can be written and an
// error be told all the same: the rotation failed.
func (l *Log) writeLocked(line []byte) (written bool, err error) {
	if err := l.openLocked(); err != nil {
		return false, err
	}
	if limit := l.maxSize(); l.size > 0 && l.size+int64(len(line)) > limit {
		err = l.rotateLocked()
		if e := l.openLocked(); e != nil {
			return false, errors.Join(err, e)
		}
	}
	if l.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, e := l.file.Write(line)
	l.size += int64(n)
	if n > 0 {
		l.torn = n < len(line)
	}
	return e == nil, errors.Join(err, e)
}

func (l *Log) maxSize() int64 {
	if l.Max > 0 {
		return l.Max
	}
	return defaultMax
}

// openLocked has file be the one at Path, and size and torn be true of it.
func (l *Log) openLocked() error {
	now, err := os.Lstat(l.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if l.file != nil && err == nil && os.SameFile(now, l.opened) {
		if now.Size() == l.size {
			return nil
		}
		return l.measureLocked(now.Size()) // somebody else cut it, or wrote
	}
	_ = l.closeLocked() // nothing is buffered
	file, info, err := open(l.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	l.file, l.opened = file, info
	if info.Mode().Perm()&0o077 != 0 {
		if err := file.Chmod(0o600); err != nil {
			return errors.Join(err, l.closeLocked())
		}
	}
	if err := l.measureLocked(info.Size()); err != nil {
		return errors.Join(err, l.closeLocked())
	}
	return nil
}

// measureLocked looks how the file ends.
func (l *Log) measureLocked(size int64) error {
	l.size, l.torn = size, false
	if size == 0 {
		return nil
	}
	var last [1]byte
	if _, err := l.file.ReadAt(last[:], size-1); err != nil {
		return err
	}
	l.torn = last[0] != '\n'
	return nil
}

// open opens a file of the log, never what a link points to.
func open(path string, flags int) (*os.File, os.FileInfo, error) {
	// Opening a pipe would wait for its other end.
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, nil, &foreignError{path}
	}
	file, err := os.OpenFile(path, flags|noFollow, 0o600)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &foreignError{path}
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// foreignError tells of something at a file's path that mfad did not put there.
type foreignError struct{ path string }

// Error names the path.
func (e *foreignError) Error() string { return e.path + " is a link, or no file at all" }

func failure(err error) error {
	e := &creds.Error{Code: creds.CodeInternal, Op: "write the audit log", Err: err}
	if foreign, ok := errors.AsType[*foreignError](err); ok {
		e.Hint = "look at it, then remove it: " + foreign.path
	} else if errors.Is(err, syscall.ENOSPC) {
		e.Hint = "make room on the disk"
	}
	return e
}
