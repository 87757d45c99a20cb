package credfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

func TestSymbolicLinkStays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		exists bool
	}{{"to a file", true}, {"to a file not there yet", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, "", "")
			dots := t.TempDir()
			target := filepath.Join(dots, "aws-credentials")
			want := section("prod", 1)
			if tt.exists {
				put(t, target, "[a]\nx=1\n")
				want = "[a]\nx=1\n\n" + want
			}
			middle := filepath.Join(dots, "middle")
			for link, to := range map[string]string{middle: "aws-credentials", f.Credentials: middle} {
				if err := os.Symlink(to, link); err != nil {
					t.Fatal(err)
				}
			}
			apply(t, f, []Section{prod(1)})
			if to, err := os.Readlink(f.Credentials); err != nil || to != middle {
				t.Errorf("the link leads to %q, %v; want %q", to, err, middle)
			}
			same(t, "target", content(t, target), want)
		})
	}
}

func TestHardLinkIsNotBroken(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	second := filepath.Join(t.TempDir(), "second")
	if err := os.Link(f.Credentials, second); err != nil {
		t.Skip(err)
	}
	_, err := f.Apply(t.Context(), []Section{prod(1)}, nil)
	if creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), "2 names") || !strings.Contains(creds.HintOf(err), "mv ") {
		t.Errorf("Apply = %v (hint %q), want a conflict", err, creds.HintOf(err))
	}
	if e := f.Check(t.Context(), []Section{prod(1)}, nil)["prod"]; e == nil || e.Error() != err.Error() {
		t.Errorf("Check = %v, want %v", e, err)
	}
	same(t, "second name", content(t, second), "[a]\nx=1\n")
	if left := leftovers(f.Credentials); left != nil {
		t.Errorf("temporary files left: %q", left)
	}
}

