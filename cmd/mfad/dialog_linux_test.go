package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// display gives the machine an X display, without a window manager, and has it be
// every client's. The daemon has none: a service manager started it.
func (m *machine) display() {
	m.t.Helper()
	for _, name := range []string{"Xvfb", "xdotool", "zenity"} {
		needs(m.t, "dialogs", name)
	}
	number, tell, err := os.Pipe()
	if err != nil {
		m.t.Fatal(err)
	}
	defer number.Close()
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
	m.env = append(m.env, "DISPLAY=:"+strings.TrimSpace(line))
}

// types waits for the window that asks for corp's code, and types into it.
func (m *machine) types(keys ...string) {
	m.t.Helper()
	do := func(args ...string) (string, bool) {
		ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "xdotool", args...)
		cmd.Env = m.env
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err == nil
	}
	window := ""
	if !within(20*time.Second, func() bool {
		id, ok := do("search", "--onlyvisible", "--name", "mfad: MFA code for corp")
		window = id
		return ok && id != ""
	}) {
		m.t.Fatalf("no window opened; the daemon said: %s", m.log())
	}
	time.Sleep(300 * time.Millisecond) // GTK takes keys a moment after it shows the window, and does not tell when
	do("windowfocus", "--sync", window)
	for _, k := range keys {
		if k[0] <= '9' {
			do("type", "--delay", "20", k)
		} else {
			do("key", k)
		}
	}
}

// TestADialogAsks whoever is at the desktop, where the client has no terminal; a no
// is a no, for a while.
func TestADialogAsks(t *testing.T) {
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	if out := finish(m.command(binary, "credential-process", "--profile", "prod")); out.status != 4 {
		t.Fatalf("without a desktop: status %d, %s", out.status, out.stderr)
	}
	m.display()
	ask := func() (answer <-chan result) {
		c := make(chan result, 1)
		go func() { c <- finish(m.command(binary, "credential-process", "--profile", "prod")) }()
		return c
	}
	answer := ask()
	m.types(m.code(), "Return")
	if r := <-answer; r.status != 0 || !strings.Contains(r.stdout, "ASIA") {
		t.Fatalf("with the code typed: status %d, %s", r.status, r.stderr)
	}
	m.mfad("lock")
	m.mfad("unlock")
	answer = ask()
	m.types("Escape")
	if r := <-answer; r.status != 4 || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("after a no: status %d, %s", r.status, r.stderr)
	}
	begun := time.Now()
	if r := <-ask(); r.status != 4 || time.Since(begun) > 5*time.Second {
		t.Errorf("in the pause after it: status %d in %v, %s", r.status, time.Since(begun), r.stderr)
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes were sent, want 1", n)
	}
}
