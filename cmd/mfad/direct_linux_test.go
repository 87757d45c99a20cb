package main

import (
	"strings"
	"testing"
	"time"
)

// TestALoginForAProfileAtATerminal: the code that a person types goes to the role
// for which the terminal asked.
func TestALoginForAProfileAtATerminal(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.maximum("Admin", 4*time.Hour)
	m.addProfile("prod", "Admin", "--duration", "4h")
	p := m.sitDown("login", "prod")
	p.waitsFor(asks)
	p.types(m.code() + "\n")
	if status := p.ends(); status != 0 || !strings.Contains(p.stdout.String(), "direct") {
		t.Errorf("status %d, %q, %q; want prod, direct", status, p.stdout.String(), p.sees())
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 0 {
		t.Errorf("%d codes went to a session, want none", n)
	}
	direct := m.codeCalls()
	if len(direct) != 1 || !direct[0].OK() || direct[0].DurationSeconds != 14400 {
		t.Errorf("direct calls: %+v; want one, for 14400 s", direct)
	}
}

// TestALoginForAnUnknownRoleAtATerminal: the first code starts the session, which
// looks the role up; the person is told, asked once more, and the second goes
// direct.
func TestALoginForAnUnknownRoleAtATerminal(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.maximum("Admin", 5*time.Hour+30*time.Minute)
	m.addProfile("prod", "Admin")
	p := m.sitDown("login", "prod")
	p.waitsFor(asks)
	p.types(m.code() + "\n")
	p.waitsFor("the next code goes direct")
	second := m.code()
	p.waitsFor(asks)
	p.types(second + "\n")
	if status := p.ends(); status != 0 || !strings.Contains(p.stdout.String(), "direct") {
		t.Errorf("status %d, %q, %q; want prod, direct", status, p.stdout.String(), p.sees())
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes went to a session, want one", n)
	}
	direct := m.codeCalls()
	if len(direct) != 1 || !direct[0].OK() || direct[0].DurationSeconds != 19800 {
		t.Errorf("direct calls: %+v; want one, for 19800 s", direct)
	}
}

// TestTheConsoleAsksAtTheTerminal: 12 h for a role that allows one hour.
func TestTheConsoleAsksAtTheTerminal(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.env = append(m.env, "MFAD_SIGNIN_URL="+m.sim.URL+"/federation")
	m.addAlice()
	m.addProfile("prod", "Admin")
	p := m.sitDown("console", "prod", "--duration", "12h", "--print")
	p.waitsFor(asks)
	p.types(m.code() + "\n")
	if status := p.ends(); status != 0 {
		t.Fatalf("status %d, %q", status, p.sees())
	}
	m.opens(strings.TrimSpace(p.stdout.String()))
	if got := m.consoleLife(); (got - 12*time.Hour).Abs() > time.Minute {
		t.Errorf("the console lasts %v, want 12h", got)
	}
	direct := m.codeCalls()
	if len(direct) != 1 || direct[0].Code != "OK" || len(m.sim.Calls("GetSessionToken")) != 0 {
		t.Errorf("calls with a code: %+v; want one AssumeRole", direct)
	}
}

// TestTwoProfilesAtTwoTerminals: two people's questions are one device's: each
// code goes to one role, and both get theirs.
func TestTwoProfilesAtTwoTerminals(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.maximum("Admin", 4*time.Hour)
	m.maximum("ReadOnly", 4*time.Hour)
	m.addProfile("prod", "Admin", "--duration", "4h")
	m.addProfile("ro", "ReadOnly", "--duration", "4h")
	first := m.sitDown("login", "prod")
	first.waitsFor(asks)
	second := m.sitDown("login", "ro")
	for range 2 { // which of them is asked first is up to mfad
		code := m.code()
		m.whoIsAsked(first, second).types(code + "\n")
	}
	for name, p := range map[string]*person{"first": first, "second": second} {
		if status := p.ends(); status != 0 || !strings.Contains(p.stdout.String(), "direct") {
			t.Errorf("the %s: status %d, %q, %q", name, status, p.stdout.String(), p.sees())
		}
	}
	roles := map[string]int{}
	for _, c := range m.codeCalls() {
		if c.OK() {
			roles[c.RoleARN[strings.LastIndexByte(c.RoleARN, '/')+1:]]++
		}
	}
	if roles["Admin"] != 1 || roles["ReadOnly"] != 1 {
		t.Errorf("codes went to %v, want one to each", roles)
	}
}

// whoIsAsked waits until one of two terminals shows a question that is open.
func (m *machine) whoIsAsked(people ...*person) *person {
	m.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		for _, p := range people {
			if strings.HasSuffix(p.sees(), "): ") {
				return p
			}
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("nobody is asked: %q, %q", people[0].sees(), people[len(people)-1].sees())
		}
	}
}

// TestTwoQuestionsTakeTurns: while two people are to give a code, one is asked,
// and the question does not go from one to the other under their fingers.
func TestTwoQuestionsTakeTurns(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--duration", "1h")
	m.addProfile("ro", "ReadOnly", "--duration", "1h")
	m.login()
	first := m.sitDown("login", "prod")
	first.waitsFor(asks)
	second := m.sitDown("login", "ro")
	for range 10 {
		m.mfad("refresh")
	}
	n := strings.Count(first.sees(), asks) + strings.Count(second.sees(), asks)
	if n > 2 {
		t.Errorf("%d questions for two people who have not answered yet: %q, %q", n, first.sees(), second.sees())
	}
}

// TestCtrlCAtADirectQuestionHurtsNobodyElse: whoever else waits for a code is
// asked, and nothing is left in the status.
func TestCtrlCAtADirectQuestionHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--duration", "1h")
	m.addProfile("ro", "ReadOnly", "--duration", "1h")
	m.login()
	asked := m.sitDown("login", "ro")
	asked.waitsFor(asks)
	waits := m.sitDown("login", "prod")
	if m.whoIsAsked(asked, waits) == waits {
		asked, waits = waits, asked
	}
	asked.types("\x03")
	if status := asked.ends(); status != 130 {
		t.Errorf("status %d, want 130", status)
	}
	code := m.code()
	m.whoIsAsked(waits).types(code + "\n")
	if status := waits.ends(); status != 0 || !strings.Contains(waits.stdout.String(), "direct") {
		t.Errorf("the other: status %d, %q, %s", status, waits.sees(), waits.stdout.String())
	}
	if out := m.mfad("status"); strings.Contains(out, "over") {
		t.Errorf("the status shows an error that is none:\n%s", out)
	}
}

// TestCtrlCLeavesNoError: nor where a profile with mfa = direct waits for its own
// code.
func TestCtrlCLeavesNoError(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.maximum("Admin", 8*time.Hour)
	m.addProfile("prod", "Admin", "--mfa", "direct")
	m.addProfile("ro", "ReadOnly", "--duration", "1h")
	m.login()
	p := m.sitDown("login", "ro")
	p.waitsFor("direct for ro")
	p.types("\x03")
	p.ends()
	if out := m.mfad("status"); strings.Contains(out, "over") || !strings.Contains(out, "until its own code comes") {
		t.Errorf("after Ctrl-C the status shows an error that is none:\n%s", out)
	}
}
