package daemon

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

// AddIdentity implements [localapi.Backend]: the key is checked with AWS, goes
// into the keyring and is read back, and only then into the config.
func (d *Daemon) AddIdentity(ctx context.Context, r localapi.IdentityRequest) (localapi.IdentityAnswer, error) {
	if err := d.load(); err != nil { // the watcher may not have seen yet what another program wrote
		return localapi.IdentityAnswer{}, err
	}
	key := creds.Credentials{AccessKeyID: r.AccessKeyID, SecretAccessKey: creds.NewSecret(r.SecretAccessKey)}
	if err := checkKey(key); err != nil {
		return localapi.IdentityAnswer{}, err
	}
	configured := d.conf().Identities[r.Name]
	stored, err := d.freeForKey(ctx, r, key, configured == nil)
	if err != nil {
		return localapi.IdentityAnswer{}, err
	}
	answer := localapi.IdentityAnswer{MFASerial: r.MFASerial}
	if configured != nil {
		if answer.MFASerial != "" && answer.MFASerial != configured.MFASerial {
			return localapi.IdentityAnswer{}, &creds.Error{Code: creds.CodeConflict, Hint: "leave --mfa-serial out, or change the config",
				Op: "the config names another device for identity " + r.Name + ": " + configured.MFASerial}
		}
		answer.MFASerial = configured.MFASerial
	}
	if !r.NoVerify {
		if err := d.verify(ctx, r, &key, &answer); err != nil || answer.MFASerial == "" {
			return answer, err
		}
	}
	if answer.MFASerial == "" {
		return answer, &creds.Error{Code: creds.CodeUsage, Op: "an identity needs its MFA device", Hint: "add --mfa-serial ARN"}
	}
	if err := d.storeKey(ctx, r.Name, key); err != nil {
		return answer, err
	}
	d.engine.Forget(r.Name)
	if configured == nil {
		keys := []profile.KV{{Key: "mfa_serial", Value: answer.MFASerial}}
		if r.Region != "" {
			keys = append(keys, profile.KV{Key: "region", Value: r.Region})
		}
		if err := profile.AddSection(d.Paths.Config, "identity "+r.Name, keys, d.loadOptions()); err != nil {
			if !stored {
				d.undoKey(ctx, r.Name)
			}
			return answer, err
		}
	}
	return answer, d.load()
}

// checkKey refuses what cannot be a long-term key, before AWS is asked. AKIA
// begins a user's long-term key, ASIA a temporary one
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes).
func checkKey(key creds.Credentials) error {
	switch {
	case strings.HasPrefix(key.AccessKeyID, "ASIA"):
		return &creds.Error{Code: creds.CodeUsage, Op: "this is a temporary key (ASIA...); mfad needs the user's long-term key (AKIA...)",
			Hint: "make one in the console: IAM, Users, Security credentials, Create access key"}
	case len(key.AccessKeyID) < 16 || len(key.AccessKeyID) > 128 || key.SecretAccessKey.IsZero():
		return &creds.Error{Code: creds.CodeUsage, Op: "this is no access key: an id of 16 to 128 characters and a secret are needed"}
	}
	return nil
}

// freeForKey refuses to replace a key that is there. This very key may be stored
// already where that is asked for, and where its identity is not in the config.
func (d *Daemon) freeForKey(ctx context.Context, r localapi.IdentityRequest, key creds.Credentials, orphan bool) (stored bool, err error) {
	have, err := d.longTerm(ctx, r.Name)
	switch creds.CodeOf(err) {
	case "":
		if (r.Again || orphan) && have.AccessKeyID == key.AccessKeyID && have.SecretAccessKey.Equal(key.SecretAccessKey) {
			return true, nil
		}
		return false, &creds.Error{Code: creds.CodeConflict, Op: "identity " + r.Name + " has a key already", Hint: "run: mfad identity remove " + r.Name}
	case creds.CodeKeyNotFound:
		return false, nil
	}
	return false, err
}

