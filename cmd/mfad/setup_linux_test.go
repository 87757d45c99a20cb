package main

import (
	"os"
	"strings"
	"testing"
)

// writeAWS gives the machine AWS files as people have them before mfad.
func (m *machine) writeAWS() (credentials, config string) {
	m.t.Helper()
	credentials = m.write(".aws/credentials", "[default]\naws_access_key_id = "+m.alice.AccessKeyID+"\naws_secret_access_key = "+m.alice.SecretAccessKey+"\n", 0o600)
	config = m.write(".aws/config", `[default]
region = us-east-1

[profile prod]
role_arn = arn:aws:iam::222222222222:role/Admin
source_profile = default
mfa_serial = arn:aws:iam::111111111111:mfa/alice
region = us-east-1

[profile ro]
role_arn = arn:aws:iam::222222222222:role/ReadOnly
source_profile = default
region = us-east-1
`, 0o600)
	return credentials, config
}

// TestSetup: a person goes from AWS's own files to profiles that the AWS CLI uses,
// with one command and one code, and takes one of them back.
func TestSetup(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	credentials, _ := m.writeAWS()
	p := m.sitDown("setup")
	p.waitsFor("a name for this user in mfad [alice]: ")
	p.types("corp\n")
	p.waitsFor("take it out of the file, once the keyring has given it back? [y/N] ")
	p.types("y\n")
	p.waitsFor("which ones: all, none, or names with commas between [all]: ")
	p.types("\n")
	p.waitsFor("session, direct, or each [session]: ")
	p.types("\n")
	p.waitsFor("make these changes? [Y/n] ")
	if b, err := os.ReadFile(credentials); err != nil || !strings.Contains(string(b), m.alice.SecretAccessKey) {
		t.Fatalf("the key left the file before the yes: %v", err)
	}
	p.types("y\n")
	p.waitsFor(asks)
	p.types(m.code() + "\n")
	if status := p.ends(); status != 0 {
		t.Fatalf("status %d, the screen shows %q", status, p.sees())
	}
	for _, secret := range []string{m.alice.SecretAccessKey, m.alice.AccessKeyID} {
		if strings.Contains(p.sees(), secret) {
			t.Error("the screen shows the key")
		}
	}
	for _, name := range []string{"prod", "ro", "default"} {
		if !strings.Contains(p.stdout.String(), name) {
			t.Errorf("%s is not told as fresh: %q", name, p.stdout.String())
		}
	}
	noSecretOnDisk(t, m)
	t.Log(p.sees() + p.stdout.String())
	needs(t, "aws-cli", "aws", "--version")
	for name, arn := range map[string]string{
		"prod": "arn:aws:sts::222222222222:assumed-role/Admin/alice", "ro": "arn:aws:sts::222222222222:assumed-role/ReadOnly/alice", "default": m.alice.ARN,
	} {
		r := finish(m.command("aws", "--profile", name, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"))
		if got := strings.TrimSpace(r.stdout); got != arn {
			t.Errorf("aws --profile %s: got %q (status %d, %s), want %s", name, got, r.status, r.stderr, arn)
		}
	}
}

// TestCtrlCAtSetupsQuestions: whichever question is left open, nothing is changed.
func TestCtrlCAtSetupsQuestions(t *testing.T) {
	t.Parallel()
	questions := []string{"a name for this user in mfad", "take it out of the file", "which ones", "session, direct, or each", "make these changes?"}
	for n, last := range questions {
		t.Run(last, func(t *testing.T) {
			m := newMachine(t, 1)
			files := map[string]string{}
			for i, path := range func() []string { a, b := m.writeAWS(); return []string{a, b} }() {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(i, err)
				}
				files[path] = string(b)
			}
			p := m.sitDown("setup")
			for _, q := range questions[:n] {
				p.waitsFor(q)
				p.types("\n")
			}
			p.waitsFor(last)
			p.types("\x03")
			if status := p.ends(); status != 130 {
				t.Errorf("status %d, want 130; the screen shows %q", status, p.sees())
			}
			for path, want := range files {
				if b, err := os.ReadFile(path); err != nil || string(b) != want {
					t.Errorf("%s changed: %v", path, err)
				}
			}
			for _, path := range []string{m.path(".config"), m.path(".local"), m.path(".aws", ".mfad.lock")} {
				if _, err := os.Stat(path); err == nil {
					t.Errorf("%s came to be", path)
				}
			}
		})
	}
}

// TestSetupWithoutATerminal: answers as flags; a root key is refused; another key of
// the same user neither replaces the one in the keyring nor leaves its file.
func TestSetupWithoutATerminal(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	root := m.sim.AddRoot("111111111111")
	path := m.write(".aws/credentials", "[default]\naws_access_key_id = "+root.AccessKeyID+"\naws_secret_access_key = "+root.SecretAccessKey+"\n", 0o600)
	if r := finish(m.command(binary, "setup", "--yes")); r.status != 2 || !strings.Contains(r.stderr, "this is a root key") {
		t.Errorf("a root key: status %d, %s; want 2", r.status, r.stderr)
	}
	m.writeAWS()
	if r := finish(m.command(binary, "setup", "--yes", "--identity", "corp", "--profiles", "ro", "--mode", "direct", "--keep-keys")); r.status != 0 || !strings.Contains(r.stderr, "next: mfad login corp") {
		t.Fatalf("status %d, %s%s", r.status, r.stdout, r.stderr)
	}
	needs(t, "aws-cli", "aws", "--version")
	r := finish(m.command("aws", "iam", "create-access-key", "--query", "AccessKey.[AccessKeyId,SecretAccessKey]", "--output", "text"))
	second := strings.Fields(r.stdout)
	if len(second) != 2 {
		t.Fatalf("create-access-key: status %d, %s%s", r.status, r.stdout, r.stderr)
	}
	text := "[default]\naws_access_key_id = " + second[0] + "\naws_secret_access_key = " + second[1] + "\n"
	m.write(".aws/credentials", text, 0o600)
	r = finish(m.command(binary, "setup", "--yes", "--remove-keys"))
	if r.status != 0 || !strings.Contains(r.stderr, "the keyring has another key of identity corp") {
		t.Errorf("another key: status %d, %s%s", r.status, r.stdout, r.stderr)
	}
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), text) {
		t.Errorf("the key that only the file has is gone: %q, %v", b, err)
	}
}

