package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// terminal is a real one, whose screen can be read.
type terminal struct {
	*stage
	socket string
	err    error // what went wrong first
}

// prompt matches the shell's: nothing in it tells of a machine.
const prompt = `(\[\w+\] )?\$ *`

// newTerminal opens a terminal with a shell in it.
func (s *stage) newTerminal(columns int) *terminal {
	t := &terminal{stage: s, socket: filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), fmt.Sprintf("tmux-%d", len(s.ends)))}
	// Higher than any picture: nothing scrolls away.
	_, err := t.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", "150", "exec bash -i")
	t.fails(err)
	s.ends = append(s.ends, func() { _, _ = t.tmux("kill-server") })
	t.shows(`^` + prompt + `$`)
	return t
}

func (t *terminal) tmux(args ...string) (string, error) {
	return t.do("tmux", append([]string{"-S", t.socket}, args...)...)
}

// fails takes in the first failure: after it nothing more is done.
func (t *terminal) fails(err error) {
	if t.err == nil {
		t.err = err
	}
}

// press presses keys, by tmux's names.
func (t *terminal) press(keys ...string) {
	if t.err == nil {
		_, err := t.tmux(append([]string{"send-keys"}, keys...)...)
		t.fails(err)
	}
}

// types writes a line, and Enter.
func (t *terminal) types(text string) {
	t.press("-l", text)
	t.press("Enter")
}

// shows waits until what stands on the screen matches.
func (t *terminal) shows(pattern string) {
	if t.err != nil {
		return
	}
	re := regexp.MustCompile(pattern)
	var screen string
	err := t.until("the terminal shows "+pattern, func() bool {
		screen, _ = t.tmux("capture-pane", "-p", "-J")
		screen = strings.TrimRight(screen, "\n")
		return re.MatchString(screen)
	})
	if err != nil {
		t.fails(fmt.Errorf("%w; it shows:\n%s", err, screen))
	}
}

// answers waits for a question and types what it wants.
func (t *terminal) answers(question, answer string) {
	t.shows(regexp.QuoteMeta(question) + ` *$`)
	t.types(answer)
}

// answersWithCode waits for the question for a code and types what the device shows.
func (t *terminal) answersWithCode() {
	t.shows(`MFA code for .*\): *$`)
	if t.err != nil {
		return
	}
	code, err := t.code()
	t.fails(err)
	t.types(code)
}

// runs types a command and waits for its end.
func (t *terminal) runs(command string) {
	t.types(command)
	t.shows(`\n` + prompt + `$`)
}

// clear has the next picture begin anew.
func (t *terminal) clear() {
	t.types("clear")
	t.shows(`^` + prompt + `$`)
}

// take keeps the screen as a picture, from the first line on that begins with from.
// The shell's last prompt is left out.
func (t *terminal) take(name, title, from string) {
	if t.err == nil {
		t.fails(t.picture(name, title, from))
	}
}

var lastPrompt = regexp.MustCompile(`^` + prompt + `$`)

func (t *terminal) picture(name, title, from string) error {
	text, err := t.tmux("capture-pane", "-p", "-e")
	if err != nil {
		return err
	}
	p := picture{title: title, lines: parse(strings.TrimRight(text, "\n"))}
	at, err := t.tmux("display-message", "-p", "#{cursor_x} #{cursor_y}")
	if err != nil {
		return err
	}
	if _, err := fmt.Sscan(at, &p.cursor.column, &p.cursor.line); err != nil {
		return err
	}
	for len(p.lines) > 0 && !strings.HasPrefix(p.lines[0].text(), from) {
		p.lines = p.lines[1:]
		p.cursor.line--
	}
	if n := len(p.lines); n > 1 && lastPrompt.MatchString(p.lines[n-1].text()) {
		p.lines = p.lines[:n-1]
	}
	return os.WriteFile(filepath.Join(t.out, name), []byte(p.svg()), 0o644)
}
