package dialog

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/mfad/mfad/pkg/mfa"
)

// Prompt is what the window says. All of it is plain text: what looks like markup
// is shown as it stands, and what cannot be printed is shown as a blank.
type Prompt struct {
	Title  string // of the window; one line
	Text   string // a few lines
	Reason string // why it is asked again; may be empty
}

// shown is how many profiles are named.
const shown = 5

// For says a question in the words of a window: which device, for which identity
// or role, who waits, and since when.
func For(q mfa.Question, now time.Time) Prompt {
	var b strings.Builder
	fmt.Fprintf(&b, "Six digits from the MFA device\n%s\n\nIdentity: %s", q.Serial, q.Identity)
	if q.Direct != "" {
		fmt.Fprintf(&b, "\nFor the role of: %s", q.Direct)
	}
	if n := len(q.Profiles); n > shown {
		fmt.Fprintf(&b, "\nWaiting: %s and %d more", strings.Join(q.Profiles[:shown], ", "), n-shown)
	} else if n > 0 {
		fmt.Fprintf(&b, "\nWaiting: %s", strings.Join(q.Profiles, ", "))
	}
	if !q.Since.IsZero() {
		fmt.Fprintf(&b, "\nSince: %s", moment(q.Since, now))
	}
	return Prompt{Title: "mfad: MFA code for " + q.Identity, Text: b.String(), Reason: q.Reason}
}

// moment names the day too where it is another one.
func moment(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("Mon 2 Jan 15:04")
}

// most is the length in bytes of a text that a window can still show.
const most = 2000

// printable replaces what no window can show, or what would show something else
// than stands there, and bounds the length. Lines are kept.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return cut(s, most)
}

// oneLine is printable without lines.
func oneLine(s string) string { return strings.ReplaceAll(printable(s), "\n", " ") }

// cut shortens s to whole characters in at most n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const more = "..."
	end := 0
	for i := range s {
		if i > n-len(more) {
			break
		}
		end = i
	}
	return s[:end] + more
}

// body is the text with the reason before it, for programs that have no place of
// their own for that.
func (p Prompt) body() string {
	if p.Reason == "" {
		return printable(p.Text)
	}
	return printable(p.Reason) + "\n\n" + printable(p.Text)
}
