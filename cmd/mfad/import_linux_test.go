package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// caller is who the AWS CLI says that it is.
func (m *machine) caller(profile string, env ...string) string {
	m.t.Helper()
	cmd := m.command("aws", "--profile", profile, "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	if profile == "" {
		cmd = m.command("aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	}
	cmd.Env = append(append(cmd.Env, "AWS_DEFAULT_REGION=us-east-1"), env...)
	r := finish(cmd)
	if r.status != 0 {
		m.t.Errorf("aws --profile %s: status %d, %s", profile, r.status, r.stderr)
	}
	return strings.TrimSpace(r.stdout)
}

// callerByCode is caller where the AWS CLI itself asks for a code.
func (m *machine) callerByCode(profile string) string {
	m.t.Helper()
	if err := os.RemoveAll(m.path(".aws", "cli")); err != nil { // where it keeps a role's credentials
		m.t.Fatal(err)
	}
	p := m.sitsAt("aws", "--profile", profile, "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	p.waitsFor("Enter MFA code for " + m.device.Serial)
	p.types(m.code() + "\n")
	if status := p.ends(); status != 0 {
		m.t.Fatalf("aws --profile %s: status %d, the screen shows %q", profile, status, p.sees())
	}
	return strings.TrimSpace(p.stdout.String())
}

// keyLines are a long-term key as it stands in a file.
func keyLines(u *awssim.User) string {
	return "aws_access_key_id = " + u.AccessKeyID + "\naws_secret_access_key = " + u.SecretAccessKey + "\n"
}

func keyEnv(u *awssim.User) []string {
	return []string{"AWS_ACCESS_KEY_ID=" + u.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + u.SecretAccessKey, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1"}
}

// asAWSMFA gives the section that aws-mfa writes for credentials that the AWS CLI
// gets with a code.
func (m *machine) asAWSMFA(section, role, login string) string {
	m.t.Helper()
	args := []string{"sts", "get-session-token"}
	head := "assumed_role = False\n"
	if role != "" {
		args = []string{"sts", "assume-role", "--role-arn", role, "--role-session-name", login}
		head = "assumed_role = True\nassumed_role_arn = " + role + "\n"
	}
	args = append(args, "--serial-number", m.device.Serial, "--output", "text",
		"--query", "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]", "--token-code")
	var r result
	var v []string
	for range 5 { // the AWS CLI may start too slowly for the device's short step
		cmd := m.command("aws", append(slices.Clip(args), m.code())...)
		cmd.Env = append(cmd.Env, keyEnv(m.alice)...)
		if r = finish(cmd); r.status == 0 {
			break
		}
	}
	if v = strings.Fields(r.stdout); len(v) != 3 {
		m.t.Fatalf("aws %v: status %d, %s", args[:2], r.status, r.stderr)
	}
	return "[" + section + "]\n" + head + "aws_access_key_id = " + v[0] + "\naws_secret_access_key = " + v[1] + "\naws_session_token = " + v[2] +
		"\naws_security_token = " + v[2] + "\nexpiration = 2099-01-01 00:00:00\n"
}

const adminRole = "arn:aws:iam::222222222222:role/Admin"

// TestImportAWSMFA: AWS_PROFILE gives the same principal before, right after, when
// only aws-mfa's own credentials are there, and when mfad has its own.
func TestImportAWSMFA(t *testing.T) {
	needs(t, "aws-cli", "aws", "--version")
	t.Parallel()
	for _, tt := range []struct{ name, login, wanted, args, role, want string }{
		{"the session", "alice", "", "", "", "arn:aws:iam::111111111111:user/alice"},
		{"a role", "alice", "assume_role = " + adminRole + "\n", "", adminRole, "arn:aws:sts::222222222222:assumed-role/Admin/alice"},
		{"a role, by who is logged in under another name", "al.ice", "assume_role = " + adminRole + "\n", "", adminRole, "arn:aws:sts::222222222222:assumed-role/Admin/al.ice"},
		{"a role of the credentials alone", "alice", "", "", adminRole, "arn:aws:sts::222222222222:assumed-role/Admin/alice"},
		{"other suffixes", "alice", "", "lt st", "", "arn:aws:iam::111111111111:user/alice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 1)
			m.env = append(m.env, "LOGNAME="+tt.login)
			long, short, args := "corp-long-term", "corp", []string{"import", "aws-mfa", "--yes", "--remove-source"}
			if tt.args != "" {
				l, s, _ := strings.Cut(tt.args, " ")
				long, short = "corp-"+l, "corp-"+s
				args = append(args, "--long-term-suffix", l, "--short-term-suffix", s)
			}
			path := m.write(".aws/credentials", "["+long+"]\n"+keyLines(m.alice)+"aws_mfa_device = "+m.device.Serial+"\n"+tt.wanted+"\n"+m.asAWSMFA(short, tt.role, tt.login), 0o600)
			m.write(".aws/config", "[profile "+short+"]\nregion = us-east-1\n", 0o600)
			if got := m.caller(short); got != tt.want {
				t.Fatalf("before: got %s, want %s", got, tt.want)
			}
			if r := finish(m.command(binary, args...)); r.status != 0 {
				t.Fatalf("import: status %d\n%s%s", r.status, r.stdout, r.stderr)
			}
			text, err := os.ReadFile(path)
			if err != nil || strings.Contains(string(text), m.alice.SecretAccessKey) {
				t.Errorf("the long-term key is still in the file (%v)", err)
			}
			if got := m.caller(short); got != tt.want {
				t.Errorf("before mfad has a code: got %s, want %s", got, tt.want)
			}
			cmd := m.command(binary, "login", short, "--code", "-")
			cmd.Stdin = strings.NewReader(m.code() + "\n")
			if r := finish(cmd); r.status != 0 && !strings.Contains(r.stderr, "next code") {
				t.Errorf("login: status %d\n%s%s", r.status, r.stdout, r.stderr)
			}
			if st := m.profileStatus(short); !st.Usable {
				m.login()
			}
			if got := m.caller(short); got != tt.want {
				t.Errorf("after: got %s, want %s", got, tt.want)
			}
		})
	}
}

const plainConfig = `# mine
[default]
region = us-east-1

[profile prod]
role_arn = arn:aws:iam::222222222222:role/Admin
source_profile = base
mfa_serial = arn:aws:iam::111111111111:mfa/alice
duration_seconds = 3600
role_session_name = me
region = us-east-1

[profile bobs]
role_arn = arn:aws:iam::222222222222:role/Bobs
source_profile = bob
region = us-east-1
`

// TestInAndOut: plain profiles of two users come to mfad, serve the same principals,
// and leave it again, for an AWS CLI that asks for the code itself, while no mfad
// runs.
func TestInAndOut(t *testing.T) {
	needs(t, "aws-cli", "aws", "--version")
	t.Parallel()
	m := newMachine(t, 1)
	bob := m.sim.AddUser("111111111111", "bob")
	bob.AddMFA("bob")
	m.sim.AddRole(awssim.Role{Account: "222222222222", Name: "Bobs", Principals: []string{bob.ARN}})
	credentials := m.write(".aws/credentials", "# keys\n[base]\n"+keyLines(m.alice)+"\n[bob]\n"+keyLines(bob), 0o600)
	config := m.write(".aws/config", plainConfig, 0o600)
	const want = "arn:aws:sts::222222222222:assumed-role/Admin/me"
	if got := m.callerByCode("prod"); got != want {
		t.Fatalf("before: got %s, want %s", got, want)
	}
	r := finish(m.command(binary, "import", "aws-config", "--yes", "--remove-source"))
	if r.status != 0 || !strings.Contains(r.stderr, "next: mfad login base") || !strings.Contains(r.stderr, "next: mfad login bob") {
		t.Fatalf("import: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	for _, secret := range []string{m.alice.SecretAccessKey, bob.SecretAccessKey, m.alice.AccessKeyID} {
		if strings.Contains(r.stdout+r.stderr, secret) {
			t.Error("the diff, or the talk, shows a key")
		}
	}
	noSecretOnDisk(t, m)
	cmd := m.command(binary, "login", "base", "--code", "-")
	cmd.Stdin = strings.NewReader(m.code() + "\n")
	if r := finish(cmd); r.status != 0 {
		t.Fatalf("login: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	for profile, want := range map[string]string{"prod": want, "base": m.alice.ARN} {
		if got := m.caller(profile); got != want {
			t.Errorf("with mfad, %s: got %s, want %s", profile, got, want)
		}
	}
	if r := finish(m.command(binary, "export-config", "--yes", "--with-keys")); r.status != 0 || !strings.Contains(r.stderr, "clear text") {
		t.Fatalf("export-config: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	m.kill(syscall.SIGTERM)
	if text, err := os.ReadFile(config); err != nil || string(text) != plainConfig {
		t.Errorf("the AWS config file is not what it was (%v):\n%s", err, text)
	}
	text, err := os.ReadFile(credentials)
	if err != nil || strings.Contains(string(text), "mfad") || strings.Contains(string(text), "ASIA") {
		t.Errorf("the credentials file still has what is mfad's (%v)", err)
	}
	if info, err := os.Stat(credentials); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the credentials file: %v, %v; want mode 0600", info.Mode(), err)
	}
	if got := m.callerByCode("prod"); got != want {
		t.Errorf("without mfad: got %s, want %s", got, want)
	}
	if got := m.caller("bobs"); !strings.HasPrefix(got, "arn:aws:sts::222222222222:assumed-role/Bobs/") {
		t.Errorf("without mfad, bobs: got %s", got)
	}
	if m.daemon() != 0 && syscall.Kill(m.daemon(), 0) == nil {
		t.Error("a daemon runs")
	}
}

// fakeVault answers as aws-vault does, from files, one for each key. It cannot be
// told from the real one by what mfad calls.
const fakeVault = `#!/bin/sh
case $1 in
list) cd "$HOME/vault" && ls ;;
export)
	printf 'Enter passphrase to unlock the vault: ' >&2
	read passphrase
	read id secret <"$HOME/vault/$5"
	printf '{\n  "Version": 1,\n  "AccessKeyId": "%s",\n  "SecretAccessKey": "%s"\n}\n' "$id" "$secret" ;;
remove) rm "$HOME/vault/$4"; echo Deleted credentials. ;;
esac
`

// TestImportAWSVault: its questions reach the person, its keys the keyring, and its
// profiles are who they were.
func TestImportAWSVault(t *testing.T) {
	needs(t, "aws-cli", "aws", "--version")
	t.Parallel()
	m := newMachine(t, 1)
	m.write("bin/aws-vault", fakeVault, 0o700)
	m.env = append(m.env, "PATH="+m.path("bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	stored := m.write("vault/base", m.alice.AccessKeyID+" "+m.alice.SecretAccessKey+"\n", 0o600)
	m.write(".aws/config", "[default]\nregion = us-east-1\nmfa_serial = "+m.device.Serial+"\n\n[profile prod]\nrole_arn = "+adminRole+"\nsource_profile = base\nrole_session_name = me\n", 0o600)
	before := m.caller("", keyEnv(m.alice)...) // as `aws-vault exec base` hands the key out

	p := m.sitDown("import", "aws-vault", "--remove-source")
	p.waitsFor("Enter passphrase to unlock the vault: ")
	p.types("not-a-secret\n")
	p.waitsFor("put 1 key into the keyring and make these changes? [Y/n] ")
	if _, err := os.Stat(stored); err != nil {
		t.Errorf("aws-vault's key is gone before the yes: %v", err)
	}
	if strings.Contains(p.sees(), m.alice.SecretAccessKey) {
		t.Error("the screen shows the key")
	}
	p.types("y\n")
	if status := p.ends(); status != 0 {
		t.Fatalf("status %d, the screen shows %q", status, p.sees())
	}
	if _, err := os.Stat(stored); err == nil {
		t.Error("aws-vault still has the key")
	}
	m.login()
	for profile, want := range map[string]string{"base": before, "prod": "arn:aws:sts::222222222222:assumed-role/Admin/me"} {
		if got := m.caller(profile); got != want {
			t.Errorf("%s: got %s, want %s", profile, got, want)
		}
	}
	noSecretOnDisk(t, m)
}

// TestImportIntoAFullDisk: nothing of AWS's files changes, no key is lost, and with
// room there is a second run ends what the first began.
func TestImportIntoAFullDisk(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.small(".aws")
	credentials := m.write(".aws/credentials", "[base]\n"+keyLines(m.alice), 0o600)
	config := m.write(".aws/config", plainConfig, 0o600)
	filler := m.write(".aws/filler", "", 0o600)
	f, err := os.OpenFile(filler, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{4096, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	_ = f.Close() // it is full
	was := map[string]string{}
	for _, path := range []string{credentials, config} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		was[path] = string(b)
	}
	args := []string{"import", "aws-config", "--yes", "--remove-source"}
	if r := finish(m.command(binary, args...)); r.status != 1 || !strings.Contains(r.stderr, "no space left") || !strings.Contains(r.stderr, "run the command again") {
		t.Errorf("status %d, want 1 and the reason: %s", r.status, r.stderr)
	}
	for path, want := range was {
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s changed (%v)", path, err)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if r := finish(m.command(binary, args...)); r.status != 0 {
		t.Errorf("with room: status %d, %s", r.status, r.stderr)
	}
	m.login()
	m.comesTo("prod", "fresh", 5*time.Second, fresh)
	if b, err := os.ReadFile(credentials); err != nil || strings.Contains(string(b), m.alice.SecretAccessKey) {
		t.Errorf("the key is still in the file (%v)", err)
	}
}

// TestImportTwoKeysOfOneUser: they make one identity, which serves the roles of both;
// the key that the keyring did not get stays where it is.
func TestImportTwoKeysOfOneUser(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	second := m.alice.AddAccessKey()
	path := m.write(".aws/credentials", "[a]\n"+keyLines(m.alice)+"\n[b]\naws_access_key_id = "+second.AccessKeyID+"\naws_secret_access_key = "+second.SecretAccessKey+"\n", 0o600)
	m.write(".aws/config", "[profile x]\nrole_arn = "+adminRole+"\nsource_profile = a\n\n[profile y]\nrole_arn = "+adminRole+"\nsource_profile = b\n", 0o600)
	for range 2 {
		r := finish(m.command(binary, "import", "aws-config", "--yes", "--remove-source"))
		if r.status != 0 {
			t.Fatalf("status %d\n%s%s", r.status, r.stdout, r.stderr)
		}
		text, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(text), m.alice.SecretAccessKey) || !strings.Contains(string(text), second.SecretAccessKey) {
			t.Errorf("the first key must go and the second stay (%v); said was %s", err, r.stderr)
		}
	}
	b, err := os.ReadFile(m.path(".config", "mfad", "config.ini"))
	if err != nil || strings.Count(string(b), "[identity ") != 1 || !strings.Contains(string(b), "[profile x]\nidentity = a\n") || !strings.Contains(string(b), "[profile y]\nidentity = a\n") {
		t.Errorf("mfad's config: %q, %v", b, err)
	}
}
