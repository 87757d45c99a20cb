//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/awssim"
)

// maximum has a role allow so much, and let itself be looked up.
func (m *machine) maximum(role string, d time.Duration) {
	m.t.Helper()
	m.sim.UpdateRole("arn:aws:iam::222222222222:role/"+role, func(r *awssim.Role) {
		r.MaxSessionDuration, r.Allow = d, []string{"iam:GetRole"}
	})
}

// codeCalls are the calls that spent a code on a role.
func (m *machine) codeCalls() []awssim.Call {
	var calls []awssim.Call
	for _, c := range m.sim.Calls("AssumeRole") {
		if c.TokenCode {
			calls = append(calls, c)
		}
	}
	return calls
}

// opens signs in to the console as a browser would.
func (m *machine) opens(url string) {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		m.t.Fatalf("signing in: %s", resp.Status)
	}
}

// consoleLife is how long the last console session lasts.
func (m *machine) consoleLife() time.Duration {
	m.t.Helper()
	all := m.sim.ConsoleSessions()
	if len(all) == 0 {
		m.t.Fatal("nobody signed in to the console")
	}
	last := all[len(all)-1]
	return last.Expires.Sub(last.Started)
}

// profileStatus is what `mfad status --json` says of a profile.
type profileStatus struct {
	Name, State, Via string
	Usable           bool
	Expires          time.Time
	Seconds          int `json:"duration_seconds"`
}

func (m *machine) profiles() map[string]profileStatus {
	m.t.Helper()
	var st struct{ Profiles []profileStatus }
	if err := json.Unmarshal([]byte(m.mfad("status", "--json")), &st); err != nil {
		m.t.Fatal(err)
	}
	all := map[string]profileStatus{}
	for _, p := range st.Profiles {
		all[p.Name] = p
	}
	return all
}

// records reads the audit log, which has to be whole.
func (m *machine) records() []audit.Record {
	m.t.Helper()
	var all []audit.Record
	for line := range strings.Lines(m.mfad("audit", "--since", "0", "--json")) {
		var r audit.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			m.t.Fatalf("audit --json: %v in %q", err, line)
		}
		all = append(all, r)
	}
	return all
}

