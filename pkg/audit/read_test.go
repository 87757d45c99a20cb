package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFilter(t *testing.T) {
	l := newLog(t, 0)
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for i, r := range []Record{
		{Action: "AssumeRole", Profile: "prod"}, {Action: "AssumeRole", Profile: "prod-db"}, {Action: HandOut, Profile: "prod"}, {Action: Console},
	} {
		r.Time = noon.Add(time.Duration(i) * time.Hour)
		if err := l.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		f    Filter
		want []int // hours after noon
	}{
		{"all", Filter{}, []int{0, 1, 2, 3}},
		{"since a record's own time", Filter{Since: noon.Add(time.Hour)}, []int{1, 2, 3}},
		{"a profile, exactly", Filter{Profile: "prod"}, []int{0, 2}},
		{"but not in another case", Filter{Profile: "Prod"}, nil},
		{"an action, in any case", Filter{Action: "assumerole"}, []int{0, 1}},
		{"all of it", Filter{Since: noon.Add(time.Minute), Profile: "prod", Action: "HAND-OUT"}, []int{2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			records, damaged, err := Read(l.Path, tt.f)
			if err != nil || damaged != 0 {
				t.Fatalf("%d damaged lines, %v", damaged, err)
			}
			var got []int
			for _, r := range records {
				got = append(got, int(r.Time.Sub(noon)/time.Hour))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got the records of hours %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDamagedLinesAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	text := strings.Join([]string{
		`{"time":"2026-03-02T09:00:00Z","action":"AssumeRole","profile":"a","outcome":"ok"}`,
		`{"time":"2026-03-02T09:00:00Z","action":"AssumeRole","profile":"b","outcome":"ok","of_a_later_version":{"x":1}}`,
		`{"time":"2026-03-02T09:`,
		"",
		`"text"`, `{}`, `{"action":7}`, "\x00\x00\x00",
		strings.Repeat("x", 1<<20),
		`{"time":"2026-03-02T09:00:00Z","action":"AssumeRole","profile":"c","outcome":"ok","why":"` + strings.Repeat("y", 1<<20) + `"}`,
		`{"time":"2026-03-02T09:00:00Z","action":"AssumeRole","profile":"d","outcome":"ok"}` + "\r",
		`{"time":"2026-03-02T09:00:00Z","act`,
	}, "\n")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, damaged := names(t, path)
	if want := []string{"a", "b", "c", "d"}; !slices.Equal(got, want) || damaged != 7 {
		t.Errorf("read %q and %d damaged lines, want %q and 7", got, damaged, want)
	}
}

// TestReadingWhileFilesMove reads a log all the while that it is rotated, and
// wants neither a gap nor a record twice. At most three rotations go on in one
// reading.
func TestReadingWhileFilesMove(t *testing.T) {
	l := newLog(t, 800) // about ten records
	add(t, l, numbers(0, 50)...)
	turn, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		n := 50
		for range turn {
			for range 20 {
				if err := l.Append(Record{Action: "AssumeRole", Profile: fmt.Sprintf("%04d", n), Outcome: OK}); err != nil {
					t.Error(err)
				}
				n++
			}
		}
	}()
	for range 400 {
		turn <- struct{}{}
		got, damaged := names(t, l.Path)
		first, err := strconv.Atoi(got[0])
		if err != nil || len(got) < 15 || damaged != 0 || !slices.Equal(got, numbers(first, first+len(got))) {
			t.Errorf("read %q and %d damaged lines, want all in a row", got, damaged)
			break
		}
	}
	close(turn)
	<-done
}

func TestNoLogIsNoError(t *testing.T) {
	wantNames(t, filepath.Join(t.TempDir(), "none", FileName))
}

// TestReadingALot is about a log that is full: 16 MiB in old files. The limit is
// far above what it takes, so that a slow machine does not matter.
func TestReadingALot(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	end := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	line := Record{Time: end, Action: "AssumeRole", Identity: "corp", Profile: "prod", RoleARN: "arn:aws:iam::222222222222:role/Admin",
		Way: "session", Asked: 3600, Given: 3600, Expires: &end, Outcome: OK}.line(end)
	file := bytes.Repeat(line, 4<<20/len(line))
	for n := 1; n <= keep; n++ {
		if err := os.WriteFile(fmt.Sprint(path, ".", n), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	records, damaged, err := Read(path, Filter{})
	took := time.Since(began)
	if want := keep * (4 << 20 / len(line)); err != nil || damaged != 0 || len(records) != want {
		t.Fatalf("read %d records, %d damaged lines (%v); want %d", len(records), damaged, err, want)
	}
	t.Logf("%d records in %v", len(records), took)
	if took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func BenchmarkAppend(b *testing.B) {
	l := &Log{Path: filepath.Join(b.TempDir(), FileName)}
	defer l.Close()
	r := Record{Action: HandOut, Profile: "prod", Outcome: OK, PID: 4711, Program: "python3.11 aws"}
	for b.Loop() {
		if err := l.Append(r); err != nil {
			b.Fatal(err)
		}
	}
}
