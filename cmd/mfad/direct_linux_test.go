package main

import (
	"strings"
	"testing"
	"time"
)

// TestALoginForAProfileAtATerminal: the code that a person types goes to the role
// for which the terminal asked.
func TestALoginForAProfileAtATerminal(t *testing.T) {
	t.Skip("TODO: a code typed at a terminal always goes to the session: the client sends it for the identity, not for the profile asked for")
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
	t.Skip("TODO: as above; and whoever is asked for the second code is not told why")
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
	t.Skip("TODO: a code typed at a terminal always goes to the session: the client sends it for the identity, not for the profile asked for")
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
	t.Skip("TODO: a code typed at a terminal always goes to the session: the client sends it for the identity, not for the profile asked for")
	m := newMachine(t, 1)
	m.addAlice()
	m.maximum("Admin", 4*time.Hour)
	m.maximum("ReadOnly", 4*time.Hour)
	m.addProfile("prod", "Admin", "--duration", "4h")
	m.addProfile("ro", "ReadOnly", "--duration", "4h")
	first := m.sitDown("login", "prod")
	first.waitsFor(asks)
	second := m.sitDown("login", "ro")
	second.waitsFor(asks)
	second.types(m.code() + "\n")
	first.types(m.code() + "\n")
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
