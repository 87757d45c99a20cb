package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTheButtonOfARealNotification: a program that shows no error fails for want of a
// code; a click on what the desktop then tells opens the window, and the code typed
// there has both the program work and the notification go.
func TestTheButtonOfARealNotification(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"dunst", "dunstctl"} {
		needs(t, "notifications", program)
	}
	m := newNotified(t)
	m.bus()
	service := m.env
	m.display("zenity")
	m.env = append(m.env, "DBUS_SESSION_BUS_ADDRESS=unix:path="+m.path("bus"))
	person := m.env
	dunst := m.command("dunst", "-config", m.write("dunstrc", "[global]\nmouse_middle_click = do_action\n", 0o600))
	if err := dunst.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dunst.Process.Kill(); _ = dunst.Wait() })
	shown := func() string {
		cmd := m.command("dunstctl", "count", "displayed")
		cmd.Env = append(slices.Clip(cmd.Env), "PATH="+os.Getenv("PATH")) // it is a script
		return strings.TrimSpace(finish(cmd).stdout)
	}
	if !within(patience, func() bool { return shown() == "0" }) {
		t.Fatal("dunst is not on the bus")
	}

	m.env = service // an IDE, say, that has no desktop's variables
	if status, _ := m.hidden("terraform", "prod"); status != 4 {
		t.Fatalf("status %d, want 4", status)
	}
	m.env = person
	notification := m.awaitsWindow("notification", "--class", "Dunst")
	// By this the daemon knows of the desktop, and nobody is asked for a code.
	if r := finish(m.command(binary, "status")); r.status != 0 {
		t.Fatalf("mfad status: status %d, %s", r.status, r.stderr)
	}
	if _, there := m.xdotool("search", "--onlyvisible", "--name", "mfad: MFA code"); there {
		t.Fatal("a window opened though nobody waits for a code")
	}
	m.xdotool("mousemove", "--window", notification, "20", "20", "click", "2")
	m.types(m.code(), "Return")
	m.comesToWord("")
	if status, _ := m.hidden("terraform", "prod"); status != 0 {
		t.Errorf("after the code status %d", status)
	}
	if !within(patience, func() bool { return shown() == "0" }) {
		t.Errorf("%s notifications are still shown", shown())
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes were sent, want 1", n)
	}
}
