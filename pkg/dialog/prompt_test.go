package dialog

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mfad/mfad/pkg/mfa"
)

func TestWhatTheWindowSays(t *testing.T) {
	now := time.Date(2026, 3, 4, 15, 0, 0, 0, time.Local)
	for name, tt := range map[string]struct {
		question mfa.Question
		want     string
	}{
		"a session that nobody waits for": {
			mfa.Question{Identity: "corp", Serial: "arn:x"},
			"Six digits from the MFA device\narn:x\n\nIdentity: corp",
		},
		"a role": {
			mfa.Question{Identity: "corp", Serial: "arn:x", Direct: "prod", Profiles: []string{"prod"}, Since: now.Add(-time.Hour)},
			"Six digits from the MFA device\narn:x\n\nIdentity: corp\nFor the role of: prod\nWaiting: prod\nSince: 14:00",
		},
		"many, since another day": {
			mfa.Question{Identity: "corp", Serial: "arn:x", Profiles: []string{"a", "b", "c", "d", "e", "f", "g"}, Since: now.Add(-24 * time.Hour)},
			"Six digits from the MFA device\narn:x\n\nIdentity: corp\nWaiting: a, b, c, d, e and 2 more\nSince: Tue 3 Mar 15:00",
		},
	} {
		tt.question.Reason = "why"
		if got, want := For(tt.question, now), (Prompt{"mfad: MFA code for corp", tt.want, "why"}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestLongTextsAreCutAtACharacter(t *testing.T) {
	for n := range 4 {
		got := printable(strings.Repeat("a", n) + strings.Repeat("日", most))
		if len(got) > most || len(got) < most-5 || !utf8.ValidString(got) || !strings.HasSuffix(got, "日...") {
			t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-8:])
		}
	}
	if got := printable("\xff\x00x"); got != "\uFFFD x" {
		t.Errorf("printable = %q", got)
	}
}
