//go:build unix

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// awsMFA runs `mfad aws-mfa` with these arguments.
func (m *machine) awsMFA(stdin string, args ...string) result {
	m.t.Helper()
	cmd := m.command(binary, append([]string{"aws-mfa"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal
	return finish(cmd)
}

var anyLifetime = regexp.MustCompile(`will expire in \d+ seconds`)

// says wants a run to end so, with this on stdout. A daemon tells what is left of a
// lifetime, not what was asked for.
func (m *machine) says(r result, status int, stdout string) {
	m.t.Helper()
	const some = "will expire in some seconds"
	got, want := anyLifetime.ReplaceAllString(generalText(m, r.stdout), some), anyLifetime.ReplaceAllString(stdout, some)
	if r.status != status || got != want {
		m.t.Fatalf("status %d, want %d; stdout\n got %q\nwant %q\nstderr %s", r.status, status, got, want, r.stderr)
	}
}

func (m *machine) credentialsFile() string {
	m.t.Helper()
	b, err := os.ReadFile(m.path(".aws", "credentials"))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

// hasAWSMFAKeys wants a managed section to hold mfad's six keys, then aws-mfa's,
// which say the same.
func (m *machine) hasAWSMFAKeys(section string, more ...string) map[string]string {
	m.t.Helper()
	text := sectionText(m.credentialsFile(), section)
	var order []string
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(line, " = "); ok && !strings.HasPrefix(line, "#") {
			order = append(order, name)
		}
	}
	want := slices.Concat([]string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "x_principal_arn", "x_security_token_expires", "mfad_profile",
		"aws_security_token", "expiration", "assumed_role"}, more)
	if !slices.Equal(order, want) {
		m.t.Fatalf("[%s] has the keys %q, want %q", section, order, want)
	}
	keys := keysOf(text)
	if keys["aws_security_token"] != keys["aws_session_token"] {
		m.t.Errorf("[%s]: aws_security_token is not aws_session_token", section)
	}
	if got, want := keys["expiration"], strings.NewReplacer("T", " ", "Z", "").Replace(keys["x_security_token_expires"]); got != want {
		m.t.Errorf("[%s]: expiration %q, want %q", section, got, want)
	}
	return keys
}

// TestAWSMFAWithTheKeyInTheKeyring runs aws-mfa's command line for profiles of
// mfad's: the daemon has the key, the code and the credentials.
func TestAWSMFAWithTheKeyInTheKeyring(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	m.addAlice()
	m.mfad("profile", "add", "corp", "--identity", "corp")
	m.addProfile("prod", "Admin")

	longer := strings.NewReplacer("43200", "129600")
	m.says(m.awsMFA(m.code()+"\n", "--profile", "corp"), 0, longer.Replace(saysValidating+saysMissing+saysPrompt+saysFetching)+
		"INFO - Success! Your credentials will expire in 129600 seconds at: {TIME}+00:00\n")
	if got := m.hasAWSMFAKeys("corp")["assumed_role"]; got != "False" {
		t.Errorf("assumed_role = %s, want False", got)
	}
	calls := len(m.sim.Calls("GetSessionToken"))
	m.says(m.awsMFA("", "--profile", "corp"), 0, saysValidating+saysValid)

	prod := strings.ReplaceAll(saysValidating, "corp", "prod")
	m.says(m.awsMFA("", "--profile", "prod"), 0, prod+saysValid)
	keys := m.hasAWSMFAKeys("prod", "assumed_role_arn")
	if keys["assumed_role"] != "True" || keys["assumed_role_arn"] != mfaAdmin {
		t.Errorf("[prod] is of %q %q, want True %q", keys["assumed_role"], keys["assumed_role_arn"], mfaAdmin)
	}
	m.mfad("refresh", "prod")
	if now := m.hasAWSMFAKeys("prod", "assumed_role_arn"); now["aws_access_key_id"] == keys["aws_access_key_id"] {
		t.Error("the daemon did not refresh prod")
	}
	before := m.credentialsFile()
	m.says(m.awsMFA("", "--profile", "prod", "--assume-role", mfaAdmin, "--device", m.device.Serial), 0,
		strings.TrimSuffix(prod, "\n")+"with assumed role: "+mfaAdmin+"\n"+saysValid)

	role := "INFO - Validating credentials for profile: prod with assumed role: "
	m.says(m.awsMFA("", "--profile", "prod", "--assume-role", mfaReadOnly), 1,
		role+mfaReadOnly+"\nERROR - The profile prod is mfad's, and not for the role "+mfaReadOnly+" but for "+mfaAdmin+"\n")
	m.says(m.awsMFA("", "--profile", "prod", "--device", "GAHT12345678"), 1,
		role+mfaAdmin+"\nERROR - The profile prod is mfad's, and its device is not GAHT12345678 but {DEVICE}\n")
	m.says(m.awsMFA("12345\n", "--profile", "corp", "--force"), 1,
		saysValidating+"INFO - Forcing refresh of credentials.\n"+longer.Replace(saysPrompt)+"ERROR - Token must be six digits\n")
	m.says(m.awsMFA("", "--profile", "corp", "--force", "--token", m.device.WrongCode()), 1,
		saysValidating+"INFO - Forcing refresh of credentials.\nDEBUG - Received token as argument\n"+longer.Replace(saysFetching)+
			"ERROR - An error occured while calling assume role: An error occurred (AccessDenied) when calling the GetSessionToken operation: "+
			"MultiFactorAuthentication failed with invalid MFA one time pass code. \n")
	if got := m.credentialsFile(); got != before {
		t.Errorf("a run that failed changed the file\n got %q\nwant %q", generalText(m, got), generalText(m, before))
	}
	if got := len(m.sim.Calls("GetSessionToken")) - calls; got != 1 {
		t.Errorf("%d codes were sent after the first, want 1, the wrong one", got)
	}
}

// TestAWSMFADirect spends the code where the profile wants it.
func TestAWSMFADirect(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	m.addAlice()
	m.addProfile("prod", "Admin", "--mfa", "direct", "--duration", "1h")
	m.says(m.awsMFA(m.code()+"\n", "--profile", "prod"), 0, strings.ReplaceAll(saysValidating+saysMissing+saysRolePrompt+saysAssuming+saysRoleSuccess, "corp", "prod"))
	m.hasAWSMFAKeys("prod", "assumed_role_arn")
	if got, want := callSummary(m.sim.Calls("GetSessionToken", "AssumeRole")), []string{"AssumeRole Admin 3600"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// TestAWSMFAServedByProcess writes no section where the AWS config names a program.
func TestAWSMFAServedByProcess(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "process")
	r := m.awsMFA(m.code()+"\n", "--profile", "prod")
	if r.status != 0 || !strings.Contains(r.stdout, "INFO - Success!") || !strings.Contains(r.stderr, "credential_process") {
		t.Fatalf("status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	if b, err := os.ReadFile(m.path(".aws", "credentials")); err == nil && strings.Contains(string(b), "[prod]") {
		t.Error("a section was written, which would win over credential_process")
	}
}

// TestAWSMFABesideADaemon leaves a section that mfad's config does not have to
// aws-mfa: no daemon touches it, and `mfad lock` does not either.
func TestAWSMFABesideADaemon(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.write(".aws/credentials", m.awsMFAValues().Replace("# mine\n"+mfaLongTerm), 0o600)
	m.login()
	m.says(m.awsMFA(m.code()+"\n", "--profile", "corp"), 0, saysValidating+saysMissing+saysPrompt+saysFetching+saysSuccess)
	own := sectionText(m.credentialsFile(), "corp")
	if strings.Contains(own, "mfad_profile") {
		t.Error("a section that no profile of mfad's has was marked as mfad's")
	}
	m.mfad("refresh", "prod")
	m.kill(syscall.SIGTERM)
	m.mfad("status")
	m.mfad("lock")
	if got := sectionText(m.credentialsFile(), "corp"); got != own {
		t.Errorf("the section changed to %q", generalText(m, got))
	}
	if r := m.command(binary, "audit", "--action", "GetSessionToken", "--profile", "corp"); !strings.Contains(finish(r).stdout, "GetSessionToken") {
		t.Error("the call is not in the audit log")
	}

	// A profile of mfad's with its name is told how to take it over.
	m.login()
	m.mfad("profile", "add", "other", "--identity", "corp", "--section", "corp")
	if out := m.mfad("status", "--json", "other"); !strings.Contains(out, `"conflict"`) || !strings.Contains(out, "mfad import aws-mfa") {
		t.Errorf("the status of the profile says neither conflict nor how to end it:\n%s", out)
	}
	before := m.credentialsFile()
	r := m.awsMFA("", "--profile", "corp")
	if want := "[corp] holds keys that mfad did not write, in the layout of aws-mfa\n"; r.status != 1 || !strings.HasSuffix(r.stdout, want) {
		t.Errorf("status %d, want 1; stdout %q, want %q at its end", r.status, r.stdout, want)
	}
	if got := m.credentialsFile(); got != before {
		t.Error("a section that is in conflict was changed")
	}
}

// TestAWSMFAAfterSetup goes on with a script's command line when the key has moved
// from the file into the keyring.
func TestAWSMFAAfterSetup(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	m.write(".aws/credentials", m.awsMFAValues().Replace("# long\n"+mfaLongTerm+"\n"+mfaExpired+"region = eu-west-1\n"), 0o600)
	m.mfadWith(m.code()+"\n", "setup", "--from", "corp", "--remove-keys", "--yes", "--code", "-")
	if strings.Contains(m.credentialsFile(), m.alice.AccessKeyID) {
		t.Fatal("the key is still in the file")
	}
	m.says(m.awsMFA("", "--profile", "corp"), 0, saysValidating+saysValid)
	file := m.credentialsFile()
	keys := keysOf(sectionText(file, "corp"))
	if keys["expiration"] != strings.NewReplacer("T", " ", "Z", "").Replace(keys["x_security_token_expires"]) || keys["assumed_role"] != "False" || keys["region"] != "eu-west-1" {
		t.Errorf("[corp] lacks aws-mfa's keys, or the user's: %q", generalText(m, sectionText(file, "corp")))
	}
	m.says(m.awsMFA("", "--profile", "corp"), 0, saysValidating+saysValid)
	if got := m.credentialsFile(); got != file {
		t.Error("a run with nothing to do changed the file")
	}

	// AWS's tools agree on who it is.
	needs(t, "aws-cli", "aws")
	cli := m.command("aws", "--profile", "corp", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	if r := finish(cli); strings.TrimSpace(r.stdout) != m.alice.ARN {
		t.Errorf("the AWS CLI is %q, want %q\n%s", r.stdout, m.alice.ARN, r.stderr)
	}
}

// TestAWSMFALeft uses up what aws-mfa left in a section that mfad has taken over,
// and asks for no code before.
func TestAWSMFALeft(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	m.addAlice()
	m.mfad("profile", "add", "corp", "--identity", "corp")
	path := m.write(".aws/credentials", mfaCached+"mfad_profile = corp\n", 0o600)
	m.says(m.awsMFA("", "--profile", "corp"), 0, saysValidating+saysValid)
	if err := os.WriteFile(path, []byte(mfaExpired+"mfad_profile = corp\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.says(m.awsMFA(m.code()+"\n", "--profile", "corp"), 0, strings.ReplaceAll(
		saysValidating+"INFO - Your credentials have expired, renewing.\n"+saysPrompt+saysFetching+saysSuccess, "43200", "129600"))
	if len(m.sim.Calls("GetSessionToken")) != 1 {
		t.Error("a code was spent on credentials that were still valid")
	}
}

// TestAWSMFAInterrupted ends with status 1 and a word, not a traceback, and leaves
// the file as it was.
func TestAWSMFAInterrupted(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	m.write(".aws/credentials", m.awsMFAValues().Replace(mfaLongTerm), 0o600)
	before := m.credentialsFile()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "aws-mfa", "--profile", "corp")
	cmd.Env, cmd.Dir = m.env, m.home
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	if _, err := out.ReadString(')'); err != nil { // the question's own
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(out)
	_ = cmd.Wait() // the status is looked at
	if got, want := string(rest), ":\nERROR - Interrupted\n"; cmd.ProcessState.ExitCode() != 1 || got != want {
		t.Errorf("status %d, want 1; the end of stdout is %q, want %q", cmd.ProcessState.ExitCode(), got, want)
	}
	if got := m.credentialsFile(); got != before {
		t.Error("the file changed")
	}
}

// TestAWSMFAFlagsOfMFAD takes mfad's own flags before the command's name.
func TestAWSMFAFlagsOfMFAD(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	broken := m.write("broken.ini", "[identity\n", 0o600)
	m.write(".aws/credentials", m.awsMFAValues().Replace(mfaLongTerm+mfaCached), 0o600)
	for _, tt := range []struct {
		args   string
		status int
		stdout string
	}{
		{"--config " + broken + " aws-mfa --profile corp", 0, saysValidating + saysValid}, // the key is in the file
		{"-v aws-mfa --profile corp", 0, saysValidating + saysValid},
		{"--json aws-mfa --profile corp", 2, ""},
		{"aws-mfa --profile corp --config " + broken, 2, ""},
	} {
		r := finish(m.command(binary, strings.Fields(tt.args)...))
		if got := generalText(m, r.stdout); r.status != tt.status || got != tt.stdout {
			t.Errorf("mfad %s: status %d, want %d; stdout %q, want %q\n%s", tt.args, r.status, tt.status, got, tt.stdout, r.stderr)
		}
	}
	help := finish(m.command(binary, "aws-mfa", "--help"))
	for _, flag := range []string{"--device", "--duration", "--long-suffix", "--assume ", "--mfa-token", "--setup"} {
		if help.status != 0 || !regexp.MustCompile(`(?m)^ .*`+flag).MatchString(help.stdout) {
			t.Errorf("the help does not name %s:\n%s", flag, help.stdout)
		}
	}
}
