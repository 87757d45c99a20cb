package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mfad/mfad/pkg/service"
)

// TestServiceThatCannotStart says so, and why.
func TestServiceThatCannotStart(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	s.run([]string{"service", "install"})
	s.serving(0)
	s.write(".config/systemd/user/mfad.service.d/zz.conf", "[Service]\nEnvironment=MFAD_KEYRING_PASSPHRASE_FILE=%h/passphrase\n", 0o644)
	if err := os.Chmod(s.path("passphrase"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.own()
	if r := s.run([]string{"service", "restart"}, 1); !strings.Contains(r.stderr, "hint: run: mfad service logs") {
		t.Errorf("a restart says %q", r.stderr)
	}
	if r := s.run([]string{"status"}, 3); !strings.Contains(r.stderr, "the service does not start") || !strings.Contains(r.stderr, "hint: run: mfad service logs") {
		t.Errorf("a command that waits for it says %q", r.stderr)
	}
	s.systemctl("stop", "mfad.service", "mfad.socket")
	if r := s.run([]string{"status"}, 3); !strings.Contains(r.stderr, "the service does not start") {
		t.Errorf("a command that starts it says %q", r.stderr)
	}
	if log := s.run([]string{"service", "logs"}).stdout; !strings.Contains(log, s.path("passphrase")) {
		t.Errorf("the log does not name the file: %q", log)
	}
}

// TestServiceThatIsToldByAFlag writes to the log itself, whatever its output is.
func TestServiceThatIsToldByAFlag(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	cmd := m.command(binary, "daemon", "--service")
	cmd.Env = append(slices.Clone(cmd.Env), "MFAD_KEYRING_PASSPHRASE_FILE="+m.path("missing"))
	r := finish(cmd)
	text, err := os.ReadFile(m.path(".local", "state", "mfad", "daemon.log"))
	if err != nil || !strings.Contains(string(text), m.path("missing")) || r.stderr != "" || r.status == 0 {
		t.Errorf("status %d, %q; the log is %q, %v", r.status, r.stderr, text, err)
	}
}

// TestServiceThatOthersChanged: a package that brings units later, a mask, and a unit
// that somebody removed.
func TestServiceThatOthersChanged(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	s.run([]string{"service", "install"})
	first := s.serving(0)
	brought := filepath.Join("/proc", strconv.Itoa(s.pid), "root/run/systemd/user")
	for name, text := range map[string][]byte{"mfad.service": service.SystemdService(s.program), "mfad.socket": service.SystemdSocket()} {
		if err := os.MkdirAll(brought, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(brought, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.run([]string{"service", "install"})
	s.serving(first)
	if got := s.property("FragmentPath") + " " + s.property("UnitFileState"); got != "/run/systemd/user/mfad.service enabled" {
		t.Errorf("with a package's units systemd has %s", got)
	}

	s.systemctl("mask", "mfad.service")
	for verb, status := range map[string]int{"install": 1, "status": 3, "uninstall": 1} {
		if r := s.run([]string{"service", verb}, status); !strings.Contains(r.stderr, "hint: systemctl --user unmask mfad.socket mfad.service") {
			t.Errorf("%s of a masked service says %q", verb, r.stderr)
		}
	}
	s.systemctl("unmask", "mfad.socket", "mfad.service")

	if err := os.RemoveAll(brought); err != nil {
		t.Fatal(err)
	}
	s.run([]string{"service", "install"})
	pid := s.serving(first)
	if err := os.Remove(s.path(".config", "systemd", "user", "mfad.service")); err != nil {
		t.Fatal(err)
	}
	s.systemctl("daemon-reload")
	s.run([]string{"service", "uninstall"})
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the daemon outlives a service whose unit was removed")
	}
	if got := strings.TrimSpace(s.systemctl("show", "mfad.socket", "--property=ActiveState", "--value")); got != "inactive" {
		t.Errorf("its socket is %s", got)
	}
	if left := s.below(s.path(".config", "systemd")); len(left) != 1 { // the drop-in that is the user's
		t.Errorf("there stay %q", left)
	}
}
