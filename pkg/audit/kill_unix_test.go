//go:build unix

package audit

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// child starts this test program as another process that runs one function on a
// log.
func child(what, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AUDIT_CHILD="+what, "AUDIT_LOG="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestMain(m *testing.M) {
	l := &Log{Path: os.Getenv("AUDIT_LOG"), Max: 3000}
	switch os.Getenv("AUDIT_CHILD") {
	case "":
		os.Exit(m.Run())
	case "append":
		appendForever(l)
	case "full":
		if err := fillTheDisk(l); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// appendForever appends numbers, and prints each once it is appended.
func appendForever(l *Log) {
	for i := 0; ; i++ {
		if err := l.Append(Record{Action: "AssumeRole", Profile: strconv.Itoa(os.Getpid()), Asked: i + 1, Outcome: OK}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(i + 1)
	}
}

// TestKill9 kills a process that appends, and rotates every 30 records, as fast
// as it can. What it said to be appended must be there, without a gap.
func TestKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	const kills = 25
	for round := range kills {
		cmd := child("append", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last, lines := 0, bufio.NewScanner(out)
		for lines.Scan() {
			if last, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
			if last == 40+13*round { // each time at another point of a rotation
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || last < 40 {
			t.Fatalf("the child was not killed, or too early: %v, %d records", err, last)
		}
		records, damaged, err := Read(path, Filter{Profile: strconv.Itoa(cmd.Process.Pid)})
		if err != nil || damaged > round+1 || len(records) == 0 {
			t.Fatalf("round %d: read %d records, %d damaged lines, %v", round, len(records), damaged, err)
		}
		for i, r := range records[1:] {
			if r.Asked != records[i].Asked+1 {
				t.Fatalf("round %d: record %d follows %d", round, r.Asked, records[i].Asked)
			}
		}
		if got := records[len(records)-1].Asked; got < last {
			t.Fatalf("round %d: the last record is %d, but %d were appended", round, got, last)
		}
		// 3000 bytes hold some 30 records: of five files at most the oldest may be missing.
		if len(records) < min(last, 90) {
			t.Fatalf("round %d: only %d of %d records are left", round, len(records), last)
		}
	}
}

// fillTheDisk appends where files may not grow over a limit, so that a write
// stops in the middle of a line as on a full disk, and then lifts it.
func fillTheDisk(l *Log) error {
	l.Max = 0
	// The limit's signal would end the process.
	signal.Ignore(unix.SIGXFSZ)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	before := limit
	limit.Cur = 1000
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	told := 0
	for i := range 40 {
		if err := l.Append(Record{Action: "AssumeRole", Profile: strconv.Itoa(i), Outcome: OK}); err != nil {
			if told++; !errors.Is(err, unix.EFBIG) {
				return fmt.Errorf("an append gave %w, want that the file is too large", err)
			}
		}
	}
	if told != 1 {
		return fmt.Errorf("the full disk was told %d times, want once", told)
	}
	if info, err := os.Stat(l.Path); err != nil || info.Size() != 1000 {
		return fmt.Errorf("the log is not filled up: %v", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	return l.Append(Record{Action: "AssumeRole", Profile: "after", Outcome: OK})
}

func TestAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if out, err := child("full", path).Output(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	records, damaged, err := Read(path, Filter{})
	if err != nil || damaged != 1 || len(records) < 5 {
		t.Fatalf("read %d records, %d damaged lines (%v); want several, and half a line", len(records), damaged, err)
	}
	n := len(records) - 2
	for i, r := range records[:n] {
		if r.Profile != strconv.Itoa(i) {
			t.Errorf("record %d is %q", i, r.Profile)
		}
	}
	if want := fmt.Sprintf("%d records were not written", 40-n); records[n].Action != Lost || !strings.HasPrefix(records[n].Message, want) {
		t.Errorf("then comes %+v, want %q", records[n], want)
	}
	if records[n+1].Profile != "after" || time.Since(records[n+1].Time) > time.Hour {
		t.Errorf("at last comes %+v, want the record after the disk was full", records[n+1])
	}
}