// TestSetupChoosesAPassphrase: without a keyring of the system the passphrase of
// mfad's own is asked for after the yes; Ctrl-C there has changed no file.
func TestSetupChoosesAPassphrase(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	for i, v := range m.env {
		if strings.HasPrefix(v, "MFAD_KEYRING_PASSPHRASE") {
			m.env[i] = "IGNORED=1"
		}
	}
	_, config := m.writeAWS()
	before, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	flags := []string{"setup", "--identity", "corp", "--yes", "--keep-keys"}
	p := m.sitDown(flags...)
	p.waitsFor("choose a passphrase for mfad's keyring: ")
	p.types("\x03")
	if status := p.ends(); status != 130 {
		t.Errorf("status %d, want 130", status)
	}
	if now, err := os.ReadFile(config); err != nil || string(now) != string(before) {
		t.Errorf("the AWS config changed: %q, %v", now, err)
	}
	if _, err := os.Stat(m.path(".config", "mfad", "config.ini")); err == nil {
		t.Error("mfad's config came to be")
	}
	p = m.sitDown(flags...)
	p.waitsFor("choose a passphrase for mfad's keyring: ")
	p.types("a passphrase\n")
	p.waitsFor("once more: ")
	p.types("a passphrase\n")
	p.waitsFor(asks)
	p.types(m.code() + "\n")
	if status := p.ends(); status != 0 || !strings.Contains(p.stdout.String(), "prod  fresh") {
		t.Errorf("status %d, %q, the screen shows %q", status, p.stdout.String(), p.sees())
	}
}
