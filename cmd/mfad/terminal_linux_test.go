package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/mfad/mfad/pkg/awssim"
)

// person sits at a terminal with one program in the foreground, whose stdout is
// a pipe, as an SDK would have it.
type person struct {
	t      *testing.T
	tty    *os.File // the person's side
	cmd    *exec.Cmd
	stdout bytes.Buffer
	done   chan struct{}

	mu     sync.Mutex
	screen bytes.Buffer
	grew   chan struct{}
}

// sitDown starts mfad on a terminal of its own.
func (m *machine) sitDown(args ...string) *person {
	m.t.Helper()
	return m.sitsAt(binary, args...)
}

// sitsAt starts a program on a terminal of its own.
func (m *machine) sitsAt(program string, args ...string) *person {
	m.t.Helper()
	p := &person{t: m.t, done: make(chan struct{}), grew: make(chan struct{}, 1)}
	master, slave, err := pty.Open()
	if err != nil {
		m.t.Fatal(err)
	}
	p.tty = master
	p.cmd = m.command(program, args...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, &p.stdout, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	slave.Close()
	go p.watch()
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the status is looked at later
	}()
	m.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		master.Close()
	})
	return p
}

func (p *person) watch() {
	buf := make([]byte, 1024)
	for {
		n, err := p.tty.Read(buf)
		p.mu.Lock()
		p.screen.Write(buf[:n])
		p.mu.Unlock()
		select {
		case p.grew <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (p *person) sees() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// waitsFor waits until something stands on the screen.
func (p *person) waitsFor(text string) {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(p.sees(), text) {
		select {
		case <-p.grew:
		case <-deadline:
			p.t.Fatalf("the screen does not show %q but %q", text, p.sees())
		}
	}
}

func (p *person) types(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.tty, text); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the program and gives its exit status.
func (p *person) ends() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		p.t.Fatalf("the program goes on; the screen shows %q", p.sees())
		return -1
	}
}

const asks = "MFA code for arn:aws:iam::111111111111:mfa/alice (corp"

// TestOneTerminalAsks: of two clients on two terminals one asks; its answer, a
// wrong one first, settles both.
func TestOneTerminalAsks(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	m.addProfile("ro", "ReadOnly", "--write", "none")
	first := m.sitDown("credential-process", "--profile", "prod")
	first.waitsFor(asks + ", for profile prod): ")
	second := m.sitDown("credential-process", "--profile", "ro")
	first.types(m.device.WrongCode() + "\n")
	first.waitsFor("AWS did not take the code")
	first.waitsFor(asks + ", for prod, ro): ")
	first.types(m.code() + "\n")
	for name, p := range map[string]*person{"first": first, "second": second} {
		if status := p.ends(); status != 0 || !strings.HasPrefix(p.stdout.String(), `{"Version":1,"AccessKeyId":"ASIA`) {
			t.Errorf("the %s got status %d, %q", name, status, p.sees())
		}
	}
	if strings.Contains(second.sees(), "MFA code") {
		t.Errorf("the second was asked too: %q", second.sees())
	}
	if n := len(m.sim.Calls("GetSessionToken")); n != 2 {
		t.Errorf("%d codes were sent, want the wrong one and the right one", n)
	}
}

// TestCtrlCHurtsNobodyElse: the client that was asked is interrupted, and the
// other one asks.
func TestCtrlCHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	first := m.sitDown("credential-process", "--profile", "prod")
	first.waitsFor(asks)
	second := m.sitDown("credential-process", "--profile", "prod")
	first.types("\x03")
	if status := first.ends(); status != 130 {
		t.Errorf("Ctrl-C at the question gave status %d, want 130", status)
	}
	second.waitsFor(asks)
	second.types(m.code() + "\n")
	if status := second.ends(); status != 0 {
		t.Errorf("the second got status %d, %q", status, second.sees())
	}
}

