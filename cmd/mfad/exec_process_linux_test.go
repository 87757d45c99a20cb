package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// endpoints lists the processes with this machine's endpoints.
func (m *machine) endpoints() (pids []int) {
	m.t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		m.t.Fatal(err)
	}
	for _, path := range found {
		env, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(env, []byte("HOME="+m.home+"\x00")) {
			continue // it ended, or is another's
		}
		args, _ := os.ReadFile(filepath.Dir(path) + "/cmdline")
		if strings.HasPrefix(string(args), "mfad\x00exec-endpoint\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// endpoint gives the process of the only endpoint.
func (m *machine) endpoint() int {
	m.t.Helper()
	pids := m.endpoints()
	if len(pids) != 1 {
		m.t.Fatalf("endpoints are the processes %v, want one", pids)
	}
	return pids[0]
}

// killEndpoint ends the only endpoint.
func (m *machine) killEndpoint(sig syscall.Signal) {
	m.t.Helper()
	if err := syscall.Kill(m.endpoint(), sig); err != nil {
		m.t.Fatal(err)
	}
	m.noEndpoint("it was killed")
}

// noEndpoint wants all to be gone within a second.
func (m *machine) noEndpoint(after string) {
	m.t.Helper()
	if !within(time.Second, func() bool { return len(m.endpoints()) == 0 }) {
		m.t.Errorf("after %s the endpoints %v go on", after, m.endpoints())
	}
}

// noCopiesBut waits until so many files are in the folder of copies.
func (m *machine) noCopiesBut(n int, after string) {
	m.t.Helper()
	if !within(time.Second, func() bool { return len(m.copies()) == n }) {
		m.t.Errorf("after %s there are %q, want %d", after, m.copies(), n)
	}
}

// paused is a command that waits inside mfad exec.
type paused struct {
	m   *machine
	pid int
	in  io.WriteCloser
	end chan result
}

// waitsInside runs a script to its end and has the command wait; when it goes on it
// says whether its copy is there.
func (m *machine) waitsInside(script string) *paused {
	m.t.Helper()
	return m.waits(binary, "exec", "prod", "--", "sh", "-c", script+`; echo $$ >"$HOME/waits"; read x; test -e "$AWS_CONFIG_FILE" && echo there`)
}

// waits runs a command that writes the file waits and then reads stdin.
func (m *machine) waits(name string, args ...string) *paused {
	m.t.Helper()
	_ = os.Remove(m.path("waits")) // there need be none
	cmd := m.command(name, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	x := &paused{m: m, in: in, end: make(chan result, 1)}
	go func() { x.end <- finish(cmd) }()
	if !within(20*time.Second, func() bool {
		b, _ := os.ReadFile(m.path("waits"))
		x.pid, _ = strconv.Atoi(strings.TrimSuffix(string(b), "\n"))
		return bytes.HasSuffix(b, []byte("\n"))
	}) {
		m.t.Fatal("the command does not get there")
	}
	return x
}

// goesOn has it end.
func (x *paused) goesOn() result {
	x.m.t.Helper()
	x.in.Close()
	return x.ends()
}

func (x *paused) ends() result {
	x.m.t.Helper()
	select {
	case r := <-x.end:
		return r
	case <-time.After(10 * time.Second):
		x.m.t.Fatal("the command does not end")
		return result{}
	}
}

// TestExecTakesMfadsPlace: a shell's $! is the command, its arguments alone are
// seen, and it has no child that it did not start, also where mfad started the
// daemon.
func TestExecTakesMfadsPlace(t *testing.T) {
	t.Parallel()
	needs(t, "python", "python3", "--version")
	m := newExecMachine(t, 1)
	r := finish(m.command("sh", "-c", `"$0" exec prod -- sh -c 'echo $$; tr "\0" " " </proc/$$/cmdline' & echo $!; wait $!`, binary))
	pid, rest, _ := strings.Cut(r.stdout, "\n")
	if want := pid + "\nsh -c echo $$; tr \"\\0\" \" \" </proc/$$/cmdline "; rest != want {
		t.Errorf("the job was %s, the command said %q, want %q %s", pid, rest, want, r.stderr)
	}
	m.write("children.py", `
import os, sys
print(open("/proc/self/task/%d/children" % os.getpid()).read().split(), os.environ.get("MFAD_PROFILE"))
try: os.waitpid(-1, os.WNOHANG)
except ChildProcessError: print("none")
`, 0o600)
	for _, flag := range []string{"--no-prompt", "--env"} {
		m.kill(syscall.SIGTERM) // it is started anew, with what it knew
		if r := finish(m.command(binary, "exec", "prod", flag, "--", "python3", "children.py")); r.stdout != "[] prod\nnone\n" {
			t.Errorf("%s: children of the command: %q %s", flag, r.stdout, r.stderr)
		}
	}
	m.noEndpoint("the commands")
}

// TestExecGetsASignalOnce: what is sent to the whole group reaches the command as
// without mfad.
func TestExecGetsASignalOnce(t *testing.T) {
	t.Parallel()
	needs(t, "python", "python3", "--version")
	needs(t, "coreutils", "timeout", "--version")
	m := newExecMachine(t, 1)
	m.write("counts.py", strings.Replace(counts, "print(", `open("waits", "w").write("%d\n" % os.getpid()); print(`, 1), 0o600)
	x := m.waits("setsid", binary, "exec", "prod", "--", "python3", "counts.py")
	if group, err := syscall.Getpgid(x.pid); err != nil || group != x.pid {
		t.Fatalf("the command's group is %d (%v), want %d", group, err, x.pid)
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGUSR1, syscall.SIGTERM} {
		if err := syscall.Kill(-x.pid, s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // a second one would have come by then
	}
	if r := x.ends(); r.stdout != fmt.Sprintf("ready %d\ngot SIGINT\ngot SIGUSR1\ngot SIGTERM\n", x.pid) || r.status != 9 {
		t.Errorf("kill of the group: status %d, %q %s", r.status, r.stdout, r.stderr)
	}
	for _, args := range [][]string{{"--foreground", "2"}, {"2"}} {
		r := finish(m.command("timeout", append(args, binary, "exec", "prod", "--", "python3", "counts.py")...))
		if n := strings.Count(r.stdout, "got SIGTERM"); n != 1 || r.status != 124 {
			t.Errorf("timeout %q: %d times, status %d: %q %s", args, n, r.status, r.stdout, r.stderr)
		}
	}
	m.noEndpoint("the commands")
	m.noCopies("the commands")
}

// TestEndpointEndsWithItsCommand within a second, however that ends and whoever is
// left of it; no other signal ends it before.
func TestEndpointEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	gone := func(after, url string) {
		t.Helper()
		if !within(time.Second, func() bool { _, err := http.Get(url); return err != nil }) {
			t.Errorf("after %s the endpoint answers", after)
		}
		m.noEndpoint(after)
		m.noCopies(after)
	}
	url := func() string { b, _ := os.ReadFile(m.path("url")); return strings.TrimSpace(string(b)) }
	const tellURL = `echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI" >"$HOME/url"`

	x := m.waitsInside(tellURL)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.endpoint()))
	if f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); err != nil || f[3] != strconv.Itoa(m.endpoint()) || f[1] == strconv.Itoa(x.pid) {
		t.Errorf("the endpoint, %d, is of session %s and a child of %s; the command is %d (%v)", m.endpoint(), f[3], f[1], x.pid, err)
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		if err := syscall.Kill(m.endpoint(), s); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := http.Get(url()); err != nil || r.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the signals: %v, %v", r, err)
	}
	x.goesOn()
	gone("its end", url())

	x = m.waitsInside(tellURL)
	if err := syscall.Kill(x.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	x.ends()
	gone("a kill", url())

	x = m.waitsInside(tellURL + `; setsid sh -c 'echo $$ >"$HOME/left"; exec sleep 60' >/dev/null 2>&1 </dev/null & while ! test -s "$HOME/left"; do :; done`)
	x.goesOn()
	gone("the end of a command that leaves a process", url())
	b, _ := os.ReadFile(m.path("left"))
	left, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(left, syscall.SIGKILL); err != nil {
		t.Errorf("what the command left is gone: %v", err)
	}

	zombie := m.command(binary, "exec", "prod", "--", "sh", "-c", tellURL)
	_ = os.Remove(m.path("url"))
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	if !within(10*time.Second, func() bool { return url() != "" }) {
		t.Fatal("the command does not get there")
	}
	gone("the end of a command that nobody waits for", url())
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", zombie.Process.Pid)); err != nil || !strings.Contains(string(stat), ") Z ") {
		t.Errorf("the command is no zombie: %s (%v)", stat, err)
	}
	_ = zombie.Wait()

	text := m.write("text", "no program\n", 0o700)
	if r := m.inside(text); r.status != 126 {
		t.Errorf("status %d, want 126", r.status)
	}
	m.noEndpoint("a command that cannot be run")
}

