package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [NAME...]",
		Short: "Show identities and profiles: state, time left, errors",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, st, err := a.daemonStatus(cmd.Context())
			if err != nil {
				return err
			}
			return a.status(st, args)
		},
		ValidArgsFunction: a.complete(true),
	}
}

func (a *app) status(st localapi.Status, names []string) error {
	if err := narrow(&st, names); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(st)
	}
	writeStatus(a.out, st, time.Now(), a.verbose)
	a.warnOtherFiles(st)
	return nil
}

// narrow keeps the named identities and profiles.
func narrow(st *localapi.Status, names []string) error {
	if len(names) == 0 {
		return nil
	}
	var known []string
	for _, i := range st.Identities {
		known = append(known, i.Name)
	}
	for _, p := range st.Profiles {
		known = append(known, p.Name)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return &creds.Error{Code: creds.CodeUnknownProfile, Op: "there is no identity or profile " + n, Hint: "run: mfad status"}
		}
	}
	st.Identities = slices.DeleteFunc(st.Identities, func(i localapi.IdentityStatus) bool { return !slices.Contains(names, i.Name) })
	st.Profiles = slices.DeleteFunc(st.Profiles, func(p localapi.ProfileStatus) bool { return !slices.Contains(names, p.Name) })
	return nil
}

// writeStatus draws the picture for a person, with reasons if they are wanted.
func writeStatus(w io.Writer, st localapi.Status, now time.Time, reasons bool) {
	if e := st.Daemon.ConfigError; e != nil {
		fmt.Fprintf(w, "config not in force: %s\n\n", *e)
	}
	if e := st.Daemon.FilesError; e != nil {
		fmt.Fprintf(w, "AWS's files: %s\nhint: %s\n\n", e.Message, e.Hint)
	}
	if e := st.Daemon.Keyring.Error; e != nil {
		fmt.Fprintf(w, "keyring (%s): %s\nhint: %s\n\n", st.Daemon.Keyring.Kind, e.Message, e.Hint)
	}
	if len(st.Identities) == 0 && len(st.Profiles) == 0 {
		fmt.Fprintf(w, "nothing is configured yet in %s\nhint: run: mfad identity add NAME\n", st.Daemon.Config)
		return
	}
	writeTables(w, st, now)
	writeErrors(w, st)
	writeReasons(w, st, reasons)
}

// writeReasons tells why each profile is served the way it is: all of them, or
// those that want to be served direct and are not.
func writeReasons(w io.Writer, st localapi.Status, all bool) {
	blank := true
	for _, p := range st.Profiles {
		if p.Why == nil || !all && (p.Mode != "direct" || text(p.Via) == "direct" || !p.Usable) {
			continue
		}
		if blank {
			fmt.Fprintln(w)
			blank = false
		}
		fmt.Fprintf(w, "%s: %s\n", p.Name, *p.Why)
	}
}

// writeTables draws what is left of every lifetime.
func writeTables(w io.Writer, st localapi.Status, now time.Time) {
	ids := [][]string{{"IDENTITY", "STATE", "SESSION"}}
	for _, i := range st.Identities {
		ids = append(ids, []string{i.Name, i.State, remaining(i.SessionExpires, i.SessionSeconds, now)})
	}
	ps := [][]string{{"PROFILE", "STATE", "LEFT", "NEXT", "VIA"}}
	for _, p := range st.Profiles {
		ps = append(ps, []string{p.Name, p.State, remaining(p.Expires, p.DurationSeconds, now), next(p.NextRefresh, now), text(p.Via)})
	}
	if len(ids) > 1 {
		writeTable(w, ids)
	}
	if len(ids) > 1 && len(ps) > 1 {
		fmt.Fprintln(w)
	}
	if len(ps) > 1 {
		writeTable(w, ps)
	}
}

func writeErrors(w io.Writer, st localapi.Status) {
	blank := true
	say := func(name string, e *localapi.Error) {
		if e == nil {
			return
		}
		if blank {
			fmt.Fprintln(w)
			blank = false
		}
		fmt.Fprintf(w, "%s: %s\n", name, e.Message)
		if e.Hint != "" {
			fmt.Fprintf(w, "  hint: %s\n", e.Hint)
		}
	}
	for _, i := range st.Identities {
		say(i.Name, i.Error)
	}
	for _, p := range st.Profiles {
		if p.Error != nil && p.Error.Code != creds.CodeMFARequired {
			say(p.Name, p.Error)
		} else {
			say(p.Name, p.Warning)
		}
	}
}

func next(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	if !t.After(now) {
		return "now"
	}
	return "in " + short(t.Sub(now))
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

// remaining is a bar of what is left of a lifetime, and the time in words.
func remaining(expires *time.Time, lifetime *int, now time.Time) string {
	if expires == nil || lifetime == nil {
		return "-"
	}
	if !expires.After(now) {
		return bar(0) + " ended " + short(now.Sub(*expires)) + " ago"
	}
	whole := time.Duration(max(*lifetime, 1)) * time.Second
	return bar(float64(expires.Sub(now))/float64(whole)) + " " + left(*expires, now)
}

const barWidth = 16

// bar draws a share of a whole. It is never empty while something is left.
func bar(share float64) string {
	n := min(max(int(share*barWidth+0.5), 0), barWidth)
	if n == 0 && share > 0 {
		n = 1
	}
	return strings.Repeat("█", n) + strings.Repeat("░", barWidth-n)
}

func left(t, now time.Time) string { return short(t.Sub(now)) }

// short writes a duration as a person says it, in its two largest units.
func short(d time.Duration) string {
	s := int((d + time.Second/2) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 3600:
		return fmt.Sprintf("%dm", s/60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}

// clock writes a moment in local time, with the day unless it is today.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("Mon 15:04")
}

// writeTable aligns columns by what a terminal shows.
func writeTable(w io.Writer, rows [][]string) {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			line.WriteString(cell)
			if i < len(r)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

func (a *app) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s\n", b)
	return err
}
