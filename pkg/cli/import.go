package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/setup"
)

// importFlags are what all three imports take, and aws-mfa's two suffixes.
type importFlags struct {
	suffixes            setup.Suffixes
	profiles            string
	names, serials      []string
	remove, yes, dryRun bool
}

func (a *app) importCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "import", Short: "Take over keys and roles of aws-mfa, plain AWS profiles, or aws-vault", Args: cobra.NoArgs,
		Long: `Take over all keys and roles of another tool at once. What will change in each file
is shown, without secrets, and changed after one yes; what is left where it is, and
why, is told. A key leaves its old place only with --remove-source, last of all, and
only where the keyring has given exactly that key back. A second run goes on where
another ended. The way back is "mfad export-config".`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		a.importFrom(fromAWSMFA, "Take over aws-mfa's sections (NAME-long-term), with device and role",
			`Take over the sections of aws-mfa: the key of NAME-long-term goes into the keyring,
and mfad keeps [NAME] fresh, by the device and the role (assume_role) that stand
there. Credentials in [NAME] stay until mfad has fresh ones.`),
		a.importFrom(fromAWSConfig, "Take over the roles of the AWS config file, with the keys that assume them",
			`Take over each profile of the AWS config file that assumes its role with an IAM
user's key, by source_profile, also over other roles. The keys of the sources go into
the keyring. The lines that AWS's tools would prefer become comments.`),
		a.importFrom(fromAWSVault, "Take over the keys of aws-vault, with the profiles that use them",
			`Take over the long-term keys that aws-vault keeps, by its own commands list and
export, which ask for what they need; and the profiles of the AWS config file that
use them, as aws-vault reads that file. --remove-source removes them from aws-vault.`),
	)
	return c
}

// The tools that can be imported from.
const (
	fromAWSMFA    = "aws-mfa"
	fromAWSConfig = "aws-config"
	fromAWSVault  = "aws-vault"
)

