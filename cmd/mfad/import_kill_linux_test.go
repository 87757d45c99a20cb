package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

// files reads what an import changes.
func (m *machine) files() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	for _, name := range []string{".config/mfad/config.ini", ".aws/config", ".aws/credentials"} {
		b, err := os.ReadFile(m.path(name))
		if err != nil && !os.IsNotExist(err) {
			m.t.Fatal(err)
		}
		found[name] = string(b)
	}
	return found
}

// holdsKey tells whether the keyring has the key of an identity.
func (m *machine) holdsKey(identity string) bool {
	m.t.Helper()
	var st localapi.Status
	if err := json.Unmarshal([]byte(m.mfad("status", "--json")), &st); err != nil {
		m.t.Fatal(err)
	}
	for _, id := range st.Identities {
		if id.Name == identity {
			return id.State == "mfa_required"
		}
	}
	return false
}

// plainHome gives the machine the files that are imported, and the command that
// does it.
func (m *machine) plainHome() []string {
	m.t.Helper()
	m.write(".aws/credentials", "# keys\n[base]\n"+keyLines(m.alice)+"\n[corp-long-term]\naws_mfa_device = x\n", 0o600)
	m.write(".aws/config", strings.Split(plainConfig, "[profile bobs]")[0], 0o600)
	return []string{"import", "aws-config", "--yes", "--remove-source"}
}

// awsMFAHome is plainHome with aws-mfa's file.
func (m *machine) awsMFAHome() []string {
	m.t.Helper()
	m.write(".aws/credentials", "# keys\n[corp-long-term]\n"+keyLines(m.alice)+"aws_mfa_device = "+m.device.Serial+
		"\n\n[corp]\nassumed_role = False\naws_access_key_id = ASIAEXAMPLE000000001\naws_secret_access_key = old-one\naws_session_token = old-one\n"+
		"aws_security_token = old-one\nexpiration = 2099-01-01 00:00:00\n", 0o600)
	m.write(".aws/config", "[profile corp]\nregion = us-east-1\n", 0o600)
	return []string{"import", "aws-mfa", "--yes", "--remove-source"}
}

// killedImports are the imports that get killed.
var killedImports = [...]struct {
	identity, claimed, in string // what stands in which file once it is mfad's
	home                  func(*machine) []string
}{
	{"base", "# mfad: role_arn", ".aws/config", (*machine).plainHome},
	{"corp", "mfad_profile = corp", ".aws/credentials", (*machine).awsMFAHome},
}

