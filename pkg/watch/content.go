package watch

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The states of a path.
const (
	gone       = iota // does not exist, or is no regular file
	unreadable        // exists and can't be read
	empty
	held // has content
)

// content is what a file holds and who may change it, to be compared.
type content struct {
	state        int
	sum          [sha256.Size]byte
	mode, folder fs.FileMode // 0 if gone
}

// stat is what tells, mostly, that a file was not touched.
type stat struct {
	info os.FileInfo // nil: gone
	at   time.Time   // when it was read
}

// stale tells whether path may hold something else than when s was taken. The
// clock of a file system is coarse, so a write just before the look may leave
// no other trace: what was young then is read again.
func (s stat) stale(path string) bool {
	const coarse = 2 * time.Second
	now, err := os.Stat(path)
	if err != nil || s.info == nil {
		return (err == nil) != (s.info != nil)
	}
	return !os.SameFile(now, s.info) || !now.ModTime().Equal(s.info.ModTime()) ||
		now.Size() != s.info.Size() || now.Mode() != s.info.Mode() ||
		s.at.Sub(now.ModTime()).Abs() < coarse
}

// look reads a file. It never opens what is no regular file: that could wait
// for ever.
func look(path string) (content, stat) {
	at := time.Now()
	info, err := os.Stat(path)
	if err != nil {
		return content{state: gone}, stat{at: at}
	}
	s := stat{info: info, at: at}
	if !info.Mode().IsRegular() {
		return content{state: gone}, s
	}
	c := content{mode: info.Mode()}
	if dir, err := os.Stat(filepath.Dir(path)); err == nil {
		c.folder = dir.Mode()
	}
	c.state, c.sum = read(path)
	return c, s
}

func read(path string) (state int, sum [sha256.Size]byte) {
	f, err := os.Open(path)
	if err != nil {
		return unreadable, sum
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	switch {
	case err != nil:
		return unreadable, sum
	case n == 0:
		return empty, sum
	}
	h.Sum(sum[:0])
	return held, sum
}
