//go:build unix && !linux

package credfile

import (
	"io/fs"
	"os"
)

// attributes knows none here: macOS sets some on every file by itself, and its
// access control lists are not among them.
func attributes(string) []string { return nil }

func dropACL(*os.File) {}

// renameNew renames unless something has that name by now.
func renameNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}
