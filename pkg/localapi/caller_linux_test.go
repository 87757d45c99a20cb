package localapi

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestClientProcess is no test but a client, in a process of its own.
func TestClientProcess(t *testing.T) {
	path := os.Getenv("CALLER_SOCKET")
	if path == "" {
		t.Skip("only other tests start this")
	}
	raw(t, path, post("", `{"profile":"prod"}`))
}

// reports serves on a real socket and gives its path, and what CallerOf says
// within each request.
func reports(t *testing.T) (path string, callers <-chan Caller) {
	seen := make(chan Caller, 1)
	return serve(t, &backend{credentials: func(ctx context.Context, _ CredentialsRequest, _ Talk) (Process, error) {
		seen <- CallerOf(ctx)
		return Process{Version: 1}, nil
	}}), seen
}

// start runs a program as a client of the socket at path and gives its process
// ID. The program has ended when the test ends.
func start(t *testing.T, path string, args ...string) int {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = t.TempDir()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = append(os.Environ(), "CALLER_SOCKET="+path, "CLIENT="+clientCommand(self(t)),
		"GORACE=atexit_sleep_ms=0") // else each client with a race detector ends a second late
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, said.String())
		}
	})
	return cmd.Process.Pid
}

func next(t *testing.T, callers <-chan Caller) Caller {
	t.Helper()
	select {
	case c := <-callers:
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("no request came")
		return Caller{}
	}
}

// self is this test program. It is what the server runs as well, so that it
// counts as mfad.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// clientCommand is a shell's command for a client.
func clientCommand(program string) string { return "'" + program + "' -test.run=^TestClientProcess$" }

// python gives a python3 and the base name of what runs then.
func python(t *testing.T) (path, program string) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIP-REAL callers: there is no python3")
	}
	out, err := exec.Command(path, "-c", "import os, sys; print(os.path.realpath(sys.executable))").Output()
	if err != nil {
		t.Skip("SKIP-REAL callers: python3 does not run")
	}
	path = strings.TrimSpace(string(out))
	return path, filepath.Base(path)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// pythonClient asks at the socket itself.
const pythonClient = `
import os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["CALLER_SOCKET"])
s.sendall(b"POST /v1/credentials HTTP/1.1\r\nHost: mfad\r\nConnection: close\r\nContent-Length: 18\r\n\r\n" + b'{"profile":"prod"}')
while s.recv(4096):
    pass
`

func TestAProgramThatAsksItself(t *testing.T) {
	python, name := python(t)
	path, callers := reports(t)
	file := write(t, "fetch.py", pythonClient)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"a script is named, and none of its arguments", []string{file, "--password", "hunter2"}, name + " fetch.py"},
		{"flags before it are passed over", []string{"-E", "-u", file, "hunter2"}, name + " fetch.py"},
		{"a command's text is not shown", []string{"-c", pythonClient, file}, name},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pid := start(t, path, append([]string{python}, tt.args...)...)
			if got, want := next(t, callers), (Caller{pid, tt.want}); got != want {
				t.Errorf("the caller is %+v, want %+v", got, want)
			}
		})
	}
}

func TestAScriptInTheCallersFolder(t *testing.T) {
	python, name := python(t)
	path, callers := reports(t)
	file := write(t, "fetch.py", pythonClient)
	// "exec" keeps the process, whose folder is not ours.
	pid := start(t, path, "sh", "-c", "cd '"+filepath.Dir(file)+"' && exec '"+python+"' fetch.py")
	if got, want := next(t, callers), (Caller{pid, name + " fetch.py"}); got != want {
		t.Errorf("the caller is %+v, want %+v", got, want)
	}
}

// TestMfadStandsForItsParent has mfad itself ask, started in the ways in which
// SDKs and people do.
func TestMfadStandsForItsParent(t *testing.T) {
	program := self(t)
	me := Caller{os.Getpid(), filepath.Base(program)}
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	path, callers := reports(t)
	// A shell that has something left to do does not make room for its command.
	command := clientCommand(program) + "; true"
	t.Run("by a program", func(t *testing.T) {
		start(t, path, program, "-test.run=^TestClientProcess$")
		if got := next(t, callers); got != me {
			t.Errorf("the caller is %+v, want this test, %+v", got, me)
		}
	})
	t.Run("through sh -c", func(t *testing.T) {
		start(t, path, "sh", "-c", command)
		if got := next(t, callers); got != me {
			t.Errorf("the caller is %+v, want this test, %+v", got, me)
		}
	})
	t.Run("through two shells", func(t *testing.T) {
		start(t, path, "sh", "-ec", `sh -c "$CLIENT; true"; true`)
		if got := next(t, callers); got != me {
			t.Errorf("the caller is %+v, want this test, %+v", got, me)
		}
	})
	t.Run("by a shell script", func(t *testing.T) {
		pid := start(t, path, "sh", write(t, "fetch.sh", command), "hunter2")
		if got, want := next(t, callers), (Caller{pid, filepath.Base(sh) + " fetch.sh"}); got != want {
			t.Errorf("the caller is %+v, want %+v", got, want)
		}
	})
	t.Run("by a python script, through sh -c", func(t *testing.T) {
		python, name := python(t)
		file := write(t, "aws", "import os, subprocess\nsubprocess.run(['sh', '-c', os.environ['CLIENT'] + '; true'], check=True)\n")
		pid := start(t, path, python, file, "s3", "ls")
		if got, want := next(t, callers), (Caller{pid, name + " aws"}); got != want {
			t.Errorf("the caller is %+v, want %+v", got, want)
		}
	})
	t.Run("in another version", func(t *testing.T) {
		start(t, path, copyOf(t, program, "mfad"), "-test.run=^TestClientProcess$")
		if got := next(t, callers); got != me {
			t.Errorf("the caller is %+v, want this test, %+v", got, me)
		}
	})
	t.Run("but not by another name", func(t *testing.T) {
		pid := start(t, path, copyOf(t, program, "other"), "-test.run=^TestClientProcess$")
		if got, want := next(t, callers), (Caller{pid, "other"}); got != want {
			t.Errorf("the caller is %+v, want %+v", got, want)
		}
	})
}

