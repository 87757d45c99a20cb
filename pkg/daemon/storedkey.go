package daemon

import (
	"context"
	"encoding/json"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/keyring"
)

// KeyringPlace says where a keyring is, for [StoredKeys].
type KeyringPlace struct {
	Store    keyring.Store // in use; nil: chosen as the daemon does
	Kind     string        // auto, os or file; empty: auto
	StateDir string
	// Passphrase gives that of a file, which is asked for where nobody told it.
	Passphrase func() (creds.Secret, error)
}

// StoredKeys reads the long-term keys of identities from the keyring, without a
// daemon: none ever hands one out. It is for a command whose user asked for the keys
// themselves. Errors are the keyring's; [creds.CodeKeyNotFound] where it lacks one.
func StoredKeys(ctx context.Context, p KeyringPlace, identities []string) ([]creds.Credentials, error) {
	store, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	var keys []creds.Credentials
	for _, name := range identities {
		text, err := store.Get(ctx, keyName(name))
		if creds.CodeOf(err) == creds.CodeKeyNotFound {
			return nil, &creds.Error{Code: creds.CodeKeyNotFound, Op: "the keyring holds no key of identity " + name, Hint: "run: mfad identity add " + name}
		} else if err != nil {
			return nil, err
		}
		var item keyItem
		if err := json.Unmarshal([]byte(text.Reveal()), &item); err != nil || item.AccessKeyID == "" {
			return nil, &creds.Error{Code: creds.CodeKeyringFailed, Op: "the keyring's item of identity " + name + " is no key",
				Hint: "run: mfad identity remove " + name + ", then add it again"}
		}
		keys = append(keys, creds.Credentials{AccessKeyID: item.AccessKeyID, SecretAccessKey: creds.NewSecret(item.SecretAccessKey)})
	}
	return keys, nil
}

// open gives the keyring, unlocked if a passphrase does that.
func (p KeyringPlace) open(ctx context.Context) (keyring.Store, error) {
	if p.Store != nil {
		return p.Store, nil
	}
	k, err := keyring.Open(ctx, keyring.Options{Kind: keyring.Kind(p.Kind), StateDir: p.StateDir, Used: true})
	if err != nil || k.File == nil || !k.File.Locked() {
		return k, err
	}
	passphrase, err := p.Passphrase()
	if err == nil {
		err = k.File.Unlock(ctx, passphrase)
	}
	return k, err
}
