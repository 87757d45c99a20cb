//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const adminARN = "arn:aws:sts::222222222222:assumed-role/Admin/alice"

// newExecMachine has a profile prod that is written nowhere, with a code given.
func newExecMachine(t *testing.T, lifetimeFactor int) *machine {
	t.Helper()
	m := newMachine(t, lifetimeFactor)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	m.login()
	return m
}

// inside runs a command by `mfad exec prod`.
func (m *machine) inside(command ...string) result {
	return finish(m.command(binary, append([]string{"exec", "prod", "--"}, command...)...))
}

// copies lists what lies in the folder of the copies.
func (m *machine) copies() []string {
	m.t.Helper()
	found, err := filepath.Glob(m.path("mfad", "exec", "*"))
	if err != nil {
		m.t.Fatal(err)
	}
	return found
}

// noCopies wants all to be gone within a second.
func (m *machine) noCopies(after string) {
	m.t.Helper()
	if !within(time.Second, func() bool { return len(m.copies()) == 0 }) {
		m.t.Errorf("after %s there are still %q", after, m.copies())
	}
}

// within waits until something holds, or the time is up.
func within(limit time.Duration, holds func() bool) bool {
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

const whoAmI = "aws sts get-caller-identity --query Arn --output text"

// TestExecWinsOverEverything: whatever the environment and the AWS files hold, the
// AWS CLI, boto3 and the SDK for Go get the profile's credentials.
func TestExecWinsOverEverything(t *testing.T) {
	t.Parallel()
	needs(t, "aws-cli", "aws", "--version")
	needs(t, "boto3", "python3", "-c", "import boto3")
	m := newExecMachine(t, 1)
	sdk := m.path("awssdk")
	if out, err := exec.Command("go", "build", "-o", sdk, "./testdata/awssdk").CombinedOutput(); err != nil {
		t.Fatalf("build a program with the SDK for Go: %v\n%s", err, out)
	}
	const keys = "aws_access_key_id = AKIAEXAMPLE000000009\naws_secret_access_key = not-a-secret\n"
	for _, tt := range []struct {
		name, credentials, config string
		env                       []string
	}{
		{name: "nothing"},
		{name: "keys in the environment", env: []string{"AWS_ACCESS_KEY_ID=AKIAEXAMPLE000000009", "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x",
			"AWS_SECURITY_TOKEN=x", "AWS_CREDENTIAL_EXPIRATION=2020-01-01T00:00:00Z"}},
		{name: "default in both files", credentials: "[default]\n" + keys, config: "[default]\nregion = eu-west-1\n" + keys},
		{name: "sections of its name", credentials: "[prod]\n" + keys, config: "[profile prod]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = nowhere\n"},
		{name: "other profiles", credentials: "[other]\n" + keys, env: []string{"AWS_PROFILE=other", "AWS_DEFAULT_PROFILE=other"}},
		{name: "a profile that does not exist", env: []string{"AWS_PROFILE=nowhere"}},
		{name: "another container", env: []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/nowhere"}},
		{name: "web identity", env: []string{"AWS_ROLE_ARN=arn:aws:iam::1:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE=/nowhere", "AWS_ROLE_SESSION_NAME=x"}},
		{name: "no final newline", config: "[profile other]\r\nregion = eu-west-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m.write(".aws/credentials", tt.credentials, 0o600)
			m.write(".aws/config", tt.config, 0o600)
			before := m.env
			m.env = append(append([]string{}, m.env...), tt.env...)
			defer func() { m.env = before }()
			for name, command := range map[string][]string{
				"the AWS CLI": {"sh", "-c", whoAmI},
				"boto3":       {"python3", "-c", `import boto3; s = boto3.Session(); print(s.client("sts").get_caller_identity()["Arn"])`},
				"Go":          {sdk},
			} {
				if r := m.inside(command...); strings.TrimSpace(r.stdout) != adminARN {
					t.Errorf("%s got %q (status %d, %s), want %s", name, r.stdout, r.status, r.stderr, adminARN)
				}
			}
			m.noCopies("the commands")
		})
	}
}

// TestExecRegionAndOtherProfiles: the command has the profile's region and output,
// and other profiles by their names.
func TestExecRegionAndOtherProfiles(t *testing.T) {
	t.Parallel()
	needs(t, "aws-cli", "aws", "--version")
	m := newExecMachine(t, 1)
	m.addProfile("ro", "ReadOnly", "--write", "process")
	m.mfad("profile", "add", "plain", "--identity", "corp", "--role-arn", "arn:aws:iam::222222222222:role/Admin", "--write", "none")
	m.mfad("refresh")
	r := m.inside("aws", "--profile", "ro", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	if want := "arn:aws:sts::222222222222:assumed-role/ReadOnly/alice"; strings.TrimSpace(r.stdout) != want {
		t.Errorf("the other profile is %q (%s), want %s", r.stdout, r.stderr, want)
	}
	region := func(profile string, more ...string) string {
		cmd := m.command(binary, "exec", profile, "--", "aws", "configure", "list")
		cmd.Env = append(cmd.Env, more...)
		r := finish(cmd)
		for line := range strings.Lines(r.stdout) {
			if f := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ':' }); len(f) > 1 && f[0] == "region" {
				return f[1]
			}
		}
		return r.stdout + r.stderr
	}
	if got := region("prod"); got != "us-east-1" {
		t.Errorf("the region is %q, want mfad's us-east-1", got)
	}
	config, err := os.ReadFile(m.path(".aws", "config"))
	if err != nil {
		t.Fatal(err)
	}
	m.write(".aws/config", string(config)+"[profile plain]\nregion = eu-north-1\noutput = text\nmax_attempts = 7\n", 0o600)
	if r := finish(m.command(binary, "exec", "plain", "--", "aws", "configure", "get", "max_attempts")); r.stdout != "7\n" {
		t.Errorf("max_attempts is %q (%s), want the section's 7", r.stdout, r.stderr)
	}
	if got := region("plain"); got != "eu-north-1" {
		t.Errorf("the region is %q, want that of the profile's section, eu-north-1", got)
	}
	if got := region("prod", "AWS_DEFAULT_REGION=eu-west-3"); got != "eu-west-3" {
		t.Errorf("the region is %q, want the inherited eu-west-3", got)
	}
	cmd := m.command(binary, "exec", "plain", "--", "aws", "sts", "get-caller-identity")
	if r := finish(cmd); !strings.Contains(r.stdout, "\t"+adminARN) {
		t.Errorf("the output is not the section's, text: %q %s", r.stdout, r.stderr)
	}
}

