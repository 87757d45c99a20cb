package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/creds"
)

// auditRecords are an hour of a day, the last one at now.
func auditRecords(now time.Time) []audit.Record {
	end := now.Add(time.Hour)
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes-60) * time.Minute) }
	refused := &creds.Error{Code: creds.CodeAccessDenied, Op: "assume the role", Err: errors.New("not authorized")}
	return []audit.Record{
		audit.Record{Time: at(0), Action: "GetSessionToken", Identity: "corp", Asked: 129600, Given: 129600, Why: "mfad login"}.Ended(nil),
		audit.Record{Time: at(1), Action: "AssumeRole", Identity: "corp", Profile: "prod", RoleARN: "arn:aws:iam::222222222222:role/Admin",
			Way: "direct", Asked: 43200, Given: 5400, Expires: &end, Why: "the code was given for it"}.Ended(nil),
		audit.Record{Time: at(2), Action: "AssumeRole", Profile: "prod-db", Way: "chain", Asked: 3600}.Ended(refused),
		audit.Record{Time: at(30), Action: audit.HandOut, Profile: "prod", Way: "direct", PID: 4711, Program: "python3.11 aws"}.Ended(nil),
		audit.Record{Time: at(31), Action: audit.HandOut, Profile: "prod", PID: 4712}.Ended(nil),
		audit.Record{Time: at(60), Action: audit.HandOut, Profile: "prod", PID: 4713, Program: "evil\x1b[2J\nname"}.Ended(nil),
	}
}

const auditTable = `TIME                 ACTION           PROFILE  VIA     ASKED  GIVEN  OUTCOME        WHO
2026-03-02 08:00:00  GetSessionToken  corp     -       36h    36h    ok             -
2026-03-02 08:01:00  AssumeRole       prod     direct  12h    1h30m  ok             -
2026-03-02 08:02:00  AssumeRole       prod-db  chain   1h     -      access_denied  -
2026-03-02 08:30:00  hand-out         prod     direct  -      -      ok             python3.11 aws[4711]
2026-03-02 08:31:00  hand-out         prod     -       -      -      ok             ?[4712]
2026-03-02 09:00:00  hand-out         prod     -       -      -      ok             evil [2J name[4713]
`

const auditTableInFull = `TIME                 ACTION           PROFILE  VIA     ASKED  GIVEN  OUTCOME        WHO
2026-03-02 08:00:00  GetSessionToken  corp     -       36h    36h    ok             -
    mfad login
2026-03-02 08:01:00  AssumeRole       prod     direct  12h    1h30m  ok             -
    arn:aws:iam::222222222222:role/Admin
    the code was given for it
2026-03-02 08:02:00  AssumeRole       prod-db  chain   1h     -      access_denied  -
    assume the role: not authorized
`

func TestWriteAudit(t *testing.T) {
	records := auditRecords(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	for _, tt := range []struct {
		name    string
		records []audit.Record
		all     bool
		want    string
	}{
		{"a line each", records, false, auditTable},
		{"with -v what explains it", records[:3], true, auditTableInFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := writeAudit(&out, tt.records, time.UTC, tt.all); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), tt.want)
			}
		})
	}
}

// auditApp is an app whose state folder holds records that end now.
func auditApp(t *testing.T) (a *app, out, said *bytes.Buffer, path string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, audit.FileName)
	l := &audit.Log{Path: path}
	old := audit.Record{Time: time.Now().Add(-50 * time.Hour), Action: "AssumeRole", Profile: "old"}.Ended(nil)
	for _, r := range append([]audit.Record{old}, auditRecords(time.Now())...) {
		if err := l.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	out, said = &bytes.Buffer{}, &bytes.Buffer{}
	getenv := func(name string) string {
		if name == "MFAD_STATE_DIR" {
			return dir
		}
		return ""
	}
	return &app{out: out, err: said, getenv: getenv, home: dir}, out, said, path
}