func (a *app) importFrom(source, short, long string) *cobra.Command {
	var o importFlags
	c := &cobra.Command{
		Use: source, Short: short, Long: long, Args: cobra.NoArgs,
		Example: "  mfad import " + source + " --dry-run\n  mfad import " + source + " --yes --remove-source",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := &importRun{setupRun: &setupRun{app: a, batch: true}, source: source, told: o, users: map[string]taken{}, asked: map[string]bool{}}
			defer r.close()
			return r.run(cmd.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&o.profiles, "profiles", "all", "which profiles: all, or `NAMES` with commas between")
	f.StringArrayVar(&o.names, "identity", nil, "`SECTION=NAME`: what mfad is to call the key of a section")
	f.StringArrayVar(&o.serials, "mfa-serial", nil, "the `ARN` of the MFA device where AWS does not tell it, or SECTION=ARN")
	f.BoolVar(&o.remove, "remove-source", false, "take the keys out of their old place once the keyring has them")
	f.BoolVar(&o.yes, "yes", false, "change the files without asking")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would change, and change nothing")
	if source == fromAWSMFA {
		f.StringVar(&o.suffixes.Long, "long-term-suffix", "", "what aws-mfa was told of the same name: a `SUFFIX`, or none")
		f.StringVar(&o.suffixes.Short, "short-term-suffix", "", "what aws-mfa was told of the same name: a `SUFFIX`, or none")
	}
	return c
}

// importRun is one run. Its setupRun works on one key after the other.
type importRun struct {
	*setupRun
	source string
	told   importFlags
	vault  *vault // aws-vault's keys; nil for the others

	users   map[string]taken // those whose key was looked at, by ARN
	asked   map[string]bool  // profiles that were spoken of
	offered []string         // profiles that could be taken, wanted or not
	taking  []setup.Answers  // for each key with anything to do
	anyKey  bool             // a key was found, whatever became of it
	had     bool             // an earlier run has brought one
	last    error            // why the last key could not be taken
}

// taken is whose key one is, and which.
type taken struct{ identity, serial, keyID string }

func (r *importRun) run(ctx context.Context) error {
	if err := r.told.suffixes.Check(); err != nil {
		return err
	}
	for _, n := range r.told.names {
		if section, name, ok := strings.Cut(n, "="); !ok || section == "" || name == "" {
			return usage("write --identity SECTION=NAME", "--identity %s is no SECTION=NAME", n)
		}
	}
	r.sit()
	if !r.told.dryRun && !r.told.yes && r.tty == nil {
		return nobodyAgrees() // before anybody is called
	}
	r.flags = setupFlags{yes: r.told.yes, dryRun: r.told.dryRun}
	if err := r.look(ctx); err != nil {
		return err
	}
	origins, err := r.origins(ctx)
	if err != nil {
		return err
	}
	for _, o := range origins {
		if err := r.take(ctx, o); err != nil {
			return err
		}
	}
	r.tellLeft()
	if err := r.checkNames(); err != nil {
		return err
	}
	plans := r.plans()
	all := setup.Join(plans)
	if all.Empty() && !r.removesFromVault() {
		return r.nothing()
	}
	return r.change(ctx, plans, all)
}

// change shows, asks, and changes.
func (r *importRun) change(ctx context.Context, plans []setup.Plan, all setup.Plan) error {
	var chosen []setup.Candidate
	keys := 0
	for _, a := range r.taking {
		chosen = append(chosen, a.Profiles...)
		if k := a.Origin.Key; !k.Credentials.IsZero() {
			keys++
			r.note("the key %s of %s: identity %s%s", shortKey(k.Credentials.AccessKeyID), r.place(k), a.Identity, map[bool]string{true: "; it is then removed there"}[a.Origin.RemoveKey])
		}
	}
	diff, err := r.previewFor(ctx, all, chosen)
	if err != nil {
		return err
	}
	if r.told.dryRun {
		if _, err := fmt.Fprint(r.out, diff); err != nil {
			return err
		}
		r.note("this was a dry run: nothing was changed")
		return nil
	}
	question := "make these changes?"
	if keys > 0 {
		question = fmt.Sprintf("put %s into the keyring and make these changes?", several(keys, "key"))
	}
	if err := r.agree(ctx, diff, question); err != nil {
		return err
	}
	if err := r.apply(ctx, plans); err != nil {
		return err
	}
	r.next()
	return nil
}

func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// place says where a key stands.
func (r *importRun) place(k setup.Key) string {
	if k.Vault {
		return "aws-vault's " + k.Profile
	}
	return fmt.Sprintf("[%s] in %s:%d", k.Profile, k.Path, k.Line)
}

// next names the commands that spend a code.
func (r *importRun) next() {
	var names []string
	for _, a := range r.taking {
		if !slices.Contains(names, a.Identity) {
			names = append(names, a.Identity)
		}
	}
	for _, name := range names {
		fmt.Fprintf(r.err, "next: mfad login %s\n", name)
	}
}

// leave tells that something stays as it is, once.
func (r *importRun) leave(name, why, hint string) {
	if !r.asked[name] {
		r.left = true
		r.complain(name+" is left out: "+why, hint)
	}
	r.asked[name] = true
}

// wants tells whether a profile is among those that were named.
func (r *importRun) wants(name string) bool {
	return r.told.profiles == "all" || slices.Contains(r.listed(), name)
}

func (r *importRun) listed() []string {
	list := strings.Split(r.told.profiles, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// checkNames refuses names that nothing was found for.
func (r *importRun) checkNames() error {
	if r.told.profiles == "all" {
		return nil
	}
	for _, name := range r.listed() {
		if !slices.Contains(r.offered, name) && !r.asked[name] && r.config.Profiles[name] == nil {
			return usage("there are: "+orElse(strings.Join(r.offered, ", "), "none"), "%s has no profile %q that can be taken over", r.source, name)
		}
	}
	return nil
}

// nothing is the end of a run that has nothing to do.
func (r *importRun) nothing() error {
	switch {
	case r.left && (r.told.profiles != "all" || !r.had):
		r.note("nothing could be imported; nothing was changed")
		return statusError(exitStatus(creds.Code(orElse(string(creds.CodeOf(r.last)), string(creds.CodeConflict)))))
	case r.left:
		r.note("nothing to do but what was left out")
		return nil
	case r.anyKey:
		r.note("nothing to do: all that was found is taken over (see mfad status)")
		return nil
	}
	return usage("run: mfad setup", "nothing of %s was found in %s and %s", r.source, r.where.AWSCredentials, r.where.AWSConfig)
}
