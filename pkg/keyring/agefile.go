package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"filippo.io/age"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/durable"
)

// scrypt's cost as a power of two: memory is 2^N KiB. 16 is 64 MiB and a tenth
// of a second, paid at each use of the file; age's own default, 18, is 256 MiB,
// more than a daemon is often allowed. A file with a dearer one is still
// opened, up to a limit that a planted file cannot use to stall the machine.
const (
	workFactor    = 16
	maxWorkFactor = 20
)

// maxFile bounds what is read: thousands of the largest values.
const maxFile = 16 << 20

var errPassphrase = errors.New("the passphrase is wrong")

// open reads and decrypts the file. A wrong passphrase is errPassphrase, a
// missing file [fs.ErrNotExist].
func (f *File) open(passphrase creds.Secret) (map[string][]byte, error) {
	// scrypt's 64 MiB are garbage right away, but the collector would give them
	// back to the system minutes later: measured after three uses, a process
	// that idles at 9 MiB held 190.
	defer debug.FreeOSMemory()
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	key, err := age.NewScryptIdentity(passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	key.SetMaxWorkFactor(maxWorkFactor)
	plain, err := age.Decrypt(io.LimitReader(file, maxFile), key)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, errPassphrase
	}
	if err != nil {
		return nil, f.damaged(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		return nil, f.damaged(err)
	}
	var items map[string][]byte
	if err := json.Unmarshal(text, &items); err != nil || items == nil {
		return nil, f.damaged(errors.New("its content is no JSON object")) // err could quote the content
	}
	return items, nil
}

func (f *File) damaged(err error) error {
	return fail(creds.CodeKeyringFailed, "put back a copy of "+f.path+", or move it away and add the keys again",
		fmt.Errorf("%s is damaged: %v", f.path, err))
}

// replace writes the file anew and reads it back. The caller holds the lock.
func (f *File) replace(items map[string][]byte) error {
	passphrase := f.secret()
	if passphrase.IsZero() {
		return errLocked()
	}
	sealed, err := seal(items, passphrase, f.cost)
	if err != nil {
		return err
	}
	if err := durable.Replace(f.path, f.path+".tmp", sealed); err != nil {
		return err
	}
	got, err := f.open(passphrase)
	if err != nil {
		return err
	}
	if !maps.EqualFunc(got, items, slices.Equal[[]byte]) {
		return fail(creds.CodeKeyringFailed, "", errWriteLost)
	}
	return nil
}

func seal(items map[string][]byte, passphrase creds.Secret, cost int) ([]byte, error) {
	defer debug.FreeOSMemory() // as in open
	text, err := json.Marshal(items)
	if err != nil {
		return nil, err
	}
	to, err := age.NewScryptRecipient(passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(cost)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

func (f *File) makeFolder() error { return os.MkdirAll(filepath.Dir(f.path), 0o700) }
