package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/setup"
)

// exportConfigFlags are those of export-config.
type exportConfigFlags struct{ keys, yes, dryRun bool }

func (a *app) exportConfigCommand() *cobra.Command {
	var o exportConfigFlags
	c := &cobra.Command{
		Use:   "export-config",
		Short: "The way out: plain AWS profiles again, which need no mfad",
		Long: `Turn mfad's profiles into plain AWS profiles: lines that were commented out come
back, roles that mfad alone knew are written into the AWS config file, and mfad's own
sections and lines go. AWS's tools then ask for the MFA code themselves. The profiles
leave mfad's config; identities and their keys stay, in the keyring.

AWS's tools need the long-term key in the credentials file. --with-keys writes it there,
in clear text, where every program of yours can read it.`,
		Example: "  mfad export-config --dry-run\n  mfad export-config --with-keys",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := &exportConfigRun{setupRun: &setupRun{app: a}, told: o}
			defer r.close()
			return r.run(cmd.Context())
		},
	}
	f := c.Flags()
	f.BoolVar(&o.keys, "with-keys", false, "write the long-term keys into the credentials file, in clear text")
	f.BoolVar(&o.yes, "yes", false, "change the files without asking")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would change, and change nothing")
	return c
}

// exportConfigRun is one run.
type exportConfigRun struct {
	*setupRun
	told    exportConfigFlags
	leaving setup.Leaving
}

func (r *exportConfigRun) run(ctx context.Context) error {
	r.sit()
	if !r.told.dryRun && !r.told.yes && r.tty == nil {
		return nobodyAgrees()
	}
	r.flags = setupFlags{yes: r.told.yes, dryRun: r.told.dryRun}
	if err := r.look(ctx); err != nil {
		return err
	}
	if err := r.plan(ctx); err != nil {
		return err
	}
	release := r.release()
	if r.told.keys {
		release.Keys = r.placeholders()
	}
	diff, err := r.diff(ctx, release)
	if err != nil {
		return err
	}
	r.tell()
	if len(r.leaving.Profiles) == 0 && diff == "" {
		r.note("nothing to do: no profile of mfad's config is left to export")
		return nil
	}
	if r.told.dryRun {
		if _, err := fmt.Fprint(r.out, diff); err != nil {
			return err
		}
		r.note("this was a dry run: nothing was changed")
		return nil
	}
	question := "make these changes?"
	if len(release.Keys) > 0 {
		question = fmt.Sprintf("write %s in clear text into %s and make these changes?", several(len(release.Keys), "long-term key"), r.where.AWSCredentials)
	}
	if err := r.agree(ctx, diff, question); err != nil {
		return err
	}
	return r.leave(ctx, release)
}

// plan finds out what the files hold without mfad, and what is missing then.
func (r *exportConfigRun) plan(ctx context.Context) error {
	now := r.found.Leave(r.config)
	without, err := r.files.PreviewRelease(ctx, credfile.Release{Profiles: now.Profiles, Names: now.Names})
	if err != nil {
		return err
	}
	r.found = setup.Scan(setup.File{Path: without.Credentials.Path, Text: without.Credentials.New}, setup.File{Path: without.Config.Path, Text: without.Config.New})
	r.leaving = r.found.Leave(r.config)
	return nil
}

func (r *exportConfigRun) release() credfile.Release {
	return credfile.Release{Profiles: r.leaving.Profiles, Names: r.leaving.Names, Config: r.leaving.Config}
}

// homes are the sections into which keys go.
func (r *exportConfigRun) homes() []setup.Home {
	return slices.DeleteFunc(slices.Clone(r.leaving.Homes), func(h setup.Home) bool { return h.Present })
}

