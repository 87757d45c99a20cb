package refresh

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/plan"
)

var update = flag.Bool("update", false, "write the table into docs/modes.md")

// lived is what 36 hours in one mode come to.
type lived struct {
	codes, calls int
	shortest     time.Duration // the least that a command started after the first codes had ahead of it
	longest      time.Duration // the most that one credential lived
	lapsed       time.Duration // without usable credentials, of the worst profile
}

// live lets ten roles of twelve hours live for 36 hours.
func live(t *testing.T, m plan.Mode, unattended bool) (l lived) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		d := device(w, e, unattended)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if !unattended {
			go person(ctx, w, e, d)
		}
		e.Configure(mode(m, 10, unattended))
		if !unattended {
			if err := e.Login(ctx, "corp", LoginOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(6 * time.Minute) // until all that can be direct is
		synctest.Wait()
		gone := map[string]time.Duration{}
		l.shortest = 36 * time.Hour
		for time.Since(w.start) < 36*time.Hour {
			for name, p := range e.Status().Profiles {
				ahead := time.Until(p.Current.Expires)
				l.shortest = min(l.shortest, max(ahead, 0))
				l.longest = max(l.longest, p.Current.Lifetime())
				if ahead <= 0 {
					gone[name] += time.Minute
					l.lapsed = max(l.lapsed, gone[name])
				}
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		for _, s := range w.said() {
			l.calls++
			at, what, _ := strings.Cut(s, " ")
			// The next session's code, asked for in the last hour, is for the next 36.
			if since, _ := time.ParseDuration(at); strings.HasPrefix(what, "direct") || strings.HasPrefix(what, "session") && since < 35*time.Hour {
				l.codes++
			}
		}
		if w.reused > 0 {
			t.Errorf("%s: %d codes were used twice or came late", m, w.reused)
		}
	})
	return l
}

// TestModes holds the table of docs/modes.md against 36 simulated hours.
func TestModes(t *testing.T) {
	var table strings.Builder
	table.WriteString("| mode | who gives the codes | codes in 36 h | calls to AWS | one credential lives | a new command has at least |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, tt := range []struct {
		mode       plan.Mode
		unattended bool
	}{{plan.Session, false}, {plan.Auto, false}, {plan.Direct, false}, {plan.Session, true}, {plan.Auto, true}, {plan.Direct, true}} {
		l := live(t, tt.mode, tt.unattended)
		who := "a person"
		if tt.unattended {
			who = "a program"
		}
		if l.lapsed > 0 {
			t.Errorf("%s with %s: a profile had nothing for %v", tt.mode, who, l.lapsed)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %d | %d | %s | %s |\n", tt.mode, who, l.codes, l.calls, plan.Short(l.longest), plan.Short(l.shortest.Truncate(time.Minute)))
	}
	inDocs(t, "../../docs/modes.md", "modes", table.String())
}

// inDocs wants a text between a pair of marks in a page, and puts it there with
// -update.
func inDocs(t *testing.T, page, mark, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks %q and %q", page, begin, end)
	}
	if got == want {
		return
	}
	if !*update {
		t.Errorf("%s has\n%s\nand the simulation gives\n%s\nrun: go test ./pkg/refresh -run TestModes -update", page, got, want)
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