// TestExecEnvironment: what the command inherits and what it does not.
func TestExecEnvironment(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	m.env = append(m.env, "AWS_VAULT=x", "AWS_SECURITY_TOKEN=x", "AWS_PROFILE=x", "KEEP=me", "AWS_CONFIG_FILE="+m.path("elsewhere"))
	r := m.inside("env")
	env := map[string]string{}
	for line := range strings.Lines(r.stdout) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[name] = value
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECURITY_TOKEN", "AWS_VAULT", "AWS_REGION", "MFAD_KEYRING_PASSPHRASE"} {
		if v, set := env[name]; set {
			t.Errorf("%s is set, to %q", name, v)
		}
	}
	if env["KEEP"] != "me" || env["MFAD_PROFILE"] != "prod" || env["MFAD_AWS_CONFIG_FILE"] != m.path("elsewhere") {
		t.Errorf("the environment is %q", r.stdout)
	}
	if name := env["AWS_PROFILE"]; !regexp.MustCompile(`^mfad-exec-[0-9a-f]{16}$`).MatchString(name) ||
		env["AWS_CONFIG_FILE"] != m.path("mfad", "exec", name, "config") {
		t.Errorf("AWS_PROFILE is %q, AWS_CONFIG_FILE %q", name, env["AWS_CONFIG_FILE"])
	}
	if r := m.inside("sh", "-c", `stat -c %a "$AWS_CONFIG_FILE" "${AWS_CONFIG_FILE%/*}"`); r.stdout != "600\n700\n" {
		t.Errorf("modes: %q", r.stdout)
	}
	token := env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
	if r := finish(m.command("grep", "-rl", "-e", token, m.home)); len(token) != 64 || r.stdout != "" { // a file may go meanwhile
		t.Errorf("the token %q stands in %s%s", token, r.stdout, r.stderr)
	}
	if !within(time.Second, func() bool { _, err := http.Get(env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]); return err != nil }) {
		t.Error("the endpoint outlives the command")
	}
	m.noCopies("the command")
}

// TestExecStatic: --env runs the command in mfad's place.
func TestExecStatic(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	cmd := m.command(binary, "exec", "prod", "--env", "--", "sh", "-c", "echo $$; env")
	r := finish(cmd)
	pid, env, _ := strings.Cut(r.stdout, "\n")
	if pid != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("the command is process %s, mfad was %d", pid, cmd.Process.Pid)
	}
	exported := m.mfad("export", "prod", "--format", "env-no-export")
	for line := range strings.Lines(exported + "AWS_REGION=us-east-1\nAWS_DEFAULT_REGION=us-east-1\nMFAD_PROFILE=prod\n") {
		if !strings.Contains("\n"+env, "\n"+line) {
			t.Errorf("the environment lacks %q:\n%s", line, env)
		}
	}
	for _, name := range []string{"AWS_PROFILE=", "AWS_CONTAINER", "AWS_CONFIG_FILE=", "MFAD_KEYRING_PASSPHRASE="} {
		if strings.Contains(env, name) {
			t.Errorf("the environment has %s:\n%s", name, env)
		}
	}
	cmd = m.command(binary, "exec", "--env", "prod", "sh", "-c", "echo $AWS_REGION-$AWS_DEFAULT_REGION-$AWS_PROFILE")
	cmd.Env = append(cmd.Env, "AWS_REGION=eu-west-1", "AWS_PROFILE=x")
	if r := finish(cmd); r.stdout != "eu-west-1--\n" {
		t.Errorf("got %q %s, want the inherited region alone", r.stdout, r.stderr)
	}
	m.noCopies("--env")
}

