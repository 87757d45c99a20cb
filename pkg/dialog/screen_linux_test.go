package dialog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// screen is an X display of the test's own, without a window manager: nothing of
// the developer's desktop is seen or touched.
type screen struct {
	t    *testing.T
	home string
	mfa.Display
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	for _, name := range []string{"Xvfb", "xdotool"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIP-REAL dialogs: %s is not installed", name)
		}
	}
	number, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer number.Close()
	// Without -noreset it begins anew whenever the last client leaves, and refuses
	// who comes just then.
	x := exec.Command("Xvfb", "-displayfd", "3", "-noreset", "-screen", "0", "1000x700x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{tell}
	err = x.Start()
	tell.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sync.OnceFunc(func() { _ = x.Process.Signal(os.Interrupt); _ = x.Wait() }))
	line, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb gave no display: %v", err)
	}
	dir, err := os.MkdirTemp("", "mfad") // short: it may hold a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &screen{t, t.TempDir(), mfa.Display{"DISPLAY": ":" + strings.TrimSpace(line), "XDG_RUNTIME_DIR": dir}}
}

// bus gives the screen a session bus, with the services that are installed.
func (s *screen) bus() {
	s.t.Helper()
	bus := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address=1", "--address=unix:path="+s.Display["XDG_RUNTIME_DIR"]+"/bus")
	bus.Env = append(environment(s.Display, os.Getenv("PATH"), s.home), "NO_AT_BRIDGE=1", onBus)
	out, err := bus.StdoutPipe()
	if err == nil {
		err = bus.Start()
	}
	if err != nil {
		s.t.Skipf("SKIP-REAL dialogs: dbus-daemon: %v", err)
	}
	s.t.Cleanup(func() { _ = bus.Process.Kill(); _ = bus.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		s.t.Fatalf("dbus-daemon printed no address: %v", err)
	}
}

// onBus marks what the bus started.
const onBus = "MFAD_TEST=bus"

// programs gives the environments of the programs that run on this screen, apart
// from what the bus started.
func (s *screen) programs() (all [][]string) {
	processes, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range processes {
		raw, _ := os.ReadFile(file) // it may have ended
		env := strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
		if slices.Contains(env, "XDG_RUNTIME_DIR="+s.Display["XDG_RUNTIME_DIR"]) && !slices.Contains(env, onBus) {
			all = append(all, env)
		}
	}
	return all
}

// find gives a program's dialog on this screen, found as it is on a machine that
// has no other.
func (s *screen) find(name string) *Dialog {
	s.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		s.t.Skipf("SKIP-REAL dialogs: %s is not installed", name)
	}
	only := s.t.TempDir()
	if err := os.Symlink(path, only+"/"+name); err != nil {
		s.t.Fatal(err)
	}
	d, err := Find(func(n string) string { return map[string]string{"PATH": only, "HOME": s.home}[n] }, s.Display)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// within ends what should have ended long before.
func (s *screen) within() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	s.t.Cleanup(cancel)
	return ctx
}

// do has xdotool do something, within 20 s.
func (s *screen) do(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "xdotool", args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.Display["DISPLAY"])
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("xdotool %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// window gives the window of mfad's that is open, "" if none is.
func (s *screen) window() string {
	id, err := s.do("search", "--onlyvisible", "--name", title)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(id)
}

// awaitWindow waits for a window and gives it the keyboard.
func (s *screen) awaitWindow() error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if id := s.window(); id != "" {
			_, err := s.do("windowfocus", "--sync", id)
			return err
		}
	}
	return errors.New("no window opened")
}

// gone waits for the window to close: where it is another program's, that hears of
// it a moment later.
func (s *screen) gone() {
	for deadline := time.Now().Add(2 * time.Second); s.window() != "" && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
}

// person has somebody do something with each window that d opens: the first with
// the first, and so on. Wait gives what went wrong.
func (s *screen) person(d *Dialog, acts ...func() error) (wait func() error) {
	ask, confirm, did := d.program.ask, d.program.confirm, make(chan error, len(acts))
	next := 0
	opens := func() {
		if next < len(acts) {
			act := acts[next]
			next++
			s.gone()
			go func() {
				err := s.awaitWindow()
				if err == nil {
					err = act()
				}
				did <- err
			}()
		}
	}
	d.program.ask = func(ctx context.Context, d *Dialog, p Prompt) (creds.Secret, error) {
		opens()
		return ask(ctx, d, p)
	}
	d.program.confirm = func(ctx context.Context, d *Dialog, p Prompt) error {
		opens()
		return confirm(ctx, d, p)
	}
	return func() error {
		for i := range acts {
			select {
			case err := <-did:
				if err != nil {
					return fmt.Errorf("with window %d: %w", i+1, err)
				}
			case <-time.After(20 * time.Second):
				return fmt.Errorf("window %d was not opened", i+1)
			}
		}
		return nil
	}
}

// keys presses keys, one after the other.
func (s *screen) keys(keys ...string) func() error {
	return func() error {
		_, err := s.do(append([]string{"key", "--delay", "15"}, keys...)...)
		return err
	}
}