// TestALoginElsewhereSettlesTheQuestion: whoever asks stops when the code was
// given in another place, and leaves no question on the screen.
func TestALoginElsewhereSettlesTheQuestion(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	p := m.sitDown("credential-process", "--profile", "prod")
	p.waitsFor(asks)
	m.login()
	if status := p.ends(); status != 0 || !strings.Contains(p.stdout.String(), "ASIA") {
		t.Errorf("status %d, %q", status, p.sees())
	}
	if !strings.HasSuffix(strings.TrimRight(p.sees(), "\r\n"), "\x1b[K") {
		t.Errorf("the question still stands on the screen: %q", p.sees())
	}
}

// TestNobodyIsAskedUnderAFullScreenProgram: a terminal without echo belongs to a
// program such as vim or k9s.
func TestNobodyIsAskedUnderAFullScreenProgram(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	p := m.sitDown("credential-process", "--profile", "prod")
	p.waitsFor(asks)
	p.types("\x03")
	p.ends()
	script := m.write("fullscreen", "#!/bin/sh\nstty raw -echo\n"+binary+" credential-process --profile prod; echo status $?\n", 0o700)
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	cmd := m.command(script)
	cmd.Stdin, cmd.SysProcAttr = slave, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	r := finish(cmd)
	slave.Close()
	if !strings.Contains(r.stdout, "status 4") || !strings.Contains(r.stderr, "nobody to ask") {
		t.Errorf("got %q, %q; want status 4 at once", r.stdout, r.stderr)
	}
}

// TestWhoGaveTheCodeDoesNotWaitForOthers: another role of which AWS says nothing
// holds up neither the answer nor Ctrl-C.
func TestWhoGaveTheCodeDoesNotWaitForOthers(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	m.addProfile("slow", "ReadOnly", "--write", "none")
	m.sim.Inject(awssim.Fault{Action: "AssumeRole", Kind: awssim.Hang, Match: func(c awssim.Call) bool { return strings.HasSuffix(c.RoleARN, "ReadOnly") }})
	p := m.sitDown("credential-process", "--profile", "prod", "--timeout", "10s")
	p.waitsFor(asks)
	begin := time.Now()
	p.types(m.code() + "\n")
	if status := p.ends(); status != 0 || !strings.Contains(p.stdout.String(), "ASIA") {
		t.Errorf("status %d, %q", status, p.sees())
	}
	if took := time.Since(begin); took > 9*time.Second { // AWS's silence lasts 15 s
		t.Errorf("the answer came after %v", took)
	}
}

// TestALoginTakesTheQuestionOver: whoever types mfad login wants to type the code
// there, also while another terminal is being asked.
func TestALoginTakesTheQuestionOver(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "none")
	first := m.sitDown("credential-process", "--profile", "prod")
	first.waitsFor(asks)
	second := m.sitDown("login")
	second.waitsFor(asks)
	second.types(m.code() + "\n")
	if status := second.ends(); status != 0 {
		t.Errorf("the login got status %d, %q", status, second.sees())
	}
	if status := first.ends(); status != 0 || !strings.Contains(first.stdout.String(), "ASIA") {
		t.Errorf("the first got status %d, %q", status, first.sees())
	}
}

// TestCtrlCAtAHiddenQuestion ends the command and gives the echo back.
func TestCtrlCAtAHiddenQuestion(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	p := m.sitDown("identity", "add", "corp")
	p.waitsFor("access key id: ")
	p.types("AKIAEXAMPLE000000001\n")
	p.waitsFor("secret access key (not shown): ")
	p.types("\x03")
	if status := p.ends(); status != 130 {
		t.Errorf("status %d, want 130", status)
	}
	mode, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if mode.Lflag&unix.ECHO == 0 {
		t.Error("the terminal is left without echo")
	}
}

// TestAHungDaemon: a command tells, in bounded time.
func TestAHungDaemon(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.signal(syscall.SIGSTOP)
	defer m.signal(syscall.SIGCONT)
	r := finish(m.command(binary, "credential-process", "--profile", "prod", "--timeout", "1s"))
	if r.status != 6 || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("status %d, %q; want 6 and a hint", r.status, r.stderr)
	}
}
