package daemon

import (
	"context"
	"os"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/keyring"
)

// chooseKeyring opens the keyring that the config, or else the environment,
// asks for, and unlocks a file with the passphrase that came with the start.
func (d *Daemon) chooseKeyring(ctx context.Context, configured string) (keyring.Store, string, error) {
	_, unused := os.Stat(d.dir.Path("sessions"))
	k, err := keyring.Open(ctx, keyring.Options{
		Kind: keyring.Kind(first(configured, d.Getenv("MFAD_KEYRING"))), StateDir: d.Paths.State, Used: unused == nil,
	})
	if err != nil {
		return nil, "", err
	}
	d.Log.Info("keyring", "kind", string(k.Kind()), "reason", k.Reason)
	if k.File != nil && !d.Passphrase.IsZero() {
		if err := k.File.Unlock(ctx, d.Passphrase); err != nil {
			return nil, "", err
		}
	}
	return k, string(k.Kind()), nil
}

// unlock opens a keyring with a passphrase, or has the desktop ask for it.
func unlock(ctx context.Context, kr keyring.Store, passphrase creds.Secret) error {
	k, ok := kr.(*keyring.Keyring)
	switch {
	case !ok:
		return nil
	case k.OS != nil:
		return k.OS.Unlock(ctx)
	case !passphrase.IsZero():
		return k.File.Unlock(ctx, passphrase)
	case k.File.Locked():
		return &creds.Error{Code: creds.CodeKeyringLocked, Op: "the file keyring needs its passphrase", Hint: "run: mfad unlock"}
	}
	return nil
}

// isNew tells whether the keyring is a file that is yet to be made.
func isNew(kr keyring.Store) bool {
	k, ok := kr.(*keyring.Keyring)
	return ok && k.File != nil && !k.File.Exists()
}