// TestExecKilledBeforeItsCommand: the process with the endpoint that finds mfad gone
// removes the copy, and leaves no word of it to the next exec.
func TestExecKilledBeforeItsCommand(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	folder := m.path("mfad", "exec", "mfad-exec-0123456789abcdef")
	m.write("mfad/exec/mfad-exec-0123456789abcdef/config", "", 0o600)
	lock, err := os.Create(folder + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	reader, answer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close() // as mfad's end does
	defer answer.Close()
	order, err := os.Open(m.write("order", fmt.Sprintf(`{"Profile":"prod","PID":%d,"Folder":%q,"First":{"Expiration":"2030-01-01T00:00:00Z"}}`,
		gone.Process.Pid, folder), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer order.Close()
	cmd := m.command(binary, "exec-endpoint", "--serve")
	cmd.ExtraFiles = []*os.File{lock, order, answer}
	if r := finish(cmd); r.status != 0 || r.stderr != "" {
		t.Errorf("status %d, %q", r.status, r.stderr)
	}
	if left := m.copies(); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
}

// TestExecInAPipe: a pipe ends with the command, whatever the endpoint is at; and
// neither it nor a daemon keeps a shell's lock.
func TestExecInAPipe(t *testing.T) {
	t.Parallel()
	needs(t, "flock", "flock", "--version")
	m := newExecMachine(t, 1)
	for name, script := range map[string]string{
		"a pipe":       `"$0" exec prod -- sh -c "$1" 2>&1 | cat`,
		"substitution": `x=$("$0" exec prod -- sh -c "$1"); echo "$x"`,
		"a lock":       `exec 3>"$HOME/three" 9>"$HOME/lock"; flock 9; "$0" exec prod -- sh -c "$1"; exec 9>&-; flock -n "$HOME/lock" true || echo locked`,
	} {
		x := m.waits("sh", "-c", script, binary, `echo $$ >"$HOME/waits"; read x; echo done`)
		pid := m.endpoint()
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range open {
			to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
			fine := to == "/dev/null" || strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "anon_inode:") ||
				e.Name() == "2" && strings.HasSuffix(to, "/daemon.log") || strings.HasSuffix(to, ".lock") ||
				strings.HasPrefix(to, "/sys/fs/cgroup/") // Go's runtime watches how many processors it may use
			if !fine {
				t.Errorf("%s: the endpoint has %s open as %s", name, to, e.Name())
			}
		}
		if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); dir != "/" {
			t.Errorf("%s: the endpoint is in %s (%v)", name, dir, err)
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if r := x.goesOn(); r.stdout != "done\n" || r.stderr != "" {
			t.Errorf("%s: %q, %q", name, r.stdout, r.stderr)
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		m.noEndpoint(name)
	}
}

// TestDaemonKeepsNoDescriptors of whoever has it started, nor those that a service
// manager handed to another process.
func TestDaemonKeepsNoDescriptors(t *testing.T) {
	t.Parallel()
	needs(t, "flock", "flock", "--version")
	m := newMachine(t, 1)
	r := finish(m.command("sh", "-c", `exec 3>"$HOME/three" 9>"$HOME/lock"; flock 9; "$0" identity list; exec 9>&-; flock -n "$HOME/lock" echo free`, binary))
	if !strings.HasSuffix(r.stdout, "free\n") {
		t.Errorf("the daemon keeps the lock: %q %q", r.stdout, r.stderr)
	}
	holds := func(pid int) (names []string) {
		open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, fd := range open {
			if to, _ := os.Readlink(fd); filepath.Dir(to) == m.home && strings.HasPrefix(filepath.Base(to), "fd-") {
				names = append(names, filepath.Base(fd)+" "+filepath.Base(to))
			}
		}
		slices.Sort(names)
		return names
	}
	for _, env := range []string{"", "LISTEN_FDS=2 LISTEN_PID=1"} {
		m.kill(syscall.SIGTERM)
		before := m.daemon()
		cmd := m.command("sh", "-c", `exec 3>"$HOME/fd-a" 4>"$HOME/fd-b" 5>"$HOME/fd-c" 2>"$HOME/fd-log"; `+env+` exec "$0" daemon`, binary)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if !within(10*time.Second, func() bool { return m.daemon() == cmd.Process.Pid && m.daemon() != before }) {
			t.Fatal("the daemon does not start")
		}
		got := slices.DeleteFunc(holds(cmd.Process.Pid), func(s string) bool { return strings.HasSuffix(s, "fd-log") })
		if len(got) > 0 {
			t.Errorf("with %q the daemon has %v open", env, got)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
}
