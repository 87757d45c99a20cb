package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestExecKeepsWhatIsWrittenToTheCopy: it is merged into the user's file when the
// command ends, or by the next exec after a kill, beside what was written there
// meanwhile. What is set without a profile is the profile's own. What cannot be
// merged is kept in a file beside it, and the next exec tells.
func TestExecKeepsWhatIsWrittenToTheCopy(t *testing.T) {
	t.Parallel()
	needs(t, "aws-cli", "aws", "--version")
	m := newExecMachine(t, 1)
	const first = "# mine\n[profile mine]\nregion = eu-west-1\n"
	set := "aws configure set region eu-west-1 --profile other; aws configure set output text"
	late := `; printf '[profile late]\nregion = eu-west-2\n' >>"$HOME/.aws/config"`
	want := []string{"# mine\n[profile mine]\nregion = eu-west-1\n", "[profile other]\nregion = eu-west-1\n",
		"[profile late]\nregion = eu-west-2\n", "[profile prod]\noutput = text\n"}
	merged := func(after string, r result) {
		t.Helper()
		m.noCopies(after)
		b, err := os.ReadFile(m.path(".aws", "config"))
		if err != nil || r.stderr != "" || strings.Contains(string(b), "mfad-exec") {
			t.Errorf("after %s: %q is told, the file is\n%s(%v)", after, r.stderr, b, err)
		}
		for _, part := range want {
			if !strings.Contains(string(b), part) {
				t.Errorf("after %s the file lacks %q:\n%s", after, part, b)
			}
		}
	}
	m.write(".aws/config", first, 0o600)
	merged("the command", m.inside("sh", "-c", set+late))

	m.write(".aws/config", first, 0o600)
	x := m.waitsInside(set + late)
	m.killEndpoint(syscall.SIGKILL)
	if x.goesOn(); len(m.copies()) != 2 {
		t.Fatalf("the killed endpoint left %q", m.copies())
	}
	merged("a kill", m.inside("true"))

	m.write(".aws/config", first, 0o600)
	m.inside("aws", "configure", "set", "region", "eu-west-1", "--profile", "other")
	if r := m.inside("aws", "configure", "get", "region", "--profile", "other"); r.stdout != "eu-west-1\n" {
		t.Errorf("the next command finds %q %s, want what the one before it wrote", r.stdout, r.stderr)
	}

	m.write(".aws/config", first, 0o600)
	if r := m.inside("sh", "-c", `sed -i '1i[profile broken' "$AWS_CONFIG_FILE"`); r.stderr != "" {
		t.Errorf("the command's stderr has %q", r.stderr)
	}
	m.noCopiesBut(1, "a change that cannot be merged") // the note
	r := m.inside("true")
	_, path, _ := strings.Cut(strings.TrimSpace(r.stderr), "the changed copy is ")
	if b, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(b), "[profile broken\n"+first) || strings.Contains(string(b), "mfad-exec") {
		t.Errorf("what cannot be merged: %q is told, %q is kept (%v)", r.stderr, b, err)
	}
	if b, err := os.ReadFile(m.path(".aws", "config")); err != nil || string(b) != first {
		t.Errorf("the file became %q (%v)", b, err)
	}
	if b, err := os.ReadFile(m.path(".local", "state", "mfad", "daemon.log")); err != nil || !strings.Contains(string(b), path) {
		t.Errorf("the log says nothing of %s: %s (%v)", path, b, err)
	}
	if r := m.inside("true"); r.stderr != "" {
		t.Errorf("it is told twice: %q", r.stderr)
	}
	m.noCopies("that")
}

// TestExecLeavesNothing: the copy of an endpoint that was killed goes with the next
// exec, and that of a command that runs stays.
func TestExecLeavesNothing(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	x := m.waitsInside("true")
	m.killEndpoint(syscall.SIGKILL)
	x.goesOn()
	if r := m.inside("true"); r.stderr != "" {
		t.Errorf("an exec that was killed and changed nothing is told: %q", r.stderr)
	}
	m.noCopies("the next exec")
	x = m.waitsInside("true")
	m.inside("true")
	m.noCopiesBut(2, "another exec")
	if r := x.goesOn(); r.stdout != "there\n" {
		t.Errorf("the copy of a command that runs was removed")
	}
}

// TestExecFromAnotherFolder: paths that the user gave from where exec was started
// are the same ones for what works elsewhere.
func TestExecFromAnotherFolder(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	m.kill(syscall.SIGTERM)
	m.env = append(m.env, "MFAD_CONFIG=.config/mfad/config.ini")
	if told := m.mfad("status"); !strings.Contains(told, "prod") {
		t.Errorf("a daemon that is started by a relative path works with another config: %q", told)
	}
	m.write("here/config", "[profile mine]\n", 0o600)
	m.env = append(m.env, "AWS_CONFIG_FILE=here/config", "MFAD_STATE_DIR=.local/state/mfad")
	r := m.inside("sh", "-c", `cd /; "$0" exec prod -- cat "$AWS_CONFIG_FILE"; "$0" exec prod -- sh -c 'cat "$AWS_CONFIG_FILE"'`, binary)
	if strings.Count(r.stdout, "[profile mine]") != 2 {
		t.Errorf("an exec inside another has the AWS config %q %s", r.stdout, r.stderr)
	}
	x := m.waitsInside("true")
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", m.endpoint()))
	if want := "\x00MFAD_STATE_DIR=" + m.path(".local/state/mfad") + "\x00"; err != nil || !strings.Contains("\x00"+string(env), want) {
		t.Errorf("the endpoint's environment is %q (%v), want %q in it", env, err, want)
	}
	x.goesOn()
	m.noCopies("them")
}
