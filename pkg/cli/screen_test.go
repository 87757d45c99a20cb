package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mfad/mfad/pkg/localapi"
)

// someStatus is a status with long names, of n profiles.
func someStatus(n int, now time.Time) localapi.Status {
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	hour, day, via := 3600, 36*3600, "session"
	st := localapi.Status{Identities: []localapi.IdentityStatus{
		{Name: "corp", State: "ready", SessionExpires: at(27 * time.Hour), SessionSeconds: &day}}}
	for i := range n {
		st.Profiles = append(st.Profiles, localapi.ProfileStatus{Name: fmt.Sprintf("team-account-production-admin-%03d", i), Identity: "corp", State: "fresh",
			Expires: at(45 * time.Minute), NextRefresh: at(15 * time.Minute), DurationSeconds: &hour, Via: &via})
	}
	if n > 1 {
		p := &st.Profiles[1]
		p.State, p.Expires, p.NextRefresh = "expired", at(-10*time.Minute), nil
		p.Error = &localapi.Error{Message: "assume role: AccessDenied: User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole", Hint: "check the role"}
	}
	return st
}

// TestStatusFitsTheWindow: what is least needed goes first, and names are cut last.
func TestStatusFitsTheWindow(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		width    int
		has, not []string
	}{
		{0, []string{"VIA", "NEXT", "████████████░░░░ 45m", "team-account-production-admin-000 "}, []string{"…"}},
		{100, []string{"VIA", "NEXT", "████████████░░░░ 45m", "team-account-production-admin-000 "}, []string{"…"}},
		{80, []string{"NEXT", "████████████░░░░ 45m", "team-account-production-"}, []string{"VIA"}},
		{74, []string{"NEXT", "████████████░░░░ 45m", "team-account-prod"}, []string{"VIA"}},
		{66, []string{"████████████░░░░ 45m", "team-account-prod"}, []string{"VIA", "NEXT"}},
		{50, []string{"LEFT", "ended 10m ago", "team-account-production-"}, []string{"VIA", "NEXT", "░ ended"}},
		{30, []string{"LEFT", "ended 10m ago", "tea"}, []string{"VIA", "NEXT", "█"}},
		{5, []string{"tea…"}, nil},
	} {
		var out bytes.Buffer
		writeTables(&out, someStatus(2, now), now, statusStyle{width: tt.width}, false)
		for _, want := range tt.has {
			if !strings.Contains(out.String(), want) {
				t.Errorf("at %d columns there is no %q in\n%s", tt.width, want, out.String())
			}
		}
		for _, no := range tt.not {
			if strings.Contains(out.String(), no) {
				t.Errorf("at %d columns there is %q in\n%s", tt.width, no, out.String())
			}
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSpace(line)); tt.width >= 30 && n > tt.width {
				t.Errorf("at %d columns a line has %d: %q", tt.width, n, line)
			}
		}
	}
}

// TestColoursAreOnlyAnAddition: without them the text is the same.
func TestColoursAreOnlyAnAddition(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, n := range []int{2, 100} {
		var plain, painted bytes.Buffer
		writeStatus(&plain, someStatus(n, now), now, statusStyle{width: 70})
		writeStatus(&painted, someStatus(n, now), now, statusStyle{width: 70, colour: true})
		for _, want := range []string{"\x1b[32mfresh\x1b[m", "\x1b[31mexpired\x1b[m", "\x1b[32mready\x1b[m"} {
			if !strings.Contains(painted.String(), want) {
				t.Errorf("there is no %q in %q", want, painted.String())
			}
		}
		if got := unpainted(painted.String()); got != plain.String() {
			t.Errorf("with colours it reads\n%s\nwithout\n%s", got, plain.String())
		}
	}
}

// TestPicturesFitTheWindow: of any size, whatever there is to show.
func TestPicturesFitTheWindow(t *testing.T) {
	now := time.Now()
	a := &app{getenv: func(string) string { return "" }, out: &bytes.Buffer{}}
	for _, profiles := range []int{0, 1, 10, 39, 1000} {
		st := someStatus(profiles, now)
		broken := strings.Repeat("x", 300) + ":3: unknown key"
		st.Daemon.ConfigError = &broken
		w := &statusWatch{app: a, last: &st, gone: now}
		for _, size := range [][2]int{{80, 24}, {200, 60}, {40, 10}, {20, 5}, {8, 3}, {2, 2}, {1, 1}} {
			lines := w.picture(now, size[0], size[1])
			if len(lines) > max(size[1]-1, 1) {
				t.Errorf("%d profiles at %v: %d lines", profiles, size, len(lines))
			}
			for _, line := range lines {
				if n := utf8.RuneCountInString(unpainted(line)); n > max(size[0]-1, 1) {
					t.Errorf("%d profiles at %v: %d columns in %q", profiles, size, n, line)
				}
			}
		}
	}
}

func TestPictureLines(t *testing.T) {
	for _, tt := range []struct {
		text          string
		columns, rows int
		want          []string
	}{
		{"a\nb\n", 80, 24, []string{"a", "b"}},
		{"one two three four\n", 15, 24, []string{"one two three", "    four"}},
		{"abcdefghijklmnopqrst\n", 11, 24, []string{"abcdefghij", "    klmnop", "    qrst"}},
		{"1\n2\n3\n4\n", 80, 4, []string{"1", "2", "… and 2 lines more"}},
		{"1\n2\n3\n", 80, 4, []string{"1", "2", "3"}},
		{"abc \x1b[31mdefg\x1b[m hi\n", 8, 4, []string{"abc \x1b[31mde…\x1b[m"}},
		{"abc \x1b[31mdef\x1b[m\n", 8, 4, []string{"abc \x1b[31mdef\x1b[m"}},
	} {
		if got := pictureLines(tt.text, tt.columns, tt.rows); !slices.Equal(got, tt.want) {
			t.Errorf("%q in %d, %d: %q, want %q", tt.text, tt.columns, tt.rows, got, tt.want)
		}
	}
}

// TestTheScreenIsDrawnInPlace: over what was there, and only where something is new.
func TestTheScreenIsDrawnInPlace(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{[]string{"a", "b"}, "a\x1b[K\nb\x1b[K\n\x1b[J"},
		{[]string{"a", "b"}, ""},
		{[]string{"c"}, "\x1b[2A\rc\x1b[K\n\x1b[J"},
		{nil, "\x1b[1A\r\x1b[J"},
		{nil, ""},
		{[]string{"d"}, "d\x1b[K\n\x1b[J"},
	} {
		out.Reset()
		if err := s.draw(tt.lines); err != nil {
			t.Fatal(err)
		}
		if out.String() != tt.want {
			t.Errorf("%q is drawn as %q, want %q", tt.lines, out.String(), tt.want)
		}
	}
}

// TestNoColour: colours are for terminals that know them and people who want them.
func TestNoColour(t *testing.T) {
	a := &app{out: &bytes.Buffer{}, getenv: func(name string) string { return map[string]string{"TERM": "xterm"}[name] }}
	if a.colours(a.out) || a.speaksANSI(a.out) {
		t.Error("a buffer is taken for a terminal")
	}
}
