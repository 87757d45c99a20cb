package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/localapi"
)

// TestAWrongClock costs no code and stops nothing: whoever asks gets what lives at
// AWS, as long as the clock is wrong, and as soon as it is right.
func TestAWrongClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		wrong      time.Duration
		unattended bool // codes come from a program
		restart    bool // the daemon starts while the clock is wrong
	}{
		{name: "back two hours", wrong: -2 * time.Hour},
		{name: "back ten days", wrong: -240 * time.Hour},
		{name: "back two hours, started so", wrong: -2 * time.Hour, restart: true},
		{name: "ahead ten minutes", wrong: 10 * time.Minute},
		{name: "ahead six hours", wrong: 6 * time.Hour},
		{name: "ahead six hours, started so", wrong: 6 * time.Hour, restart: true},
		{name: "ahead of the session's end", wrong: 48 * time.Hour},
		{name: "ahead of the session's end, started so", wrong: 48 * time.Hour, restart: true},
		{name: "ahead of the session's end, codes come by themselves", wrong: 48 * time.Hour, unattended: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newTraveller(t)
			if tt.unattended {
				m.codesComeByThemselves()
			}
			codes := len(m.sim.Calls("GetSessionToken"))
			m.setClock(tt.wrong)
			if tt.restart {
				m.kill(syscall.SIGKILL)
				m.boot()
			}
			m.gets("with a wrong clock", "prod", 0)
			if r := m.run("refresh"); r.status != 0 {
				t.Errorf("refresh: status %d, %s", r.status, r.stderr)
			}
			m.suspend(61 * time.Minute)
			m.gets("with a wrong clock, an hour later", "prod", 50*time.Minute)
			for _, name := range []string{"prod", "ro"} {
				m.comesTo(name, "fresh for an hour", 10*time.Second, freshForAnHour)
			}
			m.setClock(0)
			m.gets("as soon as the clock is right", "prod", 0)
			for _, name := range []string{"prod", "ro"} {
				m.comesTo(name, "fresh for an hour", 10*time.Second, freshForAnHour)
			}
			m.suspend(90 * time.Minute)
			m.gets("after another hour and a half", "prod", 50*time.Minute)
			if n := len(m.sim.Calls("GetSessionToken")) - codes; n != 0 {
				t.Errorf("%d codes were sent, want none", n)
			}
			for _, r := range m.records() {
				if r.Action == "AssumeRole" && r.Outcome == "ok" && (r.Given < 3598 || r.Given > 3602) {
					t.Errorf("by the audit log a role was given for %d s, want 3600", r.Given)
				}
			}
		})
	}
}

// gets has a tool ask where nobody can be asked for a code, and checks for how long
// AWS takes what it gets.
func (m *traveller) gets(when, profile string, least time.Duration) {
	m.t.Helper()
	if left, status := m.hands(profile); status != 0 || left < least {
		m.t.Errorf("%s: status %d, credentials for %v; want at least %v", when, status, left, least)
	}
}

// freshForAnHour is a profile that nothing is wrong with, whatever the clock.
func freshForAnHour(p localapi.ProfileStatus) bool {
	return fresh(p) && p.Usable && p.DurationSeconds != nil && *p.DurationSeconds >= 3598 && *p.DurationSeconds <= 3602
}

// TestAPersonIsNotAskedForAWrongClock: the first that is heard of the clock is a
// tool on a terminal.
func TestAPersonIsNotAskedForAWrongClock(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	m.setClock(48 * time.Hour)
	cmd := m.sitDown("credential-process", "--profile", "prod")
	if status := cmd.ends(); status != 0 || strings.Contains(cmd.sees(), asks) {
		t.Errorf("status %d, %q; want credentials and no question", status, cmd.sees())
	}
}

