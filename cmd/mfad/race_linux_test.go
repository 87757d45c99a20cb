package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// foreignWrites is how many writes other programs race the daemon with; the
// figure in docs/reliability.md is of 2,000.
var foreignWrites = flag.Int("foreign-writes", 300, "writes of the AWS CLI's own writer that race the daemon")

// awsWriter sets one key after the other with the code behind `aws configure
// set`. Two of them would lose each other's writes without mfad, so that they
// take turns by a lock of their own.
const awsWriter = `
import fcntl, random, sys, time
from awscli.customizations.configure.writer import ConfigFileWriter
path, section, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
turns = open(path + ".turns", "w")
writer = ConfigFileWriter()
for i in range(n):
    fcntl.flock(turns, fcntl.LOCK_EX)
    writer.update_config({"__section__": section, "key_%05d" % i: "value-%d" % i}, path)
    fcntl.flock(turns, fcntl.LOCK_UN)
    time.sleep(random.uniform(0.04, 0.12)) # a write every 20 to 60 ms, from both
`

// busy gives a machine whose daemon rewrites its sections as fast as it can,
// until the test ends. The writes are counted.
func busy(t *testing.T, profiles int) (m *machine, sections []string) {
	m = newMachine(t, 60)
	m.addAlice()
	for i := range profiles {
		name := fmt.Sprintf("p%d", i)
		sections = append(sections, name)
		m.addProfile(name, []string{"Admin", "ReadOnly"}[i%2])
	}
	m.write(".aws/credentials", "# mine\n[default]\naws_access_key_id = AKIAEXAMPLE00000001\naws_secret_access_key = not-a-secret\n", 0o600)
	m.login()
	stop := make(chan struct{})
	var refreshing sync.WaitGroup
	refreshing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				finish(m.command(binary, "refresh"))
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		refreshing.Wait()
	})
	return m, sections
}

// watchFile looks at the credentials file until stop is called, and counts what
// no reader must see: a file that is torn, or lacks one of mfad's sections for
// more than a second.
func watchFile(t *testing.T, path string, sections []string) (stop func()) {
	done, reads := make(chan struct{}), 0
	missing := map[string]time.Time{}
	ours := map[string]bool{} // keys that the first section had
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
			b, err := os.ReadFile(path)
			text := string(b)
			if err != nil || text == "" {
				continue // the AWS CLI's writer empties the file first
			}
			reads++
			if _, own, ok := strings.Cut(text, "["+sections[0]+"]\naws_access_key_id = "); ok {
				key, _, _ := strings.Cut(own, "\n")
				ours[key] = true
			}
			for _, s := range sections {
				if at, known := missing[s]; strings.Contains(text, "["+s+"]\n") {
					delete(missing, s)
				} else if !known {
					missing[s] = time.Now()
				} else if time.Since(at) > time.Second {
					t.Errorf("[%s] was gone for %v", s, time.Since(at))
					missing[s] = time.Now().Add(time.Hour)
				}
			}
		}
	})
	return func() {
		close(done)
		watching.Wait()
		t.Logf("%d reads, %d writes of mfad's seen", reads, len(ours))
		if len(ours) < 10 {
			t.Errorf("mfad wrote %d times: nothing was raced", len(ours))
		}
	}
}

