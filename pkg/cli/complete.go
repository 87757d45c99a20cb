package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/profile"
)

// complete gives the names of profiles, and of identities where those do too, as
// the config has them: no daemon is started for a completion.
func (a *app) complete(identities bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		p, err := a.paths()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := profile.Load(p.Config, profile.Options{System: p.SystemConfig})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := c.ProfileNames()
		if identities {
			names = append(names, c.IdentityNames()...)
		}
		var found []cobra.Completion
		for _, n := range names {
			if strings.HasPrefix(n, start) {
				found = append(found, n)
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}
