package cli

import (
	"context"
	"slices"

	"github.com/mfad/mfad/pkg/setup"
)

// apply carries the plans out: all keys into the keyring first, and out of their
// old places last.
func (r *importRun) apply(ctx context.Context, plans []setup.Plan) error {
	s := r.setupRun
	d, err := s.sameDaemon(ctx)
	if err != nil {
		return err
	}
	for i := range plans {
		s.answers = r.taking[i]
		if err := s.storeKey(ctx, d, &plans[i]); err != nil && i > 0 {
			return r.halfway(err)
		} else if err != nil {
			return err
		}
		plans[i].Identity = nil // it came with the key
	}
	if err := s.change(ctx, setup.Join(plans)); err != nil { // without what the keyring would not take
		return r.halfway(err)
	}
	if err := r.clearVault(ctx); err != nil {
		return r.halfway(err)
	}
	_, err = s.reload(ctx)
	return err
}

func (r *importRun) halfway(err error) error {
	r.note("a part is done, and no key is lost; run the command again to go on")
	return err
}

// removesFromVault tells whether a key is to be removed from aws-vault.
func (r *importRun) removesFromVault() bool {
	return slices.ContainsFunc(r.taking, func(a setup.Answers) bool { return a.Origin.Key.Vault && a.Origin.RemoveKey })
}

// clearVault removes from aws-vault what the keyring has given back.
func (r *importRun) clearVault(ctx context.Context) error {
	for _, a := range r.taking {
		if k := a.Origin.Key; k.Vault && a.Origin.RemoveKey && !slices.Contains(r.otherKeys, a.Identity) {
			if err := r.vault.remove(ctx, k.Profile); err != nil {
				return err
			}
			r.note("removed the key from aws-vault's %s", k.Profile)
		}
	}
	return nil
}
