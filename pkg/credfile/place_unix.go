//go:build unix

package credfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	enforcesModes = true
	keepsReplaced = true // a file that was renamed over can still be read by who has it open
)

// describe fills in what the system knows of the file.
func (p *place) describe(real string, info fs.FileInfo) {
	p.self = os.Geteuid()
	p.owner, p.links = p.self, 1
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		p.owner, p.links = int(st.Uid), uint64(st.Nlink)
	}
	p.attributes = attributes(real)
	p.mounted, p.locked = held(real)
	p.readOnly = readOnly(unix.Faccessat(unix.AT_FDCWD, real, unix.W_OK, unix.AT_EACCESS))
}

// writable tells why a folder takes no new file.
func writable(dir string) error {
	if _, locked := held(dir); locked != "" { // access(2) as root does not tell
		return errors.New(locked)
	}
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

// inherit gives a new file the labels and the group of the one at real that it
// replaces, if there is one, and no access control list of the folder's. Group and
// list don't matter in a file that only its owner may read, so a refusal of those
// is none of the caller's concern.
func inherit(file *os.File, real string, old fs.FileInfo) error {
	dropACL(file)
	if old == nil {
		return nil
	}
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = file.Chown(-1, int(st.Gid))
	}
	return setLabels(file, labels(real))
}

func readOnly(err error) bool { return errors.Is(err, unix.EROFS) }

// occupied tells whether another file system is in the way: one that is mounted on
// the file, or begins between the folder and it.
func occupied(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EXDEV) }

// releaseForRename does nothing: an open file can be renamed over.
func releaseForRename(*snapshot) {}
