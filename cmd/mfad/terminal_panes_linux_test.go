package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/localapi"
)

// pane is one of several shells in a window, each with a terminal and jobs of its own.
type pane struct {
	*window
	id string
}

// panes divides a window in two, with a shell in each.
func (m *machine) panes() (left, right pane) {
	m.t.Helper()
	m.env = append(m.env, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	w := m.openWindow("")
	left = pane{w, strings.TrimSpace(w.tmux("display-message", "-p", "#{pane_id}"))}
	right = pane{w, strings.TrimSpace(w.tmux("split-window", "-h", "-P", "-F", "#{pane_id}", "PS1='next> ' exec sh -i"))}
	left.comesTo(`^next> *\nnext>$`) // after openWindow's Enter
	right.comesTo(`^next>$`)
	return left, right
}

// types writes a line into the pane.
func (p pane) types(text string) {
	p.t.Helper()
	p.tmux("send-keys", "-t", p.id, "-l", text)
	p.press("Enter")
}

// press presses a key, by tmux's name.
func (p pane) press(key string) {
	p.t.Helper()
	p.tmux("send-keys", "-t", p.id, key)
}

// sees gives the pane's screen, with lines whole that are broken at its edge.
func (p pane) sees() string {
	p.t.Helper()
	return strings.TrimRight(p.tmux("capture-pane", "-p", "-J", "-t", p.id), " \n")
}

// comesTo waits until the pane shows something.
func (p pane) comesTo(pattern string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	if !within(patience, func() bool { return re.MatchString(p.sees()) }) {
		p.t.Fatalf("the pane does not come to show %s but\n%s", pattern, p.sees())
	}
}

// waitingAre waits until the open question is for these profiles.
func (m *machine) waitingAre(profiles ...string) {
	m.t.Helper()
	var waiting []string
	if !within(patience, func() bool {
		var st localapi.Status
		if err := json.Unmarshal([]byte(m.mfad("status", "--json")), &st); err != nil {
			m.t.Fatal(err)
		}
		if q := st.Identities[0].Prompt; q != nil {
			waiting = q.Profiles
		}
		return slices.Equal(waiting, profiles)
	}) {
		m.t.Fatalf("%q wait, want %q", waiting, profiles)
	}
}

// TestTwoPanes: of two commands in two panes one asks; Ctrl-C there is no other's
// business; and a login in the first settles the other, whose shell goes on.
func TestTwoPanes(t *testing.T) {
	t.Parallel()
	needs(t, "terminal", "tmux", "-V")
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	m.addProfile("ro", "ReadOnly", "--write", "none")
	left, right := m.panes()
	left.types("mfad exec prod -- echo the left ran; echo status $?")
	left.comesTo(`\(corp, for profile prod\):$`)
	right.types("mfad exec ro -- sh -c 'echo the right ran as $MFAD_PROFILE'; echo status $?")
	m.waitingAre("prod", "ro")
	left.press("C-c")
	left.comesTo(`status 130\nnext>$`)
	right.comesTo(`\(corp, for profile ro\):$`)
	if s := left.sees(); strings.Contains(s, "\nthe left ran") || strings.Contains(s, "MFA code") {
		t.Errorf("the left ran, or the question still stands there: %q", s)
	}
	left.types("clear; mfad login; echo status $?")
	left.comesTo(`\(corp, for profile ro\):$`)
	left.types(m.code())
	left.comesTo(`status 0\nnext>$`)
	right.comesTo(`(?m)^the right ran as ro\nstatus 0\nnext>$`)
	if strings.Contains(right.sees(), "MFA code") {
		t.Errorf("the question still stands on the right: %q", right.sees())
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes were sent, want 1", n)
	}
	right.types("stty -a | grep -ow 'icanon' ; stty -a | grep -ow 'echo'")
	right.comesTo(`\nicanon\necho\nnext>$`)
}

// TestNotUnderVim: what a plugin of an editor starts asks nobody in the editor's
// terminal, but in a pane beside it. By :silent vim keeps its terminal to itself, as
// plugins want it; else it hands it to the command, which may ask there.
func TestNotUnderVim(t *testing.T) {
	t.Parallel()
	needs(t, "terminal", "tmux", "-V")
	needs(t, "vim", "vim", "--version")
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	m.addProfile("ro", "ReadOnly", "--write", "none")
	left, right := m.panes()
	out := m.path("out")
	left.types("vim -u NONE -i NONE -n " + m.write("main.tf", "# a file\n", 0o600))
	left.comesTo(`^# a file\n~`)
	plugin := func() {
		left.types(":silent call writefile([system('mfad credential-process --profile prod 2>&1 | cut -c 1-60')], '" + out + "')")
	}
	told := func() string {
		b, _ := os.ReadFile(out) // it comes to be
		return string(b)
	}
	plugin()
	if !within(patience, func() bool { return strings.Contains(told(), "nobody to ask") }) {
		t.Fatalf("the plugin got %q, vim shows\n%s", told(), left.sees())
	}
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	right.types("mfad exec ro -- echo the right ran")
	right.comesTo(`\(corp, for profile ro\):$`)
	plugin()
	m.waitingAre("prod", "ro")
	right.types(m.code())
	right.comesTo(`\nthe right ran\nnext>$`)
	if !within(patience, func() bool { return strings.Contains(told(), `{"Version":1,"AccessKeyId":"ASIA`) }) {
		t.Errorf("the plugin got %q", told())
	}
	if s := left.sees(); strings.Contains(s, "MFA code") || !strings.HasPrefix(s, "# a file\n~") {
		t.Errorf("vim shows\n%s", s)
	}
}
