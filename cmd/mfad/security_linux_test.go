package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is a user that is not root: to root everything is open.
const nobody = 65534

// newUnprivileged gives a machine whose programs run as nobody.
func newUnprivileged(t *testing.T) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIP-REAL security: only root can become another user")
	}
	m := newMachine(t, 1)
	mine, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	m.write("bin/mfad", string(mine), 0o755) // the one that was built lies in root's folder
	if err := filepath.Walk(m.home, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	}); err != nil {
		t.Fatal(err)
	}
	return m
}

// as prepares a program that runs as another user.
func (m *machine) as(uid uint32, name string, args ...string) *exec.Cmd {
	m.t.Helper()
	cmd := m.command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

// readable names what another process of nobody's reads of a process.
func (m *machine) readable(pid int) string {
	m.t.Helper()
	script := fmt.Sprintf(`cd /proc/%d && for f in environ auxv maps; do cat $f >/dev/null 2>&1 && echo $f; done; ls fd/ >/dev/null 2>&1 && echo fd; dd if=mem count=0 >/dev/null 2>&1 && echo mem; true`, pid)
	return strings.Join(strings.Fields(finish(m.as(nobody, "sh", "-c", script)).stdout), " ")
}

// TestNoProcessOfTheUsersReadsTheDaemon: not its memory, its environment or its
// descriptors; and what the daemon starts is as any program.
func TestNoProcessOfTheUsersReadsTheDaemon(t *testing.T) {
	t.Parallel()
	m := newUnprivileged(t)
	cmd := m.as(nobody, m.path("bin", "mfad"), "identity", "add", "corp", "--stdin")
	cmd.Stdin = strings.NewReader(m.alice.AccessKeyID + "\n" + m.alice.SecretAccessKey + "\n")
	if r := finish(cmd); r.status != 0 {
		t.Fatalf("identity add: status %d, %s", r.status, r.stderr)
	}
	config := m.path(".config", "mfad", "config.ini")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "mfa_process = cat /proc/self/environ >/dev/null && echo $$ >"+m.path("child")+" && sleep 60\n"...)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := m.readable(m.daemon()); got != "" {
		t.Errorf("of the daemon a process of the same user reads %s", got)
	}
	login := m.as(nobody, m.path("bin", "mfad"), "login")
	if err := login.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = login.Process.Kill(); _ = login.Wait() }()
	child := 0
	if !within(patience, func() bool {
		b, _ := os.ReadFile(m.path("child"))
		child, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return child > 0
	}) {
		t.Fatalf("mfa_process does not run; the daemon said: %s", m.log())
	}
	if got := m.readable(child); got != "environ auxv maps fd mem" {
		t.Errorf("of the daemon's child a process of the same user reads %q only", got)
	}
	if got := m.readable(login.Process.Pid); got != "" {
		t.Errorf("of a command a process of the same user reads %s", got)
	}
}

