package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// newLog makes a log in a folder of the test's own.
func newLog(t *testing.T, limit int64) *Log {
	t.Helper()
	l := &Log{Path: filepath.Join(t.TempDir(), FileName), Max: limit}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func add(t *testing.T, l *Log, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := l.Append(Record{Action: "AssumeRole", Profile: n, Outcome: OK}); err != nil {
			t.Fatal(err)
		}
	}
}

// names reads the whole log and gives its records' profiles.
func names(t *testing.T, path string) (profiles []string, damaged int) {
	t.Helper()
	records, damaged, err := Read(path, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		profiles = append(profiles, r.Profile)
	}
	return profiles, damaged
}

func wantNames(t *testing.T, path string, want ...string) {
	t.Helper()
	if got, damaged := names(t, path); !slices.Equal(got, want) || damaged != 0 {
		t.Errorf("read %q and %d damaged lines, want %q and none", got, damaged, want)
	}
}

func TestALineIsWhatScriptsRead(t *testing.T) {
	l := newLog(t, 0)
	end := time.Date(2026, 3, 2, 10, 0, 0, 0, time.FixedZone("", 3600))
	r := Record{
		Time: end.Add(-time.Hour).Add(1234567 * time.Microsecond), Action: "AssumeRole", Identity: "corp", Profile: "prod",
		RoleARN: "arn:aws:iam::222222222222:role/Admin", Way: "direct", Asked: 43200, Given: 3600, Expires: &end,
		Why: "the code was given for <prod>", PID: 7, Program: "python3 aws",
	}.Ended(nil)
	if err := l.Append(r); err != nil {
		t.Fatal(err)
	}
	failed := Record{Time: end, Action: "GetSessionToken"}.Ended(&creds.Error{Code: creds.CodeMFARejected, Op: "start the session", Err: errors.New("refused")})
	if err := l.Append(failed); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(l.Path)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"time":"2026-03-02T08:00:01.234Z","action":"AssumeRole","identity":"corp","profile":"prod","role_arn":"arn:aws:iam::222222222222:role/Admin","via":"direct","asked_seconds":43200,"given_seconds":3600,"expires":"2026-03-02T09:00:00Z","outcome":"ok","why":"the code was given for <prod>","pid":7,"program":"python3 aws"}
{"time":"2026-03-02T09:00:00Z","action":"GetSessionToken","outcome":"mfa_rejected","message":"start the session: refused"}
`
	if string(got) != want {
		t.Errorf("the log is\n%s\nwant\n%s", got, want)
	}
	if end.Location() == time.UTC {
		t.Error("the caller's own time was changed")
	}
}

func TestATimeThatIsMissingIsNow(t *testing.T) {
	l := newLog(t, 0)
	before := time.Now().Truncate(time.Millisecond)
	add(t, l, "prod")
	records, _, err := Read(l.Path, Filter{})
	if err != nil || len(records) != 1 || records[0].Time.Before(before) || records[0].Time.After(time.Now()) {
		t.Errorf("read %+v (%v), want one record of now", records, err)
	}
}

func TestALongLineIsCut(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	for _, r := range []Record{
		{Action: "AssumeRole", Profile: "prod", Message: long},
		{Action: "AssumeRole", Profile: "prod", Message: strings.Repeat("\x00", 9000)}, // six bytes each in JSON
		{Action: "AssumeRole", Profile: "prod", Message: strings.Repeat("\xff", 9000)},
		{Action: "AssumeRole", Profile: "prod", Message: long, Why: long, Program: long, RoleARN: long, Identity: long},
	} {
		l := newLog(t, 0)
		if err := l.Append(r); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(l.Path)
		if err != nil || len(b) >= maxLine || strings.Count(string(b), "\n") != 1 {
			t.Errorf("%d bytes in %d lines (%v), want one line under %d", len(b), strings.Count(string(b), "\n"), err, maxLine)
		}
		records, damaged, err := Read(l.Path, Filter{Action: "assumerole", Profile: "prod"})
		if err != nil || damaged != 0 || len(records) != 1 || len(records[0].Message) < 200 {
			t.Errorf("read %+v, %d damaged lines (%v); want the record with the beginning of its message", records, damaged, err)
		}
	}
}

func TestATimeThatJSONCannotHold(t *testing.T) {
	l := newLog(t, 0)
	if err := l.Append(Record{Time: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), Action: "AssumeRole", Profile: "prod"}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, l.Path, "prod")
}

func TestHalfALineIsEnded(t *testing.T) {
	l := newLog(t, 0)
	add(t, l, "before")
	damage := func(text string) {
		t.Helper()
		f, err := os.OpenFile(l.Path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	damage(`{"time":"2026-03-02T09:00`)
	add(t, l, "while it was open")
	l.Close()
	damage("\x00\x00\x00\x00") // what a power cut leaves on some file systems
	again := &Log{Path: l.Path}
	defer again.Close()
	add(t, again, "by another process", "last")
	got, damaged := names(t, l.Path)
	if want := []string{"before", "while it was open", "by another process", "last"}; !slices.Equal(got, want) || damaged != 2 {
		t.Errorf("read %q and %d damaged lines, want %q and 2", got, damaged, want)
	}
}

