//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// short runs `mfad status --short` and gives its word. It must be as cheap as
// credential-process, silent and content.
func (m *machine) short(args ...string) string {
	m.t.Helper()
	cmd := m.command(binary, append([]string{"status", "--short"}, args...)...)
	cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
	r := finish(cmd)
	for _, heavy := range []string{"init net/http ", "init github.com/aws/aws-sdk-go-v2/service/", "init github.com/spf13/", "init encoding/json "} {
		if strings.Contains(r.stderr, heavy) {
			m.t.Errorf("status --short %v: %q ran before the answer", args, heavy)
		}
	}
	if said := regexp.MustCompile(`(?m)^init .*\n?`).ReplaceAllString(r.stderr, ""); r.status != 0 || said != "" {
		m.t.Errorf("status --short %v: status %d, %q on stderr", args, r.status, said)
	}
	return r.stdout
}

// comesToWord waits until a status in one word is so.
func (m *machine) comesToWord(want string) {
	m.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := m.mfad("status", "--short")
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("the status in one word is %q, want %q", got, want)
		}
	}
}

// TestShort follows the word through the life of a profile.
func TestShort(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	if got := m.short(); got != "" || m.daemon() != 0 {
		t.Errorf("without a daemon: %q, and process %d", got, m.daemon())
	}
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.addProfile("no+such", "Gone")
	for _, args := range [][]string{nil, {"prod"}, {"corp"}, {"pro*"}, {""}} {
		if got := m.short(args...); got != "mfa\n" {
			t.Errorf("before the login, of %q: %q, want mfa", args, got)
		}
	}
	m.mfadWith(m.code()+"\n", "lock")
	if got := m.short("prod"); got != "locked\n" {
		t.Errorf("while locked: %q", got)
	}
	cmd := m.command(binary, "login", "--code", "-")
	cmd.Stdin = strings.NewReader(m.code() + "\n")
	finish(cmd) // one of the roles is not there
	for name, want := range map[string]string{"prod": "", "no+such": "expired\n", "corp": "expired\n", "": "expired\n", "nosuch": ""} {
		if got := m.short(name); got != want {
			t.Errorf("after the login, of %q: %q, want %q", name, got, want)
		}
	}
	// cron, ssh and a cleaned environment do not know the runtime folder.
	env := m.env
	m.env = []string{"HOME=" + m.home}
	if got := m.short(); got != "expired\n" {
		t.Errorf("in a cleaned environment: %q", got)
	}
	m.env = env
	// The ordinary command says the same.
	if got := m.mfad("-v", "status", "--short", "no+such"); got != "expired\n" {
		t.Errorf("by way of the ordinary command: %q", got)
	}
	if got := m.mfad("status", "--short", "--config", m.path(".config/mfad/config.ini"), "prod"); got != "" {
		t.Errorf("by way of the ordinary command: %q", got)
	}
}

// TestShortWaitsForNobody: a daemon that hangs costs a prompt 50 ms, and no more.
func TestShortWaitsForNobody(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.signal(syscall.SIGSTOP)
	defer m.signal(syscall.SIGCONT)
	for name, args := range map[string][]string{"at once": {"status", "--short"}, "the ordinary command": {"-v", "status", "--short"}} {
		begin := time.Now()
		r := finish(m.command(binary, args...))
		if took := time.Since(begin); took < 50*time.Millisecond || took > time.Second || r.status != 0 || r.stdout != "" {
			t.Errorf("%s: status %d, %q, after %v", name, r.status, r.stdout, took)
		}
	}
}

// promptExample gives the example of docs/prompt.md in a language.
func promptExample(t *testing.T, language string) string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/prompt.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(doc), "\n```"+language+"\n")
	text, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed {
		t.Fatalf("docs/prompt.md has no example in %s", language)
	}
	return text + "\n"
}

// TestThePromptsExampleForStarship: its command in its shell gives the word, and
// the file is what starship can read.
func TestThePromptsExampleForStarship(t *testing.T) {
	t.Parallel()
	needs(t, "python", "python3", "-c", "import tomllib")
	m := newMachine(t, 1)
	m.addAlice()
	m.env = append(m.env, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	file := m.write("starship.toml", promptExample(t, "toml"), 0o600)
	m.comesToWord("mfa\n")
	r := finish(m.command("python3", "-c", `
import subprocess, sys, tomllib
c = tomllib.load(open(sys.argv[1], "rb"))["custom"]["mfad"]
assert c["when"] is True and c["format"] == "([\\[$output\\]]($style) )", c
subprocess.run(c["shell"] + ["-c", c["command"]], check=True)
`, file))
	if r.status != 0 || r.stdout != "mfa\n" {
		t.Errorf("status %d, %q, %s", r.status, r.stdout, r.stderr)
	}
	if _, err := exec.LookPath("starship"); err == nil {
		m.env = append(m.env, "STARSHIP_CONFIG="+file)
		if r := finish(m.command("starship", "module", "custom.mfad")); !strings.Contains(r.stdout, "[mfa]") {
			t.Errorf("starship shows %q, %s", r.stdout, r.stderr)
		}
	}
}
