//go:build unix && !linux

package credfile

import (
	"io/fs"
	"os"
)

// attributes knows none here: macOS sets some on every file by itself, and its
// access control lists are not among them.
func attributes(string) []string { return nil }

// held knows nothing here: an immutable flag is found out by the rename, which
// changes nothing then.
func held(string) (mounted bool, locked string) { return false, "" }

// labels: these systems have none.
func labels(string) map[string][]byte { return nil }

func setLabels(*os.File, map[string][]byte) error { return nil }

func dropACL(*os.File) {}

// renameNew renames unless something has that name by now.
func renameNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// openForWriting: no way is known to ask.
func openForWriting(*os.File) (open, known bool) { return false, false }
