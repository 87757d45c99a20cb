package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/console"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

// consoleFlags are what `console` takes besides the profile.
type consoleFlags struct {
	duration, destination, region string
	browser, code                 string
	print                         bool
}

func (a *app) consoleCommand() *cobra.Command {
	var f consoleFlags
	c := &cobra.Command{
		Use:   "console PROFILE",
		Short: "Open the AWS console as a profile",
		Long: `Sign a browser in to the AWS console with a profile's credentials.

The console lasts as long as these do. With --duration it lasts up to 12 hours,
even for a role that allows one: AWS takes that for a role assumed direct, so a
code is asked for unless such credentials live already. A chained or federated
profile cannot outlast its credentials. A profile without a role opens the
console as the user, with sts:GetFederationToken.

The browser gets an address of this machine that works once and posts the login
form; only --print shows the real one, which is a secret for 15 minutes.`,
		Example: "  mfad console prod\n  mfad console prod --duration 12h --destination s3\n  mfad console prod --print",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.console(cmd.Context(), args[0], f)
		},
		ValidArgsFunction: a.complete(false),
	}
	flags := c.Flags()
	flags.StringVar(&f.duration, "duration", "", "how long the console session lasts, `15m` to 12h")
	flags.StringVar(&f.destination, "destination", "", "where it opens: a console `URL`, or a service such as s3")
	flags.StringVar(&f.region, "region", "", "the console's `REGION`")
	flags.BoolVar(&f.print, "print", false, "print the address instead of opening it")
	flags.StringVar(&f.browser, "browser", "", "the `COMMAND` that opens an address")
	flags.StringVar(&f.code, "code", "", "`-` reads a code from stdin")
	_ = c.RegisterFlagCompletionFunc("destination", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return console.Services(), cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

func (a *app) console(ctx context.Context, profile string, f consoleFlags) error {
	r := localapi.ConsoleRequest{Profile: profile, Destination: f.destination, Region: f.region, CanAsk: canAskHere()}
	if f.duration != "" {
		d, err := duration(f.duration)
		if err != nil {
			return usage("write it as 12h, or in seconds", "--duration: %v", err)
		}
		if r.DurationSeconds = int(d / time.Second); r.DurationSeconds <= 0 {
			return usage("add --duration 12h", "AWS gives console sessions of 15m to 12h, not %s", f.duration)
		}
	}
	if f.code != "" {
		var err error
		if r.Code, err = a.codeFromStdin(ctx, f.code); err != nil {
			return err
		}
	}
	c, st, err := a.daemonStatus(ctx)
	if err != nil {
		return err
	}
	a.warnOtherFiles(st)
	var answer localapi.ConsoleAnswer
	if err := a.converse(ctx, c, "/v1/console", r, &answer); err != nil {
		return err
	}
	l := console.Login{Endpoint: answer.Endpoint, Destination: answer.Destination, Token: creds.NewSecret(answer.SigninToken)}
	now := time.Now()
	life := fmt.Sprintf("console of %s until %s (%s)", profile, clock(answer.Expires, now), left(answer.Expires, now))
	switch {
	case a.json && f.print:
		return a.printJSON(map[string]any{"url": l.URL().Reveal(), "principal": answer.Principal, "expires": answer.Expires, "note": answer.Note})
	case f.print:
		fmt.Fprintln(a.out, l.URL().Reveal())
	default:
		if err := l.Open(ctx, console.Browser(f.browser, a.getenv)); err != nil {
			return err
		}
	}
	a.note("%s", life)
	if answer.Note != "" {
		a.note("%s", answer.Note)
	}
	if a.json {
		return a.printJSON(map[string]any{"principal": answer.Principal, "expires": answer.Expires, "note": answer.Note})
	}
	return nil
}

// duration reads a Go duration or whole seconds, as the config does.
func duration(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	d, err := time.ParseDuration(text + "s")
	if err != nil {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	return d, nil
}
