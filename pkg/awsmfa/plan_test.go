package awsmfa

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		o           Options
		env         string // AWS_PROFILE
		long, short string // empty: refused
	}{
		{Options{}, "", "default-long-term", "default"},
		{Options{}, "corp", "corp-long-term", "corp"},
		{Options{Profile: "p"}, "corp", "p-long-term", "p"},
		{Options{LongSuffix: "None"}, "", "", ""},
		{Options{LongSuffix: "none", ShortSuffix: "mfa"}, "", "default", "default-mfa"},
		{Options{ShortSuffix: "NONE"}, "", "default-long-term", "default"},
		{Options{LongSuffix: "a", ShortSuffix: "a"}, "", "", ""},
		{Options{LongSuffix: "a", ShortSuffix: "A"}, "", "default-a", "default-A"},
	} {
		n, err := tt.o.Names(func(string) string { return tt.env })
		if tt.long == "" {
			if creds.CodeOf(err) != creds.CodeUsage {
				t.Errorf("%+v: %v, want a refusal", tt.o, err)
			}
		} else if err != nil || n.Long != tt.long || n.Short != tt.short {
			t.Errorf("%+v: [%s] [%s] %v, want [%s] [%s]", tt.o, n.Long, n.Short, err, tt.long, tt.short)
		}
	}
}

func TestFileInheritsDEFAULT(t *testing.T) {
	f := File{"DEFAULT": {"aws_mfa_device": "d", "a": "1"}, "p": {"a": "2"}}
	if v, ok := f.Get("p", "aws_mfa_device"); !ok || v != "d" {
		t.Errorf("[p] has aws_mfa_device %q, want that of [DEFAULT]", v)
	}
	if v, _ := f.Get("p", "a"); v != "2" {
		t.Errorf("[p] has a = %q, want its own", v)
	}
	if _, ok := f.Get("q", "a"); ok || f.Has("q") || f.Has("DEFAULT") {
		t.Error("a section that is not there has a key, or [DEFAULT] counts as one")
	}
}

func TestStillValid(t *testing.T) {
	expires := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		time.Hour:                                 "3600.0",
		time.Hour + 500*time.Millisecond:          "3600.5",
		71*time.Hour + 123456789*time.Microsecond: "255723.456789",
	} {
		want = "Your credentials are still valid for " + want + " seconds they will expire at 2030-01-02 03:04:05"
		if got := StillValid(expires, expires.Add(-left)); got != want {
			t.Errorf("%v left: %s, want %s", left, got, want)
		}
	}
}

func TestParseExpiration(t *testing.T) {
	want := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, text := range []string{"2030-01-02 03:04:05", "2030-1-2 3:4:5", "2030-01-02T03:04:05Z", "2030-01-02T05:04:05+02:00", "2030-01-02T03:04:05", "2030-01-02 03:04:05+00:00"} {
		if got, ok := parseExpiration(text); !ok || !got.Equal(want) {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
	if got, ok := parseExpiration("tomorrow"); ok {
		t.Errorf("tomorrow is %v, want no time", got)
	}
}

// TestFreshAtItsEnd counts the very second of the end as over, as aws-mfa does.
func TestFreshAtItsEnd(t *testing.T) {
	expires := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	f := File{"p": {keyAssumed: "False", keyID: "A", keySecret: "s", keyToken: "t", keyOldToken: "t", keyExpiration: expires.Format(time.DateTime)}}
	w := Order{Names: Names{Profile: "p", Long: "p-long-term", Short: "p"}, noRole: true}
	for before, want := range map[time.Duration]bool{time.Microsecond: true, 0: false, -time.Second: false} {
		var out bytes.Buffer
		if got := w.Fresh(false, f, expires.Add(-before), &Log{W: &out}); got != want {
			t.Errorf("%v before the end: fresh %v, want %v\n%s", before, got, want, &out)
		}
	}
}

func TestCheck(t *testing.T) {
	const role = "arn:aws:iam::222222222222:role/Admin"
	ok := Order{Device: "GAHT12345678", Duration: 900}
	with := func(change func(*Order)) Order { w := ok; change(&w); return w }
	for _, tt := range []struct {
		name, session, want string
		w                   Order
	}{
		{"a session", "", "", ok},
		{"36 h", "", "", with(func(w *Order) { w.Duration = 129600 })},
		{"36 h and a second", "", "900 to 129600", with(func(w *Order) { w.Duration = 129601 })},
		{"899 s", "", "900 to 129600", with(func(w *Order) { w.Duration = 899 })},
		{"12 h of a role", "al", "", with(func(w *Order) { w.Duration, w.Role = 43200, role })},
		{"12 h and a second of a role", "al", "900 to 43200", with(func(w *Order) { w.Duration, w.Role = 43201, role })},
		{"a short device", "", "neither an ARN nor a serial", with(func(w *Order) { w.Device = "alice" })},
		{"a name for a role", "al", "is not an ARN", with(func(w *Order) { w.Role = "Administrators-of-all" })},
		{"no session name", "", "You must specify a role session name", with(func(w *Order) { w.Role = role })},
		{"a session name with a backslash", `CORP\al`, "role session name", with(func(w *Order) { w.Role = role })},
	} {
		err := tt.w.Check(tt.session)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestRefused(t *testing.T) {
	const head = "An error occured while calling assume role: "
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&creds.Error{Code: creds.CodeMFARejected, Op: "start an MFA session", Err: errors.New("AWS did not take the code")},
			"An error occurred (AccessDenied) when calling the AssumeRole operation: MultiFactorAuthentication failed with invalid MFA one time pass code. "},
		{&creds.Error{Code: creds.CodeDuration, Op: "assume it", Err: errors.New("ValidationError: too long: by far")},
			"An error occurred (ValidationError) when calling the AssumeRole operation: too long: by far"},
		{&creds.Error{Code: creds.CodeNetwork, Op: "assume it", Err: errors.New("Gateway: no route")}, "assume it: Gateway: no route"},
		{&creds.Error{Code: creds.CodeUnavailable, Op: "assume it", Err: errors.New("dial tcp 127.0.0.1:1: refused")}, "assume it: dial tcp 127.0.0.1:1: refused"},
		{errors.New("something: else"), "something: else"},
	} {
		got := Refused("AssumeRole", tt.err)
		if got.Error() != head+tt.want || creds.CodeOf(got) != creds.CodeOf(tt.err) {
			t.Errorf("got %q (%s), want %q (%s)", got, creds.CodeOf(got), head+tt.want, creds.CodeOf(tt.err))
		}
	}
}