// TestDirectWithRealClients: the AWS CLI and boto3 use credentials that came
// direct, from the file and from credential_process, and the audit log says who
// got them.
func TestDirectWithRealClients(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.maximum("Admin", 8*time.Hour)
	m.maximum("ReadOnly", 12*time.Hour)
	m.addProfile("prod", "Admin", "--duration", "4h")
	m.addProfile("ro", "ReadOnly", "--duration", "12h", "--write", "process")
	for _, name := range []string{"prod", "ro"} {
		if out := m.mfadWith(m.code()+"\n", "login", name, "--code", "-"); !strings.Contains(out, "direct") {
			t.Errorf("login %s: %q; want direct", name, out)
		}
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 0 {
		t.Errorf("%d sessions, want none", n)
	}
	for profile, want := range map[string]struct {
		arn     string
		seconds int
	}{
		"prod": {"arn:aws:sts::222222222222:assumed-role/Admin/alice", 14400},
		"ro":   {"arn:aws:sts::222222222222:assumed-role/ReadOnly/alice", 43200},
	} {
		if p := m.profiles()[profile]; p.Via != "direct" || p.Seconds > want.seconds || p.Seconds < want.seconds-2 {
			t.Errorf("%s: via %s for %d s, want direct for %d", profile, p.Via, p.Seconds, want.seconds)
		}
		t.Run("aws cli "+profile, func(t *testing.T) {
			needs(t, "aws-cli", "aws", "--version")
			r := finish(m.command("aws", "--profile", profile, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"))
			if got := strings.TrimSpace(r.stdout); got != want.arn {
				t.Errorf("got %q (status %d, %s), want %s", got, r.status, r.stderr, want.arn)
			}
		})
		t.Run("boto3 "+profile, func(t *testing.T) {
			needs(t, "boto3", "python3", "-c", "import boto3")
			r := finish(m.command("python3", "-c", python, profile))
			if !strings.Contains(r.stdout, `"arn": "`+want.arn+`"`) {
				t.Errorf("got %s%s, want %s", r.stdout, r.stderr, want.arn)
			}
		})
	}
	var who []string
	for _, r := range m.records() {
		if r.Action == audit.HandOut {
			who = append(who, fmt.Sprint(r.Profile, " ", r.PID > 0, " ", r.Program))
		}
	}
	if all := strings.Join(who, "\n"); !regexp.MustCompile(`(?m)^ro true .*\baws\b`).MatchString(all) || !regexp.MustCompile(`(?m)^ro true python`).MatchString(all) {
		t.Errorf("hand-outs:\n%s\nwant ro to aws and to python, with their processes", all)
	}
	noSecretOnDisk(t, m)
}

// TestTheConsoleOfTheShippedBinary: 12 h for a role that allows one, read back
// where it was opened; the token is in nobody's arguments.
func TestTheConsoleOfTheShippedBinary(t *testing.T) {
	t.Parallel()
	needs(t, "curl", "curl", "--version")
	m := newMachine(t, 1)
	m.env = append(m.env, "MFAD_SIGNIN_URL="+m.sim.URL+"/federation")
	m.addAlice()
	m.addProfile("prod", "Admin")
	browser := m.write("browser", `#!/bin/sh
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' >"$HOME/arguments"
page=$(curl -s "$1")
printf %s "$page" | sed -n 's/.*name="SigninToken" value="\([^"]*\)".*/\1/p' | sed 's/&#43;/+/g' | tr -d '\n' >"$HOME/token"
curl -s -o "$HOME/answer" --data-urlencode "SigninToken@$HOME/token" -d Action=login \
  --data-urlencode 'Destination=https://us-east-1.console.aws.amazon.com/console/home?region=us-east-1' "$SIM/federation"
echo done >"$HOME/done"
`, 0o700)
	m.env = append(m.env, "SIM="+m.sim.URL)
	out := m.mfadWith(m.code()+"\n", "console", "prod", "--duration", "12h", "--code", "-", "--browser", browser)
	if out != "" {
		t.Errorf("stdout: %q, want nothing", out)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(m.path("done")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("the browser is not done")
		}
	}
	if got := m.consoleLife(); (got - 12*time.Hour).Abs() > time.Minute {
		t.Errorf("the console lasts %v, want 12h", got)
	}
	token, err := os.ReadFile(m.path("token"))
	if err != nil || len(token) < 100 {
		t.Fatalf("no token: %v", err)
	}
	seen, err := os.ReadFile(m.path("arguments"))
	if err != nil || !strings.Contains(string(seen), "console prod --duration 12h") {
		t.Fatalf("no arguments: %v", err)
	}
	for _, file := range []string{"arguments", ".local/state/mfad/audit.jsonl", ".local/state/mfad/daemon.log"} {
		if b, err := os.ReadFile(m.path(file)); err != nil || strings.Contains(string(b), strings.TrimSpace(string(token))) {
			t.Errorf("%s holds the token (or %v)", file, err)
		}
	}
	var console []audit.Record
	for _, r := range m.records() {
		if r.Action == audit.Console {
			console = append(console, r)
		}
	}
	if len(console) != 1 || console[0].Profile != "prod" || console[0].Asked != 43200 || console[0].Given != 43200 {
		t.Errorf("audit: %+v; want one console of prod, 43200 s asked and given", console)
	}
}

// TestCodesFromAProgram: all roles are fresh through the session at once, and
// then each is upgraded with a code of its own, one in a step of 30 s.
func TestCodesFromAProgram(t *testing.T) {
	t.Parallel()
	needs(t, "curl", "curl", "--version")
	m := newMachine(t, 1)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, err := m.device.NextCode(r.Context())
		if err == nil {
			fmt.Fprintln(w, code)
		}
	}))
	defer program.Close()
	m.maximum("Admin", 12*time.Hour)
	m.maximum("ReadOnly", 4*time.Hour)
	m.sim.AddRole(awssim.Role{Account: "222222222222", Name: "Hour", Principals: []string{m.alice.ARN}, RequireMFA: true, Allow: []string{"iam:GetRole"}})
	m.addAlice()
	m.write(".config/mfad/config.ini", fmt.Sprintf(`[identity corp]
mfa_serial = %s
mfa_process = curl -s %s
mfa_process_unattended = true
[profile prod]
identity = corp
role_arn = arn:aws:iam::222222222222:role/Admin
[profile ro]
identity = corp
role_arn = arn:aws:iam::222222222222:role/ReadOnly
mfa = direct
[profile hour]
identity = corp
role_arn = arn:aws:iam::222222222222:role/Hour
[profile calm]
identity = corp
role_arn = arn:aws:iam::222222222222:role/Admin
mfa = session
write = none
`, m.device.Serial, program.URL), 0o600)
	begin := time.Now()
	m.until(10*time.Second, func(all map[string]profileStatus) string {
		for _, name := range []string{"prod", "ro", "hour", "calm"} {
			if !all[name].Usable {
				return name + " is not usable"
			}
		}
		return ""
	})
	m.until(75*time.Second, func(all map[string]profileStatus) string {
		for name, want := range map[string]int{"prod": 43200, "ro": 14400} {
			if p := all[name]; p.Via != "direct" || p.Seconds < want-2 {
				return fmt.Sprintf("%s: via %s for %d s, want direct for %d", name, p.Via, p.Seconds, want)
			}
		}
		return ""
	})
	t.Logf("both were direct after %v", time.Since(begin).Round(time.Second))
	all := m.profiles()
	if all["hour"].Via != "session" || all["calm"].Via != "session" {
		t.Errorf("hour came %s, calm %s; want both through the session", all["hour"].Via, all["calm"].Via)
	}
	calls := m.codeCalls()
	if len(calls) != 2 || !calls[0].OK() || !calls[1].OK() {
		t.Fatalf("codes for roles: %+v; want two, both taken", calls)
	}
	sessions := m.sim.Calls("GetSessionToken")
	if len(sessions) != 1 || sessions[0].Time.After(calls[0].Time) {
		t.Errorf("sessions: %+v; want one, before the roles", sessions)
	}
	for i, gap := range []time.Duration{calls[0].Time.Sub(sessions[0].Time), calls[1].Time.Sub(calls[0].Time)} {
		if a, b := calls[i].Time.Unix()/30, calls[i].Time.Add(-gap).Unix()/30; a == b {
			t.Errorf("two codes within one step of 30 s: %v apart", gap)
		}
	}
	// A restart asks for nothing.
	m.kill(syscall.SIGKILL)
	m.until(10*time.Second, func(all map[string]profileStatus) string {
		if p := all["prod"]; p.Via != "direct" {
			return "after a restart prod comes " + p.Via + ", want direct"
		}
		return ""
	})
	if n := len(m.codeCalls()); n != 2 {
		t.Errorf("%d codes for roles after a restart, want still two", n)
	}
}

