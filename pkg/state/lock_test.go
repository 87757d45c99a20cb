package state

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// The test binary runs itself again as another mfad process where this variable
// names the part to play.
const partVariable = "MFAD_STATE_TEST_PART"

func TestMain(m *testing.M) {
	part := os.Getenv(partVariable)
	if part == "" {
		os.Exit(m.Run())
	}
	dir := Dir(os.Args[1])
	switch part {
	case "lock":
		playDaemon(dir)
	case "save":
		playSaver(dir, creds.NewSecret(os.Args[2]))
	}
}

// playDaemon says whether it got the lock, and keeps it until stdin ends.
func playDaemon(dir Dir) {
	_, err := dir.Lock()
	if held, ok := errors.AsType[*HeldError](err); ok {
		fmt.Println("held by", held.PID)
		return
	}
	fmt.Println("result", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func play(t *testing.T, part string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), partVariable+"="+part)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, in, bufio.NewReader(out)}
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	if p.ProcessState == nil {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the other process said %q: %v", line, err)
	}
	return strings.TrimSpace(line)
}

func newDir(t *testing.T) Dir {
	t.Helper()
	d := Dir(t.TempDir()).Path("mfad")
	if err := Dir(d).Ensure(); err != nil {
		t.Fatal(err)
	}
	return Dir(d)
}

func TestOneOfManyProcessesGetsTheLock(t *testing.T) {
	d := newDir(t)
	var all []*process
	for range 8 {
		all = append(all, play(t, "lock", string(d)))
	}
	var winner *process
	for _, p := range all {
		switch line := p.line(t); {
		case line != "result <nil>":
			if !strings.HasPrefix(line, "held by ") {
				t.Errorf("a process said %q, want that the lock is held", line)
			}
		case winner != nil:
			t.Fatal("two processes hold the lock")
		default:
			winner = p
		}
	}
	if winner == nil {
		t.Fatal("no process got the lock")
	}

	_, err := d.Lock()
	held, ok := errors.AsType[*HeldError](err)
	if !ok || held.PID != winner.Process.Pid || !strings.Contains(err.Error(), strconv.Itoa(winner.Process.Pid)) {
		t.Errorf("Lock = %v, want it held by pid %d", err, winner.Process.Pid)
	}

	winner.kill() // no chance to tidy up
	l, err := d.Lock()
	if err != nil {
		t.Fatalf("Lock after the holder was killed = %v, want nil", err)
	}
	if got := play(t, "lock", string(d)).line(t); got != "held by "+strconv.Itoa(os.Getpid()) {
		t.Errorf("another process says %q, want held by %d: the dead pid must not be shown", got, os.Getpid())
	}
	if err := l.Release(); err != nil {
		t.Errorf("Release = %v", err)
	}
	if got := play(t, "lock", string(d)).line(t); got != "result <nil>" {
		t.Errorf("after Release another process says %q, want the lock", got)
	}
}

func TestReleaseIsRepeatable(t *testing.T) {
	l, err := newDir(t).Lock()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Release(); err != nil {
			t.Errorf("Release = %v, want nil", err)
		}
	}
	if err := (*Lock)(nil).Release(); err != nil {
		t.Errorf("Release of nil = %v, want nil", err)
	}
}

func TestLockFileOfADeadDaemonIsFree(t *testing.T) {
	for _, content := range []string{"1\n", "999999\n", "nonsense", ""} {
		d := newDir(t)
		if err := os.WriteFile(d.Path(lockName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := d.Lock()
		if err != nil {
			t.Fatalf("Lock over %q = %v, want nil: what counts is the lock, not the text", content, err)
		}
		if got, _ := os.ReadFile(d.Path(lockName)); string(got) != strconv.Itoa(os.Getpid())+"\n" {
			t.Errorf("the file says %q, want our pid", got)
		}
		_ = l.Release()
	}
}

func TestLockWithoutFolder(t *testing.T) {
	_, err := Dir(t.TempDir() + "/none").Lock()
	if creds.CodeOf(err) != creds.CodeInternal {
		t.Errorf("Lock = %v, want code %q", err, creds.CodeInternal)
	}
	if _, ok := errors.AsType[*HeldError](err); ok {
		t.Error("a missing folder looks like a running daemon")
	}
}

// TestHolder is told without a lock being taken.
func TestHolder(t *testing.T) {
	d := Dir(t.TempDir())
	if got := d.Holder(); got != 0 {
		t.Errorf("before a lock the holder is %d, want none", got)
	}
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Holder(); got != os.Getpid() {
		t.Errorf("the holder is %d, want this process, %d", got, os.Getpid())
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if got := d.Holder(); got != 0 {
		t.Errorf("after the release the holder is %d, want none", got)
	}
}