func TestAFileThatWentIsMadeAgain(t *testing.T) {
	for _, tt := range []struct {
		name string
		harm func(t *testing.T, path string)
		want []string
	}{
		{"removed", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, []string{"after", "last"}},
		{"emptied", func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		}, []string{"after", "last"}},
		{"replaced by a file that others can read", func(t *testing.T, path string) {
			other := path + ".new"
			if err := os.WriteFile(other, []byte(`{"time":"2026-03-02T09:00:00Z","action":"x","profile":"theirs","outcome":"ok"}`), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(other, path); err != nil {
				t.Fatal(err)
			}
		}, []string{"theirs", "after", "last"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLog(t, 0)
			add(t, l, "before")
			tt.harm(t, l.Path)
			add(t, l, "after", "last")
			wantNames(t, l.Path, tt.want...)
			if info, err := os.Stat(l.Path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
			}
		})
	}
}

func TestALinkIsNotFollowed(t *testing.T) {
	l := newLog(t, 0)
	target := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(target, []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, l.Path); err != nil {
		t.Fatal(err)
	}
	err := l.Append(Record{Action: "AssumeRole"})
	if creds.CodeOf(err) != creds.CodeInternal || !strings.HasSuffix(creds.HintOf(err), l.Path) {
		t.Errorf("got %v (hint %q), want an error that names the link", err, creds.HintOf(err))
	}
	if b, err := os.ReadFile(target); err != nil || string(b) != "mine\n" {
		t.Errorf("the link's target is %q (%v)", b, err)
	}
	if _, _, err := Read(l.Path, Filter{}); creds.CodeOf(err) != creds.CodeInternal {
		t.Errorf("reading through the link gave %v", err)
	}
}

// TestFailuresAreToldOnce has the log's folder away for a while.
func TestFailuresAreToldOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	l := &Log{Path: filepath.Join(dir, FileName)}
	defer l.Close()
	if err := l.Append(Record{Action: "a"}); creds.CodeOf(err) != creds.CodeInternal {
		t.Errorf("the first failure gave %v, want it told", err)
	}
	for range 2 {
		if err := l.Append(Record{Action: "a"}); err != nil {
			t.Errorf("a failure in a row gave %v, want it counted only", err)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	add(t, l, "after")
	records, _, err := Read(l.Path, Filter{})
	if err != nil || len(records) != 2 || records[0].Action != Lost || !strings.Contains(records[0].Message, "3 records") || records[1].Profile != "after" {
		t.Errorf("read %+v (%v), want that 3 records are missing, and the new one", records, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(Record{Action: "a"}); err == nil {
		t.Error("a failure after a success was not told")
	}
}

func TestANilLogKeepsNothing(t *testing.T) {
	var l *Log
	if err := errors.Join(l.Append(Record{Action: "a"}), l.Close()); err != nil {
		t.Error(err)
	}
}

func TestAppendAfterClose(t *testing.T) {
	l := newLog(t, 0)
	add(t, l, "a")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, l, "b")
	wantNames(t, l.Path, "a", "b")
}

// numbers are the names of n records, each with a line of its own length.
func numbers(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("%04d", i))
	}
	return list
}

