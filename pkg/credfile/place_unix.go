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
}

// writable tells why a folder takes no new file.
func writable(dir string) error {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

// inherit gives a new file the group of the one that it replaces and no access
// control list of the folder's. Neither matters in a file that only its owner
// may read, so a refusal is none of the caller's concern.
func inherit(file *os.File, old fs.FileInfo) {
	dropACL(file)
	if old == nil {
		return
	}
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = file.Chown(-1, int(st.Gid))
	}
}

func readOnly(err error) bool { return errors.Is(err, unix.EROFS) }

// releaseForRename does nothing: an open file can be renamed over.
func releaseForRename(*snapshot) {}
