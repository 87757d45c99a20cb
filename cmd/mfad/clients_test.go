//go:build unix

package main

import (
	"os"
	"strings"
	"testing"
)

const python = `
import boto3, json, sys
s = boto3.Session(profile_name=sys.argv[1])
print(json.dumps({"arn": s.client("sts").get_caller_identity()["Arn"], "region": s.region_name,
  "key": s.get_credentials().get_frozen_credentials().access_key}))
`

// TestRealClients: the AWS CLI and boto3 use what mfad wrote, a static section
// as well as credential_process, with keys in a real gnome-keyring.
func TestRealClients(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.useGNOMEKeyring()
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.addProfile("ro", "ReadOnly", "--write", "process")
	m.mfad("profile", "add", "base", "--identity", "corp", "--region", "us-east-1")
	m.login()
	for profile, arn := range map[string]string{
		"prod": "arn:aws:sts::222222222222:assumed-role/Admin/alice",
		"ro":   "arn:aws:sts::222222222222:assumed-role/ReadOnly/alice",
		"base": m.alice.ARN,
	} {
		t.Run("aws cli "+profile, func(t *testing.T) {
			needs(t, "aws-cli", "aws", "--version")
			r := finish(m.command("aws", "--profile", profile, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"))
			if got := strings.TrimSpace(r.stdout); got != arn {
				t.Errorf("got %q (status %d, %s), want %s", got, r.status, r.stderr, arn)
			}
		})
		t.Run("boto3 "+profile, func(t *testing.T) {
			needs(t, "boto3", "python3", "-c", "import boto3")
			r := finish(m.command("python3", "-c", python, profile))
			if !strings.Contains(r.stdout, `"arn": "`+arn+`", "region": "us-east-1", "key": "ASIA`) {
				t.Errorf("got %s%s, want %s in us-east-1", r.stdout, r.stderr, arn)
			}
		})
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes were spent, want one", n)
	}
	noSecretOnDisk(t, m)
}

// noSecretOnDisk looks for the long-term key in every file below the home.
func noSecretOnDisk(t *testing.T, m *machine) {
	t.Helper()
	r := finish(m.command("grep", "-rl", "-e", m.alice.AccessKeyID, "-e", m.alice.SecretAccessKey, m.home))
	if r.status != 1 {
		t.Errorf("the long-term key stands in: %s%s", r.stdout, r.stderr)
	}
	log, err := os.ReadFile(m.path(".local", "state", "mfad", "daemon.log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "ASIA") {
		t.Errorf("the log holds a key:\n%s", log)
	}
}

// TestLockedKeyring: a daemon that was started before the keyring was unlocked
// goes on by itself once it is.
func TestALockedFileKeyring(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	for i, v := range m.env {
		if strings.HasPrefix(v, "MFAD_KEYRING_PASSPHRASE") {
			m.env[i] = "IGNORED=1"
		}
	}
	key := m.alice.AccessKeyID + "\n" + m.alice.SecretAccessKey + "\n"
	add := m.command(binary, "identity", "add", "corp", "--stdin")
	add.Stdin = strings.NewReader(key)
	if r := finish(add); r.status != 4 || !strings.Contains(r.stderr, "hint: run: mfad unlock") {
		t.Errorf("with a locked keyring: status %d, %s; want 4 and the hint", r.status, r.stderr)
	}
	m.mfadWith("a passphrase\n", "unlock")
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	m.login()
	m.kill(9)
	if r := finish(m.command(binary, "credential-process", "--profile", "prod")); r.status != 4 {
		t.Errorf("after a restart with a locked keyring: status %d, %s; want 4", r.status, r.stderr)
	}
	wrong := m.command(binary, "unlock")
	wrong.Stdin = strings.NewReader("another passphrase\n")
	if r := finish(wrong); r.status != 4 || !strings.Contains(r.stderr, "passphrase") {
		t.Errorf("a wrong passphrase: status %d, %s; want 4", r.status, r.stderr)
	}
	m.mfadWith("a passphrase\n", "unlock")
	if out := m.mfad("credential-process", "--profile", "prod"); !strings.Contains(out, "ASIA") {
		t.Errorf("after unlock: %q", out)
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes, want one: a restart asks for none", n)
	}
}
