package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

func (a *app) credentialProcessCommand() *cobra.Command {
	var r localapi.CredentialsRequest
	var wait time.Duration
	c := &cobra.Command{
		Use:   "credential-process --profile NAME",
		Short: "Print a profile's credentials as AWS's SDKs want them",
		Long: `Print one line of JSON for the setting credential_process of the AWS config file.

Credentials that are there are printed at once. Where only a code helps, it is
asked for on the terminal, if there is one in the foreground; else the command
fails at once. Go's SDKs ask again only when credentials have run out: the end
that is told is a minute early where more than two are left.`,
		Example: "  [profile prod]\n  credential_process = /usr/bin/mfad credential-process --profile prod",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Profile == "" {
				return usage("add --profile NAME", "credential-process needs a profile")
			}
			r.TimeoutSeconds = wait.Seconds()
			r.CanAsk = !r.NoPrompt && canAskHere()
			out, err := a.credentials(cmd.Context(), r, wait)
			if err != nil {
				return err
			}
			line, err := json.Marshal(out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s\n", line)
			return err
		},
	}
	c.Flags().StringVar(&r.Profile, "profile", "", "the `NAME` of the profile")
	c.Flags().DurationVar(&wait, "timeout", 50*time.Second, "how long to wait for a code or for AWS")
	c.Flags().BoolVar(&r.NoPrompt, "no-prompt", false, "have nobody asked for a code")
	_ = c.RegisterFlagCompletionFunc("profile", a.complete(false))
	return c
}

// credentials asks the daemon, starting it if need be.
func (a *app) credentials(ctx context.Context, r localapi.CredentialsRequest, wait time.Duration) (localapi.Process, error) {
	if wait <= 0 {
		return localapi.Process{}, usage("use a time such as 50s", "--timeout must be more than nothing")
	}
	// The daemon keeps to the time; this is for one that hangs.
	ctx, cancel := context.WithTimeoutCause(ctx, wait+time.Second, &creds.Error{Code: creds.CodeTimeout, Op: "the daemon has not answered in time",
		Hint: "run: mfad status"})
	defer cancel()
	var out localapi.Process
	c, err := a.daemon(ctx)
	if err != nil {
		return out, err
	}
	return out, a.converse(ctx, c, "/v1/credentials", r, &out)
}
