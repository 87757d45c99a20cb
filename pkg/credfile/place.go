package credfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// place is what decides whether a file can be replaced by another of the same
// name without losing anything that the user gave it.
type place struct {
	exists     bool
	links      uint64   // names that the file has, without those that mfad gave it
	owner      int      // of the file; meaningless where the system has no such thing
	self       int      // the user that mfad runs as
	attributes []string // extended attributes that a new file would not have
	folder     error    // why the folder takes no new file; nil if it does
}

// replaceable tells why the file at path must not be replaced, or nil. Symbolic
// links are followed. A file that is not there yet can be.
func replaceable(path string) error {
	real, err := resolve(path)
	if err != nil {
		return broken("find", path, err)
	}
	p := place{folder: writable(existing(filepath.Dir(real)))}
	// A second name that mfad itself gave the file for a moment does not count. It
	// may go between the two looks.
	for range 3 {
		info, err := os.Lstat(real)
		switch {
		case err == nil:
			p.exists = true
			p.describe(real, info)
		case !errors.Is(err, fs.ErrNotExist):
			return broken("look at", path, err)
		}
		if p.links > 1 {
			p.links -= min(ownNames(real, info), p.links-1)
		}
		if p.links <= 1 {
			break
		}
	}
	return asError(p.verdict(path, real))
}

// existing is dir, or its nearest parent that is there.
func existing(dir string) string {
	for {
		_, err := os.Stat(dir)
		up := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || up == dir {
			return dir
		}
		dir = up
	}
}

// verdict is the rule: path is what the user calls the file, real where it is.
func (p place) verdict(path, real string) *creds.Error {
	const instead = "; or set `write = process` for the profile"
	switch {
	case p.folder != nil:
		return conflict(path, 0, "its folder cannot be written", "run: ls -ld "+filepath.Dir(real)+instead)
	case !p.exists:
		return nil
	case p.links > 1:
		return conflict(path, 0, fmt.Sprintf("it has %d names (hard links), and the others would keep the old content", p.links),
			"make it a file of its own: cp "+real+" "+real+".new && mv "+real+".new "+real+instead)
	case p.owner != p.self:
		return conflict(path, 0, fmt.Sprintf("it belongs to another user (uid %d)", p.owner), "run: sudo chown $(id -u) "+real+instead)
	case len(p.attributes) > 0:
		return conflict(path, 0, "it has "+strings.Join(p.attributes, ", ")+", which a new file would not have",
			"remove the access control list or the attributes, as with: setfacl -b "+real+instead)
	}
	return nil
}
