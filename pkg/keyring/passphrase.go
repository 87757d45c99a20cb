package keyring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// Where a passphrase may come from.
const (
	passphraseFileVariable = "MFAD_KEYRING_PASSPHRASE_FILE"
	passphraseVariable     = "MFAD_KEYRING_PASSPHRASE"
	credentialsVariable    = "CREDENTIALS_DIRECTORY" // systemd.exec(5), section "Credentials"
	credentialName         = "mfad-keyring-passphrase"
)

const maxPassphrase = 4096

// Environment is where [Passphrase] looks. [ProcessEnvironment] is the real one.
type Environment struct {
	Lookup func(name string) (string, bool)
	Unset  func(name string) error
}

// ProcessEnvironment is the environment of this process.
func ProcessEnvironment() Environment {
	return Environment{Lookup: os.LookupEnv, Unset: os.Unsetenv}
}

// Passphrase gives the [File] keyring's passphrase without asking anybody, from
// the first of these that is set: the file that MFAD_KEYRING_PASSPHRASE_FILE
// names, the variable MFAD_KEYRING_PASSPHRASE, the file
// mfad-keyring-passphrase in systemd's $CREDENTIALS_DIRECTORY. It gives the
// zero [creds.Secret] where there is none of them.
//
// MFAD_KEYRING_PASSPHRASE is removed from the environment whether it was used
// or not, so that no child gets it: call this once, before starting any. One
// newline at the end is not part of a passphrase.
//
// A source that is there but cannot be used (unreadable, empty, above 4 KiB) is
// [creds.CodeConfig], and so is a file that belongs to or can be opened by
// another user, root excepted.
func Passphrase(env Environment) (creds.Secret, error) {
	variable, given := env.Lookup(passphraseVariable)
	if given {
		if err := env.Unset(passphraseVariable); err != nil {
			return creds.Secret{}, unusable("remove "+passphraseVariable+" from the environment", "", err)
		}
	}
	if path, ok := env.Lookup(passphraseFileVariable); ok && path != "" {
		return readPassphrase(path, ownFile)
	}
	if given && variable != "" {
		return trimPassphrase(passphraseVariable, variable)
	}
	dir, ok := env.Lookup(credentialsVariable)
	if !ok || dir == "" {
		return creds.Secret{}, nil
	}
	path := filepath.Join(dir, credentialName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return creds.Secret{}, nil
	}
	return readPassphrase(path, systemdFile)
}

// The permission bits for others that each kind of file may not have. systemd
// gives a service's user access to its credentials by an ACL, and stat shows an
// ACL's mask as the group's bits; so there the group may seem to read.
const (
	ownFile     os.FileMode = 0o077
	systemdFile os.FileMode = 0o027
)

func readPassphrase(path string, forbidden os.FileMode) (creds.Secret, error) {
	op := "read the keyring's passphrase"
	f, err := os.Open(path)
	if err != nil {
		return creds.Secret{}, unusable(op, "", err)
	}
	defer f.Close()
	info, err := f.Stat() // of what was opened, not of what the name means by now
	if err != nil {
		return creds.Secret{}, unusable(op, "", err)
	}
	if err := private(info, forbidden); err != nil {
		return creds.Secret{}, unusable(op, "chmod 600 "+path, fmt.Errorf("%s %w", path, err))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPassphrase+3)) // room for the newline, and for one too many
	if err != nil {
		return creds.Secret{}, unusable(op, "", err)
	}
	return trimPassphrase(path, string(text))
}

func trimPassphrase(source, text string) (creds.Secret, error) {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	op := "read the keyring's passphrase"
	switch {
	case text == "":
		return creds.Secret{}, unusable(op, "", errors.New(source+" is empty"))
	case len(text) > maxPassphrase:
		return creds.Secret{}, unusable(op, "", fmt.Errorf("%s holds more than %d bytes", source, maxPassphrase))
	}
	return creds.NewSecret(text), nil
}

func unusable(op, hint string, err error) error {
	return &creds.Error{Code: creds.CodeConfig, Op: op, Hint: hint, Err: err}
}
