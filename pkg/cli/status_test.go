package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 9*time.Minute + 59*time.Second: "9m59s", 10 * time.Minute: "10m",
		59*time.Minute + 59*time.Second: "59m", 59*time.Minute + 59600*time.Millisecond: "1h00m", 36 * time.Hour: "36h00m",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	for share, want := range map[float64]string{
		0: "░░░░░░░░░░░░░░░░", 0.001: "█░░░░░░░░░░░░░░░", 0.5: "████████░░░░░░░░", 1: "████████████████", 1.2: "████████████████", -1: "░░░░░░░░░░░░░░░░",
	} {
		if got := bar(share); got != want {
			t.Errorf("bar(%v) = %q, want %q", share, got, want)
		}
	}
}

func TestWriteStatus(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	hour, day, via := 3600, 36*3600, "session"
	st := localapi.Status{
		Identities: []localapi.IdentityStatus{{Name: "corp", State: "ready", SessionExpires: at(27 * time.Hour), SessionSeconds: &day}},
		Profiles: []localapi.ProfileStatus{
			{Name: "prod", State: "fresh", Expires: at(45 * time.Minute), NextRefresh: at(15 * time.Minute), DurationSeconds: &hour, Via: &via},
			{Name: "a-longer-name", State: "expired", Expires: at(-10 * time.Minute), DurationSeconds: &hour, Via: &via,
				Error: &localapi.Error{Code: creds.CodeAccessDenied, Message: "assume role: AccessDenied", Hint: "check the role"}},
			{Name: "new", State: "mfa_required", Error: &localapi.Error{Code: creds.CodeMFARequired, Message: "said by the state"}},
		},
	}
	const want = `IDENTITY  STATE  SESSION
corp      ready  ████████████░░░░ 27h00m

PROFILE        STATE         LEFT                            NEXT    VIA
prod           fresh         ████████████░░░░ 45m            in 15m  session
a-longer-name  expired       ░░░░░░░░░░░░░░░░ ended 10m ago  -       session
new            mfa_required  -                               -       -

a-longer-name: assume role: AccessDenied
  hint: check the role
`
	var out bytes.Buffer
	writeStatus(&out, st, now, statusStyle{})
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestWriteStatusOfMany: of many profiles a person sees how many are in which state,
// and by name only what is not fresh.
func TestWriteStatusOfMany(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	hour, via := 3600, "session"
	var st localapi.Status
	for i := range 1000 {
		p := localapi.ProfileStatus{Name: fmt.Sprintf("prod-%03d", i), Identity: "corp", State: "fresh",
			Expires: at(59*time.Minute - time.Duration(i)*time.Second), NextRefresh: at(30 * time.Minute), DurationSeconds: &hour, Via: &via}
		switch i % 100 {
		case 7:
			p.State, p.NextRefresh = "failing", at(time.Minute)
			p.Error = &localapi.Error{Code: creds.CodeNetwork, Message: "AWS is out of reach", Hint: "check the network"}
		case 8:
			p = localapi.ProfileStatus{Name: p.Name, Identity: "corp", State: "mfa_required"}
		}
		st.Profiles = append(st.Profiles, p)
	}
	var out bytes.Buffer
	writeStatus(&out, st, now, statusStyle{})
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		"PROFILES  IDENTITY  STATE         LEFT AT LEAST         NEXT    VIA",
		"980       corp      fresh         ███████████░░░░░ 42m  in 30m  session",
		"10        corp      failing       ████████████░░░░ 43m  in 1m00s  session",
		"10        corp      mfa_required  -                     -       -",
		"",
		"PROFILE   STATE         LEFT                  NEXT      VIA",
		"prod-007  failing       ████████████████ 58m  in 1m00s  session",
		"prod-008  mfa_required  -                     -         -",
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
	for _, want := range []string{
		"\nby name: mfad status -v, or some: mfad status 'p*'\n\nprod-007: AWS is out of reach\n  hint: check the network\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	if n := len(lines); n > 60 {
		t.Errorf("%d lines, want fewer than 60", n)
	}
	for i := range st.Profiles {
		st.Profiles[i].State, st.Profiles[i].Error = "failing", &localapi.Error{Message: "AWS is out of reach"}
	}
	out.Reset()
	writeStatus(&out, st, now, statusStyle{})
	for _, want := range []string{"… and 960 more that are not fresh\n", "… and 990 more errors: mfad status -v\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	writeStatus(&out, st, now, statusStyle{each: true})
	if n := strings.Count(out.String(), "prod-"); n != 2000 {
		t.Errorf("one by one: %d names, want each profile with its error", n)
	}
}

// TestNarrow: names and patterns choose, and each must match something.
func TestNarrow(t *testing.T) {
	all := func() localapi.Status {
		return localapi.Status{Identities: []localapi.IdentityStatus{{Name: "corp"}},
			Profiles: []localapi.ProfileStatus{{Name: "prod-a"}, {Name: "prod-b"}, {Name: "dev"}}}
	}
	for _, tt := range []struct{ names, want, wrong string }{
		{"", "corp prod-a prod-b dev", ""},
		{"dev corp", "corp dev", ""},
		{"prod-*", "prod-a prod-b", ""},
		{"prod-[b-z] c*", "corp prod-b", ""},
		{"dev nowhere", "", "nowhere"},
		{"x*", "", "x*"},
		{"[", "", "["},
	} {
		st := all()
		err := narrow(&st, strings.Fields(tt.names))
		if tt.wrong != "" {
			if creds.CodeOf(err) != creds.CodeUnknownProfile || !strings.HasSuffix(err.Error(), " "+tt.wrong) {
				t.Errorf("%q: %v", tt.names, err)
			}
			continue
		}
		var got []string
		for _, i := range st.Identities {
			got = append(got, i.Name)
		}
		for _, p := range st.Profiles {
			got = append(got, p.Name)
		}
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.names, got, err, tt.want)
		}
	}
}

