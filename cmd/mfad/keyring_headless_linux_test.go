package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// headless gives a machine without a desktop, which finds the passphrase of its file
// keyring where the environment says, and nowhere else. Nothing tells it to use a file.
func headless(t *testing.T, env func(m *machine) []string) *machine {
	t.Helper()
	m := newMachine(t, 240) // an hour is 15 s
	m.env = append(m.env, "MFAD_KEYRING=auto", "MFAD_KEYRING_PASSPHRASE=", "DBUS_SESSION_BUS_ADDRESS=unix:path="+m.path("no-bus"))
	m.env = append(m.env, env(m)...)
	return m
}

// secretFile is a passphrase as an administrator or systemd puts it somewhere.
func (m *machine) secretFile(dir, name string, mode os.FileMode) string {
	m.t.Helper()
	return m.write(filepath.Join(dir, name), "a passphrase that is none\n", mode)
}

// TestHeadless: on a machine without a desktop nobody has to unlock anything, at no
// start, where the passphrase is left for the daemon.
func TestHeadless(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]func(m *machine) []string{
		"a file": func(m *machine) []string {
			return []string{"MFAD_KEYRING_PASSPHRASE_FILE=" + m.secretFile("etc", "passphrase", 0o600)}
		},
		"a credential of systemd's": func(m *machine) []string {
			return []string{"CREDENTIALS_DIRECTORY=" + filepath.Dir(m.secretFile("credentials", "mfad-keyring-passphrase", 0o400))}
		},
		"a credential of systemd's, given by an access control list": func(m *machine) []string {
			return []string{"CREDENTIALS_DIRECTORY=" + filepath.Dir(m.secretFile("credentials", "mfad-keyring-passphrase", 0o440))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := headless(t, env)
			m.addAlice()
			m.addProfile("prod", "Admin")
			m.login()
			m.comesTo("prod", "fresh", patience, fresh)
			if _, err := os.Stat(m.path(".local", "state", "mfad", "keyring.age")); err != nil {
				t.Errorf("the keys are in no file keyring: %v", err)
			}
			m.kill(syscall.SIGKILL)
			if out := m.mfad("credential-process", "--profile", "prod", "--no-prompt", "--timeout", "10s"); !strings.Contains(out, "ASIA") {
				t.Errorf("after a restart a tool gets %q", redact(out))
			}
			m.cost(1)
		})
	}
}

// TestHeadlessPassphraseThatOthersCanRead is refused, with what to do, and so is one
// that is not there.
func TestHeadlessPassphraseThatOthersCanRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		env  func(m *machine) []string
		want string
	}{
		"a file that others read": {func(m *machine) []string {
			return []string{"MFAD_KEYRING_PASSPHRASE_FILE=" + m.secretFile("etc", "passphrase", 0o644)}
		}, "chmod 600 "},
		"no such file": {func(m *machine) []string {
			return []string{"MFAD_KEYRING_PASSPHRASE_FILE=" + m.path("nowhere")}
		}, "no such file"},
		"an empty file": {func(m *machine) []string {
			return []string{"MFAD_KEYRING_PASSPHRASE_FILE=" + m.write("empty", "\n", 0o600)}
		}, "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := headless(t, tt.env)
			cmd := m.command(binary, "daemon")
			r := finish(cmd)
			if r.status != 2 || !strings.Contains(r.stderr, tt.want) || strings.Contains(r.stderr, "a passphrase that is none") {
				t.Errorf("mfad daemon: status %d, %s; want 2 and %q", r.status, r.stderr, tt.want)
			}
		})
	}
}

// TestHeadlessUnlock: where the passphrase is left nowhere, the daemon waits for the
// one that a person types, or a script writes, after each start.
func TestHeadlessUnlock(t *testing.T) {
	t.Parallel()
	m := headless(t, func(*machine) []string { return nil })
	m.mfadWith("a passphrase that is none\n", "unlock")
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	m.comesTo("prod", "fresh", patience, fresh)
	m.kill(syscall.SIGKILL)
	r := finish(m.command(binary, "status"))
	if !strings.Contains(r.stdout+r.stderr, "locked") || !strings.Contains(r.stdout+r.stderr, "mfad unlock") {
		t.Errorf("status: %d, %s%s; want that the keyring is locked, and what to do", r.status, r.stdout, r.stderr)
	}
	m.mfadWith("a passphrase that is none\n", "unlock")
	m.comesTo("prod", "fresh", 5*time.Second, fresh)
	m.cost(1)
}
