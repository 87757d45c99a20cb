package notify

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// Desktop is the Notification Centre of the user who is logged in.
type Desktop struct{ program string }

// New gives the system's Desktop; nothing of the environment counts.
func New(func(string) string) *Desktop { return &Desktop{program: "/usr/bin/osascript"} }

// Show shows n. What was shown before stays, and the ID is zero: a script cannot
// change or take back what it has shown
// (https://developer.apple.com/library/archive/documentation/LanguagesUtilities/Conceptual/MacAutomationScriptingGuide/DisplayNotifications.html).
// It ends within 5 s.
func (d *Desktop) Show(ctx context.Context, n Notification, _ ID) (ID, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.program, arguments(n)...)
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return ID{}, fmt.Errorf("osascript: %w", err)
	}
	return ID{}, nil
}

// arguments hands the texts to the script as its own arguments: nothing in them
// is ever read as AppleScript, and behind -- nothing as a flag.
func arguments(n Notification) []string {
	return []string{
		"-e", "on run argv",
		"-e", "display notification (item 2 of argv) with title (item 1 of argv)",
		"-e", "end run",
		"--", n.Title, n.Body,
	}
}

// Withdraw does nothing: see [Desktop.Show].
func (*Desktop) Withdraw(context.Context, ID) error { return nil }

// Close does nothing.
func (*Desktop) Close() {}

// Ask fails with an error that wraps [ErrNoButtons]: a script's notification has none.
func (*Desktop) Ask(context.Context, Notification, ...string) (int, error) {
	return Dismissed, ErrNoButtons
}

// Answers gives nothing: see [Desktop.Show].
func (*Desktop) Answers() <-chan Answer { return nil }