// TestNothingDeadIsHandedOut where the clock is behind, and AWS, that could tell,
// out of reach.
func TestNothingDeadIsHandedOut(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]bool{"set back between two calls": false, "set back during a call": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTraveller(t)
			if during {
				before := len(m.sim.Calls("AssumeRole"))
				m.sim.Inject(awssim.Fault{Action: "AssumeRole", Kind: awssim.Delay, Wait: time.Second, Times: 2})
				waits := make(chan result, 1)
				go func() { waits <- m.run("refresh") }()
				m.until("AWS is asked", 10*time.Second, func() bool { return len(m.sim.Calls("AssumeRole")) == before+2 })
				defer func() { <-waits }()
			}
			m.setClock(-2 * time.Hour)
			if during {
				m.until("AWS has answered", 10*time.Second, func() bool {
					for _, c := range m.sim.Calls("AssumeRole") {
						if !c.OK() {
							return false
						}
					}
					return true
				})
			}
			m.gets("with a wrong clock", "prod", 50*time.Minute)
			m.sim.Inject(awssim.Fault{Kind: awssim.DropBefore})
			m.suspend(70 * time.Minute)
			if r := m.run("credential-process", "--profile", "prod", "--timeout", "2s"); r.status == 0 {
				t.Errorf("without AWS: credentials for %v, want none", m.lives(r.stdout))
			}
		})
	}
}

// TestNothingDeadIsHandedOutAtAStart with a clock that is behind: it cannot be known
// what lives, so it is fetched.
func TestNothingDeadIsHandedOutAtAStart(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	m.kill(syscall.SIGKILL)
	m.passed += 70 * time.Minute
	m.setClock(-2 * time.Hour)
	m.sim.Inject(awssim.Fault{Action: "AssumeRole", Kind: awssim.Delay, Wait: 3 * time.Second})
	m.boot()
	m.gets("with a clock that is behind", "prod", 50*time.Minute)
	m.cost(1)
}

// TestACodeRefusedForTheClockIsNotSpent: AWS looks at the stamp before it looks at
// the code.
func TestACodeRefusedForTheClockIsNotSpent(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	code := m.code()
	m.sim.Inject(awssim.Fault{Action: "GetSessionToken", Kind: awssim.Refuse, Times: 1, Status: 403, Code: "SignatureDoesNotMatch",
		Message: "Signature expired: 20260101T000000Z is now earlier than 20260101T014500Z (20260101T020000Z - 15 min.)"})
	give := func() result {
		cmd := m.command(m.mfad, "login", "--code", "-")
		cmd.Stdin = strings.NewReader(code + "\n")
		return finish(cmd)
	}
	if r := give(); r.status != 5 || !strings.Contains(r.stderr, "clock") {
		t.Errorf("a refused stamp: status %d, %s; want the clock named", r.status, r.stderr)
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 2 {
		t.Errorf("codes were sent %d times, want twice: none is sent again by itself", n)
	}
	if r := give(); r.status != 0 {
		t.Errorf("the same code, given again: status %d, %s", r.status, r.stderr)
	}
	m.setClock(-6 * time.Hour) // which is no reason to forget it
	if r := give(); r.status == 0 || !strings.Contains(r.stderr, "used already") {
		t.Errorf("the same code, once it is spent: status %d, %s; want it refused", r.status, r.stderr)
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 3 {
		t.Errorf("codes were sent %d times, want three: none that is spent is sent", n)
	}
	m.cost(2)
}

// codesComeByThemselves gives the identity a program that prints a code.
func (m *traveller) codesComeByThemselves() {
	m.t.Helper()
	m.write("code", m.code(), 0o600)
	path := m.path(".config", "mfad", "config.ini")
	b, err := os.ReadFile(path)
	if err != nil {
		m.t.Fatal(err)
	}
	with := "[identity corp]\nmfa_process = cat " + m.path("code") + "\nmfa_process_unattended = true\n"
	edited := strings.Replace(string(b), "[identity corp]\n", with, 1)
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.kill(syscall.SIGKILL) // the next one reads the config anew
	m.boot()
	m.comesTo("prod", "fresh", 30*time.Second, fresh) // it has read what the other one left
}
