package main

import (
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What is in a state. A migration that was broken off has to be done anew: Terraform
// notes that it is half done, or not at all, by which of the signals it sees first.
const (
	everything = "begun done migration released version"
	migrated   = "begun migration version"
	brokenOff  = "begun migration* version or begun version"
)

// applyAndWait stops in the migration, until the test goes on.
var applyAndWait = append(slices.Clone(applies), waitsAtGate)

// TestTerraformExample applies the example of docs/terraform.md in each of the three
// ways, for longer than its keys live, and with what may befall it on the way.
//
// All of it runs at once: most of the time is spent waiting for keys to end.
func TestTerraformExample(t *testing.T) {
	t.Parallel()
	needs(t, "terraform", "terraform", "version")
	needs(t, "coreutils", "timeout", "--version")
	plugins := needsAWSProvider(t)
	static := newShop(t, 120, "credentials") // keys live 30 s
	calm := newShop(t, 60, "credentials")    // a minute
	fast := newShop(t, 450, "process")       // 8 s
	locked := newShop(t, 450, "process")
	machines := []*machine{static, calm, fast, locked}
	c := startCloud(t, machines...)
	for _, m := range machines {
		m.terraformFor(c, plugins)
		m.login()
	}
	x := initExample(t, c, static)
	var scenes sync.WaitGroup
	scenes.Go(func() { t.Run("static keys end", func(t *testing.T) { staticKeysEnd(t, x, static) }) })
	for _, way := range []string{"process", "exec"} {
		scenes.Go(func() { t.Run(way, func(t *testing.T) { keysRenew(t, x.site(t, fast, way, "long-"+way)) }) })
	}
	scenes.Go(func() { t.Run("lock", func(t *testing.T) { lockedMeanwhile(t, x, locked) }) })
	scenes.Go(func() { // these are short
		t.Run("Ctrl-C", func(t *testing.T) { ctrlC(t, x.site(t, fast, "exec", "interrupted")) })
		t.Run("timeout", func(t *testing.T) { timesOut(t, x.site(t, fast, "process", "timed-out")) })
		t.Run("static keys live", func(t *testing.T) { staticKeysLive(t, x, calm) })
	})
	scenes.Wait()
	for _, m := range machines {
		if m == static {
			continue
		}
		if refused := c.refusals(m); len(refused) > 0 {
			t.Errorf("AWS refused:\n%s", strings.Join(refused, "\n"))
		}
	}
}

// staticKeysEnd: a process that is started later reads the file anew, so a plan may
// wait. But each reads it once: it cannot save the state nor release the lock after the
// end of its keys, however fresh the file is then.
func staticKeysEnd(t *testing.T, x *example, m *machine) {
	s := x.site(t, m, "static", "static-ends")
	s.freshen = func() { m.mfad("refresh", "shop") }
	s.does("plan", "-input=false", "-no-color", "-out=plan", waitsAtGate)
	planned, begin := x.cloud.signers(s.name, time.Time{}), time.Now()
	a := s.begins(s.terraform("apply", "-input=false", "-no-color", "plan"))
	for key := range x.cloud.signers(s.name, begin) {
		if planned[key] {
			t.Errorf("the apply of a plan works with the plan's key %s, want the file's", key)
		}
	}
	a.outlivesItsKeys()
	if status := a.goesOn(); status != 1 || !strings.Contains(a.out.String(), "ExpiredToken") {
		t.Fatalf("status %d, want 1 and ExpiredToken:\n%s", status, &a.out)
	}
	s.has("after the end of its keys", "", true, true)
	if len(x.cloud.refusals(m)) == 0 {
		t.Error("AWS refused nothing")
	}
	s.recovers(migrated)
}

// staticKeysLive: until then nothing is needed of mfad.
func staticKeysLive(t *testing.T, x *example, m *machine) {
	s := x.site(t, m, "static", "static-lives")
	s.freshen = func() { m.mfad("refresh", "shop") }
	a := s.begins(s.terraform(applyAndWait...))
	m.mfad("lock")
	m.kill(syscall.SIGKILL)
	if status := a.goesOn(); status != 0 {
		t.Fatalf("status %d:\n%s", status, &a.out)
	}
	s.has("without mfad", everything, false, false)
}

// keysRenew: an apply, also of a plan whose keys have ended, outlives its keys and the
// daemon, while another apply wants the lock.
func keysRenew(t *testing.T, s *site) {
	args := applyAndWait
	if s.way == "process" {
		s.does("plan", "-input=false", "-no-color", "-out=plan", waitsAtGate)
		s.outlivesItsKeys()
		args = []string{"apply", "-input=false", "-no-color", "plan"}
	}
	begin := time.Now()
	a := s.begins(s.terraform(args...))
	if !within(20*time.Second, func() bool { return a.providers() == 2 }) {
		t.Errorf("%d provider processes, want two at once", a.providers())
	}
	other := s.x.site(t, s.m, "other", s.name)
	if r := finish(other.terraform(applies...)); r.status != 1 || !strings.Contains(r.stderr, "Error acquiring the state lock") {
		t.Errorf("a second apply: status %d, want 1 and the lock held:\n%s%s", r.status, r.stdout, r.stderr)
	}
	before := s.m.daemon()
	s.m.kill(syscall.SIGKILL)
	a.outlivesItsKeys()
	patient, tries := make(chan result, 1), s.x.cloud.locks(s.name)
	if s.way == "process" {
		cmd := other.terraform(append(slices.Clone(applies), "-lock-timeout=3m")...)
		go func() { patient <- finish(cmd) }()
		if !within(20*time.Second, func() bool { return s.x.cloud.locks(s.name) > tries }) {
			t.Error("a third apply does not want the lock")
		}
	}
	if status := a.goesOn(); status != 0 {
		t.Fatalf("status %d:\n%s", status, &a.out)
	}
	if after := s.m.daemon(); after == 0 || after == before {
		t.Errorf("the daemon was %d and is %d, want another", before, after)
	}
	if s.way == "process" {
		if r := <-patient; r.status != 0 || !strings.Contains(r.stdout, "0 added, 0 changed, 0 destroyed") {
			t.Errorf("an apply that waited for the lock: status %d\n%s%s", r.status, r.stdout, r.stderr)
		}
	}
	s.has("after several lives of its keys", everything, false, false)
	if n := len(s.x.cloud.signers(s.name, begin)); n < 2 {
		t.Errorf("%d keys had to do with the state, want one for the lock and another at the end", n)
	}
}

// lockedMeanwhile: what Terraform holds works on until its end, no longer.
func lockedMeanwhile(t *testing.T, x *example, m *machine) {
	var under []*apply
	for _, way := range []string{"process", "exec"} {
		s := x.site(t, m, way, "locked-"+way)
		under = append(under, s.begins(s.terraform(applyAndWait...)))
	}
	m.mfad("lock")
	under[0].outlivesItsKeys()
	for _, a := range under {
		if status := a.goesOn(); status != 1 {
			t.Fatalf("%s: status %d, want 1:\n%s", a.way, status, &a.out)
		}
		a.has(a.way+", locked", "", true, true)
	}
	if out := under[1].out.String(); !strings.Contains(out, "mfad unlock") {
		t.Errorf("Terraform inside exec does not say what to do:\n%s", out)
	}
	m.mfad("unlock")
	m.login()
	under[1].recovers(migrated)
}

// ctrlC: Terraform, its providers and its commands get the signal once, as without
// mfad, and Terraform ends in order, with keys that it did not begin with.
func ctrlC(t *testing.T, s *site) {
	a := s.begins(s.terraform(applyAndWait...))
	a.outlivesItsKeys()
	if err := syscall.Kill(-a.cmd.Process.Pid, syscall.SIGINT); err != nil { // as the terminal does
		t.Fatal(err)
	}
	status := a.ends()
	out := a.out.String()
	if status != 1 || strings.Count(out, "Interrupt received") != 1 || strings.Contains(out, "Two interrupts") {
		t.Errorf("status %d, want 1 and one interrupt:\n%s", status, out)
	}
	s.has("after Ctrl-C", brokenOff, false, false)
}

// timesOut: the same for the signal of timeout, which goes to all of its group.
func timesOut(t *testing.T, s *site) {
	inner := s.terraform(applyAndWait...)
	cmd := exec.CommandContext(t.Context(), "timeout", append([]string{"10m"}, inner.Args...)...)
	cmd.Dir, cmd.Env = inner.Dir, inner.Env
	a := s.begins(cmd)
	a.outlivesItsKeys()
	if err := syscall.Kill(a.cmd.Process.Pid, syscall.SIGALRM); err != nil { // to timeout: the time is over
		t.Fatal(err)
	}
	if status := a.ends(); status != 124 {
		t.Errorf("status %d, want timeout's 124:\n%s", status, &a.out)
	}
	s.has("after timeout", brokenOff, false, false)
}
