package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

// window is a real terminal of a person's, whose screen can be read.
type window struct {
	t      *testing.T
	m      *machine
	server string
}

// openWindow opens a window of 80 by 24 with a command in it, and a shell after that.
func (m *machine) openWindow(command string) *window {
	m.t.Helper()
	needs(m.t, "terminal", "tmux", "-V")
	w := &window{m.t, m, m.path("tmux")}
	w.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "PS1='next> ' exec sh -i")
	m.t.Cleanup(func() { _ = exec.Command("tmux", "-S", w.server, "kill-server").Run() })
	w.shows("next>")
	w.types(command, "Enter")
	return w
}

func (w *window) tmux(args ...string) string {
	w.t.Helper()
	r := finish(w.m.command("tmux", append([]string{"-S", w.server}, args...)...))
	if r.status != 0 {
		w.t.Fatalf("tmux %v: status %d, %s", args, r.status, r.stderr)
	}
	return r.stdout
}

func (w *window) types(keys ...string) {
	w.t.Helper()
	w.tmux(append([]string{"send-keys"}, keys...)...)
}

func (w *window) screen(more ...string) string {
	w.t.Helper()
	return w.tmux(append([]string{"capture-pane", "-p"}, more...)...)
}

// comesTo waits until the screen is as hoped.
func (w *window) comesTo(what string, hoped func(screen string) bool) string {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s := w.screen()
		if hoped(s) {
			return s
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the screen does not come to show %s:\n%s", what, s)
		}
	}
}

func (w *window) shows(pattern string) string {
	w.t.Helper()
	re := regexp.MustCompile(pattern)
	return w.comesTo(pattern, re.MatchString)
}

// TestWatchingTheStatus: the picture follows what happens, the window's size and the
// daemon's restarts, and leaves a clean terminal.
func TestWatchingTheStatus(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.addProfile("a-name-that-is-longer-than-most", "ReadOnly")
	w := m.openWindow("echo before; " + binary + " status --watch; echo status $?")
	w.shows(`^IDENTITY +STATE +SESSION\ncorp +mfa_required(?s:.*)\nprod +mfa_required`)
	m.login()
	w.shows(`\nprod +fresh +█+ .* session\n`)
	if s := w.screen("-e"); !strings.Contains(s, "\x1b[32mfresh") {
		t.Errorf("there is no green in %q", s)
	}
	if s := w.screen("-S", "-"); !strings.Contains(s, "before\n") {
		t.Errorf("what stood there before is lost:\n%s", s)
	}

	w.tmux("resize-window", "-x", "40", "-y", "10")
	s := w.comesTo("a narrow table", func(s string) bool { return !strings.Contains(s, "VIA") && strings.Contains(s, "PROFILE") })
	if n := len(strings.Split(strings.TrimSpace(s), "\n")); n != 6 {
		t.Errorf("the picture has %d lines in a narrow window:\n%s", n, s)
	}
	w.tmux("resize-window", "-x", "40", "-y", "5")
	w.shows(`… and \d+ lines more\n`)
	w.tmux("resize-window", "-x", "100", "-y", "30")
	s = w.shows(`\nPROFILE +STATE +LEFT +NEXT +VIA\n`)
	if strings.Count(s, "PROFILE") != 1 || strings.Count(s, "IDENTITY") != 1 || strings.Contains(s, "…") {
		t.Errorf("something is left of the pictures before:\n%s", s)
	}

	m.kill(syscall.SIGKILL)
	w.shows(`^the daemon is gone since \d\d:\d\d; (?s:.*)\nprod `)
	m.mfad("status")
	w.shows(`^the daemon is back, process ` + fmt.Sprint(m.daemon()) + `\n(?s:.*)\nprod +fresh`)
	w.shows(`^IDENTITY`)

	w.types("C-c")
	s = w.shows(`(?s)^IDENTITY.*\na-name[^\n]*\nstatus 0\nnext>\n`)
	if strings.Contains(s, "^C") {
		t.Errorf("^C is left:\n%s", s)
	}
	w.types("stty -a | grep -o ' icanon' ; echo done", "Enter")
	w.shows(`\n icanon\ndone\n`)

	// After Ctrl-Z and fg it is drawn anew.
	w.types(binary+" status --watch", "Enter")
	w.comesTo("the picture alone", func(s string) bool { return strings.HasPrefix(s, "IDENTITY") && !strings.Contains(s, "done") })
	w.types("C-z")
	w.shows(`(?i)\n.*(stopped|suspended)`)
	time.Sleep(2500 * time.Millisecond) // a person does something else
	w.types("fg", "Enter")
	w.comesTo("the picture alone", func(s string) bool {
		return strings.HasPrefix(s, "IDENTITY") && !regexp.MustCompile("(?i)stopped|suspended|fg").MatchString(s)
	})
}

// TestWatchingIsQuiet: nothing is written while nothing changes.
func TestWatchingIsQuiet(t *testing.T) {
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.env = append(m.env, "TERM=xterm", "NO_COLOR=1")
	p := m.sitDownAt(binary, "status", "--watch")
	p.waitsFor("mfa_required")
	time.Sleep(time.Second) // the daemon's start settles
	before := p.sees()
	time.Sleep(3 * time.Second) // it is what does not happen that counts
	if after := p.sees(); after != before {
		t.Errorf("it wrote %q", after[len(before):])
	}
	if strings.Contains(before, "\x1b[3") {
		t.Errorf("there are colours in spite of NO_COLOR: %q", before)
	}
	p.types("\x03")
	if status := p.ends(); status != 0 {
		t.Errorf("Ctrl-C gave status %d", status)
	}
}

// TestWatchingWithoutATerminal: a table, or a line of JSON, for each change.
func TestWatchingWithoutATerminal(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.env = append(m.env, "TERM=xterm")
	for _, args := range [][]string{{"status", "--watch", "prod"}, {"status", "--watch", "--json", "prod"}} {
		asJSON := len(args) > 3
		cmd := m.command(binary, args...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		read := func(want string) {
			t.Helper()
			for lines.Scan() {
				line := lines.Text()
				var st localapi.Status
				if strings.Contains(line, "\x1b") || asJSON && (json.Unmarshal([]byte(line), &st) != nil || st.Schema != 1 || len(st.Profiles) != 1) {
					t.Errorf("%v: got %q", args, line)
				}
				if strings.Contains(line, "prod") && strings.Contains(line, want) {
					return
				}
			}
			t.Fatalf("%v: it ends before %s", args, want)
		}
		if asJSON {
			read("fresh")
			m.mfad("lock")
			read("locked")
		} else {
			read("mfa_required")
			m.login()
			read("fresh")
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	if r := finish(m.command(binary, "status", "--watch", "nosuch")); r.status != 2 {
		t.Errorf("an unknown name: status %d, %s", r.status, r.stderr)
	}
	// A terminal without escape sequences gets the same.
	m.env = append(m.env, "TERM=dumb")
	p := m.sitDownAt(binary, "status", "--watch")
	p.waitsFor("\nprod ")
	p.types("\x03")
	if status := p.ends(); status != 0 || strings.Contains(p.sees(), "\x1b") {
		t.Errorf("status %d, %q", status, p.sees())
	}
}