// TestExecStatus: the exit status is the command's, or says why there is none.
func TestExecStatus(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	script := m.write("not-executable", "echo hello\n", 0o600)
	text := m.write("text", "no program\n", 0o700)
	m.env = append(m.env, "SHELL=/bin/false")
	for _, tt := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"prod", "--", "sh", "-c", "exit 0"}, 0, ""},
		{[]string{"prod", "sh", "-c", "exit 7"}, 7, ""},
		{[]string{"prod", "--no-prompt", "sh", "-c", "exit 255"}, 255, ""},
		{[]string{"prod", "sh", "-c", "kill -TERM $$"}, 143, ""},
		{[]string{"prod", "sh", "-c", "kill -KILL $$"}, 137, ""},
		{[]string{"prod"}, 1, ""}, // $SHELL
		{[]string{"prod", "--", "no-such-command"}, 127, "hint: "},
		{[]string{"prod", "--", "./no-such-command"}, 127, "hint: "},
		{[]string{"prod", "--", script}, 126, "hint: "},
		{[]string{"prod", "--", m.home}, 126, "hint: "},
		{[]string{"prod", "--", text}, 126, "hint: "},
		{[]string{"prod", "--env", text}, 126, "hint: "},
		{[]string{"nowhere", "--", "no-such-command"}, 2, "hint: "},
		{[]string{}, 2, "hint: "},
		{[]string{"prod", "--no-such-flag"}, 2, "hint: "},
		{[]string{"prod", "--help"}, 0, ""},
		{[]string{"prod", "echo", "--help"}, 0, ""},
		{[]string{"prod", "--", "echo", "--env", "--"}, 0, ""},
	} {
		cmd := m.command(binary, append([]string{"exec"}, tt.args...)...)
		r := finish(cmd)
		if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() { // as a shell tells it
			r.status = 128 + int(s.Signal())
		}
		if r.status != tt.status || !strings.Contains(r.stderr, tt.stderr) || tt.stderr == "" && r.stderr != "" {
			t.Errorf("exec %q: status %d, %q; want %d, %q", tt.args, r.status, r.stderr, tt.status, tt.stderr)
		}
	}
	if r := finish(m.command(binary, "exec", "prod", "echo", "--env", "--", "-v")); r.stdout != "--env -- -v\n" {
		t.Errorf("the command's flags became %q", r.stdout)
	}
	if err := os.Mkdir(m.path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := m.command(binary, "exec", "prod", "touch", m.path("ran"))
	cmd.Env = append(cmd.Env, "AWS_CONFIG_FILE="+m.path("folder"))
	if r := finish(cmd); r.status != 2 || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("an AWS config that cannot be read: status %d, %q", r.status, r.stderr)
	}
	m.mfad("lock")
	if r := finish(m.command(binary, "exec", "prod", "touch", m.path("ran"))); r.status != 4 {
		t.Errorf("locked: status %d, %q; want 4", r.status, r.stderr)
	}
	if _, err := os.Stat(m.path("ran")); err == nil {
		t.Error("the command was started")
	}
	m.noCopies("them")
}

const longRun = `
import boto3, sys, time
sts = boto3.Session().client("sts")
keys = set()
end = time.time() + float(sys.argv[1])
while time.time() < end:
    assert sts.get_caller_identity()["Arn"] == "` + adminARN + `"
    keys.add(sts._request_signer._credentials.get_frozen_credentials().access_key)
    time.sleep(0.2)
print(len(keys))
`

// TestExecOutlivesCredentials: one process of boto3's renews them in a run that is
// longer than they live, also while the daemon is killed in the middle.
func TestExecOutlivesCredentials(t *testing.T) {
	t.Parallel()
	needs(t, "boto3", "python3", "-c", "import boto3")
	m := newExecMachine(t, 600) // a role lives 6 s, a session 216 s
	cmd := m.command(binary, "exec", "prod", "--", "python3", "-c", longRun, "9")
	killed := time.AfterFunc(4*time.Second, func() { m.signal(syscall.SIGKILL) })
	defer killed.Stop()
	r := finish(cmd)
	if n, err := strconv.Atoi(strings.TrimSpace(r.stdout)); err != nil || n < 2 || r.status != 0 {
		t.Errorf("%q keys in 9 s, of which each lives 6 s (status %d): %s", r.stdout, r.status, r.stderr)
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes, want one", n)
	}
}

