package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

// profileKeys are the config keys that `profile add` takes as flags, with the
// word that stands for their value.
var profileKeys = []struct{ key, value, help string }{
	{"identity", "NAME", "the identity that signs"},
	{"source_profile", "PROFILE", "the profile that this one is chained to"},
	{"role_arn", "ARN", "the role; without it the profile is the MFA session itself"},
	{"mfa", "MODE", "auto, session or direct"},
	{"duration", "TIME", "max, or 15m to 12h"},
	{"refresh_before", "TIME", "share of the lifetime (50%) or time (30m) before the end"},
	{"write", "WAY", "credentials, process or none"},
	{"section", "NAME", "section in the AWS files, if not the profile's name"},
	{"confirm", "BOOL", "true: ask before each hand-out"},
	{"role_session_name", "NAME", "what CloudTrail shows"},
	{"external_id", "ID", "what the role's trust policy asks for"},
	{"source_identity", "NAME", "STS's source identity"},
	{"session_tags", "K=V,...", "session tags"},
	{"transitive_session_tags", "K,...", "tags that chained sessions inherit"},
	{"policy_arns", "ARN,...", "managed session policies"},
	{"policy", "FILE", "a session policy"},
	{"region", "REGION", "region for the AWS config file"},
	{"output", "FORMAT", "output for the AWS config file"},
	{"mfa_max_age", "TIME", "the trust policy's aws:MultiFactorAuthAge"},
}

func (a *app) profileCommand() *cobra.Command {
	c := &cobra.Command{Use: "profile", Short: "Add, list and remove profiles", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{
		Use: "list", Short: "List the profiles of the config", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.listProfiles() },
	}
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Remove a profile from the config, and its section from the AWS files", Args: cobra.ExactArgs(1),
		Long:              "Remove a profile from the config, and mfad's section and lines for it from the AWS files.\nLines there that setup commented out come back.",
		RunE:              func(cmd *cobra.Command, args []string) error { return a.removeProfile(cmd.Context(), args[0]) },
		ValidArgsFunction: a.complete(false),
	}
	c.AddCommand(a.profileAddCommand(), list, remove)
	return c
}

func (a *app) profileAddCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "add NAME (--identity I | --source-profile P)",
		Short: "Add a profile to the config",
		Long:  "Add a profile to mfad's config. The daemon notices by itself. Each flag is the config key of the same name.",
		Example: `  mfad profile add prod --identity corp --role-arn arn:aws:iam::222222222222:role/Admin
  mfad profile add prod-db --source-profile prod --role-arn arn:aws:iam::333333333333:role/DB`,
		Args: cobra.ExactArgs(1),
	}
	values := make([]string, len(profileKeys))
	for i, k := range profileKeys {
		c.Flags().StringVar(&values[i], flagName(k.key), "", "`"+k.value+"`: "+k.help)
		_ = c.RegisterFlagCompletionFunc(flagName(k.key), a.completeKey(k.key))
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var keys []profile.KV
		for i, k := range profileKeys {
			if cmd.Flags().Changed(flagName(k.key)) {
				keys = append(keys, profile.KV{Key: k.key, Value: values[i]})
			}
		}
		return a.addProfile(cmd.Context(), args[0], keys)
	}
	return c
}

// flagName spells a config key as a flag.
func flagName(key string) string {
	b := []byte(key)
	for i := range b {
		if b[i] == '_' {
			b[i] = '-'
		}
	}
	return string(b)
}

func (a *app) addProfile(ctx context.Context, name string, keys []profile.KV) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	if err := profile.AddSection(p.Config, "profile "+name, keys, profile.Options{System: p.SystemConfig}); err != nil {
		return err
	}
	a.note("added profile %s to %s", name, p.Config)
	st, err := a.reload(ctx)
	if err != nil || st == nil {
		return err
	}
	for _, s := range st.Profiles {
		if s.Name == name && s.State == "conflict" && s.Error != nil {
			a.complain(name+": "+s.Error.Message, s.Error.Hint)
		}
	}
	return nil
}

// reload has a running daemon read the config now; without one there is nothing
// to do.
func (a *app) reload(ctx context.Context) (*localapi.Status, error) {
	c := a.client()
	err := c.Do(ctx, "/v1/reload", struct{}{}, nil)
	if errors.Is(err, localapi.ErrNoDaemon) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var st localapi.Status
	return &st, c.Do(ctx, "/v1/status", nil, &st)
}

func (a *app) removeProfile(ctx context.Context, name string) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	c, err := profile.Load(p.Config, profile.Options{System: p.SystemConfig})
	if err != nil {
		return err
	}
	gone, err := c.Profile(name)
	if err != nil {
		return err
	}
	if err := profile.RemoveSection(p.Config, "profile "+name, profile.Options{System: p.SystemConfig}); err != nil {
		return err
	}
	a.note("removed profile %s", name)
	p.AWSCredentials = orElse(c.Defaults.CredentialsFile, p.AWSCredentials)
	p.AWSConfig = orElse(c.Defaults.ConfigFile, p.AWSConfig)
	err = a.restore(ctx, p, gone.Section)
	_, failed := a.reload(ctx)
	return errors.Join(err, failed)
}

// restore brings back what setup took out of use in the sections of a profile.
func (a *app) restore(ctx context.Context, p daemon.Paths, section string) error {
	if st, err := answers(ctx, a.client()); err == nil { // it may write other files than this environment names
		p.AWSCredentials, p.AWSConfig = st.Daemon.Credentials, st.Daemon.AWSConfig
	}
	files := &credfile.Files{Credentials: p.AWSCredentials, Config: p.AWSConfig}
	restored, err := files.Restore(ctx, []string{section})
	if restored {
		a.note("brought back what was commented out for it in the AWS files")
	}
	return errors.Join(err, files.Flush(ctx))
}

func (a *app) listProfiles() error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	c, err := profile.Load(p.Config, profile.Options{System: p.SystemConfig})
	if err != nil {
		return err
	}
	type row struct {
		Name     string `json:"name"`
		Identity string `json:"identity"`
		RoleARN  string `json:"role_arn"`
		Write    string `json:"write"`
	}
	rows, cells := []row{}, [][]string{{"PROFILE", "IDENTITY", "WRITE", "ROLE"}}
	for _, name := range c.ProfileNames() {
		q := c.Profiles[name]
		rows = append(rows, row{name, q.Identity, q.RoleARN, q.Write})
		cells = append(cells, []string{name, q.Identity, q.Write, orElse(q.RoleARN, "(the MFA session)")})
	}
	if a.json {
		return a.printJSON(rows)
	}
	if len(rows) == 0 {
		fmt.Fprintf(a.err, "mfad: no profile in %s\nhint: run: mfad profile add NAME --identity I --role-arn ARN\n", p.Config)
		return nil
	}
	writeTable(a.out, cells)
	return nil
}
