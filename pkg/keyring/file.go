package keyring

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/mfad/mfad/pkg/creds"
)

// File is a [Store] in one file under a passphrase, for machines without a
// keyring of their own: servers, containers, bare window managers. The file is
// in the age format (https://age-encryption.org/v1) and can be opened with
// age(1); inside is a JSON object from name to base64.
//
// It is locked until [File.Unlock] gives the passphrase; until then reading it
// gives [creds.CodeKeyringLocked]. The first Set makes the file. Only the
// passphrase stays in memory: the file is decrypted anew at each use. Reading
// takes 0.1 to 0.2 s, writing three times that, and 64 MiB meanwhile. A file that cannot be read back
// is never overwritten. Several processes may use one file; the file's folder is
// made with mode 0700, the file has mode 0600.
//
// Make one with [NewFile].
type File struct {
	path string
	cost int           // scrypt's, for what is written
	turn chan struct{} // holds a token during a use, so that scrypt's memory is needed once

	mu         sync.Mutex   // guards passphrase
	passphrase creds.Secret // zero while locked
}

// NewFile gives the store in the file at path, locked. The file need not exist.
func NewFile(path string) *File {
	return &File{path: path, cost: workFactor, turn: make(chan struct{}, 1)}
}

// Path tells where the file is.
func (f *File) Path() string { return f.path }

// Exists tells whether the file is there. One that cannot be looked at counts
// as there.
func (f *File) Exists() bool {
	_, err := os.Stat(f.path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Locked tells whether a passphrase is still needed.
func (f *File) Locked() bool { return f.secret().IsZero() }

// Lock forgets the passphrase.
func (f *File) Lock() { f.keep(creds.Secret{}) }

func (f *File) secret() creds.Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passphrase
}

func (f *File) keep(passphrase creds.Secret) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passphrase = passphrase
}

// Unlock takes the passphrase after having tried it on the file. Where there is
// no file yet, the passphrase is the one that the first Set will use; ask twice
// for it. A wrong or empty passphrase gives [creds.CodeKeyringLocked] and
// changes nothing; a damaged file gives [creds.CodeKeyringFailed].
func (f *File) Unlock(ctx context.Context, passphrase creds.Secret) error {
	if passphrase.IsZero() {
		return named(opUnlock, fail(creds.CodeKeyringLocked, hintFile, errors.New("the passphrase is empty")))
	}
	return named(opUnlock, f.use(ctx, func() error {
		switch _, err := f.open(passphrase); {
		case errors.Is(err, errPassphrase):
			return fail(creds.CodeKeyringLocked, hintFile, errPassphrase)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
		f.keep(passphrase)
		return nil
	}))
}

// Get implements [Store]. Where there is no file yet it is
// [creds.CodeKeyNotFound], locked or not.
func (f *File) Get(ctx context.Context, name string) (creds.Secret, error) {
	if err := before(ctx, name); err != nil {
		return creds.Secret{}, named(opRead(name), err)
	}
	var value creds.Secret
	err := f.use(ctx, func() error {
		items, err := f.items()
		if err != nil {
			return err
		}
		text, ok := items[name]
		if !ok {
			return fail(creds.CodeKeyNotFound, "", errNotFound)
		}
		value = creds.NewSecret(string(text))
		return nil
	})
	return value, named(opRead(name), err)
}

// Set implements [Store].
func (f *File) Set(ctx context.Context, name string, value creds.Secret) error {
	if err := beforeSet(ctx, name, value); err != nil {
		return named(opStore(name), err)
	}
	return named(opStore(name), f.change(ctx, func(items map[string][]byte) error {
		items[name] = []byte(value.Reveal())
		return nil
	}))
}

// Delete implements [Store].
func (f *File) Delete(ctx context.Context, name string) error {
	if err := before(ctx, name); err != nil {
		return named(opDelete(name), err)
	}
	return named(opDelete(name), f.change(ctx, func(items map[string][]byte) error {
		if _, ok := items[name]; !ok {
			return fail(creds.CodeKeyNotFound, "", errNotFound)
		}
		delete(items, name)
		return nil
	}))
}

// use runs do as the only use of the file in this process.
func (f *File) use(ctx context.Context, do func() error) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	if err := ctx.Err(); err != nil {
		return err
	}
	return do()
}

// change rewrites the file with what edit makes of its items.
func (f *File) change(ctx context.Context, edit func(map[string][]byte) error) error {
	return f.use(ctx, func() error {
		if err := f.makeFolder(); err != nil {
			return err
		}
		unlock, err := lockFile(ctx, f.path+".lock")
		if err != nil {
			return err
		}
		defer unlock()
		items, err := f.items()
		if creds.CodeOf(err) == creds.CodeKeyNotFound { // no file yet
			items, err = map[string][]byte{}, nil
		}
		if err != nil {
			return err
		}
		if err := edit(items); err != nil {
			return err
		}
		return f.replace(items)
	})
}

// items reads the file with the passphrase at hand; no file is
// [creds.CodeKeyNotFound].
func (f *File) items() (map[string][]byte, error) {
	if !f.Exists() {
		return nil, fail(creds.CodeKeyNotFound, "", errNotFound)
	}
	passphrase := f.secret()
	if passphrase.IsZero() {
		return nil, errLocked()
	}
	items, err := f.open(passphrase)
	switch {
	case errors.Is(err, errPassphrase):
		return nil, fail(creds.CodeKeyringLocked, hintFile, errors.New("the passphrase does not open the keyring file any more"))
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail(creds.CodeKeyNotFound, "", errNotFound)
	}
	return items, err
}

func errLocked() error {
	return fail(creds.CodeKeyringLocked, hintFile, errors.New("the keyring file is locked"))
}
