package cli

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [PROFILE]",
		Short: "Check everything between you, mfad and AWS, and say what to do",
		Long: `Check the daemon, the clock, the way to AWS, the keyring, the rights of files,
AWS's two files, the variables of this shell, and each profile: one line each, and
below what is wrong the next step. Nothing is changed, no daemon is started, and
no credentials are used. With a PROFILE only what concerns it is checked.

"ok" is well, "hm" is good to know and no failure, "no" is a failure.

Exit status: 0 where nothing failed, 1 where something did, 2 for an unknown
profile.`,
		Example: "  mfad doctor\n  mfad doctor prod\n  mfad doctor --json | jq '.checks[] | select(.ok | not)'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return a.doctor(cmd.Context(), name)
		},
		ValidArgsFunction: a.complete(false),
	}
}

func (a *app) doctor(ctx context.Context, name string) error {
	picture, err := a.lookAround(ctx, name)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	found := doctor.Examine(picture)
	if a.json {
		err = a.printJSON(doctorAnswer(found))
	} else {
		a.printFindings(found, a.verbose || name != "")
	}
	if err == nil && doctor.Failed(found) {
		err = statusError(1)
	}
	return err
}

// doctorReport is the answer of `mfad doctor --json`.
type doctorReport struct {
	Schema int           `json:"schema"`
	Checks []doctorCheck `json:"checks"`
}

// doctorCheck is one finding. What is not known, or does not apply, is null.
type doctorCheck struct {
	Name     string  `json:"name"`
	OK       bool    `json:"ok"`    // false: a failure
	Level    string  `json:"level"` // ok, hm or no
	What     string  `json:"what"`
	Why      *string `json:"why"`
	Fix      *string `json:"fix"`
	Profile  *string `json:"profile"`
	Identity *string `json:"identity"`
}

func doctorAnswer(found []doctor.Finding) doctorReport {
	known := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	r := doctorReport{Schema: 1, Checks: []doctorCheck{}}
	for _, f := range found {
		r.Checks = append(r.Checks, doctorCheck{
			Name: f.Check, OK: f.Level != doctor.Fault, Level: string(f.Level), What: f.What,
			Why: known(f.Why), Fix: known(f.Fix), Profile: known(f.Profile), Identity: known(f.Identity),
		})
	}
	return r
}

// mostLines is how many profiles get lines of their own, of those that are well and
// of the others.
const mostLines = 20

// printFindings writes one line for each, and the next step below. Of a crowd of
// profiles those that are well are counted, and so are the others beyond the first,
// unless each is wanted.
func (a *app) printFindings(found []doctor.Finding, each bool) {
	well, ill, shown := 0, 0, 0
	for _, f := range found {
		switch {
		case f.Check != "profile":
		case f.Level == doctor.OK:
			well++
		default:
			ill++
		}
	}
	for _, f := range found {
		if f.Check == "profile" && !each {
			if f.Level == doctor.OK && well > mostLines {
				continue
			}
			if f.Level != doctor.OK {
				if shown++; shown > mostLines {
					continue
				}
			}
		}
		line := string(f.Level) + "  " + f.What
		if f.Why != "" {
			line += ": " + f.Why
		}
		fmt.Fprintln(a.out, inOneLine(line))
		if f.Fix != "" {
			fmt.Fprintln(a.out, inOneLine("  fix: "+f.Fix))
		}
	}
	if well > mostLines && !each {
		fmt.Fprintf(a.out, "ok  %d profiles are well\n", well)
	}
	if more := ill - mostLines; more > 0 && !each {
		fmt.Fprintf(a.out, "… and %d more findings of profiles: mfad doctor -v\n", more)
	}
}

// inOneLine keeps a text, parts of which are files' and other programs', to its line
// of a terminal.
func inOneLine(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, text)
}
