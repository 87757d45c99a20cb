package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

// formats are those of `aws configure export-credentials`
// (https://docs.aws.amazon.com/cli/latest/reference/configure/export-credentials.html).
var formats = []string{"process", "env", "env-no-export", "powershell", "windows-cmd", "fish"}

func (a *app) exportCommand() *cobra.Command {
	var format string
	var wait time.Duration
	c := &cobra.Command{
		Use:   "export PROFILE",
		Short: "Print a profile's credentials for a shell",
		Long: `Print a profile's credentials in one of the formats of
"aws configure export-credentials". They do not renew themselves: for long runs
use exec or credential_process.`,
		Example: "  eval \"$(mfad export prod)\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(formats, format) {
				return usage("use one of "+strings.Join(formats, ", "), "there is no format %q", format)
			}
			r := localapi.CredentialsRequest{Profile: args[0], For: localapi.ForExport, TimeoutSeconds: wait.Seconds(), CanAsk: canAskHere()}
			out, err := a.credentials(cmd.Context(), r, wait)
			if err != nil {
				return err
			}
			text, err := exportText(out, format)
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.out, text)
			return err
		},
		ValidArgsFunction: a.complete(false),
	}
	c.Flags().StringVar(&format, "format", "env", "one of "+strings.Join(formats, ", "))
	c.Flags().DurationVar(&wait, "timeout", 50*time.Second, "how long to wait for a code or for AWS")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(cobraChoices(formats), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func cobraChoices(words []string) []cobra.Completion { return words }

// exportText writes credentials byte for byte as the AWS CLI does. That quotes no
// value: one that a shell would take for something else is an error.
func exportText(c localapi.Process, format string) (string, error) {
	c.Expiration = awsTime(c.Expiration)
	var text strings.Builder
	if format == "process" {
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err := e.Encode(c)
		return text.String(), err
	}
	line := map[string]string{
		"env":           "export %s=%s\n",
		"env-no-export": "%s=%s\n",
		"powershell":    "$Env:%s=\"%s\"\n",
		"windows-cmd":   "set %s=%s\n",
		"fish":          "set -gx %s \"%s\"\n",
	}[format]
	for _, v := range [][2]string{
		{"AWS_ACCESS_KEY_ID", c.AccessKeyID}, {"AWS_SECRET_ACCESS_KEY", c.SecretAccessKey},
		{"AWS_SESSION_TOKEN", c.SessionToken}, {"AWS_CREDENTIAL_EXPIRATION", c.Expiration},
	} {
		if strings.ContainsFunc(v[1], needsQuotes) {
			return "", &creds.Error{Code: creds.CodeInternal, Op: v[0] + " has characters that a shell would not take as they are",
				Hint: "run: mfad export PROFILE --format process"}
		}
		if v[1] != "" {
			fmt.Fprintf(&text, line, v[0], v[1])
		}
	}
	return text.String(), nil
}

// needsQuotes tells whether any of the shells takes a character for something other
// than itself. AWS gives base64.
func needsQuotes(r rune) bool {
	plain := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("+/=_-.:", r)
	return !plain
}

// awsTime writes a moment as the AWS CLI does: Python's isoformat, with an offset
// instead of Z.
func awsTime(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return t.UTC().Format("2006-01-02T15:04:05+00:00")
}
