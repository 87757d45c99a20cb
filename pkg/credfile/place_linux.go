package credfile

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const aclAttribute = "system.posix_acl_access"

// attributes lists the extended attributes of a file that a new one beside it
// would not get from the system: access control lists, and what the user set.
func attributes(path string) []string {
	size, err := unix.Listxattr(path, nil)
	if err != nil || size <= 0 {
		return nil
	}
	list := make([]byte, size)
	size, err = unix.Listxattr(path, list)
	if err != nil {
		return nil
	}
	var found []string
	for name := range strings.SplitSeq(string(list[:size]), "\x00") {
		switch {
		case name == aclAttribute:
			found = append(found, "an access control list")
		case strings.HasPrefix(name, "user."), strings.HasPrefix(name, "trusted."):
			found = append(found, "the attribute "+name)
		}
	}
	return found
}

// held tells whether something is mounted on the file itself, and which attribute
// of chattr(1) lets nobody replace it (statx(2)).
func held(path string) (mounted bool, locked string) {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &st) != nil {
		return false, "" // older kernels: the rename finds it out
	}
	has := func(bit uint64) bool { return st.Attributes&bit != 0 }
	switch mounted = has(unix.STATX_ATTR_MOUNT_ROOT); {
	case has(unix.STATX_ATTR_IMMUTABLE):
		locked = "immutable"
	case has(unix.STATX_ATTR_APPEND):
		locked = "append-only"
	}
	return mounted, locked
}

// labels are the marks of SELinux and Smack on a file. A new file gets the
// folder's; a file that was given another keeps it.
func labels(path string) map[string][]byte {
	found := map[string][]byte{}
	for _, name := range []string{"security.selinux", "security.SMACK64"} {
		var b [1024]byte
		if n, err := unix.Getxattr(path, name, b[:]); err == nil {
			found[name] = b[:n]
		}
	}
	return found
}

// setLabels gives a new file these labels where it has others.
func setLabels(file *os.File, want map[string][]byte) error {
	for name, value := range want {
		var b [1024]byte
		if n, err := unix.Fgetxattr(int(file.Fd()), name, b[:]); err == nil && string(b[:n]) == string(value) {
			continue
		}
		if err := unix.Fsetxattr(int(file.Fd()), name, value, 0); err != nil {
			return &os.PathError{Op: "set " + name + " of", Path: file.Name(), Err: err}
		}
	}
	return nil
}

func dropACL(file *os.File) {
	_ = unix.Fremovexattr(int(file.Fd()), aclAttribute) // mostly there is none
}

// renameNew renames unless something has that name by now.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) { // the file system can't
		return os.Rename(from, to)
	}
	return err
}

// openForWriting tells whether anybody has the file open to write to it: nobody
// could, and known, if the kernel grants a read lease (fcntl(2), F_SETLEASE). Some
// file systems know no leases. The lease is given back at once; it is only asked
// for on files that have been replaced, which nobody opens any more.
func openForWriting(file *os.File) (open, known bool) {
	fd := file.Fd()
	_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK) // ends with the descriptor too
	}
	open = errors.Is(err, unix.EAGAIN)
	return open, open || err == nil
}
