package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
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
	writeStatus(a.out, st, time.Now(), statusStyle{reasons: a.verbose, each: a.verbose || len(names) > 0})
	a.warnOtherFiles(st)
	return nil
}

// narrow keeps the named identities and profiles. A name may be a pattern as a
// shell's.
func narrow(st *localapi.Status, names []string) error {
	if len(names) == 0 {
		return nil
	}
	used := map[string]bool{}
	named := func(name string) (any bool) {
		for _, n := range names {
			if ok, err := path.Match(n, name); ok && err == nil || n == name {
				used[n], any = true, true
			}
		}
		return any
	}
	st.Identities = slices.DeleteFunc(st.Identities, func(i localapi.IdentityStatus) bool { return !named(i.Name) })
	st.Profiles = slices.DeleteFunc(st.Profiles, func(p localapi.ProfileStatus) bool { return !named(p.Name) })
	for _, n := range names {
		if !used[n] {
			return &creds.Error{Code: creds.CodeUnknownProfile, Op: "there is no identity or profile " + n, Hint: "run: mfad status"}
		}
	}
	return nil
}

// statusStyle is how much a person wants to see.
type statusStyle struct {
	reasons bool // why each profile is served as it is
	each    bool // every profile, however many they are
}

// writeStatus draws the picture for a person.
func writeStatus(w io.Writer, st localapi.Status, now time.Time, style statusStyle) {
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
	grouped := len(st.Profiles) > crowd && !style.each
	writeTables(w, st, now, grouped)
	most := len(st.Identities) + len(st.Profiles)
	if grouped {
		most = complaints
	}
	writeErrors(w, st, most)
	writeReasons(w, st, style.reasons, most)
}

// writeReasons tells why each profile is served the way it is: all of them, or
// those that want to be served direct and are not, but at most so many.
func writeReasons(w io.Writer, st localapi.Status, all bool, most int) {
	l := list{w: w, most: most}
	for _, p := range st.Profiles {
		if p.Why != nil && (all || p.Mode == "direct" && text(p.Via) != "direct" && p.Usable) {
			l.add(fmt.Sprintf("%s: %s\n", p.Name, *p.Why))
		}
	}
	l.end("reasons")
}

// list writes paragraphs after a blank line, and counts those that are too many.
type list struct {
	w           io.Writer
	most, count int
}

func (l *list) add(text string) {
	if l.count == 0 {
		fmt.Fprintln(l.w)
	}
	if l.count++; l.count <= l.most {
		fmt.Fprint(l.w, text)
	}
}

func (l *list) end(what string) {
	if more := l.count - l.most; more > 0 {
		fmt.Fprintf(l.w, "… and %d more %s: mfad status -v\n", more, what)
	}
}

// writeTables draws what is left of every lifetime.
func writeTables(w io.Writer, st localapi.Status, now time.Time, grouped bool) {
	ids := [][]string{{"IDENTITY", "STATE", "SESSION"}}
	for _, i := range st.Identities {
		ids = append(ids, []string{i.Name, i.State, remaining(i.SessionExpires, i.SessionSeconds, now)})
	}
	if len(ids) > 1 {
		writeTable(w, ids)
	}
	if len(ids) > 1 && len(st.Profiles) > 0 {
		fmt.Fprintln(w)
	}
	switch {
	case grouped:
		writeGrouped(w, st.Profiles, now)
	case len(st.Profiles) > 0:
		writeProfiles(w, st.Profiles, now)
	}
}

func writeProfiles(w io.Writer, ps []localapi.ProfileStatus, now time.Time) {
	rows := [][]string{{"PROFILE", "STATE", "LEFT", "NEXT", "VIA"}}
	for _, p := range ps {
		rows = append(rows, []string{p.Name, p.State, remaining(p.Expires, p.DurationSeconds, now), next(p.NextRefresh, now), text(p.Via)})
	}
	writeTable(w, rows)
}

// writeErrors tells what is wrong, of so many at most.
func writeErrors(w io.Writer, st localapi.Status, most int) {
	l := list{w: w, most: most}
	say := func(name string, e *localapi.Error) {
		if e == nil {
			return
		}
		text := fmt.Sprintf("%s: %s\n", name, e.Message)
		if e.Hint != "" {
			text += fmt.Sprintf("  hint: %s\n", e.Hint)
		}
		l.add(text)
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
	l.end("errors")
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
