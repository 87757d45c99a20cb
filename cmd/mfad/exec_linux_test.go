package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// counts prints each signal that it gets, and ends with status 9 after SIGTERM.
const counts = `
import os, signal, sys
def got(n, _):
    os.write(1, b"got %s\n" % signal.Signals(n).name.encode()) # print cannot be interrupted by itself
    if n == signal.SIGTERM: sys.exit(9)
for s in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"):
    if signal.getsignal(getattr(signal, s)) != signal.SIG_IGN: signal.signal(getattr(signal, s), got)
print("ready", os.getpid(), flush=True)
while True: signal.pause()
`

// atShell sits a person down at an interactive shell with job control.
func (m *machine) atShell() *person {
	m.t.Helper()
	needs(m.t, "bash", "bash", "--version")
	m.env = append(m.env, "PS1=$ ", "TERM=dumb", "HISTFILE=/dev/null")
	p := m.sitsAt("bash", "--norc", "--noprofile", "--noediting", "-i")
	p.waitsFor("$ ")
	p.types("exec >/dev/tty; echo begun\n") // what a person sees is on the screen
	p.waitsFor("\nbegun\r\n")
	return p
}

// TestExecAtATerminal: Ctrl-C, Ctrl-\ and Ctrl-Z do what they do without mfad, once
// each, and a kill of the job reaches the command.
func TestExecAtATerminal(t *testing.T) {
	t.Parallel()
	needs(t, "python", "python3", "--version")
	m := newExecMachine(t, 1)
	m.write("counts.py", counts, 0o600)
	p := m.atShell()
	p.types(binary + " exec prod -- python3 counts.py\n")
	p.waitsFor("ready ")
	p.types("\x03")
	p.waitsFor("got SIGINT")
	p.types("\x1c")
	p.waitsFor("got SIGQUIT")
	p.types("\x1a")
	p.waitsFor("Stopped")
	p.types("echo stopped; fg\n")
	p.waitsFor("got SIGCONT") // the job has the terminal again
	p.types("\x03")
	p.waitsTimes("got SIGINT", 2)
	pid := p.number("ready ")
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP} {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
	}
	p.waitsFor("got SIGHUP")
	p.waitsFor("got SIGUSR1")
	p.waitsFor("got SIGUSR2")
	if err := pty.Setsize(p.tty, &pty.Winsize{Rows: 30, Cols: 90}); err != nil {
		t.Fatal(err)
	}
	p.waitsFor("got SIGWINCH")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.waitsFor("got SIGTERM")
	p.types("echo status=$?\n")
	p.waitsFor("status=9\r\n")
	for _, name := range []string{"SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGWINCH", "SIGCONT"} {
		want := 1
		if name == "SIGINT" {
			want = 2
		}
		if got := strings.Count(p.sees(), "got "+name); got != want {
			t.Errorf("the command got %s %d times, want %d:\n%s", name, got, want, p.sees())
		}
	}
	m.noCopies("the command")
}

// TestExecStopsWithItsCommand: a command that stops itself gives the terminal back
// to the shell, and fg has it go on.
func TestExecStopsWithItsCommand(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	p := m.atShell()
	p.types(binary + ` exec prod -- sh -c 'kill -STOP $$; echo "went" on; exit 5'` + "\n")
	p.waitsFor("Stopped")
	p.types("fg\n")
	p.waitsFor("went on")
	p.types("echo after=$?\n")
	p.waitsFor("after=5")
}

// TestCtrlCEndsExecOfADefaultCommand as it ends the command alone.
func TestCtrlCEndsExecOfADefaultCommand(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	p := m.sitDown("exec", "prod", "--", "sh", "-c", "echo ready >/dev/tty; exec sleep 30")
	p.waitsFor("ready")
	p.types("\x03")
	p.ends()
	if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGINT {
		t.Errorf("%v, want the end by SIGINT that a shell has to see", p.cmd.ProcessState)
	}
	m.noCopies("Ctrl-C")
}

// TestExecAsksFirst: the code is asked for at the terminal, before the command
// starts; Ctrl-C there starts nothing.
func TestExecAsksFirst(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	p := m.sitDown("exec", "prod", "--", "touch", m.path("ran"))
	p.waitsFor(asks)
	p.types("\x03")
	if status := p.ends(); status != 130 {
		t.Errorf("Ctrl-C at the question: status %d, want 130", status)
	}
	if _, err := os.Stat(m.path("ran")); err == nil {
		t.Error("the command was started")
	}
	if r := finish(m.command(binary, "exec", "prod", "--no-prompt", "--", "touch", m.path("ran"))); r.status != 4 {
		t.Errorf("--no-prompt: status %d, %q; want 4", r.status, r.stderr)
	}
	p = m.sitDown("exec", "prod", "--", "sh", "-c", "exit 6")
	p.waitsFor(asks)
	p.types(m.code() + "\n")
	if status := p.ends(); status != 6 {
		t.Errorf("status %d, %q; want the command's 6", status, p.sees())
	}
}

