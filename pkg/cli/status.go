package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

func (a *app) statusCommand() *cobra.Command {
	var watch, short bool
	c := &cobra.Command{
		Use:   "status [NAME...]",
		Short: "Show identities and profiles: state, time left, errors",
		Long: `Show identities and profiles: their state, what is left of their time as a bar,
the next refresh, the way the credentials came, and what is wrong. A name may be a
pattern ('prod-*'). Many profiles are counted, and those that are not fresh named,
unless -v or names ask for all.

With --watch the picture is kept up to date until Ctrl-C. Where the output is no
terminal a new table is printed at each change; with --json a line of JSON.

With --short one word is printed, or nothing where all is well: locked, mfa, expired,
conflict or failing, of which the first that holds wins. It is for prompts: it asks a
daemon that runs, for 50 ms at most, starts none, and exits with 0. One NAME restricts
it to a profile, or to an identity and its profiles.`,
		Example: "  mfad status\n  mfad status 'prod-*' --watch\n  PS1='$(mfad status --short)\\$ '",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case short:
				return a.statusShort(cmd.Context(), watch, args)
			case watch:
				return a.statusWatch(cmd.Context(), args)
			}
			_, st, err := a.daemonStatus(cmd.Context())
			if err != nil {
				return err
			}
			return a.status(st, args)
		},
		ValidArgsFunction: a.complete(true),
	}
	c.Flags().BoolVar(&watch, "watch", false, "go on until Ctrl-C, and show each change")
	c.Flags().BoolVar(&short, "short", false, "print one word, or nothing: for prompts")
	return c
}

func (a *app) status(st localapi.Status, names []string) error {
	if err := narrow(&st, names); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(st)
	}
	writeStatus(a.out, st, time.Now(), a.statusStyle(names))
	a.warnOtherFiles(st)
	return nil
}

// statusStyle is how stdout's reader wants to see the status.
func (a *app) statusStyle(names []string) statusStyle {
	s := statusStyle{reasons: a.verbose, each: a.verbose || len(names) > 0, colour: a.colours(a.out)}
	s.width, _ = terminalSize(a.out)
	return s
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
		fmt.Fprintf(w, "nothing is configured yet in %s\nhint: run: mfad setup\n", st.Daemon.Config)
		return
	}
	grouped := len(st.Profiles) > style.most() && !style.each
	writeTables(w, st, now, style, grouped)
	most := len(st.Identities) + len(st.Profiles)
	if grouped {
		most = complaints
	}
	writeErrors(w, st, most)
	writeKeys(w, st, now, style.reasons, most)
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
func writeTables(w io.Writer, st localapi.Status, now time.Time, style statusStyle, grouped bool) {
	if len(st.Identities) > 0 {
		style.table(w, 0, func(d detail) [][]string {
			rows := [][]string{{"IDENTITY", "STATE", "SESSION"}}
			for _, i := range st.Identities {
				rows = append(rows, []string{i.Name, i.State, remaining(i.SessionExpires, i.SessionSeconds, now, d.bar)})
			}
			return rows
		})
	}
	if len(st.Identities) > 0 && len(st.Profiles) > 0 {
		fmt.Fprintln(w)
	}
	switch {
	case grouped:
		writeGrouped(w, st.Profiles, now, style)
	case len(st.Profiles) > 0:
		writeProfiles(w, st.Profiles, now, style)
	}
}

func writeProfiles(w io.Writer, ps []localapi.ProfileStatus, now time.Time, style statusStyle) {
	style.table(w, 0, func(d detail) [][]string {
		rows := [][]string{d.row([]string{"PROFILE", "STATE", "LEFT"}, "NEXT", "VIA")}
		for _, p := range ps {
			rows = append(rows, d.row([]string{p.Name, p.State, remaining(p.Expires, p.DurationSeconds, now, d.bar)},
				next(p.NextRefresh, now), text(p.Via)))
		}
		return rows
	})
}

// row adds to a row what there is room for.
func (d detail) row(cells []string, next, via string) []string {
	if d.next {
		cells = append(cells, next)
	}
	if d.via {
		cells = append(cells, via)
	}
	return cells
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

// remaining is a bar of what is left of a lifetime, if it is drawn, and the time in
// words.
func remaining(expires *time.Time, lifetime *int, now time.Time, drawn bool) string {
	if expires == nil || lifetime == nil {
		return "-"
	}
	whole := time.Duration(max(*lifetime, 1)) * time.Second
	share, words := float64(expires.Sub(now))/float64(whole), left(*expires, now)
	if !expires.After(now) {
		share, words = 0, "ended "+short(now.Sub(*expires))+" ago"
	}
	if !drawn {
		return words
	}
	return bar(share) + " " + words
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

func (a *app) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s\n", b)
	return err
}
