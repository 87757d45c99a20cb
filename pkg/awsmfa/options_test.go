package awsmfa

import (
	"math"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args string // split at blanks; '' is an empty one
		want Options
	}{
		{"", Options{}},
		{"--device d --profile p --token t", Options{Device: "d", Profile: "p", Token: "t"}},
		{"--device=d=e --profile=", Options{Device: "d=e"}},
		{"--dur 900 --prof p --tok t --f --se", Options{Duration: 900, Profile: "p", Token: "t", Force: true, Setup: true}},
		{"--dur=900 --log-l=INFO", Options{Duration: 900, LogLevel: "INFO"}},
		{"--assume a --role-s s", Options{Role: "a", RoleNamed: true, SessionName: "s"}},
		{"--assume-role ''", Options{RoleNamed: true}},
		{"--long a --short b --mfa t", Options{LongSuffix: "a", ShortSuffix: "b", Token: "t"}}, // of two names of one flag
		{"--long-suffix a --short-term-s b", Options{LongSuffix: "a", ShortSuffix: "b"}},
		{"--profile a --profile b", Options{Profile: "b"}},
		{"--duration -5 --profile -1.5", Options{Duration: -5, Profile: "-1.5"}},
		{"--duration +1_800", Options{Duration: 1800}},
		{"--duration 99999999999999999999", Options{Duration: math.MaxInt32}},
		{"--duration -99999999999999999999", Options{Duration: math.MinInt32}},
		{"--profile -- -x", Options{Profile: "-x"}},
		{"--profile -", Options{Profile: "-"}},
		{"--help --what", Options{Help: true}},
		{"-h", Options{Help: true}},
	} {
		args := strings.Fields(tt.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "''", "")
		}
		if tt.want.LogLevel == "" {
			tt.want.LogLevel = "DEBUG"
		}
		if got, err := Parse(args); err != nil || got != tt.want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", tt.args, got, err, tt.want)
		}
	}
	for args, want := range map[string]string{
		"--s x":           "ambiguous option: --s could match --short-term-suffix, --short-suffix, --setup",
		"--profile --l":   "ambiguous option: --l could match --long-term-suffix, --long-suffix, --log-level",
		"--duration 1__0": "argument --duration: invalid int value: '1__0'",
		"--duration=":     "argument --duration: invalid int value: ''",
		"x -- y":          "unrecognized arguments: x -- y",
	} {
		_, err := Parse(strings.Fields(args))
		if err == nil || err.Error() != want || creds.CodeOf(err) != creds.CodeUsage {
			t.Errorf("%s: %v (%s), want %s", args, err, creds.CodeOf(err), want)
		}
	}
	if got, err := Parse([]string{"--profile", "-a b"}); err != nil || got.Profile != "-a b" {
		t.Errorf("a value with a blank: %q, %v", got.Profile, err)
	}
}

// TestHelpFits wants lines that a terminal of 80 columns does not break, where
// they can be shorter.
func TestHelpFits(t *testing.T) {
	if got, want := strings.Count(Usage(), "\n"), 8; got != want {
		t.Errorf("the usage has %d lines, want %d:\n%s", got, want, Usage())
	}
	for line := range strings.Lines(Help()) {
		if len(line) > 79 && strings.HasPrefix(line, "   ") {
			t.Errorf("too long: %s", line)
		}
	}
}
