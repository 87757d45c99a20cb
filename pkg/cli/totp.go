package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
)

// oneFactor is what everybody is told who stores a seed.
const oneFactor = `With the seed beside the key, two factors become one: whoever opens this keyring
has both, and MFA no longer stops them. Where codes must come without a person
(a build machine), it is the way; on your own machine a code program that wants
a touch (mfa_process) keeps them two.`

func (a *app) identityTOTPCommand() *cobra.Command {
	r := localapi.TOTPRequest{}
	c := &cobra.Command{
		Use:   "totp NAME",
		Short: "Store the seed of an identity's virtual MFA device, so that codes come by themselves",
		Long: `Store the seed of an identity's virtual MFA device in the keyring, beside its
key: mfad then makes the codes, and asks nobody. It takes the place of an
mfa_process. The seed is what AWS shows once, when a virtual device is made:
"Show secret key", or the address in the QR code (otpauth://...). It is asked for
on the terminal, or read from stdin. AWS is given one code of it first, and a seed
whose code AWS refuses is not stored.

` + oneFactor,
		Example: "  mfad identity totp corp\n  mfad identity totp corp --remove",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name = args[0]
			if r.Remove {
				d, err := a.daemon(cmd.Context())
				if err != nil {
					return err
				}
				if err := d.Do(cmd.Context(), "/v1/identities/totp", r, nil); err != nil {
					return err
				}
				a.note("removed the seed of %s; codes are asked for again", r.Name)
				return nil
			}
			fmt.Fprintln(a.err, oneFactor)
			seed, err := a.readSeed(cmd.Context())
			if err != nil {
				return err
			}
			r.Seed = seed.Reveal()
			return a.storeSeed(cmd.Context(), r)
		},
		ValidArgsFunction: a.completeIdentities(),
	}
	c.Flags().BoolVar(&r.Remove, "remove", false, "remove the stored seed")
	c.Flags().BoolVar(&r.NoVerify, "no-verify", false, "do not try a code of it with AWS")
	c.MarkFlagsMutuallyExclusive("remove", "no-verify")
	return c
}

// seedBeside reads the seed that is to be stored with a new identity's key; none
// where the flag is not there.
func (a *app) seedBeside(ctx context.Context, flag string, from keySource) (creds.Secret, error) {
	switch {
	case flag == "":
		return creds.Secret{}, nil
	case flag != "-":
		return creds.Secret{}, usage("write --totp - and give the seed on stdin", "a seed is never an argument: others can read those")
	case from.stdin:
		return creds.Secret{}, usage("run: mfad identity totp NAME, afterwards", "stdin cannot hold both the key and the seed")
	}
	fmt.Fprintln(a.err, oneFactor)
	return a.readSeed(ctx)
}

// readSeed reads a seed, and refuses what is none before anything is done with it.
func (a *app) readSeed(ctx context.Context) (creds.Secret, error) {
	line := ""
	if a.stdinIsTerminal() {
		t, err := openTerminal()
		if err != nil {
			return creds.Secret{}, err
		}
		defer t.close()
		seed, err := t.secret(ctx, "secret key of the virtual device (not shown): ")
		if err != nil {
			return creds.Secret{}, err
		}
		line = seed.Reveal()
	} else {
		var err error
		if line, err = a.readStdin(ctx, false); err != nil {
			return creds.Secret{}, err
		}
	}
	if line = strings.TrimSpace(line); line == "" {
		return creds.Secret{}, usage("give the secret key of the virtual device on stdin", "there is no seed")
	}
	_, err := mfa.ParseSeed(line)
	return creds.NewSecret(line), err
}

// storeSeed hands a seed to the daemon.
func (a *app) storeSeed(ctx context.Context, r localapi.TOTPRequest) error {
	d, err := a.daemon(ctx)
	if err != nil {
		return err
	}
	if err := d.Do(ctx, "/v1/identities/totp", r, nil); err != nil {
		return err
	}
	a.note("stored the seed of %s: its codes come by themselves; undo with: mfad identity totp %s --remove", r.Name, r.Name)
	return nil
}
