package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// display gives the machine an X display, without a window manager, and has it be
// every client's. The daemon has none: a service manager started it. Of the programs
// that open dialogs it finds the one that is named.
func (m *machine) display(program string) {
	m.t.Helper()
	for _, name := range []string{"Xvfb", "xdotool", program} {
		needs(m.t, "dialogs", name)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		m.t.Fatal(err)
	}
	only := m.path("only")
	if err := os.Mkdir(only, 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(only, program)); err != nil {
		m.t.Fatal(err)
	}
	number, tell, err := os.Pipe()
	if err != nil {
		m.t.Fatal(err)
	}
	defer number.Close()
	// Without -noreset it begins anew whenever the last client leaves, and refuses
	// who comes just then.
	x := exec.Command("Xvfb", "-displayfd", "3", "-noreset", "-screen", "0", "1000x700x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{tell}
	err = x.Start()
	tell.Close()
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = x.Process.Signal(os.Interrupt); _ = x.Wait() })
	line, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		m.t.Fatalf("Xvfb gave no display: %v", err)
	}
	m.env = append(m.env, "DISPLAY=:"+strings.TrimSpace(line), "PATH="+only)
}

// xdotool does something on the display. It fails where it finds nothing.
func (m *machine) xdotool(args ...string) (string, bool) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "xdotool", args...)
	cmd.Env = m.env
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err == nil
}

// awaitsWindow waits for a window and gives its number.
func (m *machine) awaitsWindow(what string, by ...string) (id string) {
	m.t.Helper()
	if !within(patience, func() bool {
		found, ok := m.xdotool(append([]string{"search", "--onlyvisible"}, by...)...)
		id = found
		return ok && id != "" && !strings.Contains(id, "\n")
	}) {
		m.t.Fatalf("no %s came; the daemon said: %s", what, m.log())
	}
	return id
}

// types waits for the window that asks for corp's code, writes into it and presses
// the key, as a person does, and waits until it has closed.
func (m *machine) types(text, key string) {
	m.t.Helper()
	window := m.awaitsWindow("dialog", "--name", "mfad: MFA code for corp")
	begun := time.Now()
	m.xdotool("windowfocus", "--sync", window)
	if text != "" {
		m.xdotool("type", "--delay", "20", text)
	}
	m.xdotool("key", key)
	if !within(patience, func() bool {
		now, ok := m.xdotool("search", "--onlyvisible", "--name", "mfad: MFA code for corp")
		return !ok || !strings.Contains(now, window)
	}) {
		m.t.Fatalf("the window %s is still open %v after %s was pressed", window, time.Since(begun), key)
	}
}

// wants has a program of the desktop's, which has no terminal, ask for credentials.
func (m *machine) wants(profile string) (answer <-chan result) {
	c := make(chan result, 1)
	go func() { c <- finish(m.command(binary, "credential-process", "--profile", profile)) }()
	return c
}

// TestADialogAsks whoever is at the desktop, where the client has no terminal, with
// whichever program is installed. AWS's no to a code opens another window; a
// person's no is a no, for a while.
func TestADialogAsks(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"zenity", "kdialog", "pinentry-gtk-2", "pinentry-qt"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 1)
			m.display(program)
			desktop := m.env
			m.env = append(m.env, "DISPLAY=")
			m.addAlice()
			m.addProfile("prod", "Admin", "--write", "none")
			if r := finish(m.command(binary, "credential-process", "--profile", "prod")); r.status != 4 {
				t.Fatalf("without a desktop: status %d, %s", r.status, r.stderr)
			}
			m.env = desktop
			answer := m.wants("prod")
			m.types(m.device.WrongCode(), "Return")
			m.types(m.code(), "Return")
			if r := receives(t, answer, "credentials"); r.status != 0 || !strings.Contains(r.stdout, "ASIA") {
				t.Fatalf("with the code typed: status %d, %s", r.status, r.stderr)
			}
			if n := len(m.sim.Calls("GetSessionToken")); n != 2 {
				t.Errorf("%d codes were sent, want the wrong one and the right one", n)
			}
			m.mfad("lock")
			m.mfad("unlock")
			answer = m.wants("prod")
			m.types("", "Escape")
			if r := receives(t, answer, "a refusal"); r.status != 4 || !strings.Contains(r.stderr, "hint: ") {
				t.Errorf("after a no: status %d, %s", r.status, r.stderr)
			}
			begun := time.Now()
			if r := receives(t, m.wants("prod"), "a refusal"); r.status != 4 || time.Since(begun) > 5*time.Second {
				t.Errorf("in the pause after it: status %d in %v, %s", r.status, time.Since(begun), r.stderr)
			}
			if n := len(m.sim.Calls("GetSessionToken")); n != 2 {
				t.Errorf("%d codes were sent, want none after the no", n-2)
			}
		})
	}
}

// TestALoginClosesTheWindow, whose answer nobody wants any more, and whoever waited
// for it is served.
func TestALoginClosesTheWindow(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.display("zenity")
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	answer := m.wants("prod")
	m.awaitsWindow("dialog", "--name", "mfad: MFA code for corp")
	m.login()
	if r := receives(t, answer, "credentials"); r.status != 0 {
		t.Errorf("status %d, %s", r.status, r.stderr)
	}
	if !within(patience, func() bool {
		_, ok := m.xdotool("search", "--onlyvisible", "--name", "mfad: MFA code")
		return !ok
	}) {
		t.Error("the window is still open")
	}
}