// TestExitStatuses: every code has a status of the documented table.
func TestExitStatuses(t *testing.T) {
	for code, want := range map[creds.Code]int{
		"": 0, creds.CodeInternal: 1, creds.CodeConflict: 1, creds.CodeConfig: 2, creds.CodeUnknownProfile: 2, creds.CodeDaemonDown: 3,
		creds.CodeMFARequired: 4, creds.CodeLocked: 4, creds.CodeKeyringLocked: 4, creds.CodeMFARejected: 5, creds.CodeAccessDenied: 5,
		creds.CodeNetwork: 6, creds.CodeTimeout: 6, creds.CodeInterrupted: 130,
	} {
		if got := exitStatus(code); got != want {
			t.Errorf("%q: %d, want %d", code, got, want)
		}
	}
}

func TestTheWorstDecides(t *testing.T) {
	outcome := func(codes ...creds.Code) localapi.Outcome {
		var out localapi.Outcome
		for _, c := range codes {
			p := localapi.ProfileOutcome{State: "fresh"}
			if c != "" {
				p.Error = &localapi.Error{Code: c}
			}
			out.Profiles = append(out.Profiles, p)
		}
		return out
	}
	for _, tt := range []struct {
		codes []creds.Code
		want  error
	}{
		{[]creds.Code{"", ""}, nil},
		{[]creds.Code{creds.CodeConflict, creds.CodeMFARequired, creds.CodeNetwork, creds.CodeAccessDenied}, statusError(5)},
		{[]creds.Code{creds.CodeConflict, creds.CodeMFARequired, creds.CodeNetwork}, statusError(6)},
		{[]creds.Code{creds.CodeConflict, creds.CodeMFARequired, ""}, statusError(4)},
		{[]creds.Code{"", creds.CodeConflict}, statusError(1)},
	} {
		if got := worst(outcome(tt.codes...)); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.codes, got, tt.want)
		}
	}
}