// runAudit runs the command alone.
func runAudit(t *testing.T, a *app, args ...string) error {
	t.Helper()
	c := a.auditCommand()
	c.Flags().BoolVar(&a.json, "json", false, "")
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	return c.ExecuteContext(t.Context())
}

func TestAudit(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		lines      int // of the answer
		has        string
	}{
		{"the last day, below a header", "", 7, "python3.11 aws[4711]"},
		{"everything", "--since 0", 8, " old "},
		{"days", "--since 7d", 8, " old "},
		{"less than an hour", "--since 45m", 4, "4711"},
		{"a profile", "--profile prod", 5, "1h30m"},
		{"an action in any case", "--action HAND-out --since 0", 4, "4712"},
		{"JSON lines without a header", "--json --action assumerole", 2, `"role_arn":"arn:aws:iam::222222222222:role/Admin"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, out, said, _ := auditApp(t)
			if err := runAudit(t, a, strings.Fields(tt.args)...); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(out.String(), "\n"); got != tt.lines || !strings.Contains(out.String(), tt.has) || said.Len() > 0 {
				t.Errorf("got %d lines:\n%s(and %q on stderr)\nwant %d lines with %q", got, out, said, tt.lines, tt.has)
			}
		})
	}
}

func TestAuditWithoutRecords(t *testing.T) {
	a, out, said, path := auditApp(t)
	if err := runAudit(t, a, "--profile", "none", "--action", "AssumeRole", "--since", "0", "--json"); err != nil {
		t.Errorf("no record is %v, want no error", err)
	}
	if want := "mfad: there is no record of AssumeRole for none\n"; out.Len() != 0 || said.String() != want {
		t.Errorf("said %q and answered %q, want %q and nothing", said, out, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	said.Reset()
	if err := runAudit(t, a); err != nil || !strings.Contains(said.String(), "--since 0") {
		t.Errorf("without a log: %v, said %q; want how to see more", err, said)
	}
}

func TestAuditTellsOfDamage(t *testing.T) {
	a, out, said, path := auditApp(t)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"time":"20`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := runAudit(t, a); err != nil {
		t.Fatal(err)
	}
	if want := "mfad: skipped 1 damaged line in " + path + "\n"; said.String() != want || strings.Count(out.String(), "\n") != 7 {
		t.Errorf("said %q, want %q; answered\n%s", said, want, out)
	}
}

func TestSinceTime(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.FixedZone("", 3600))
	for s, want := range map[string]time.Time{
		"0": {}, "0s": {}, "0d": {},
		"24h":                       now.Add(-24 * time.Hour),
		"1h30m":                     now.Add(-90 * time.Minute),
		"7d":                        now.Add(-7 * 24 * time.Hour),
		"1.5d":                      now.Add(-36 * time.Hour),
		"2026-03-01":                time.Date(2026, 3, 1, 0, 0, 0, 0, now.Location()),
		"2026-03-01T10:00:00Z":      time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		"2026-03-01T10:00:00+02:00": time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
	} {
		if got, err := sinceTime(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v (%v), want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "yesterday", "-1h", "-1d", "d", "7", "NaNd", "1e9d", "Infd", "2026-13-01"} {
		if got, err := sinceTime(s, now); creds.CodeOf(err) != creds.CodeUsage || creds.HintOf(err) == "" {
			t.Errorf("%q is %v (%v), want a usage error with a hint", s, got, err)
		}
	}
}

func TestLifetime(t *testing.T) {
	for seconds, want := range map[int]string{
		0: "-", -1: "-", 45: "45s", 900: "15m", 3600: "1h", 5400: "1h30m", 43200: "12h", 129600: "36h", 3599: "59m59s", 36005: "10h0m5s", 600: "10m",
	} {
		if got := lifetime(seconds); got != want {
			t.Errorf("lifetime(%d) = %q, want %q", seconds, got, want)
		}
	}
}
