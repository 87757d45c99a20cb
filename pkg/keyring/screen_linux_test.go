package keyring

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// display is an X server that nobody sees, and whoever types there.
type display struct {
	t       *testing.T
	address string
}

// newDisplay starts one, for the programs that the test starts from then on.
func newDisplay(t *testing.T) *display {
	t.Helper()
	needs(t, "Xvfb", "xdotool")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	server := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset")
	server.ExtraFiles = []*os.File{w}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb did not start: %v", err)
	}
	d := &display{t, ":" + strings.TrimSpace(number)}
	t.Setenv("DISPLAY", d.address)
	t.Setenv("QT_QPA_PLATFORM", "xcb")
	return d
}

// during calls something that opens a window whose title has a word in it, and answers
// that with keys until the call has ended.
func (d *display) during(call func() error, title string, keys ...string) error {
	d.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	for limit := time.After(30 * time.Second); ; {
		select {
		case err := <-ended:
			return err
		case <-limit:
			d.t.Fatalf("the call did not end in 30 s although %q was answered", title)
		case <-time.After(300 * time.Millisecond): // a window takes as long until it heeds keys
		}
		if exec.Command("xdotool", "search", "--onlyvisible", "--name", title).Run() != nil {
			continue
		}
		_ = exec.Command("xdotool", keys...).Run() // it may have closed just now
	}
}

// The keys that answer a window.
func typed(password string) []string {
	return []string{"key", "ctrl+a", "type", "--args", "1", password, "key", "Return"}
}

func dismissed() []string { return []string{"key", "Escape"} }

// program starts one that ends with the test, or by stop.
func (r *rig) program(name string, args ...string) (stop func()) {
	r.t.Helper()
	needs(r.t, name)
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(testPassword + "\n")
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	stop = func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	r.t.Cleanup(stop)
	return stop
}

// comesTo waits until the keyring can be used, or cannot for a reason.
func comesTo(t *testing.T, o *OS, want creds.Code, when string) {
	t.Helper()
	var err error
	if !eventually(func() bool { err = o.Check(t.Context()); return creds.CodeOf(err) == want }) {
		t.Fatalf("%s: Check = %v with code %q, want %q", when, err, creds.CodeOf(err), want)
	}
}
