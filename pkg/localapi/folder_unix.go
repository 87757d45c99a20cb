//go:build unix

package localapi

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ownFolder refuses a folder in which somebody else could replace the socket. A
// folder of mfad's own name becomes 0700; any other keeps its mode.
func ownFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Getuid() {
		return fmt.Errorf("the folder %s belongs to another user", dir)
	}
	if filepath.Base(dir) == "mfad" && info.Mode().Perm()&0o077 != 0 {
		return os.Chmod(dir, 0o700)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("other users can write in the folder %s", dir)
	}
	return nil
}