// TestAClosedProcessIsKnown: who gets credentials is still in the audit log, though the
// daemon cannot look at mfad's own processes any more, whatever mfad's file is called.
func TestAClosedProcessIsKnown(t *testing.T) {
	t.Parallel()
	m := newUnprivileged(t)
	for _, path := range []string{m.asShell("terraform"), m.path("other-name")} {
		if err := os.Link(m.path("bin", "mfad"), m.path("other-name")); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	mfad := func(stdin string, args ...string) {
		t.Helper()
		cmd := m.as(nobody, m.path("bin", "mfad"), args...)
		cmd.Stdin = strings.NewReader(stdin)
		if r := finish(cmd); r.status != 0 {
			t.Fatalf("mfad %s: status %d, %s", strings.Join(args, " "), r.status, r.stderr)
		}
	}
	mfad(m.alice.AccessKeyID+"\n"+m.alice.SecretAccessKey+"\n", "identity", "add", "corp", "--stdin")
	mfad("", "profile", "add", "prod", "--identity", "corp", "--role-arn", "arn:aws:iam::222222222222:role/Admin", "--write", "none")
	mfad(m.code()+"\n", "login", "--code", "-")
	for _, name := range []string{m.path("bin", "mfad"), m.path("other-name")} {
		// With the flag in front it is not answered before the process closes itself.
		if r := finish(m.as(nobody, m.path("terraform"), "-c", `"$0" -v credential-process --profile prod; exit $?`, name)); r.status != 0 {
			t.Fatalf("status %d, %s", r.status, r.stderr)
		}
	}
	if lines := m.handOuts(); len(lines) != 2 || lines[0] != "ok; ; terraform" || lines[1] != lines[0] {
		t.Errorf("the audit log has %q, want terraform twice", lines)
	}
	run := m.as(nobody, m.path("bin", "mfad"), "exec", "prod", "--", "cat")
	in, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	if !within(patience, func() bool { return len(m.endpoints()) == 1 && m.readable(run.Process.Pid) != "" }) {
		t.Fatalf("no command runs beside its endpoint: %v", m.endpoints())
	}
	if got := m.readable(m.endpoint()); got != "" {
		t.Errorf("of the endpoint a process of the same user reads %s", got)
	}
	in.Close()
	if err := run.Wait(); err != nil {
		t.Error(err)
	}
}

// TestNoCoreIsDumped, whatever the limits and the environment say.
func TestNoCoreIsDumped(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.env = append(m.env, "GOTRACEBACK=crash")
	cmd := m.command("sh", "-c", `ulimit -c unlimited; exec "$0" daemon`, binary)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !within(patience, func() bool { return m.daemon() == cmd.Process.Pid && finish(m.command(binary, "status")).status == 0 }) {
		t.Fatalf("the daemon does not start: %s", said.String())
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 unlimited") {
		t.Errorf("its limits are %s (%v), want no core", limits, err)
	}
	if err := cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the status tells
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !strings.Contains(said.String(), "SIGABRT") {
		t.Fatalf("it ended as %v and said %q, want that it crashed", cmd.ProcessState, said.String())
	}
	cores, _ := filepath.Glob(m.path("core*"))
	if status.CoreDump() || len(cores) > 0 {
		t.Errorf("a core was dumped: %v %q", status.CoreDump(), cores)
	}
}

// TestExecLeavesTheCommandAsItWas: mfad closes itself, not the command that takes its
// place.
func TestExecLeavesTheCommandAsItWas(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	r := finish(m.command("sh", "-c", `ulimit -S -c 1; "$0" exec prod -- sh -c 'ulimit -S -c; cat /proc/$$/comm'`, binary))
	if want := "1\nsh\n"; r.stdout != want {
		t.Errorf("the command has %q, want %q: %s", r.stdout, want, r.stderr)
	}
}

// TestModesUnderAnyUmask: nobody but the user reads what mfad makes.
func TestModesUnderAnyUmask(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"0000", "0022"} {
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 1)
			script := `umask ` + umask + `; printf '%s\n%s\n' "$1" "$2" | "$0" identity add corp --stdin &&
"$0" profile add prod --identity corp --role-arn arn:aws:iam::222222222222:role/Admin --region us-east-1`
			if r := finish(m.command("sh", "-c", script, binary, m.alice.AccessKeyID, m.alice.SecretAccessKey)); r.status != 0 {
				t.Fatalf("status %d, %s", r.status, r.stderr)
			}
			m.login()
			for _, dir := range []string{".local/state/mfad", ".config/mfad", ".aws", "mfad"} {
				err := filepath.Walk(m.path(dir), func(path string, info os.FileInfo, err error) error {
					if err != nil {
						return err
					}
					want := os.FileMode(0o600)
					if info.IsDir() {
						want = 0o700
					}
					if got := info.Mode().Perm(); got&^want != 0 {
						t.Errorf("%s has mode %04o, want no more than %04o", strings.TrimPrefix(path, m.home), got, want)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestTheSocketIsTheUsersAlone: root's may not be used by another user, even where its
// folders let him pass.
func TestTheSocketIsTheUsersAlone(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	if os.Getuid() != 0 {
		t.Skip("SKIP-REAL security: only root can become another user")
	}
	needs(t, "curl", "curl", "--version")
	m.addAlice()
	socket := m.path("mfad", "mfad.sock")
	ask := func() result {
		return finish(m.as(nobody, "curl", "-s", "--max-time", "5", "--unix-socket", socket, "http://localhost/v1/status"))
	}
	if r := ask(); r.status == 0 || r.stdout != "" {
		t.Errorf("another user got %q, status %d", r.stdout, r.status)
	}
	for path := socket; path != filepath.Dir(m.home); path = filepath.Dir(path) {
		if err := unix.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	if r := ask(); r.status == 0 || r.stdout != "" || time.Since(begun) > 4*time.Second {
		t.Errorf("through open folders another user got %q, status %d after %v", r.stdout, r.status, time.Since(begun))
	}
	if r := finish(m.command("curl", "-s", "--unix-socket", socket, "http://localhost/v1/status")); r.status != 0 {
		t.Errorf("the user himself got status %d", r.status)
	}
}
