package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/profile"
)

// complete gives the names of profiles, and of identities where those do too, as
// the config has them: no daemon is started for a completion.
func (a *app) complete(identities bool) cobra.CompletionFunc {
	return a.completeFrom(func(c *profile.Config) []string {
		if identities {
			return append(c.ProfileNames(), c.IdentityNames()...)
		}
		return c.ProfileNames()
	})
}

// completeIdentities gives the names of identities alone.
func (a *app) completeIdentities() cobra.CompletionFunc {
	return a.completeFrom((*profile.Config).IdentityNames)
}

// completeFrom gives what the config has that begins as what was typed.
func (a *app) completeFrom(names func(*profile.Config) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		p, err := a.paths()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := profile.Load(p.Config, profile.Options{System: p.SystemConfig})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var found []cobra.Completion
		for _, n := range names(c) {
			if strings.HasPrefix(n, start) {
				found = append(found, n)
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeKey gives what a key of a profile's section can be.
func (a *app) completeKey(key string) cobra.CompletionFunc {
	switch key {
	case "identity":
		return a.completeIdentities()
	case "source_profile":
		return a.complete(false)
	case "mfa":
		return cobra.FixedCompletions([]cobra.Completion{"auto", "session", "direct"}, cobra.ShellCompDirectiveNoFileComp)
	case "write":
		return cobra.FixedCompletions([]cobra.Completion{"credentials", "process", "none"}, cobra.ShellCompDirectiveNoFileComp)
	case "policy": // a file
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	return cobra.NoFileCompletions
}