func TestRotation(t *testing.T) {
	l := newLog(t, 1000)
	all := numbers(0, 100)
	add(t, l, all...)
	got, damaged := names(t, l.Path)
	if len(got) < 30 || !slices.Equal(got, all[100-len(got):]) || damaged != 0 {
		t.Errorf("read %q and %d damaged lines, want the last ones without a gap", got, damaged)
	}
	for n := range keep + 1 {
		info, err := os.Stat(slot(l.Path, n))
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 1000 {
			t.Errorf("file %d: %v (%v), want mode 0600 and at most 1000 bytes", n, info, err)
		}
	}
	if _, err := os.Stat(slot(l.Path, keep+1)); !os.IsNotExist(err) {
		t.Errorf("there is a file more than %d old ones (%v)", keep, err)
	}
}

// TestAnInterruptedRotationLosesNothing makes the folder as a kill after any of
// the renames leaves it, and goes on from there.
func TestAnInterruptedRotationLosesNothing(t *testing.T) {
	for done := range keep + 1 {
		t.Run(strconv.Itoa(done)+" renames", func(t *testing.T) {
			l := newLog(t, 100) // one record in each file
			add(t, l, numbers(0, keep+1)...)
			l.Close()
			for n := keep; n > keep-done; n-- { // the oldest goes with the first
				if err := os.Rename(slot(l.Path, n-1), slot(l.Path, n)); err != nil {
					t.Fatal(err)
				}
			}
			first := min(done, 1)
			wantNames(t, l.Path, numbers(first, keep+1)...)
			again := &Log{Path: l.Path, Max: l.Max}
			defer again.Close()
			add(t, again, numbers(keep+1, keep+2)...)
			wantNames(t, l.Path, numbers(1, keep+2)...)
		})
	}
}

// TestARotationThatFails has something in the way that no rename replaces.
func TestARotationThatFails(t *testing.T) {
	l := newLog(t, 100)
	add(t, l, "a")
	if err := os.MkdirAll(filepath.Join(slot(l.Path, keep), "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < keep; n++ {
		if err := os.WriteFile(slot(l.Path, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append(Record{Action: "x", Profile: "b"}); creds.CodeOf(err) != creds.CodeInternal {
		t.Errorf("got %v, want to be told", err)
	}
	add(t, l, "c") // and only once
	if err := os.RemoveAll(slot(l.Path, keep)); err != nil {
		t.Fatal(err)
	}
	wantNames(t, l.Path, "a", "b", "c") // nothing was lost meanwhile
	add(t, l, "d")
	wantNames(t, l.Path, "a", "b", "c", "d")
	if b, err := os.ReadFile(l.Path); err != nil || strings.Count(string(b), "\n") != 1 {
		t.Errorf("the log holds %q (%v), want the last record alone", b, err)
	}
}

// TestConcurrentAppends rotates all the while, and reads.
func TestConcurrentAppends(t *testing.T) {
	const writers, each = 8, 300
	l := newLog(t, 64<<10)
	var group, reader sync.WaitGroup
	stop := make(chan struct{})
	reader.Go(func() {
		for most := 0; ; {
			select {
			case <-stop:
				return
			default:
			}
			got, damaged := names(t, l.Path)
			if len(got) < most || damaged != 0 {
				t.Errorf("a reader saw %d records and %d damaged lines after %d", len(got), damaged, most)
				return
			}
			most = len(got)
		}
	})
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := l.Append(Record{Action: "AssumeRole", Profile: fmt.Sprint(w, "/", i), Outcome: OK}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	close(stop)
	reader.Wait()
	got, damaged := names(t, l.Path)
	seen := map[string]int{}
	for _, n := range got {
		seen[n]++
	}
	if len(got) != writers*each || len(seen) != writers*each || damaged != 0 {
		t.Errorf("read %d records, %d different, %d damaged lines; want %d, each once", len(got), len(seen), damaged, writers*each)
	}
	for w := range writers { // each writer's are in order
		last := -1
		for _, n := range got {
			if rest, ok := strings.CutPrefix(n, fmt.Sprint(w, "/")); ok {
				i, _ := strconv.Atoi(rest)
				if i != last+1 {
					t.Fatalf("writer %d: %d follows %d", w, i, last)
				}
				last = i
			}
		}
	}
	if _, err := os.Stat(slot(l.Path, 1)); err != nil {
		t.Errorf("nothing was rotated: %v", err)
	}
}