// TestImportKilled kills the import, and the daemon, before each of the calls by which
// a file gets its new content, and after them. Then a second run ends what the first
// began, and at no time is there no key.
func TestImportKilled(t *testing.T) {
	needs(t, "strace", "strace", "-qq", "-o", os.DevNull, "true")
	t.Parallel()
	var wants [len(killedImports)]map[string]string
	for i, kind := range killedImports {
		whole := newMachine(t, 1)
		args := kind.home(whole)
		whole.mfad(args...)
		wants[i] = whole.files()
		if r := finish(whole.command(binary, args...)); r.status != 0 || !strings.Contains(r.stderr, "nothing to do") {
			t.Errorf("once more: status %d, %s", r.status, r.stderr)
		}
		if !strings.Contains(wants[i][kind.in], kind.claimed) || strings.Contains(wants[i][".aws/credentials"], whole.alice.SecretAccessKey) {
			t.Fatalf("an import that nobody kills leaves %q", wants[i])
		}
	}
	const plain, awsMFA = 0, 1
	for _, tt := range []struct {
		name        string
		kind        int    // of killedImports
		call, path  string // killed before the first call on the path, below the home
		daemon, had bool   // the daemon is killed; it had a keyring before
	}{
		{"asking the daemon", plain, "connect", "", false, false},
		{"mfad's config", plain, "renameat", ".config/mfad/config.ini", false, false},
		{"the AWS config", plain, "renameat", ".aws/config", false, false},
		{"the AWS config is written", plain, "fsync", ".aws", false, false},
		{"the key's file, to be replaced", plain, "linkat", ".aws/credentials", false, false},
		{"the key's file", plain, "renameat", ".aws/credentials", false, false},
		{"the keyring is made, by the daemon", plain, "renameat", ".local/state/mfad/keyring.age", true, false},
		{"the key in the keyring, by the daemon", plain, "renameat", ".local/state/mfad/keyring.age", true, true},
		{"mfad's config, by the daemon", plain, "renameat", ".config/mfad/config.ini", true, false},
		{"aws-mfa: mfad's config", awsMFA, "renameat", ".config/mfad/config.ini", false, false},
		{"aws-mfa: its credentials become mfad's", awsMFA, "renameat", ".aws/credentials", false, false},
		{"aws-mfa: the keyring, by the daemon", awsMFA, "renameat", ".local/state/mfad/keyring.age", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 1)
			kind, want := killedImports[tt.kind], wants[tt.kind]
			args := kind.home(m)
			killer := []string{"-f", "-qq", "-o", os.DevNull, "-e", "trace=" + tt.call, "-e", "inject=" + tt.call + ":signal=KILL:when=1"}
			if tt.path != "" {
				killer = append(killer, "-P", m.path(tt.path))
			}
			killed := true
			if tt.had {
				m.addAlice()
				m.mfad("identity", "remove", "corp")
				m.kill(syscall.SIGTERM)
			}
			if tt.daemon {
				m.killedDaemon(append(killer, binary, "daemon"))
				r := finish(m.command(binary, args...))
				killed = r.status != 0
			} else {
				m.mfad("identity", "list") // a daemon runs
				r := finish(m.command("strace", append(append(killer, binary), args...)...))
				killed = r.status != 0
			}
			now := m.files()
			inFile := strings.Contains(now[".aws/credentials"], m.alice.SecretAccessKey)
			if !inFile && !m.holdsKey(kind.identity) {
				t.Error("no key is left")
			}
			if !killed {
				t.Error("nothing was killed")
			}
			t.Logf("the key is in its file: %v; mfad's config has the profile: %v; the profile is claimed: %v", inFile,
				strings.Contains(now[".config/mfad/config.ini"], "[profile "), strings.Contains(now[kind.in], kind.claimed))
			if r := finish(m.command(binary, args...)); r.status != 0 {
				t.Errorf("the second run: status %d\n%s%s", r.status, r.stdout, r.stderr)
			}
			for name, text := range m.files() {
				if text != want[name] {
					t.Errorf("%s after the second run: got\n%s\nwant\n%s", name, text, want[name])
				}
			}
			if !m.holdsKey(kind.identity) {
				t.Error("the keyring has no key")
			}
			if left, _ := filepath.Glob(m.path(".aws", ".mfad-*")); len(left) > 0 {
				t.Errorf("left beside the files: %q", left)
			}
		})
	}
}

// TestExportConfigKilled: whichever file is about to get its new content, a second
// run ends what the first began, and AWS's files are what they were before mfad.
func TestExportConfigKilled(t *testing.T) {
	needs(t, "strace", "strace", "-qq", "-o", os.DevNull, "true")
	t.Parallel()
	for _, path := range []string{".aws/credentials", ".aws/config", ".config/mfad/config.ini"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 1)
			args := m.plainHome()
			before := m.files()
			m.mfad(args...)
			args = []string{"export-config", "--yes", "--with-keys"}
			r := finish(m.command("strace", append([]string{"-f", "-qq", "-o", os.DevNull, "-e", "trace=renameat", "-P", m.path(path),
				"-e", "inject=renameat:signal=KILL:when=1", binary}, args...)...))
			if r.status == 0 {
				t.Error("nothing was killed")
			}
			if !m.holdsKey("base") {
				t.Error("the keyring has no key")
			}
			m.mfad(args...)
			for name, text := range m.files() {
				if name != ".config/mfad/config.ini" && sorted(text) != sorted(before[name]) {
					t.Errorf("%s after the second run: got\n%s\nwant\n%s", name, text, before[name])
				}
			}
			if text := m.files()[".config/mfad/config.ini"]; strings.Contains(text, "[profile") || !strings.Contains(text, "[identity base]") {
				t.Errorf("mfad's config: %q", text)
			}
		})
	}
}

// sorted gives the lines without their order: a section that went and came back
// stands at the end.
func sorted(text string) string {
	lines := strings.Fields(text)
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// killedDaemon runs a daemon under strace and waits until it answers.
func (m *machine) killedDaemon(args []string) {
	m.t.Helper()
	var said bytes.Buffer
	cmd := m.command("strace", args...)
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		probe := m.command(binary, "status", "--json")
		probe.Env = append(probe.Env, "MFAD_AUTOSTART=0")
		if _, err := probe.Output(); err == nil {
			return
		} else if _, exited := err.(*exec.ExitError); !exited {
			m.t.Fatal(err)
		}
	}
	m.t.Fatalf("the daemon does not start: %s", said.String())
}
