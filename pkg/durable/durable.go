// Package durable replaces files so that neither a crash nor a power cut leaves
// half of one, and takes locks that end with their process. It knows nothing of
// what the files hold, and waits for nothing.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace makes the file at path hold data, mode 0600: a reader or a crash meets
// the old file or the new one, whole, and once it returns nil the new one
// survives a power cut. The data goes through the name temp, in the same folder;
// a file of that name is taken for a dead process's and removed, so there must
// be one writer at a time.
func Replace(path, temp string, data []byte) (err error) {
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	_, err = out.Write(data)
	if err == nil {
		err = out.Sync()
	}
	if e := out.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}