// curl asks the endpoint as an SDK would.
const curl = `curl -s -m 1 -w ' %{http_code}\n' -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI"`

// TestExecPastAProxy: one that is set for everything does not see the token.
func TestExecPastAProxy(t *testing.T) {
	t.Parallel()
	needs(t, "curl", "curl", "--version")
	m := newExecMachine(t, 1)
	var seen atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"http_proxy", "ALL_PROXY"} {
		cmd := m.command(binary, "exec", "prod", "--", "sh", "-c", curl)
		cmd.Env = append(cmd.Env, name+"="+proxy.URL)
		if r := finish(cmd); !strings.HasSuffix(r.stdout, " 200\n") || !strings.Contains(r.stdout, "AccessKeyId") || seen.Load() != 0 {
			t.Errorf("%s: %q %s; the proxy saw %d requests", name, r.stdout, r.stderr, seen.Load())
		}
	}
}

// TestExecAndTheDaemon: the endpoint serves on without a daemon, which it starts
// again, and does not after a lock.
func TestExecAndTheDaemon(t *testing.T) {
	t.Parallel()
	needs(t, "curl", "curl", "--version")
	m := newExecMachine(t, 1)
	pid := m.daemon()
	r := m.inside("sh", "-c", fmt.Sprintf("%s; kill -9 %d; %s; %s; %s lock; %s", curl, pid, curl, curl, binary, curl))
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	var answers []string
	for _, l := range lines {
		if strings.HasPrefix(l, " ") {
			answers = append(answers, strings.TrimSpace(l))
		}
	}
	if strings.Join(answers, " ") != "200 200 200 423" || !strings.Contains(r.stdout, `{"code":"locked"`) || !strings.Contains(r.stdout, "(hint: run: mfad unlock)") {
		t.Errorf("got %q, the last: %q, %s", answers, lines[len(lines)-2:], r.stderr)
	}
	if now := m.daemon(); now == pid || now == 0 {
		t.Errorf("the daemon is process %d, it was %d", now, pid)
	}
	m.mfad("unlock")
	if r := m.inside("true"); r.status != 4 {
		t.Errorf("without a code: status %d, want 4", r.status)
	}
	m.login()
	pid = m.daemon()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGCONT)
	r = m.inside("sh", "-c", fmt.Sprintf("kill -STOP %d; %s; kill -CONT %d", pid, curl, pid))
	if !strings.HasSuffix(r.stdout, " 200\n") {
		t.Errorf("with a daemon that hangs: %q %s", r.stdout, r.stderr)
	}
}

// TestMfadInsideExec: mfad works there with the user's files, and so does a daemon
// that it starts, and an exec inside the first.
func TestMfadInsideExec(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	m.addProfile("ro", "ReadOnly", "--write", "none")
	m.mfad("refresh")
	m.write(".aws/config", "[profile mine]\nregion = eu-west-1\n", 0o600)
	if r := m.inside(binary, "status"); r.status != 0 || r.stderr != "" {
		t.Errorf("status inside: %d, %q", r.status, r.stderr)
	}
	nested := fmt.Sprintf(`%s exec ro -- sh -c 'echo $MFAD_PROFILE "<$MFAD_AWS_CONFIG_FILE>"; cat $AWS_CONFIG_FILE'`, binary)
	r := m.inside("sh", "-c", nested)
	if !strings.HasPrefix(r.stdout, "ro <>\n[profile mine]\n") || strings.Count(r.stdout, "mfad-exec-") != 1 {
		t.Errorf("an exec inside another sees %q %s", r.stdout, r.stderr)
	}
	r = m.inside("sh", "-c", fmt.Sprintf("kill -9 %d; while kill -0 %d 2>/dev/null && ! grep -q ' Z ' /proc/%d/stat; do :; done; %s status >/dev/null; echo $$", m.daemon(), m.daemon(), m.daemon(), binary))
	if r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.stderr)
	}
	pid := m.daemon()
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"mfad-exec-", "AWS_CONTAINER", "MFAD_AWS_CONFIG_FILE", "MFAD_PROFILE"} {
		if strings.Contains(string(env), leak) {
			t.Errorf("the daemon's environment has %s", leak)
		}
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("the daemon's group is %d (%v), want its own, %d", group, err, pid)
	}
}
