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
	mounted    bool     // something is mounted on the file itself
	locked     string   // the attribute that lets nobody replace the file, such as "immutable"
	readOnly   bool     // it lies on a file system that takes no writes
	astray     bool     // a symbolic link leads into a folder that is not there
	folder     error    // why the folder takes no new file; nil if it does
}

// replaceable tells why the file at path must not be replaced, or nil. Symbolic
// links are followed. A file that is not there yet can be.
func replaceable(path string) error {
	real, err := resolve(path)
	if err != nil {
		return unreachable(path, err)
	}
	p := place{folder: writable(existing(filepath.Dir(real))), astray: astray(path, real)}
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
	case p.astray:
		return conflict(path, 0, "a symbolic link leads to "+real+", whose folder is not there",
			"mount or make the folder, or remove the link"+instead)
	case p.folder != nil:
		return conflict(path, 0, "its folder cannot be written", "run: ls -ld "+filepath.Dir(real)+instead)
	case !p.exists:
		return nil
	case p.links > 1:
		return conflict(path, 0, fmt.Sprintf("it has %d names (hard links), and the others would keep the old content", p.links),
			"make it a file of its own: cp "+real+" "+real+".new && mv "+real+".new "+real+instead)
	case p.owner != p.self:
		return conflict(path, 0, fmt.Sprintf("it belongs to another user (uid %d)", p.owner), "run: sudo chown $(id -u) "+real+instead)
	case p.mounted:
		return conflict(path, 0, "something is mounted on the file itself, as a container's bind mount", "mount its folder instead"+instead)
	case p.readOnly:
		return conflict(path, 0, "its file system is read-only", "run: findmnt -T "+real+instead)
	case p.locked != "":
		return conflict(path, 0, "it has the attribute "+p.locked, "run: sudo chattr -ia "+real+instead)
	case len(p.attributes) > 0:
		return conflict(path, 0, "it has "+strings.Join(p.attributes, ", ")+", which a new file would not have",
			"remove the access control list or the attributes, as with: setfacl -b "+real+instead)
	}
	return nil
}

// irreplaceable tells a failure to put a file in the place of another from a fault
// of mfad's or the machine's: what verdict cannot see on every system.
func irreplaceable(op, path, real string, err error) error {
	if !errors.Is(err, fs.ErrPermission) && !readOnly(err) && !occupied(err) {
		return broken(op, path, err)
	}
	return conflict(path, 0, "it cannot be replaced: "+cause(err).Error(), "run: ls -ld "+filepath.Dir(real)+"; or set `write = process` for the profile")
}

// cause leaves out the names of mfad's own files.
func cause(err error) error {
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return errors.New(strings.TrimSuffix(p.Op, " of") + ": " + p.Err.Error())
	}
	return err
}