// copyOf copies a program to another name, so that it is another file.
func copyOf(t *testing.T, program, name string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, name, string(content))
}

func TestACallerThatIsGone(t *testing.T) {
	python, _ := python(t)
	came, gone, seen := make(chan struct{}), make(chan struct{}), make(chan Caller, 1)
	path := serve(t, &backend{credentials: func(ctx context.Context, _ CredentialsRequest, _ Talk) (Process, error) {
		close(came)
		<-gone
		seen <- CallerOf(ctx)
		return Process{}, nil
	}})
	cmd := exec.Command(python, "-c", pythonClient)
	cmd.Env = append(os.Environ(), "CALLER_SOCKET="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-came
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	close(gone)
	// The server may have closed the connection already: then nothing is known.
	if got := next(t, seen); got != (Caller{}) && got != (Caller{PID: cmd.Process.Pid}) {
		t.Errorf("the caller is %+v, want nobody, or process %d without a name", got, cmd.Process.Pid)
	}
}

func TestNoCaller(t *testing.T) {
	if got := CallerOf(t.Context()); got != (Caller{}) {
		t.Errorf("a context of no request has the caller %+v", got)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if got := CallerOf(withConn(t.Context(), a)); got != (Caller{}) {
		t.Errorf("a connection without a peer has the caller %+v", got)
	}
}

func TestAnOddNameHidesNoParent(t *testing.T) {
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("there is no cat")
	}
	cmd := exec.Command(copyOf(t, cat, "x) S 1 (y"))
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
	// An answer shows that it runs: before, the process is still a copy of us.
	if _, err := io.WriteString(in, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if got := parentOf(cmd.Process.Pid); got != os.Getpid() {
		t.Errorf("the parent is %d, want %d", got, os.Getpid())
	}
	if got := executable(cmd.Process.Pid); got != "x) S 1 (y" {
		t.Errorf("the program is %q", got)
	}
	if err := os.Remove(cmd.Path); err != nil {
		t.Fatal(err)
	}
	if got := executable(cmd.Process.Pid); got != "x) S 1 (y" {
		t.Errorf("after its file was removed the program is %q", got)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestScript(t *testing.T) {
	for _, tt := range []struct {
		args, path string
		command    bool
	}{
		{"", "", false},
		{"/usr/bin/aws s3 ls", "/usr/bin/aws", false},
		{"-u -W aws", "aws", false},
		{"--norc --noprofile -eo pipefail run.sh", "run.sh", false},
		{"-- -odd", "-odd", false},
		{"-c text", "", true},
		{"-lc text", "", true},
		{"-e -o pipefail -c text", "", true},
		{"+x -c text", "", true},
		{"- -c", "-", false}, // a script on stdin
		{"run.sh -c text", "run.sh", false},
	} {
		if path, command := script(strings.Fields(tt.args)); path != tt.path || command != tt.command {
			t.Errorf("%q: script %q, command %v; want %q, %v", tt.args, path, command, tt.path, tt.command)
		}
	}
}

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"terraform":                     "terraform",
		"é 日本":                          "é 日本",
		"a\x1b[31mb\nc\x00d\u202ee":     "a[31mbcde",
		"bad\xff":                       "bad",
		strings.Repeat("ü", 79) + "xyz": strings.Repeat("ü", 79) + "x",
	} {
		if got := printable(name); got != want {
			t.Errorf("printable(%q) = %q, want %q", name, got, want)
		}
	}
}

// BenchmarkCallerOf looks up the longest way that is usual: mfad, started by a
// script of an interpreter.
func BenchmarkCallerOf(b *testing.B) {
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	c, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx := withConn(b.Context(), c)
	if got := CallerOf(ctx); got.PID != os.Getppid() {
		b.Fatalf("the caller is %+v, want process %s", got, strconv.Itoa(os.Getppid()))
	}
	for b.Loop() {
		CallerOf(ctx)
	}
}
