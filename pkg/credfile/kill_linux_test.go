package credfile

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const (
	killedBefore = "# mine\n[a]\nx = 1\n\n"
	killedLate   = "# mine\n[a]\nx = 2\n\n"
	killedTail   = "\n[b]\ny = 1\n"
)

// TestOneWrite is the body of the tests that kill, in a process of its own. It
// says "written" after its write, and "flushed" when nothing is left to do.
func TestOneWrite(t *testing.T) {
	dir := os.Getenv("CREDFILE_TEST_KILLED")
	if dir == "" {
		t.Skip("run by the tests that kill")
	}
	runtime.LockOSThread() // strace counts the calls of each thread
	f := &Files{Credentials: filepath.Join(dir, "credentials"), Config: filepath.Join(dir, "config")}
	if _, err := f.Apply(t.Context(), []Section{prod(2)}, nil); err != nil {
		t.Fatal(err)
	}
	fmt.Println("written")
	if os.Getenv("CREDFILE_TEST_STOP") != "" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("flushed")
}

// victim gives the files that a child is to be killed over, and the credentials
// file opened by another program that has not written yet.
func victim(t *testing.T) (f *Files, slow *os.File) {
	t.Helper()
	f = home(t, killedBefore+section("prod", 1)+killedTail, "")
	slow, err := os.OpenFile(f.Credentials, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slow.Close() })
	return f, slow
}

func oneWrite(f *Files, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, append(args, "-test.run=^TestOneWrite$")...)
	cmd.Env = append(os.Environ(), "CREDFILE_TEST_KILLED="+filepath.Dir(f.Credentials))
	return cmd
}

// writeLate is what `aws configure set` does: it empties the file, writes it and
// closes it.
func writeLate(t *testing.T, slow *os.File) {
	t.Helper()
	err := slow.Truncate(0)
	if err == nil {
		_, err = slow.WriteString(killedLate + section("prod", 1) + killedTail + "[c]\nz = 1\n")
	}
	if err == nil {
		err = slow.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// reachable tells whether the file that slow has open still has a name.
func reachable(t *testing.T, slow *os.File) bool {
	t.Helper()
	info, err := slow.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Nlink > 0
}

func TestALateWriteAfterAKillIsNotLost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		heal func(*testing.T, *Files)
		n    int
	}{
		{"the next write merges it", func(t *testing.T, f *Files) { apply(t, f, []Section{prod(3)}) }, 3},
		{"and one that changes nothing", func(t *testing.T, f *Files) { apply(t, f, []Section{prod(2)}) }, 2},
		{"and a start", func(t *testing.T, f *Files) {
			if err := f.Recover(t.Context()); err != nil {
				t.Errorf("Recover = %v, want nil", err)
			}
		}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, slow := victim(t)
			cmd := oneWrite(f, os.Args[0])
			cmd.Env = append(cmd.Env, "CREDFILE_TEST_STOP=1")
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "written\n" {
				t.Errorf("the child says %q, %v", line, err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			writeLate(t, slow)
			for _, name := range beside(f.Credentials) {
				mode(t, name, 0o600)
			}
			tt.heal(t, f)
			if err := f.Flush(t.Context()); err != nil {
				t.Errorf("Flush = %v, want nil", err)
			}
			same(t, "credentials", content(t, f.Credentials), killedLate+section("prod", tt.n)+killedTail+"[c]\nz = 1\n")
			if left := beside(f.Credentials); left != nil {
				t.Errorf("files left: %q", left)
			}
		})
	}
}

// TestKilledAtEverySystemCall kills a process before each system call of a write
// by which files are opened, changed, named or locked.
func TestKilledAtEverySystemCall(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIP-REAL strace: strace is not here")
	}
	if out, err := exec.Command(strace, "-qq", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("no process may be traced on this machine: %s", bytes.TrimSpace(out))
	}
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	for _, call := range []string{"openat", "pread64", "flock", "write", "fchmod", "fsync", "linkat", "renameat", "unlinkat"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			kills, late := 0, 0
			// The child looks at the replaced file again and again: one look is as
			// another from some point on.
			for survived := false; !survived && kills < 60; kills++ {
				var wrote bool
				survived, wrote = killAt(t, strace, call, kills+1)
				if wrote {
					late++
				}
			}
			kills--
			t.Logf("killed at %d calls; %d late writes", kills, late)
			if kills == 0 {
				t.Error("it was never killed")
			}
		})
	}
}

// killAt kills one write at the nth call, lets another program write to the file
// that it had open, if that has a name, and looks at what the next write makes.
func killAt(t *testing.T, strace, call string, n int) (survived, wrote bool) {
	t.Helper()
	f, slow := victim(t)
	if call == "unlinkat" { // second names go once nobody has the file open
		if err := slow.Close(); err != nil {
			t.Fatal(err)
		}
	}
	inject := fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n)
	out, _ := oneWrite(f, strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call, "-e", inject, os.Args[0]).CombinedOutput()
	survived = bytes.Contains(out, []byte("flushed\n"))
	now := content(t, f.Credentials)
	if now != killedBefore+section("prod", 1)+killedTail && now != killedBefore+section("prod", 2)+killedTail {
		t.Errorf("%d: after the kill the file is neither old nor new: %q", n, now)
	}
	if bytes.Contains(out, []byte("written\n")) && !strings.Contains(now, section("prod", 2)) {
		t.Errorf("%d: Apply returned, and the file is the old one", n)
	}
	want := killedBefore + section("prod", 3) + killedTail
	if wrote = call != "unlinkat" && reachable(t, slow); wrote {
		writeLate(t, slow)
		want = killedLate + section("prod", 3) + killedTail + "[c]\nz = 1\n"
	}
	if e := f.Check(t.Context(), []Section{prod(3)}, nil); len(e) > 0 {
		t.Errorf("%d: Check = %v, want nothing", n, e)
	}
	apply(t, f, []Section{prod(3)})
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("%d: Flush = %v, want nil", n, err)
	}
	same(t, fmt.Sprint(n, ": credentials"), content(t, f.Credentials), want)
	if left := beside(f.Credentials); left != nil {
		t.Errorf("%d: files left: %q", n, left)
	}
	mode(t, f.Credentials, 0o600)
	return survived, wrote
}
