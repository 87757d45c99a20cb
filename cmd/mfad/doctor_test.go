//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDoctorIsRight: what the doctor says is wrong keeps the real AWS CLI from being
// the role; once it is mended as the doctor says, the CLI is the role, and the
// doctor says no more of it.
func TestDoctorIsRight(t *testing.T) {
	t.Parallel()
	needs(t, "aws-cli", "aws", "--version")
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	const stale = `printf '[x]\naws_access_key_id = ASIAEXAMPLE000000001\naws_secret_access_key = none\naws_session_token = none\n' >>~/.aws/credentials
		printf '[profile x]\nregion = us-east-1\ncredential_process = "%s" credential-process --profile prod\n' "$MFAD" >>~/.aws/config; export AWS_PROFILE=x`
	for _, tt := range []struct {
		name, spoil, says string
		mend              string // empty: the fix is a command, and is given to the shell
	}{
		{"a key in the environment", `export AWS_ACCESS_KEY_ID=$KEY AWS_SECRET_ACCESS_KEY=$SECRET`, "no  AWS_ACCESS_KEY_ID: the key AKIA", ""},
		{"half a key", `export AWS_ACCESS_KEY_ID=$KEY`, "no  AWS_ACCESS_KEY_ID: only one half", ""},
		{"a key that has run out", `export AWS_ACCESS_KEY_ID=$KEY AWS_SECRET_ACCESS_KEY=$SECRET AWS_CREDENTIAL_EXPIRATION=2020-01-01T00:00:00Z`,
			"no  AWS_CREDENTIAL_EXPIRATION: ", "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_CREDENTIAL_EXPIRATION"},
		{"no such profile", `export AWS_PROFILE=nosuch`, "no  AWS_PROFILE: AWS's files have no profile nosuch", "export AWS_PROFILE=prod"},
		{"another file", `export AWS_SHARED_CREDENTIALS_FILE=$HOME/none`, "no  AWS_SHARED_CREDENTIALS_FILE: ", "unset AWS_SHARED_CREDENTIALS_FILE"},
		{"a line that is none", `printf 'garbage\n' >>~/.aws/credentials`, "no  AWS's files: ", `sed -i 's/^garbage/# &/' ~/.aws/credentials`},
		{"a section twice", `printf '[prod]\nx = 1\n' >>~/.aws/credentials`, "no  AWS's files: ", "cp before ~/.aws/credentials"},
		{"a key over credential_process", stale, "no  the AWS profile x: the key in ", "cp before ~/.aws/credentials"},
		{"a source that is not there", `printf '[profile x]\nregion = us-east-1\nrole_arn = arn:aws:iam::222222222222:role/Admin\nsource_profile = gone\n' >>~/.aws/config; export AWS_PROFILE=x`,
			"no  the AWS profile x: source_profile in ", "cp config.before ~/.aws/config; export AWS_PROFILE=prod"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mend := tt.mend
			if mend == "" {
				mend = `eval "$(grep -A1 -F "$SAYS" out | sed -n 's/^  fix: //p')"`
			}
			script := `cp ~/.aws/credentials before; cp ~/.aws/config config.before; export AWS_PROFILE=prod
				who() { aws sts get-caller-identity --query Arn --output text 2>&1 | tail -1; }
				` + tt.spoil + `
				"$MFAD" doctor >out; echo "doctor $?"; grep -qF "$SAYS" out || cat out
				echo "before: $(who)"
				` + mend + `
				echo "after: $(who)"
				"$MFAD" doctor >out; grep -F "$SAYS" out
				cp before ~/.aws/credentials; cp config.before ~/.aws/config`
			cmd := m.command("bash", "-c", script)
			cmd.Env = append(cmd.Env, "MFAD="+binary, "SAYS="+tt.says, "KEY="+m.alice.AccessKeyID, "SECRET="+m.alice.SecretAccessKey)
			r := finish(cmd)
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			const role = ": arn:aws:sts::222222222222:assumed-role/Admin/alice"
			if len(lines) != 3 || lines[0] != "doctor 1" || strings.HasSuffix(lines[1], role) || lines[2] != "after"+role {
				t.Errorf("got %q %s; want doctor 1, before: anything but the role, after: the role, and no more of it", lines, r.stderr)
			}
		})
	}
}

// TestDoctorDoesNotWaitForAPipe where a file of the state folder should be: without a
// writer it is never opened, as no file is on a mount that is away.
func TestDoctorDoesNotWaitForAPipe(t *testing.T) {
	t.Parallel()
	for file, line := range map[string]string{
		"daemon.log":  "ok  the daemon does not run, and has nothing to do yet\n", // it is no log
		"daemon.lock": "no  the daemon: looking at ",
		"socket":      "no  the daemon: looking for the daemon's socket takes too long",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 1)
			state := m.path("state")
			if err := os.Mkdir(state, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(filepath.Join(state, file), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, "doctor")
			cmd.Env, cmd.Dir = append(m.env, "MFAD_STATE_DIR="+state), m.home
			r := finish(cmd)
			if ctx.Err() != nil {
				t.Fatalf("it did not end within 15s: %s%s", r.stdout, r.stderr)
			}
			if !strings.Contains(r.stdout, line) {
				t.Errorf("got %s%s, want %q in it", r.stdout, r.stderr, line)
			}
		})
	}
}
