//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheFastPathIsFast: an answer that is there is printed before the packages
// that cost time are initialised.
func TestTheFastPathIsFast(t *testing.T) {
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	for _, args := range [][]string{
		{"credential-process", "--profile", "prod"},
		{"credential-process", "--profile=prod", "--no-prompt", "--timeout", "5s"},
	} {
		cmd := m.command(binary, args...)
		cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
		r := finish(cmd)
		if r.status != 0 || !strings.HasPrefix(r.stdout, `{"Version":1,"AccessKeyId":"ASIA`) || strings.Count(r.stdout, "\n") != 1 {
			t.Errorf("%v: status %d, %q", args, r.status, r.stdout)
		}
		for _, heavy := range []string{"init net/http ", "init github.com/aws/aws-sdk-go-v2/service/", "init github.com/spf13/", "init encoding/json "} {
			if strings.Contains(r.stderr, heavy) {
				t.Errorf("%v: %q ran before the answer:\n%s", args, heavy, r.stderr)
			}
		}
	}
	// In any doubt the ordinary command answers, and explains.
	cmd := m.command(binary, "credential-process", "--profile", "nosuch")
	cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
	if r := finish(cmd); r.status != 2 || !strings.Contains(r.stderr, "init net/http ") {
		t.Errorf("an unknown profile: status %d, %s", r.status, r.stderr)
	}
}

// TestTheDemo plays one whole cycle and leaves nothing behind.
func TestTheDemo(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	tmp := t.TempDir()
	m := &machine{t: t, home: home, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + tmp}}
	r := finish(m.command(binary, "demo"))
	if r.status != 0 {
		t.Fatalf("status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	rest := r.stdout
	for _, want := range []string{
		"aws --profile prod-admin sts get-caller-identity", "the phone shows", "all ten profiles are fresh", "█",
		"the credentials file serves 10 profiles; prod-admin is arn:aws:sts::222222222222:assumed-role/Admin/alice",
		"all ten were renewed, and nobody was asked", "the session has ended", "the phone shows", "all ten profiles are fresh again",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is missing, or too early, in:\n%s", want, r.stdout)
		}
		rest = after
	}
	for _, dir := range []string{home, tmp} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("the demo left %v in %s (%v)", left, dir, err)
		}
	}
}

// TestTheProgramIsLean: a template finds methods by name at run time, so that the
// linker keeps every method of every type; one doubled the program once.
func TestTheProgramIsLean(t *testing.T) {
	t.Parallel()
	symbols, err := exec.Command("go", "tool", "nm", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(symbols, []byte("text/template.(*Template).Execute")) {
		t.Error("something uses text/template or html/template: write what it is for by hand")
	}
}