// until looks at the profiles until wrong says nothing more.
func (m *machine) until(most time.Duration, wrong func(map[string]profileStatus) string) {
	m.t.Helper()
	deadline := time.Now().Add(most)
	for {
		what := wrong(m.profiles())
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("after %v: %s", most, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestTheAuditLogSurvivesKills: who got credentials stands in the log, however
// often the daemon is killed meanwhile.
func TestTheAuditLogSurvivesKills(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	var mu sync.Mutex
	served := 0
	for range 4 {
		var callers sync.WaitGroup
		for range 12 {
			callers.Go(func() {
				r := finish(m.command(binary, "credential-process", "--profile", "prod"))
				mu.Lock()
				defer mu.Unlock()
				if r.status == 0 && strings.Contains(r.stdout, "ASIA") {
					served++
				}
			})
		}
		m.kill(syscall.SIGKILL)
		callers.Wait()
	}
	m.mfad("credential-process", "--profile", "prod")
	served++
	handed := 0
	for _, r := range m.records() {
		if r.Action == audit.HandOut && r.Profile == "prod" {
			handed++
			if r.PID == 0 || r.Program == "" {
				t.Errorf("a hand-out to nobody: %+v", r)
			}
		}
	}
	if handed < served {
		t.Errorf("%d hand-outs are recorded, and %d callers were served", handed, served)
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes, want one", n)
	}
	info, err := os.Stat(m.path(".local", "state", "mfad", "audit.jsonl"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log has mode %v (%v), want 0600", info.Mode().Perm(), err)
	}
}
