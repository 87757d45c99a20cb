package credfile

import (
	"io/fs"
	"os"
)

// Windows keeps rights in access control lists that a new file inherits from its
// folder, and does not rename over a file that is open.
const (
	enforcesModes = false
	keepsReplaced = false
)

func (p *place) describe(string, fs.FileInfo) { p.links = 1 }

func writable(string) error { return nil }

func inherit(*os.File, string, fs.FileInfo) error { return nil }

func readOnly(error) bool { return false }

func occupied(error) bool { return false }

func releaseForRename(s *snapshot) {
	s.close()
	s.file = nil
}

func renameNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// openForWriting: a replaced file is not kept here.
func openForWriting(*os.File) (open, known bool) { return false, false }
