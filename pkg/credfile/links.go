package credfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// maxLinks is how many symbolic links are followed, as many as Linux does.
const maxLinks = 40

// resolve follows path's symbolic links to the file that they lead to, which need
// not exist, nor its folder.
func resolve(path string) (string, error) {
	for range maxLinks {
		real, err := filepath.EvalSymlinks(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return real, err
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			dir = filepath.Dir(path)
		}
		target, err := os.Readlink(path)
		if err != nil { // nothing there, so no link either
			return filepath.Join(dir, filepath.Base(path)), nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = target
	}
	return "", errors.New("too many symbolic links")
}

// astray tells whether a symbolic link on the way to real, which path leads to,
// points into a folder that is not there: a disk that is not mounted, perhaps. To
// make the folder would put secrets where the user does not look for them.
func astray(path, real string) bool {
	dir := filepath.Dir(real)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if isLink(path) {
		return true
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return false
		}
		if isLink(dir) {
			return true
		}
	}
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// unreachable tells why path leads to no file: a circle of links, a file where a
// folder should be, a folder that may not be entered.
func unreachable(path string, err error) error {
	if _, told := os.Stat(path); told != nil { // in the system's words
		err = told
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return conflict(path, 0, "it cannot be reached: "+err.Error(), "run: ls -l "+path+"; ls -ld "+filepath.Dir(path))
}