func TestPlaceVerdict(t *testing.T) {
	t.Parallel()
	ok := place{exists: true, links: 1, owner: 7, self: 7}
	with := func(change func(*place)) place {
		p := ok
		change(&p)
		return p
	}
	for _, tt := range []struct {
		name string
		p    place
		want string
	}{
		{"plain", ok, ""},
		{"not there", place{}, ""},
		{"hard links", with(func(p *place) { p.links = 3 }), "/a: it has 3 names"},
		{"foreign owner", with(func(p *place) { p.owner = 8 }), "/a: it belongs to another user (uid 8)"},
		{"access control list", with(func(p *place) { p.attributes = []string{"an access control list"} }), "/a: it has an access control list"},
		{"folder", with(func(p *place) { p.folder = errors.New("x") }), "/a: its folder cannot be written"},
		{"folder of a file not there", place{folder: errors.New("x")}, "/a: its folder cannot be written"},
	} {
		got := ""
		if e := tt.p.verdict("/a", "/b/a"); e != nil {
			got = e.Error()
			if e.Code != creds.CodeConflict || e.Hint == "" {
				t.Errorf("%s: code %s, hint %q", tt.name, e.Code, e.Hint)
			}
		}
		if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestNotAFile(t *testing.T) {
	t.Parallel()
	f := home(t, "", "")
	f.Credentials = os.DevNull
	if _, err := f.Apply(t.Context(), []Section{prod(1)}, nil); runtime.GOOS != "windows" && creds.CodeOf(err) != creds.CodeConflict {
		t.Errorf("Apply to %s = %v, want a conflict", os.DevNull, err)
	}
}

// TestAsAnotherUser is the body of TestFolderThatCannotBeWritten, in a process
// that is not root's.
func TestAsAnotherUser(t *testing.T) {
	dir := os.Getenv("CREDFILE_TEST_FOLDER")
	if dir == "" {
		t.Skip("run by TestFolderThatCannotBeWritten")
	}
	f := &Files{Credentials: filepath.Join(dir, "credentials"), Config: filepath.Join(dir, "config")}
	r, err := f.Apply(t.Context(), []Section{prod(1)}, nil)
	if r.Written || creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), "its folder cannot be written") {
		t.Errorf("Apply = %+v, %v; want a conflict", r, err)
	}
	if e := f.Check(t.Context(), []Section{prod(1)}, nil)["prod"]; e == nil || !strings.Contains(e.Error(), "its folder cannot be written") {
		t.Errorf("Check = %v, want a conflict", e)
	}
	// What is there already needs no writing.
	if r, err := f.Apply(t.Context(), []Section{{Name: "there", Profile: "there", Credentials: temporary(2)}}, nil); err != nil || r.Written {
		t.Errorf("Apply of what is there = %+v, %v; want no write", r, err)
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes on this system")
	}
	// Root may write everywhere, so a copy of this program runs as nobody.
	base, err := os.MkdirTemp("", "credfile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	chmod(t, base, 0o755)
	dir := filepath.Join(base, "aws")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	before := section("there", 2)
	put(t, filepath.Join(dir, "credentials"), before)
	self := filepath.Join(base, "self")
	copyFile(t, self, os.Args[0])
	cmd := exec.Command(self, "-test.run=^TestAsAnotherUser$", "-test.v")
	cmd.Dir = base
	cmd.Env = append(os.Environ(), "CREDFILE_TEST_FOLDER="+dir, "TMPDIR="+base, "HOME="+base)
	if os.Geteuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = asUser(nobody)
		for _, path := range []string{dir, filepath.Join(dir, "credentials")} {
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod(t, dir, 0o500)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestAsAnotherUser")) {
		t.Errorf("as another user: %v\n%s", err, out)
	}
	chmod(t, dir, 0o700)
	same(t, "credentials", content(t, filepath.Join(dir, "credentials")), before)
	if left := leftovers(filepath.Join(dir, "credentials")); left != nil {
		t.Errorf("temporary files left: %q", left)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLeftoversOfAKilledProcessGo(t *testing.T) {
	t.Parallel()
	f := home(t, section("prod", 1), "")
	dir := filepath.Dir(f.Credentials)
	left := filepath.Join(dir, ".mfad-credentials-123.tmp")
	others := []string{filepath.Join(dir, ".mfad-config-123.tmp"), filepath.Join(dir, "credentials.tmp")}
	for _, path := range append(others, left) {
		put(t, path, "secret")
	}
	if r := apply(t, f, []Section{prod(1)}); r.Written {
		t.Error("nothing changed, but the file was written")
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary file is still there: %v", err)
	}
	for _, path := range others {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("somebody else's file went: %v", err)
		}
	}
}

func TestAnEmptiedFileIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	before := "[a]\nx=1\n"
	f := home(t, before, "")
	// As the AWS CLI writes: truncate, then the content, with a pause that is
	// longer than two looks.
	put(t, f.Credentials, "")
	written := make(chan error, 1)
	go func() {
		time.Sleep(60 * time.Millisecond)
		written <- os.WriteFile(f.Credentials, []byte(before), 0o600)
	}()
	apply(t, f, []Section{prod(1)})
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	same(t, "credentials", content(t, f.Credentials), before+"\n"+section("prod", 1))

	put(t, f.Credentials, "")
	apply(t, f, []Section{prod(2)})
	same(t, "a file that stays empty", content(t, f.Credentials), section("prod", 2))
}

func TestAWriteBeforeTheRenameIsSeen(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	calls := 0
	written, err := f.edit(t.Context(), f.Credentials, func(d *document) ([]byte, error) {
		if calls++; calls < 3 { // the first call is without the lock, the second right before the rename
			put(t, f.Credentials, fmt.Sprintf("[a]\nx=%d\n", 1+calls))
		}
		return appendSections(bytes.Clone(d.Src), "\n", []addition{{"b", []Key{{"y", "1"}}}}), nil
	})
	if !written || err != nil || calls != 3 {
		t.Errorf("edit = %v, %v after %d plans; want written after 3", written, err, calls)
	}
	same(t, "credentials", content(t, f.Credentials), "[a]\nx=3\n\n[b]\ny = 1\n")
	if left := leftovers(f.Credentials); left != nil {
		t.Errorf("temporary files left: %q", left)
	}
}

func TestAFileThatAppearsIsNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	put(t, from, "new")
	put(t, to, "theirs")
	if err := renameNew(from, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("renameNew = %v, want that the file exists", err)
	}
	same(t, "the file there", content(t, to), "theirs")
}

