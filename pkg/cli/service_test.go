package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/service"
	"github.com/mfad/mfad/pkg/state"
)

// shellWith gives variables by name.
func shellWith(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestServicePath(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its PATH is written otherwise")
	}
	if got, want := servicePath("/a/bin::.:/b:rel/bin:/a/bin:/c\nd"), "/a/bin:/b"; got != want {
		t.Errorf("got %q, want %q: whole paths, each once", got, want)
	}
}

// TestVariablesThatAServiceDoesNotSee are those that would change what the daemon
// does: not those that the config says already, or the service manager has too.
func TestVariablesThatAServiceDoesNotSee(t *testing.T) {
	home := t.TempDir()
	config := filepath.Join(home, ".config", "mfad", "config.ini")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("[defaults]\nhttps_proxy = http://127.0.0.1:3128\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{home: home, getenv: shellWith(map[string]string{
		"HTTPS_PROXY": "http://127.0.0.1:3128", "NO_PROXY": "x", "AWS_CA_BUNDLE": "/ca", "AWS_PROFILE": "prod", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE00000001",
		"MFAD_STATE_DIR": filepath.Join(home, "s"), "MFAD_KEYRING": "file", "MFAD_AUTOSTART": "0",
	})}
	got := a.unseen(map[string]string{"NO_PROXY": "x", "MFAD_KEYRING": "os"})
	if want := []string{"AWS_CA_BUNDLE", "MFAD_KEYRING", "MFAD_STATE_DIR"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFoldersOfTheService are not those that a shell names for another daemon.
func TestFoldersOfTheService(t *testing.T) {
	home := t.TempDir()
	plain := &app{home: home, getenv: shellWith(nil)}
	want, err := plain.paths()
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(home, "other")
	a := &app{home: home, getenv: shellWith(map[string]string{"MFAD_CONFIG": other, "MFAD_STATE_DIR": other, "MFAD_SOCKET": other})}
	if got, err := a.servicePaths(); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// TestWhoStartsTheDaemon: the service, where one is enabled, its manager runs, and
// the command does not want another daemon.
func TestWhoStartsTheDaemon(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it is about systemd's files")
	}
	home, run := t.TempDir(), t.TempDir()
	vars := map[string]string{"XDG_RUNTIME_DIR": run}
	a := &app{home: home, getenv: shellWith(vars)}
	expect := func(when string, want bool) {
		t.Helper()
		if got := a.startsService(); (got != nil) != want {
			t.Errorf("%s: %q", when, got)
		}
	}
	expect("nothing installed", false)
	link := filepath.Join(home, ".config", "systemd", "user", "sockets.target.wants", "mfad.socket")
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../mfad.socket", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".config", "systemd", "user", "mfad.socket"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	expect("no systemd", false)
	if err := os.MkdirAll(filepath.Join(run, "systemd", "private"), 0o755); err != nil {
		t.Fatal(err)
	}
	expect("enabled", true)
	for _, v := range []string{"MFAD_CONFIG", "MFAD_STATE_DIR", "MFAD_SOCKET"} {
		vars[v] = "/elsewhere"
		expect(v, false)
		delete(vars, v)
	}
	a.config = "other.ini"
	expect("--config", false)
}

// TestASocketWithoutADaemon is told from one with, and from a daemon's own.
func TestASocketWithoutADaemon(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are none")
	}
	socket := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if unheld(socket) {
		t.Error("a socket that no service manager opened is taken for one")
	}
	for range 2 {
		release, err := holdSocket(socket)
		if err != nil {
			t.Fatal(err)
		}
		if unheld(socket) {
			t.Error("a socket with a daemon is taken for one without")
		}
		release()
		if !unheld(socket) {
			t.Error("a socket without a daemon is taken for one with")
		}
	}
	if _, err := os.Stat(service.SocketLock(socket)); err != nil {
		t.Error(err)
	}
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	if unheld(socket) {
		t.Error("a lock that was left is taken for a socket")
	}
}

// TestEndDaemon: the process that holds the lock is told to end, and waited for.
func TestEndDaemon(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nobody takes over there")
	}
	dir := state.Dir(t.TempDir())
	if err := endDaemon(t.Context(), dir, 1<<30); err != nil {
		t.Errorf("with nobody there: %v", err)
	}
	lock, err := dir.Lock()
	if err != nil {
		t.Fatal(err)
	}
	holder := exec.Command("sleep", "60")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill() })
	if err := os.WriteFile(dir.Path("daemon.lock"), []byte(strconv.Itoa(holder.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := holder.Wait()
		ended <- errors.Join(lock.Release(), err)
	}()
	if err := endDaemon(t.Context(), dir, holder.Process.Pid); err != nil {
		t.Errorf("with one that ends when told to: %v", err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("the process that held the lock ended with %v, want a SIGTERM", err)
	}
}

// TestServiceDryRunShowsTheLog command and runs nothing.
func TestServiceDryRunShowsTheLog(t *testing.T) {
	var out strings.Builder
	a := &app{out: &out}
	if err := a.showLog(t.Context(), []string{"/nowhere/journalctl", "--user"}, true); err != nil || out.String() != "run /nowhere/journalctl --user\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if err := a.showLog(t.Context(), []string{"/nowhere/journalctl"}, false); err == nil || !strings.Contains(err.Error(), "show the log") {
		t.Errorf("of a program that is not there: %v", err)
	}
}
