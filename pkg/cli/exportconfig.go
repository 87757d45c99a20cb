package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/audit"
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
	dead, err := r.deadKeys()
	if err != nil {
		return err
	}
	now := r.found.Leave(r.config, dead)
	without, err := r.files.PreviewRelease(ctx, credfile.Release{Profiles: now.Profiles, Names: now.Names})
	if err != nil {
		return err
	}
	r.found = setup.Scan(setup.File{Path: without.Credentials.Path, Text: without.Credentials.New}, setup.File{Path: without.Config.Path, Text: without.Config.New})
	r.leaving = r.found.Leave(r.config, dead)
	return nil
}

func (r *exportConfigRun) release() credfile.Release {
	return credfile.Release{Profiles: r.leaving.Profiles, Names: r.leaving.Names, Config: r.leaving.Config}
}

// homes are the sections into which keys go.
func (r *exportConfigRun) homes() []setup.Home {
	return slices.DeleteFunc(slices.Clone(r.leaving.Homes), func(h setup.Home) bool { return h.KeyID != "" && !h.Dead })
}

// deadKeys are the ids of the keys that mfad has deleted, as its record of calls
// has them.
func (r *exportConfigRun) deadKeys() (map[string]bool, error) {
	records, _, err := audit.Read(filepath.Join(r.where.State, audit.FileName), audit.Filter{Action: "DeleteAccessKey"})
	dead := map[string]bool{}
	for _, c := range records {
		if c.Outcome == audit.OK && c.KeyID != "" {
			dead[c.KeyID] = true
		}
	}
	return dead, err
}

// placeholders stand for the keys, which are not read before somebody agreed.
func (r *exportConfigRun) placeholders() []credfile.LongTerm {
	var keys []credfile.LongTerm
	for _, h := range r.homes() {
		keys = append(keys, credfile.LongTerm{Name: h.Section, Key: creds.Credentials{AccessKeyID: "AKIA****", SecretAccessKey: creds.NewSecret("****")}, Replaces: replaced(h)})
	}
	return keys
}

// replaced is the id of the key that gives way; empty: none does.
func replaced(h setup.Home) string {
	if !h.Dead {
		return ""
	}
	return h.KeyID
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
	if r.told.keys {
		return // which are compared
	}
	for _, h := range r.leaving.Homes {
		hint := "add --with-keys, or run: aws configure --profile " + h.Section
		switch {
		case h.Dead:
			r.complain("the key "+shortKey(h.KeyID)+" in ["+h.Section+"] was rotated away, and AWS has it no more; "+h.Identity+"'s is in mfad's keyring", hint)
		case h.KeyID != "" && h.Guessed:
			r.complain("["+h.Section+"] holds the key "+shortKey(h.KeyID)+", of which is not known that it is "+h.Identity+"'s", "compare it, or add --with-keys, which does")
		case h.KeyID == "":
			r.complain("the key of "+h.Identity+" stays in mfad's keyring, and AWS's tools look for it in ["+h.Section+"] of "+r.where.AWSCredentials,
				hint)
		}
	}
}

// leave carries it out: keys first, so that no line names one that is not there,
// and mfad's config last, which knows what a second run needs.
func (r *exportConfigRun) leave(ctx context.Context, release credfile.Release) error {
	if r.told.keys && len(r.leaving.Homes) > 0 {
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
	place := daemon.KeyringPlace{Store: r.keyring, Kind: orElse(r.config.Defaults.Keyring, r.getenv("MFAD_KEYRING")), StateDir: r.where.State, Passphrase: r.once(ctx)}
	homes := r.leaving.Homes
	keys, err := r.stored(ctx, place, homes)
	if creds.CodeOf(err) == creds.CodeKeyNotFound { // which matters only where one is to be written
		homes = r.homes()
		keys, err = r.stored(ctx, place, homes)
	}
	if err != nil {
		return nil, err
	}
	var found []credfile.LongTerm
	for i, h := range homes {
		switch {
		case h.KeyID == "" || h.Dead:
			found = append(found, credfile.LongTerm{Name: h.Section, Key: keys[i], Replaces: replaced(h)})
		case h.KeyID != keys[i].AccessKeyID:
			return nil, &creds.Error{Code: creds.CodeConflict, Op: fmt.Sprintf("[%s] holds the key %s, and the key of identity %s is %s", h.Section, shortKey(h.KeyID), h.Identity, shortKey(keys[i].AccessKeyID)),
				Hint: "rename the section, or take the key out of it, and run the command again"}
		}
	}
	return found, nil
}

func (r *exportConfigRun) stored(ctx context.Context, place daemon.KeyringPlace, homes []setup.Home) ([]creds.Credentials, error) {
	if len(homes) == 0 {
		return nil, nil
	}
	var names []string
	for _, h := range homes {
		names = append(names, h.Identity)
	}
	return daemon.StoredKeys(ctx, place, names)
}

// once gives the passphrase, which is asked for once.
func (r *exportConfigRun) once(ctx context.Context) func() (creds.Secret, error) {
	return sync.OnceValues(func() (creds.Secret, error) {
		if p, err := keyring.Passphrase(keyring.ProcessEnvironment()); err != nil || !p.IsZero() {
			return p, err
		}
		return r.passphrase(ctx, false)
	})
}
