package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/plan"
	"github.com/mfad/mfad/pkg/profile"
)

func (a *app) auditCommand() *cobra.Command {
	var f audit.Filter
	var since string
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show what was asked of AWS, and who got credentials",
		Long: `Show every call to AWS (when, what, for which profile, the lifetime asked for
and given, the outcome), every hand-out of credentials (to which program and
process) and every console login, oldest first. No secret is ever recorded.

The records are read from the state folder; the daemon need not run. With -v the
reason and the error's text stand below a record; with --json each record is a
line of JSON. Old records go when new ones have filled 20 MB.`,
		Example: "  mfad audit --since 7d --profile prod\n  mfad audit --since 0 --action hand-out --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var err error
			if f.Since, err = sinceTime(since, time.Now()); err != nil {
				return err
			}
			return a.audit(f)
		},
	}
	c.Flags().StringVar(&since, "since", "24h", "`TIME`: how far back (90m, 24h, 7d), or from when on (2026-03-02, 2026-03-02T09:00:00Z); 0 is everything")
	c.Flags().StringVar(&f.Profile, "profile", "", "only the records of the profile `NAME`")
	c.Flags().StringVar(&f.Action, "action", "", "only this `ACTION`, such as AssumeRole, GetSessionToken, hand-out or console")
	_ = c.RegisterFlagCompletionFunc("since", cobra.NoFileCompletions)
	_ = c.RegisterFlagCompletionFunc("profile", a.complete(false))
	_ = c.RegisterFlagCompletionFunc("action", cobra.NoFileCompletions)
	return c
}

func (a *app) audit(f audit.Filter) error {
	dir, err := profile.StateDir(a.getenv, a.home)
	if err != nil {
		return err
	}
	records, damaged, err := audit.Read(filepath.Join(dir, audit.FileName), f)
	if err != nil {
		return err
	}
	switch {
	case len(records) == 0:
		a.note("%s", nothingRecorded(f))
	case a.json:
		err = writeRecords(a.out, records)
	default:
		err = writeAudit(a.out, records, time.Local, a.verbose)
	}
	if damaged > 0 {
		a.note("skipped %s in %s", count(damaged, "damaged line"), filepath.Join(dir, audit.FileName))
	}
	return err
}

// nothingRecorded says which records there are none of, and how to see more.
func nothingRecorded(f audit.Filter) string {
	text := "there is no record"
	if f.Action != "" {
		text += " of " + f.Action
	}
	if f.Profile != "" {
		text += " for " + f.Profile
	}
	if !f.Since.IsZero() {
		text += " since " + f.Since.Local().Format(auditTime) + " (--since 0 goes back to the first)"
	}
	return text
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// sinceTime reads --since: a duration before now, also in days, or a moment. The
// zero time stands for 0.
func sinceTime(s string, now time.Time) (time.Time, error) {
	if d, ok := span(s); ok && d >= 0 {
		if d == 0 {
			return time.Time{}, nil
		}
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, now.Location()); err == nil {
		return t, nil
	}
	return time.Time{}, usage("use a time such as 24h, 7d, 2026-03-02 or 2026-03-02T09:00:00Z; 0 is everything", "--since %q is no time", s)
}

// span reads a Go duration, or days.
func span(s string) (time.Duration, bool) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok {
		d, err := time.ParseDuration(s)
		return d, err == nil
	}
	n, err := strconv.ParseFloat(days, 64)
	const most = float64(math.MaxInt64 / (24 * time.Hour))
	return time.Duration(n * float64(24*time.Hour)), err == nil && n >= 0 && n < most
}

// writeRecords writes JSON lines.
func writeRecords(w io.Writer, records []audit.Record) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, r := range records {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// auditTime is a moment to the second. Records go back for weeks: a time of day
// would not say which.
const auditTime = time.DateTime

// writeAudit draws records for a person, each with what explains it below if all
// is to be said.
func writeAudit(w io.Writer, records []audit.Record, where *time.Location, all bool) error {
	rows := [][]string{{"TIME", "ACTION", "PROFILE", "VIA", "ASKED", "GIVEN", "OUTCOME", "WHO"}}
	for _, r := range records {
		rows = append(rows, []string{r.Time.In(where).Format(auditTime), cell(r.Action), cell(orElse(r.Profile, r.Identity)), cell(r.Way),
			lifetime(r.Asked), lifetime(r.Given), cell(r.Outcome), cell(who(r))})
	}
	var table, text strings.Builder
	writeTable(&table, rows)
	i := -1 // the header's
	for line := range strings.Lines(table.String()) {
		text.WriteString(line)
		if all && i >= 0 {
			explain(&text, records[i])
		}
		i++
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// explain writes what a table has no room for.
func explain(w io.Writer, r audit.Record) {
	for _, s := range []string{r.RoleARN, r.KeyID, r.Why, r.Message} {
		if s != "" {
			fmt.Fprintf(w, "    %s\n", cell(s))
		}
	}
}

// who is the process that got something.
func who(r audit.Record) string {
	if r.PID == 0 {
		return r.Program
	}
	return fmt.Sprintf("%s[%d]", orElse(r.Program, "?"), r.PID)
}

// cell is a text without what would change the terminal: programs choose their
// own names.
func cell(s string) string {
	return orElse(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s), "-")
}

// lifetime writes seconds as the config has them: 12h, 1h30m.
func lifetime(seconds int) string {
	if seconds <= 0 {
		return "-"
	}
	return plan.Short(time.Duration(seconds) * time.Second)
}
