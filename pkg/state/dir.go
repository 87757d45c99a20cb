// Package state owns the state folder: where each file lies, its format, its
// mode, and that a crash at any instant leaves the old file or the new one. It
// keeps the daemon's lock, the socket's path, the mark of `mfad lock` and the
// encrypted sessions file. It never decides what a session is good for, never
// reads the keyring, the environment or the clock, and never writes a secret in
// clear.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/durable"
)

// Dir is the absolute path of the state folder, such as ~/.local/state/mfad
// with its ~ resolved. The zero Dir is of no use. Methods other than Ensure
// expect the folder to be there.
type Dir string

// Names in the folder.
const (
	lockName   = "daemon.lock"
	socketName = "socket"
	markName   = "locked"
)

// Path gives the path of a file in the folder.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// Ensure makes the folder, parents included, with mode 0700, or checks the one
// that is there: one that other users can enter is closed to them. It is
// [creds.CodeConfig] where that does not help: the path is no folder, it or a
// file in it belongs to another user, or the file system keeps no modes.
func (d Dir) Ensure() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return unusable("", err)
	}
	info, err := os.Stat(string(d)) // a link to a folder is fine
	if err != nil {
		return unusable("", err)
	}
	if err := ownedByUser(info); err != nil {
		return unusable("choose another folder with MFAD_STATE_DIR, or run: chown "+userID()+" "+string(d), fmt.Errorf("%s %w", d, err))
	}
	if !modesMatter || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := d.close(); err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return d.refusePlanted()
	}
	return nil
}

// close takes all rights from others.
func (d Dir) close() error {
	if err := os.Chmod(string(d), 0o700); err != nil {
		return unusable("", err)
	}
	info, err := os.Stat(string(d))
	if err != nil {
		return unusable("", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return unusable("choose a folder on another file system with MFAD_STATE_DIR",
			fmt.Errorf("other users can enter %s (mode %04o) and chmod does not change it", d, mode))
	}
	return nil
}

// refusePlanted looks for what others may have put there while they could.
func (d Dir) refusePlanted() error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return unusable("", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = ownedByUser(info)
		}
		if err != nil {
			path := d.Path(e.Name())
			return unusable("look at it, then remove it: "+path, fmt.Errorf("other users could write to %s, and %s %w", d, e.Name(), err))
		}
	}
	return nil
}

func unusable(hint string, err error) error {
	return &creds.Error{Code: creds.CodeConfig, Op: "use the state folder", Hint: hint, Err: err}
}

// broken is a failure of this machine's: a full disk, a lost file system.
func broken(op string, err error) error {
	return &creds.Error{Code: creds.CodeInternal, Op: op, Err: err}
}

// WriteFile replaces a file in the folder with data, mode 0600: a reader or a
// crash meets the old file or the new one, whole, and once it returns nil the
// new one survives a power cut. One writer per name at a time, such as the
// holder of the [Lock]. Failures are [creds.CodeInternal].
func (d Dir) WriteFile(name string, data []byte) error {
	// There is one writer, so a file of the temporary name is a dead process's.
	if err := durable.Replace(d.Path(name), d.Path(tempName(name)), data); err != nil {
		return broken("write "+d.Path(name), err)
	}
	return nil
}

func tempName(name string) string { return "." + name + ".tmp" }

// remove deletes a file; one that is not there is fine.
func (d Dir) remove(name string) error {
	err := os.Remove(d.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = durable.SyncFolder(string(d))
	}
	if err != nil {
		return broken("remove "+d.Path(name), err)
	}
	return nil
}

// WriteSocketPath leaves the path of the daemon's socket for clients that have
// another environment than the daemon. The empty path removes it.
func (d Dir) WriteSocketPath(path string) error {
	if path == "" {
		return d.remove(socketName)
	}
	return d.WriteFile(socketName, []byte(path+"\n"))
}

// ReadSocketPath gives what WriteSocketPath left, "" where nothing is. The
// daemon that left it may be gone.
func (d Dir) ReadSocketPath() (string, error) {
	text, err := os.ReadFile(d.Path(socketName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", broken("read the socket's path", err)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// Locked tells whether `mfad lock` holds. Where that cannot be known it does.
func (d Dir) Locked() bool {
	_, err := os.Lstat(d.Path(markName))
	return !errors.Is(err, fs.ErrNotExist)
}

// SetLocked makes or removes the mark of `mfad lock`, which outlives the
// process and the machine's power.
func (d Dir) SetLocked(locked bool) error {
	if !locked {
		return d.remove(markName)
	}
	return d.WriteFile(markName, nil)
}
