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