// placeholders stand for the keys, which are not read before somebody agreed.
func (r *exportConfigRun) placeholders() []credfile.LongTerm {
	var keys []credfile.LongTerm
	for _, h := range r.homes() {
		keys = append(keys, credfile.LongTerm{Name: h.Section, Key: creds.Credentials{AccessKeyID: "AKIA****", SecretAccessKey: creds.NewSecret("****")}})
	}
	return keys
}

func (r *exportConfigRun) diff(ctx context.Context, release credfile.Release) (string, error) {
	p, err := r.files.PreviewRelease(ctx, release)
	if err != nil {
		return "", err
	}
	return setup.Diff(p.Config.Path, p.Config.Old, p.Config.New) + setup.Diff(p.Credentials.Path, p.Credentials.Old, p.Credentials.New), nil
}

// tell says what the diff does not show.
func (r *exportConfigRun) tell() {
	for _, p := range r.leaving.Left {
		r.complain(p.Profile+": "+p.What, p.Hint)
	}
	if len(r.leaving.Profiles) > 0 {
		r.note("these leave mfad's config, %s: %s", r.where.Config, strings.Join(r.leaving.Profiles, ", "))
	}
	for _, h := range r.homes() {
		if !r.told.keys {
			r.complain("the key of "+h.Identity+" stays in mfad's keyring, and AWS's tools look for it in ["+h.Section+"] of "+r.where.AWSCredentials,
				"add --with-keys, or run: aws configure --profile "+h.Section)
		}
	}
}

// leave carries it out: keys first, so that no line names one that is not there,
// and mfad's config last, which knows what a second run needs.
func (r *exportConfigRun) leave(ctx context.Context, release credfile.Release) error {
	if len(release.Keys) > 0 {
		var err error
		if release.Keys, err = r.keys(ctx); err != nil {
			return err
		}
	}
	if err := r.files.Release(ctx, release); err != nil {
		return err
	}
	for _, name := range r.leaving.Profiles {
		if err := profile.RemoveSection(r.where.Config, "profile "+name, r.opts); err != nil {
			r.note("AWS's files are done, mfad's config is not; run the command again to go on")
			return err
		}
	}
	if err := r.files.Flush(ctx); err != nil {
		return err
	}
	if _, err := r.reload(ctx); err != nil {
		return err
	}
	// A daemon may have looked at its old config once more in between.
	if err := r.files.Release(ctx, credfile.Release{Profiles: r.leaving.Profiles, Names: r.leaving.Names}); err != nil {
		return err
	}
	if len(release.Keys) > 0 {
		r.note("the long-term keys stand in clear text in %s, which only you may read (0600)", r.where.AWSCredentials)
	}
	r.note("identities and their keys stay with mfad; to remove one: mfad identity remove NAME")
	return r.files.Flush(ctx)
}

// keys reads the keys from the keyring: no daemon hands one out.
func (r *exportConfigRun) keys(ctx context.Context) ([]credfile.LongTerm, error) {
	if st, err := answers(ctx, r.client()); err == nil {
		for _, id := range st.Identities {
			if id.State == "locked" {
				return nil, &creds.Error{Code: creds.CodeLocked, Op: "mfad is locked", Hint: "run: mfad unlock"}
			}
		}
	}
	place := daemon.KeyringPlace{Store: r.keyring, Kind: orElse(r.config.Defaults.Keyring, r.getenv("MFAD_KEYRING")), StateDir: r.where.State,
		Passphrase: func() (creds.Secret, error) {
			if p, err := keyring.Passphrase(keyring.ProcessEnvironment()); err != nil || !p.IsZero() {
				return p, err
			}
			return r.passphrase(ctx, false)
		}}
	homes := r.homes()
	var names []string
	for _, h := range homes {
		names = append(names, h.Identity)
	}
	keys, err := daemon.StoredKeys(ctx, place, names)
	if err != nil {
		return nil, err
	}
	var found []credfile.LongTerm
	for i, h := range homes {
		found = append(found, credfile.LongTerm{Name: h.Section, Key: keys[i]})
	}
	return found, nil
}