// TestForeignWritesAreNotLost: two loops of the AWS CLI's own writer against a
// daemon that rewrites as fast as it can.
func TestForeignWritesAreNotLost(t *testing.T) {
	t.Parallel()
	needs(t, "aws", "python3", "-c", "import awscli.customizations.configure.writer")
	m, sections := busy(t, 10)
	path := m.path(".aws", "credentials")
	stop := watchFile(t, path, sections)
	each := *foreignWrites / 2
	var loops sync.WaitGroup
	for _, section := range []string{"loop-a", "loop-b"} {
		loops.Go(func() {
			cmd := m.command("python3", "-c", awsWriter, path, section, fmt.Sprint(each))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("the AWS CLI's writer: %v: %s", err, out)
			}
		})
	}
	loops.Wait()
	stop()
	lost := func() (lost []string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"loop-a", "loop-b"} {
			_, body, _ := strings.Cut(string(b), "["+section+"]\n")
			body, _, _ = strings.Cut(body, "\n[")
			for i := range each {
				if !strings.Contains(body, fmt.Sprintf("key_%05d = value-%d\n", i, i)) && !strings.HasSuffix(body, fmt.Sprintf("key_%05d = value-%d", i, i)) {
					lost = append(lost, fmt.Sprintf("%s/%d", section, i))
				}
			}
		}
		return lost
	}
	deadline := time.Now().Add(2 * time.Second)
	for len(lost()) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if l := lost(); len(l) > 0 {
		t.Errorf("%d of %d foreign writes are lost: %.10q", len(l), 2*each, l)
	}
	if b, _ := os.ReadFile(path); !strings.HasPrefix(string(b), "# mine\n[default]\n") {
		t.Errorf("what stood first is gone: %.80q", b)
	}
}

// TestEditorsAndMoves: what editors and dotfile tools do to the file while the
// daemon writes to it.
func TestEditorsAndMoves(t *testing.T) {
	t.Parallel()
	m, sections := busy(t, 3)
	path := m.path(".aws", "credentials")
	holds := func(what string, texts ...string) {
		t.Helper()
		var got string
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			b, _ := os.ReadFile(path)
			got = string(b)
			missing := false
			for _, text := range append(texts, "["+strings.Join(sections, "]\n \n[")+"]\n") {
				for _, part := range strings.Split(text, " \n") {
					missing = missing || !strings.Contains(got, strings.TrimSuffix(part, "\n"))
				}
			}
			if !missing {
				return
			}
		}
		t.Errorf("%s: the file does not hold %q and mfad's sections, but\n%s", what, texts, redact(got))
	}
	t.Run("sed -i", func(t *testing.T) {
		for i := range 20 {
			// Its own read and rename race mfad's; nobody can merge what it never
			// read, so that it is repeated until it holds, as its user would.
			mark := fmt.Sprintf("# sed %d", i)
			for range 20 {
				if out, err := exec.Command("sed", "-i", "1a "+mark, path).CombinedOutput(); err != nil {
					t.Fatalf("sed: %v: %s", err, out)
				}
				if b, _ := os.ReadFile(path); strings.Contains(string(b), mark+"\n") {
					break
				}
			}
			holds("sed -i", mark, "# mine")
		}
	})
	t.Run("vim", func(t *testing.T) {
		needs(t, "vim", "vim", "--version")
		cmd := m.command("vim", "-u", "NONE", "-n", "-es", "-c", "$put ='[from-vim]'", "-c", "$put ='region = eu-west-3'", "-c", "wq", path)
		cmd.Stdin = nil
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("vim: %v: %s", err, out)
		}
		holds("vim", "[from-vim]", "# mine")
	})
	t.Run("a link in its place", func(t *testing.T) {
		dotfiles := m.path("dotfiles")
		if err := os.Mkdir(dotfiles, 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(dotfiles, "aws-credentials")
		if err := os.WriteFile(target, append([]byte("# linked\n"), b...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		holds("a symlink swap", "# linked")
		if to, err := os.Readlink(path); err != nil || to != target {
			t.Errorf("the link is %q, %v; want it kept", to, err)
		}
	})
	t.Run("the folder away and back", func(t *testing.T) {
		away := m.path("aws-away")
		if err := os.Rename(m.path(".aws"), away); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond) // it is away for a while
		if err := os.RemoveAll(m.path(".aws")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.Rename(away, m.path(".aws")); err != nil {
			// The daemon made a new folder in between; a person would move it aside.
			if err := os.Rename(m.path(".aws"), m.path("aws-made")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(away, m.path(".aws")); err != nil {
				t.Fatal(err)
			}
		}
		holds("the folder moved", "# linked", "# mine")
	})
}

var values = regexp.MustCompile(`(?m)^(aws_(?:secret_access_key|session_token) = ).*$`)

// redact takes the secrets out of a file's text.
func redact(text string) string { return values.ReplaceAllString(text, "${1}…") }
