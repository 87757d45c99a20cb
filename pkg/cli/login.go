package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

func (a *app) loginCommand() *cobra.Command {
	var code string
	c := &cobra.Command{
		Use:   "login [IDENTITY|PROFILE]",
		Short: "Give a code, and have every profile fresh",
		Long: `Start the MFA session of an identity with one code, which is asked for on the
terminal or comes from the identity's mfa_process. Every profile of the identity
is then refreshed at once, and each one's outcome is printed.

With a profile the code goes to its role alone, direct: it then lives as long as
the role allows, up to 12 hours, and no session is started. Where nothing tells
how long that is, the first code starts the session, which looks it up, and the
next one goes direct.`,
		Example: "  mfad login\n  mfad login prod\n  oathtool --totp -b SEED | mfad login corp --code -",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := localapi.LoginRequest{CanAsk: canAskHere()}
			if len(args) == 1 {
				r.Target = args[0]
			}
			if code != "" {
				var err error
				if r.Code, err = a.codeFromStdin(cmd.Context(), code); err != nil {
					return err
				}
			}
			return a.login(cmd.Context(), r)
		},
		ValidArgsFunction: a.complete(true),
	}
	c.Flags().StringVar(&code, "code", "", "`-` reads the code from stdin")
	return c
}

// codeFromStdin reads a code; on the command line every user of the machine
// could read it.
func (a *app) codeFromStdin(ctx context.Context, flag string) (string, error) {
	if flag != "-" {
		return "", usage("write --code - and give the code on stdin", "a code is never an argument: others can read those")
	}
	line, err := a.readStdin(ctx, false)
	if err != nil {
		return "", err
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", usage("give the code on stdin", "there is no code on stdin")
	}
	return line, nil
}

func (a *app) login(ctx context.Context, r localapi.LoginRequest) error {
	c, st, err := a.daemonStatus(ctx)
	if err != nil {
		return err
	}
	var out localapi.Outcome
	if err := a.converse(ctx, c, "/v1/login", r, &out); err != nil {
		return err
	}
	a.warnOtherFiles(st)
	return a.outcome(out)
}

// outcome prints what came of a login or refresh. Its error says, by the exit
// status alone, what kept profiles from being fresh.
func (a *app) outcome(out localapi.Outcome) error {
	if a.json {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		a.printOutcome(out)
	}
	return worst(out)
}

func (a *app) printOutcome(out localapi.Outcome) {
	now := time.Now()
	if out.SessionExpires != nil {
		fmt.Fprintf(a.out, "%s: session until %s (%s)\n", out.Identity, clock(*out.SessionExpires, now), left(*out.SessionExpires, now))
	}
	width := 0
	for _, p := range out.Profiles {
		width = max(width, len(p.Name))
	}
	for _, p := range out.Profiles {
		line := p.State
		if p.Expires != nil && p.Expires.After(now) {
			line += ", " + left(*p.Expires, now) + " left"
		}
		if text(p.Via) == "direct" {
			line += ", direct"
		}
		fmt.Fprintf(a.out, "%-*s  %s\n", width, p.Name, line)
		if p.Error != nil {
			a.complain(p.Name+": "+p.Error.Message, p.Error.Hint)
		} else if p.Warning != nil {
			a.complain(p.Name+": "+p.Warning.Message, p.Warning.Hint)
		}
	}
	if out.Note != "" {
		a.note("%s", out.Note)
	}
}

// worst gives the exit status of several profiles: the first of 5, 6, 4 and 1
// that occurred.
func worst(out localapi.Outcome) error {
	seen := map[int]bool{}
	for _, p := range out.Profiles {
		if p.Error != nil {
			seen[exitStatus(p.Error.Code)] = true
		} else if p.State == "refreshing" {
			seen[exitStatus(creds.CodeTimeout)] = true
		}
	}
	for _, status := range []int{5, 6, 4, 1} {
		if seen[status] {
			return statusError(status)
		}
	}
	if len(seen) > 0 {
		return statusError(1)
	}
	return nil
}

func (a *app) refreshCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "refresh [PROFILE...]",
		Short: "Refresh profiles now",
		Long:  "Fetch new credentials for the named profiles, or for all, with the sessions that live. No code is asked for.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, st, err := a.daemonStatus(cmd.Context())
			if err != nil {
				return err
			}
			var out localapi.Outcome
			if err := c.Do(cmd.Context(), "/v1/refresh", localapi.RefreshRequest{Profiles: args}, &out); err != nil {
				return err
			}
			a.warnOtherFiles(st)
			return a.outcome(out)
		},
		ValidArgsFunction: a.complete(false),
	}
}
