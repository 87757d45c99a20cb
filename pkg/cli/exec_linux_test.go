package cli

import (
	"os/exec"
	"testing"
	"time"
)

// TestWatchingAProcess: its end is seen while nobody has waited for it, with the
// kernel's help and without.
func TestWatchingAProcess(t *testing.T) {
	for name, watch := range map[string]func(int) (func(), error){"told": watchProcess, "polled": pollProcess} {
		cmd := exec.Command("cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended, err := watch(cmd.Process.Pid)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		done := make(chan struct{})
		go func() { defer close(done); ended() }()
		select {
		case <-done:
			t.Errorf("%s: a process that lives has ended", name)
		case <-time.After(300 * time.Millisecond):
		}
		in.Close()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the end is not seen", name)
		}
		_ = cmd.Wait()
		if _, err := watch(cmd.Process.Pid); err == nil {
			t.Errorf("%s: a process that is gone can be watched", name)
		}
	}
}