// TestExecInTheBackground: without a terminal each signal arrives, and what was
// ignored stays ignored.
func TestExecInTheBackground(t *testing.T) {
	t.Parallel()
	needs(t, "python", "python3", "--version")
	m := newExecMachine(t, 1)
	for _, tt := range []struct {
		name    string
		before  []string
		ignored string
	}{
		{"alone", nil, ""},
		{"nohup", []string{"nohup"}, "SIGHUP"},
		{"in the background of a script", []string{"sh", "-c", `trap "" INT; exec "$@"`, "sh"}, "SIGINT SIGQUIT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			words := append(tt.before, binary, "exec", "prod", "--", "python3", "-c", counts)
			cmd := m.command(words[0], words[1:]...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			line, _ := lines.ReadString('\n')
			pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "ready ")))
			if err != nil {
				t.Fatalf("the command said %q", line)
			}
			var want string
			for name, s := range map[string]syscall.Signal{"SIGHUP": syscall.SIGHUP, "SIGINT": syscall.SIGINT, "SIGQUIT": syscall.SIGQUIT, "SIGUSR1": syscall.SIGUSR1} {
				if err := syscall.Kill(pid, s); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(tt.ignored, name) {
					continue
				}
				want = "got " + name + "\n"
				if got, _ := lines.ReadString('\n'); got != want {
					t.Errorf("the command said %q, want %q", got, want)
				}
			}
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(lines)
			_ = cmd.Wait() // its status is looked at below
			if string(rest) != "got SIGTERM\n" || cmd.ProcessState.ExitCode() != 9 {
				t.Errorf("the command said %q, and its status was %d", rest, cmd.ProcessState.ExitCode())
			}
			m.noCopies("SIGTERM")
		})
	}
}

// TestExecPassesOpenFilesOn: a shell's further descriptors reach the command.
func TestExecPassesOpenFilesOn(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	for _, flag := range []string{"--no-prompt", "--env"} {
		cmd := m.command("sh", "-c", `echo three >three; exec 3<three; echo in | "$0" exec prod "$1" -- sh -c 'cat <&3; cat; echo err >&2'`, binary, flag)
		r := finish(cmd)
		if r.stdout != "three\nin\n" || r.stderr != "err\n" {
			t.Errorf("%s: got %q, %q", flag, r.stdout, r.stderr)
		}
	}
}

// waitsTimes waits until something stands on the screen so many times.
func (p *person) waitsTimes(text string, n int) {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	for strings.Count(p.sees(), text) < n {
		select {
		case <-p.grew:
		case <-deadline:
			p.t.Fatalf("the screen does not show %q %d times but %q", text, n, p.sees())
		}
	}
}

// number gives the number behind a text on the screen.
func (p *person) number(text string) int {
	p.t.Helper()
	_, rest, _ := strings.Cut(p.sees(), text)
	digits, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.Atoi(digits)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// TestTerraformInsideExec applies for longer than a role's credentials live.
func TestTerraformInsideExec(t *testing.T) {
	t.Parallel()
	needs(t, "terraform", "terraform", "version")
	needs(t, "aws-cli", "aws", "--version")
	m := newMachine(t, 900) // a role lives 4 s, a session 144 s
	s := startS3(t, m)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	m.login()
	m.env = append(m.env, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE="+m.write("terraformrc", "", 0o600))
	m.write("work/main.tf", strings.NewReplacer(`"S3"`, `"`+s.url+`"`, `"STS"`, `"`+m.sim.URL+`"`).Replace(terraformConfig), 0o600)
	begin := time.Now()
	var cmd *exec.Cmd
	for _, args := range [][]string{
		{"aws", "--endpoint-url", s.url, "s3", "mb", "s3://tfstate"},
		{"terraform", "-chdir=work", "init", "-input=false", "-no-color"},
		{"terraform", "-chdir=work", "apply", "-input=false", "-no-color", "-auto-approve", "-var", "sleep=6"},
	} {
		cmd = m.command(binary, append([]string{"exec", "prod", "--"}, args...)...)
		if r := finish(cmd); r.status != 0 {
			t.Fatalf("%q: status %d, %s%s", args, r.status, r.stdout, r.stderr)
		}
	}
	stateSaved(t, m, s, begin)
}
