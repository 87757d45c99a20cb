package credfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// Files that mfad makes beside the one called base are .mfad-base-DIGITS and one
// of these. All hold secrets.
const (
	tempSuffix = ".tmp"  // new content on its way
	oldSuffix  = ".old"  // the second name of a file that is replaced
	baseSuffix = ".base" // what that file held when it was read
)

// tempPrefix starts the names of mfad's files beside the file called base.
func tempPrefix(base string) string { return ".mfad-" + base + "-" }

// second is the second name of a file that is replaced, so that a program that
// still writes to it does not write to nothing, even if mfad is killed at that
// moment. Who finds one without a living process merges from base to old.
//
// The base is made before the second name and goes after it: where there is a
// second name there is the whole base. A lock on the base says that a process
// watches; it ends with the process.
type second struct {
	old, base string
	watched   *flock.Flock
}

// keepSecond gives the file at from, known by info and read as data, a second
// name beside real. Nil without an error means that this file system has no hard
// links or no locks: then a late write is merged only while mfad lives.
func keepSecond(real, from string, info fs.FileInfo, data []byte) (*second, error) {
	temp, err := writeTemp(real, info, data)
	if err != nil {
		return nil, err
	}
	k := secondOf(strings.TrimSuffix(temp, tempSuffix))
	// Locked before it has a name that others look at.
	k.watched = flock.New(temp, flock.SetFlag(os.O_RDONLY))
	if locked, _ := k.watched.TryLock(); !locked {
		return nil, os.Remove(temp)
	}
	if err := os.Rename(temp, k.base); err != nil {
		_ = os.Remove(temp)
		k.release()
		return nil, err
	}
	err = os.Link(from, k.old)
	if err == nil {
		var now fs.FileInfo
		if now, err = os.Lstat(k.old); err == nil && os.SameFile(now, info) {
			return k, nil
		}
	}
	k.drop() // another file by now, which the look before the rename finds out
	return nil, nil
}

func secondOf(stem string) *second { return &second{old: stem + oldSuffix, base: stem + baseSuffix} }

// drop ends the second name; nil has none.
func (k *second) drop() {
	if k == nil {
		return
	}
	_ = os.Remove(k.old) // what stays is a leftover, which the next edit removes
	_ = os.Remove(k.base)
	k.release()
}

// release leaves the second name for a later edit.
func (k *second) release() {
	if k != nil && k.watched != nil {
		_ = k.watched.Unlock() // also closes it
	}
}

// claim makes this process the one that watches. It tells false if another does;
// [fs.ErrNotExist] means that there is no base.
func (k *second) claim() (bool, error) {
	k.watched = flock.New(k.base, flock.SetFlag(os.O_RDONLY))
	return k.watched.TryLock()
}

// alive tells whether a living process watches.
func (k *second) alive() bool {
	mine, err := k.claim()
	k.release()
	return err == nil && !mine
}

// renew makes now the base, after it was merged.
func (k *second) renew(real string, info fs.FileInfo, now []byte) *second {
	if k == nil {
		return nil
	}
	next, err := keepSecond(real, k.old, info, now)
	if next == nil || err != nil {
		return k // merging the same twice changes nothing
	}
	k.drop()
	return next
}

// beside lists mfad's files beside real.
func beside(real string) []string {
	dir, base := filepath.Split(real)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // no folder, or one that the next step complains about
	}
	var found []string
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), tempPrefix(base))
		if !ours || !e.Type().IsRegular() {
			continue
		}
		suffix := filepath.Ext(rest)
		if strings.Trim(strings.TrimSuffix(rest, suffix), "0123456789") != "" {
			continue // of a file with a longer name
		}
		switch suffix {
		case tempSuffix, oldSuffix, baseSuffix:
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found
}

// ownNames counts the second names that mfad gave the file at real.
func ownNames(real string, info fs.FileInfo) (n uint64) {
	for _, name := range beside(real) {
		if filepath.Ext(name) != oldSuffix {
			continue
		}
		if other, err := os.Lstat(name); err == nil && os.SameFile(other, info) {
			n++
		}
	}
	return n
}
