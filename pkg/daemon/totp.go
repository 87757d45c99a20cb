package daemon

import (
	"context"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/profile"
)

// SetTOTP implements [localapi.Backend]: it stores the seed of an identity's
// virtual device beside its key, after AWS took a code of it; or takes it away.
func (d *Daemon) SetTOTP(ctx context.Context, r localapi.TOTPRequest) error {
	id, err := d.conf().Identity(r.Name)
	if err != nil {
		return err
	}
	if id.Type != profile.TypeKey {
		return &creds.Error{Code: creds.CodeUsage, Op: "identity " + r.Name + " is federated and takes no code"}
	}
	if r.Remove != (r.Seed == "") {
		return &creds.Error{Code: creds.CodeUsage, Op: "a seed is given, or one is removed", Hint: "give one of seed and remove"}
	}
	seed := creds.Secret{}
	if !r.Remove {
		if seed, err = mfa.ParseSeed(r.Seed); err != nil {
			return err
		}
	}
	item, err := d.readItem(ctx, r.Name)
	if err != nil {
		return err
	}
	if r.Remove && item.TOTPSeed == "" {
		return &creds.Error{Code: creds.CodeUsage, Op: "no seed is stored for identity " + r.Name, Hint: "run: mfad identity list"}
	}
	if !r.Remove && !r.NoVerify {
		if err := d.trySeed(ctx, r.Name, seed); err != nil {
			return err
		}
	}
	_, err = d.changeItem(ctx, r.Name, func(i *keyItem) { i.TOTPSeed = mfa.FormatSeed(seed).Reveal() })
	return err
}

// trySeed has AWS look at a code of the seed: its session is a good one to have.
func (d *Daemon) trySeed(ctx context.Context, identity string, seed creds.Secret) error {
	if err := d.desk.Reserve(ctx, identity); err != nil {
		return err
	}
	code := mfa.CodeAt(seed, d.clock.Now(), d.desk.Step)
	_, err := d.give(ctx, gift{identity: identity, code: code.Reveal(), timeout: loginDefault}, localapi.Talk{})
	if creds.CodeOf(err) == creds.CodeMFARejected {
		return &creds.Error{Code: creds.CodeMFARejected, Op: "AWS refused the code that this seed gives; nothing was stored",
			Hint: "is it the seed of " + d.conf().Identities[identity].MFASerial + "? is the clock right? see: mfad doctor", Err: err}
	}
	return err
}

// generate makes an identity's present code from the stored seed.
func (d *Daemon) generate(ctx context.Context, identity string) (creds.Secret, error) {
	item, err := d.readItem(ctx, identity)
	if err != nil {
		return creds.Secret{}, err
	}
	seed, err := mfa.ParseSeed(item.TOTPSeed)
	if err != nil {
		return creds.Secret{}, &creds.Error{Code: creds.CodeKeyringFailed, Op: "the keyring holds no good seed for identity " + identity,
			Hint: "run: mfad identity totp " + identity}
	}
	return mfa.CodeAt(seed, d.clock.Now(), d.desk.Step), nil
}