// verify asks AWS whose key it is and which devices the user has. It leaves
// answer.MFASerial empty where a person must choose.
func (d *Daemon) verify(ctx context.Context, r localapi.IdentityRequest, key *creds.Credentials, answer *localapi.IdentityAnswer) error {
	cl, err := d.client(first(r.Region, d.conf().Defaults.Region, profile.DefaultRegion(r.MFASerial)))
	if err != nil {
		return err
	}
	ctx = about(ctx, subject{identity: r.Name})
	who, err := owner(ctx, cl, *key)
	if err != nil {
		return err
	}
	key.Principal, answer.UserARN = who.ARN, who.ARN
	if answer.MFASerial != "" {
		return nil
	}
	if who.askDevices(ctx, cl, *key); who.Hidden != nil {
		return who.Hidden
	}
	answer.Skipped = who.FIDO
	switch len(who.Devices) {
	case 0:
		return who.NoDevice()
	case 1:
		answer.MFASerial = who.Devices[0]
	default:
		answer.Devices = who.Devices
	}
	return nil
}

// undoKey takes a key back out of the keyring, after its config could not be written.
func (d *Daemon) undoKey(ctx context.Context, name string) {
	kr, err := d.theKeyring(ctx)
	if err == nil {
		err = kr.Delete(ctx, keyName(name))
	}
	if err != nil {
		d.Log.Error("a key without an identity stays in the keyring", "identity", name, "error", err)
	}
}

// RemoveIdentity implements [localapi.Backend]. A key whose section somebody took
// out of the config is removed too, whatever lies beside it.
func (d *Daemon) RemoveIdentity(ctx context.Context, name string) error {
	if err := d.load(); err != nil {
		return err
	}
	c := d.conf()
	if users := usersOf(c, name); len(users) > 0 {
		return &creds.Error{Code: creds.CodeConflict, Op: "identity " + name + " is used by " + strings.Join(users, ", "),
			Hint: "run: mfad profile remove " + users[0]}
	}
	done, err := d.rotations.begin(name)
	if err != nil {
		return err
	}
	defer done()
	kr, err := d.theKeyring(ctx)
	if err != nil {
		return err
	}
	text, err := kr.Get(ctx, keyName(name))
	id, unknown := c.Identity(name)
	switch code := creds.CodeOf(err); {
	case unknown != nil && err != nil && code != creds.CodeKeyringLocked:
		return unknown
	case unknown != nil:
	case id.Type != profile.TypeKey || code == creds.CodeKeyNotFound:
		err = nil
	case err == nil:
		err = mayForget(name, text)
	}
	if err != nil {
		return err
	}
	// The config first: a key without a section can be added to one again, a key
	// that is gone cannot.
	if unknown == nil {
		if err := profile.RemoveSection(d.Paths.Config, "identity "+name, d.loadOptions()); err != nil {
			return err
		}
	}
	if err := kr.Delete(ctx, keyName(name)); err != nil && creds.CodeOf(err) != creds.CodeKeyNotFound {
		return &creds.Error{Code: creds.CodeOf(err), Op: "identity " + name + " is not in the config, but its key is still in the keyring",
			Hint: "run: mfad unlock, then mfad identity remove " + name, Err: err}
	}
	d.mu.Lock()
	delete(d.held, name)
	d.mu.Unlock()
	d.engine.Forget(name)
	return d.load()
}

// usersOf names the profiles of an identity.
func usersOf(c *profile.Config, identity string) (users []string) {
	for _, p := range c.ProfileNames() {
		if c.Profiles[p].Identity == identity {
			users = append(users, p)
		}
	}
	return users
}

// mayForget refuses to forget two keys at once, one of which nobody may know of. An
// item that is none can go.
func mayForget(identity string, text creds.Secret) error {
	var item keyItem
	if json.Unmarshal([]byte(text.Reveal()), &item) != nil || item.Rotation == nil {
		return nil
	}
	both := "its key " + item.AccessKeyID
	if other := item.Rotation.Other; other != nil {
		both = "both its keys, " + item.AccessKeyID + " and " + other.AccessKeyID + ","
	}
	return &creds.Error{Code: creds.CodeConflict, Op: "a rotation of identity " + identity + " is not over, and " + both + " would stay at AWS",
		Hint: "finish it: mfad identity rotate " + identity + " (where the old key cannot be deleted: --keep-old)"}
}
