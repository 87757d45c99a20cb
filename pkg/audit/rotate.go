package audit

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
)

// slot gives the path of the n-th file: the log itself, then its rotated files.
func slot(path string, n int) string {
	if n == 0 {
		return path
	}
	return path + "." + strconv.Itoa(n)
}

// rotateLocked moves every file one slot on, the last ones first, so that the
// next record begins a new file. The oldest goes only where no slot is free: one
// that a rotation left, which a kill or an error ended, takes up the next.
func (l *Log) rotateLocked() error {
	if err := l.closeLocked(); err != nil {
		return err
	}
	to := 1
	for ; to < keep; to++ {
		if _, err := os.Lstat(slot(l.Path, to)); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	for ; to > 0; to-- {
		if err := os.Rename(slot(l.Path, to-1), slot(l.Path, to)); err != nil {
			return err
		}
	}
	return nil
}
