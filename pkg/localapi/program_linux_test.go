package localapi

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programs serves on a real socket and gives its path, and what ProgramOf says within
// each request.
func programs(t *testing.T) (path string, seen <-chan Program) {
	c := make(chan Program, 1)
	return serve(t, &backend{credentials: func(ctx context.Context, _ CredentialsRequest, _ Talk) (Process, error) {
		c <- ProgramOf(ctx)
		return Process{Version: 1}, nil
	}}), c
}

func nextProgram(t *testing.T, seen <-chan Program) Program {
	t.Helper()
	select {
	case p := <-seen:
		return p
	case <-time.After(20 * time.Second):
		t.Fatal("no request came")
		return Program{}
	}
}

// TestAProgramIsTheSameInAllItsRuns, and no other is.
func TestAProgramIsTheSameInAllItsRuns(t *testing.T) {
	python, _ := python(t)
	path, seen := programs(t)
	run := func(args ...string) Program {
		t.Helper()
		start(t, path, args...)
		return nextProgram(t, seen)
	}
	one, other := write(t, "one.py", pythonClient), write(t, "other.py", pythonClient)
	first := run(python, one)
	if first.ID == "" || first.Path != one || first.Peer != first.PID {
		t.Errorf("a script is %+v", first)
	}
	if again := run(python, "-u", one, "s3", "ls"); again.ID != first.ID {
		t.Errorf("the second run is %q, the first was %q", again.ID, first.ID)
	}
	dir, name := filepath.Split(one)
	if relative := run("sh", "-c", "cd '"+dir+"' && exec '"+python+"' "+name); relative.ID != first.ID {
		t.Errorf("by its relative path it is %q, want %q", relative.ID, first.ID)
	}
	if another := run(python, other); another.ID == first.ID || another.ID == "" {
		t.Errorf("another script is %q, as the first", another.ID)
	}
	// What is given as text may be anything.
	text, again := run(python, "-c", pythonClient), run(python, "-c", pythonClient)
	if text.ID == "" || text.ID == again.ID || text.Path == "" {
		t.Errorf("two texts are %q and %q", text.ID, again.ID)
	}
}

// TestMfadIsThePeerOfItsParent: what counts is who had it started.
func TestMfadIsThePeerOfItsParent(t *testing.T) {
	path, seen := programs(t)
	pid := start(t, path, self(t), "-test.run=^TestClientProcess$")
	p := nextProgram(t, seen)
	if p.PID != os.Getpid() || p.Peer != pid || p.Path != self(t) || p.ID != "file "+self(t) {
		t.Errorf("the program is %+v, want this test, and process %d as its peer", p, pid)
	}
}

// TestAnOrphanIsNoProgram: whoever adopts what others left did not ask for it.
func TestAnOrphanIsNoProgram(t *testing.T) {
	if path, id := identify(1); id != "" {
		t.Errorf("process 1 (%s) is the program %q", path, id)
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("there is no sleep")
	}
	for name, want := range map[string]bool{"systemd": false, "terraform": true} {
		cmd := exec.Command(copyOf(t, sleep, name), "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_, id := identify(cmd.Process.Pid)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if (id != "") != want {
			t.Errorf("%s has the ID %q, want one: %v", name, id, want)
		}
	}
	if _, id := identify(os.Getpid()); !strings.HasPrefix(id, "file /") {
		t.Errorf("this test is %q", id)
	}
}

func TestNoProgram(t *testing.T) {
	if got := ProgramOf(t.Context()); got != (Program{}) {
		t.Errorf("a context of no request has the program %+v", got)
	}
}
