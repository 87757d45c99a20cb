package profile

import (
	"io/fs"
	"os"
	"path/filepath"
)

// checkAccess refuses a file that another user can write, root excepted: it
// names commands that mfad runs and roles that it takes on. A file can be
// changed by replacing it, so its folder counts too, and where the path is a
// symlink, so do the folder of the link and that of the target.
//
// A POSIX ACL shows in the group's bits as its mask, so one that lets others
// write is refused like the bit. On Windows nothing is checked: a profile
// folder there is the user's own by default.
func checkAccess(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return unreadable(path, err)
	}
	if err := checkWriters(real, false); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(real)} {
		if err := checkWriters(dir, true); err != nil {
			return err
		}
	}
	return nil
}

func checkWriters(path string, folder bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return unreadable(path, err)
	}
	uid, known := owner(info)
	if !known {
		return nil
	}
	what := "the file"
	if folder {
		what = "its folder " + path
	}
	if uid != 0 && uid != os.Geteuid() {
		return refuse("run: sudo chown \"$(id -un)\" "+shellWord(path), "%s belongs to another user (uid %d)", what, uid)
	}
	// In a sticky folder, such as /tmp, others can't replace what is ours.
	sticky := folder && info.Mode()&fs.ModeSticky != 0
	if mode := info.Mode().Perm(); mode&0o022 != 0 && !sticky {
		return refuse("run: chmod go-w "+shellWord(path), "other users can write to %s (mode %04o)", what, mode)
	}
	return nil
}
