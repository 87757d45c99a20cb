package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/plan"
)

func (a *app) roleCommand() *cobra.Command {
	var set string
	var learn bool
	c := &cobra.Command{
		Use:   "role PROFILE",
		Short: "Show what is known of a profile's role: how long it may live, and why",
		Long: `Show how long a profile's role may live and how that was learned, the chain it
is assumed through, what its trust policy asks for, and why it is served the way
it is. AWS is asked, if it lets mfad look (iam:GetRole).`,
		Example: "  mfad role prod\n  mfad role prod --set-max-duration 12h",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := localapi.RoleRequest{Profile: args[0], Learn: learn, CanAsk: canAskHere()}
			if set != "" {
				d, err := duration(set)
				if err != nil || d < time.Hour || d > 12*time.Hour || d%time.Second != 0 {
					return usage("add --set-max-duration 12h", "AWS takes a maximum of 1h to 12h, not %s", set)
				}
				r.SetMaxSeconds = int(d / time.Second)
			}
			return a.role(cmd.Context(), r)
		},
		ValidArgsFunction: a.complete(false),
	}
	c.Flags().StringVar(&set, "set-max-duration", "", "set the role's MaxSessionDuration, `1h` to 12h (iam:UpdateRole)")
	c.Flags().BoolVar(&learn, "learn", false, "forget what was learned of the role, and look again")
	return c
}

func (a *app) role(ctx context.Context, r localapi.RoleRequest) error {
	c, _, err := a.daemonStatus(ctx)
	if err != nil {
		return err
	}
	var answer localapi.RoleAnswer
	if err := a.converse(ctx, c, "/v1/role", r, &answer); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(answer)
	}
	a.printRole(answer)
	return nil
}

func (a *app) printRole(r localapi.RoleAnswer) {
	now := time.Now()
	rows := [][]string{
		{"role", r.RoleARN},
		{"profile", r.Profile + " (identity " + r.Identity + ", mfa = " + r.Mode + ")"},
		{"maximum", r.Maximum},
	}
	if r.Learned != nil {
		rows = append(rows, []string{"learned", clock(*r.Learned, now)})
	}
	if len(r.Chain) > 1 {
		rows = append(rows, []string{"chain", strings.Join(r.Chain, " -> ") + ", an hour at most"})
	}
	if r.MFAMaxAge != nil {
		rows = append(rows, []string{"MFA age", "at most " + plan.Short(time.Duration(*r.MFAMaxAge)*time.Second)})
	}
	rows = append(rows, []string{"served", orElse(text(r.Via), "-")})
	if r.Why != "" {
		rows = append(rows, []string{"why", r.Why})
	}
	for _, t := range r.Trust {
		rows = append(rows, []string{"trust", t})
	}
	if r.DirectOff != nil {
		rows = append(rows, []string{"direct", "not before " + clock(*r.DirectOff, now)})
	}
	writeTable(a.out, rows)
	if e := r.DirectErr; e != nil {
		fmt.Fprintf(a.out, "\nrefused direct: %s\n", e.Message)
	}
	if e := r.LookError; e != nil {
		fmt.Fprintf(a.err, "mfad: the role could not be looked up: %s\n", e.Message)
		if e.Hint != "" {
			fmt.Fprintf(a.err, "hint: %s\n", e.Hint)
		}
	}
}