func TestAWriteToTheReplacedFileIsMerged(t *testing.T) {
	t.Parallel()
	if !keepsReplaced {
		t.Skip("files are not kept open on this system")
	}
	before := "[a]\nx = 1\n\n" + section("prod", 1) + "\n[b]\ny = 1\n"
	late := strings.Replace(before, "x = 1", "x = 2", 1) + "[c]\nz = 1\n"
	late = strings.Replace(late, "mfad_profile = prod\n", "mfad_profile = prod\nregion = new\n", 1)
	f := home(t, before, "")
	// Open before the rename, write after it.
	slow, err := os.OpenFile(f.Credentials, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, f, []Section{prod(2)})
	for _, step := range []func() error{
		func() error { return slow.Truncate(0) },
		func() error { _, err := slow.WriteString(late); return err },
		slow.Close,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Flush(t.Context()); err != nil {
		t.Fatalf("Flush = %v, want nil", err)
	}
	same(t, "credentials", content(t, f.Credentials),
		"[a]\nx = 2\n\n"+section("prod", 2)+"region = new\n\n[b]\ny = 1\n[c]\nz = 1\n")
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, base, late, current, want string }{
		{"changed there", "[a]\nx=1\n[b]\ny=1\n", "[a]\nx=2\n[b]\ny=1\n", "[a]\nx=1\n[b]\ny=9\n", "[a]\nx=2\n[b]\ny=9\n"},
		{"added there", "[a]\nx=1\n", "[a]\nx=1\n[b]\ny=1\n", "[a]\nx=1\n[c]\nz=1\n", "[a]\nx=1\n[c]\nz=1\n[b]\ny=1\n"},
		{"deleted there", "[a]\nx=1\n[b]\ny=1\n", "[b]\ny=1\n", "[a]\nx=1\n[b]\ny=2\n", "[b]\ny=2\n"},
		{"deleted there, changed here", "[a]\nx=1\n", "", "[a]\nx=2\n", "[a]\nx=2\n"},
		{"one key each", "[a]\nx=1\ny=1\n", "[a]\nx=2\ny=1\n", "[a]\nx=1\ny=2\n", "[a]\nx=2\ny=2\n"},
		{"the same key", "[a]\nx=1\n", "[a]\nx=2\n", "[a]\nx=3\n", "[a]\nx=3\n"},
		{"a key deleted there", "[a]\nx=1\ny=1\n", "[a]\ny=1\n", "[a]\nx=1\ny=2\n", "[a]\ny=2\n"},
		{"a nested key added there", "[a]\ny=1\n", "[a]\ny=1\ns3 =\n  n = 1\n", "[a]\ny=2\n\n[b]\n", "[a]\ny=2\ns3 =\n  n = 1\n\n[b]\n"},
		{"line ends changed there", "[a]\r\nx=1\r\n[b]\r\ny=1\r\n", "[a]\nx=1\n[b]\ny=2\n", "[a]\r\nx=1\r\n[b]\r\ny=1\r\n", "[a]\r\nx=1\r\n[b]\ny=2\n"},
		{"what mfad removed stays removed", section("p", 1), section("p", 1) + "region = x\n", "[a]\nx=1\n", "[a]\nx=1\n"},
		{"what another removed and this changed stays", "[a]\nx=1\n", "[a]\nx=2\n", "[b]\n", "[b]\n[a]\nx=2\n"},
		{"comments before the first section", "# 1\n[a]\n", "# 2\n[a]\n", "# 1\n[a]\nx=1\n", "# 2\n[a]\nx=1\n"},
		{"no final newline", "[a]\nx=1", "[a]\nx=1\n[b]\ny=1", "[a]\nx=2", "[a]\nx=2\n[b]\ny=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := func(s string) *document { return newDocument("credentials", []byte(s), readCredentials) }
			same(t, "merged", string(merge(doc(tt.base), doc(tt.late), doc(tt.current))), tt.want)
		})
	}
}

func TestApplyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	dir := filepath.Dir(f.Credentials)
	unlock, err := lock(t.Context(), f.Credentials, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := f.Apply(ctx, []Section{prod(1)}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Apply under another process's lock = %v, want the context's error", err)
	}
	same(t, "credentials", content(t, f.Credentials), "[a]\nx=1\n")
}

func TestTwoWritersLoseNothing(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	g := &Files{Credentials: f.Credentials, Config: f.Config}
	const each = 12
	var wg sync.WaitGroup
	for n, files := range []*Files{f, g} {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("w%d-%d", n, i)
				if _, err := files.Apply(t.Context(), []Section{{Name: name, Profile: name, Credentials: temporary(i)}}, nil); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(f.Flush(t.Context()), g.Flush(t.Context())); err != nil {
		t.Error(err)
	}
	got, err := f.Managed(t.Context())
	if err != nil || len(got) != 2*each {
		t.Errorf("%d sections, %v; want %d", len(got), err, 2*each)
	}
}

// TestAgainstTheAWSCLI lets a loop of the real `aws configure set` and one of
// mfad's write to each of the two files at the same time. Two loops of the AWS CLI
// on one file would lose each other's writes.
func TestAgainstTheAWSCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("SKIP-REAL aws-cli: aws is not here")
	}
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	f := home(t, "[keep]\nx = 1\n", "[profile keep]\nx = 1\n")
	const each = 15
	ctx, stop := context.WithCancel(t.Context())
	var cli, own sync.WaitGroup
	set := func(key string) {
		for i := range each {
			cmd := exec.CommandContext(ctx, "aws", "configure", "set", key, fmt.Sprint("v", i), "--profile", fmt.Sprint("p", i))
			cmd.Env = append(os.Environ(), "AWS_CONFIG_FILE="+f.Config, "AWS_SHARED_CREDENTIALS_FILE="+f.Credentials)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("aws: %v\n%s", err, out)
			}
		}
	}
	cli.Go(func() { set("aws_access_key_id") }) // goes to the credentials file
	cli.Go(func() { set("region") })            // goes to the config file
	writes := 0
	own.Go(func() {
		for ; ctx.Err() == nil; writes++ {
			e := Entry{Name: "own", Profile: "own", Region: fmt.Sprint("r", writes)}
			_, err := f.ApplyConfig(context.WithoutCancel(ctx), []Entry{e}, nil)
			if err == nil {
				_, err = f.Apply(context.WithoutCancel(ctx), []Section{prod(writes)}, nil)
			}
			if err != nil {
				t.Errorf("write %d: %v", writes, err)
				return
			}
		}
	})
	cli.Wait()
	stop()
	own.Wait()
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v", err)
	}
	credentials, config := content(t, f.Credentials), content(t, f.Config)
	if !strings.Contains(credentials, "[keep]\nx = 1\n") || !strings.Contains(config, "[profile keep]\nx = 1\n") {
		t.Error("what was there is lost")
	}
	for i := range each {
		if want := fmt.Sprintf("[p%d]\naws_access_key_id = v%d\n", i, i); !strings.Contains(credentials, want) {
			t.Errorf("the AWS CLI's write %d of the credentials file is lost", i)
		}
		if want := fmt.Sprintf("[profile p%d]\nregion = v%d\n", i, i); !strings.Contains(config, want) {
			t.Errorf("the AWS CLI's write %d of the config file is lost", i)
		}
	}
	t.Logf("%d of mfad's writes to each file, %d of the AWS CLI's", writes, each)
}
