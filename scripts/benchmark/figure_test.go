package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []time.Duration
		want   time.Duration
	}{
		{"none", nil, 0},
		{"the middle, whatever the order", []time.Duration{9, 1, 5}, 5},
		{"between the two in the middle", []time.Duration{1, 100, 3, 5}, 4},
	} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("%s: median(%v) = %v, want %v", tt.name, tt.values, got, tt.want)
		}
	}
}

// TestRatioIsOfPairs has a machine that is ten times slower for one pair: each
// half of it is an outlier, and its ratio is none.
func TestRatioIsOfPairs(t *testing.T) {
	var p pairs
	p.add(12, 10)
	p.add(120, 100)
	p.add(13, 10)
	if got := p.ratio().value; got != 1.2 {
		t.Errorf("ratio = %v, want 1.2", got)
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    figure
		want string
	}{
		{"no limit", figure{measured: count(7)}, ""},
		{"at the limit", figure{measured: count(1), limit: count(1)}, "ok"},
		{"a limit of nothing", figure{measured: count(1), limit: count(0)}, "over"},
		{"a ratio's limit leaves the time alone", figure{
			measured: quantity{9, milliseconds}, ratio: quantity{1.4, times}, limit: quantity{1.5, times}}, "ok"},
		{"a ratio over its limit", figure{
			measured: quantity{1, milliseconds}, ratio: quantity{1.6, times}, limit: quantity{1.5, times}}, "over"},
	} {
		if got := tt.f.verdict(); got != tt.want {
			t.Errorf("%s: verdict %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestQuantity(t *testing.T) {
	for _, tt := range []struct {
		q    quantity
		want string
	}{
		{quantity{}, ""},
		{count(0), "0"},
		{count(50), "50"},
		{quantity{1.5, times}, "1.50"},
		{ms(2345 * time.Microsecond), "2.35 ms"},
		{ms(234 * time.Millisecond), "234 ms"},
		{quantity{17.34, "MiB"}, "17.3 MiB"},
		{quantity{0.0021, "%"}, "0.002 %"},
	} {
		if got := tt.q.String(); got != tt.want {
			t.Errorf("%v %s is written %q, want %q", tt.q.value, tt.q.unit, got, tt.want)
		}
	}
}

func TestWaves(t *testing.T) {
	const roundTrip = 80 * time.Millisecond
	begin := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		at   []time.Duration
		want int
	}{
		{"none", nil, 0},
		{"in flight together", []time.Duration{0, 5, roundTrip - 1}, 1},
		{"the last waited for the first", []time.Duration{0, 5, roundTrip}, 2},
		{"one after the other", []time.Duration{0, roundTrip, 2 * roundTrip}, 3},
	} {
		var calls []awssim.Call
		for _, d := range tt.at {
			calls = append(calls, awssim.Call{Time: begin.Add(d)})
		}
		if got := wavesOf(calls, roundTrip); got != tt.want {
			t.Errorf("%s: %d waves, want %d", tt.name, got, tt.want)
		}
	}
}

func TestMostWithin(t *testing.T) {
	begin := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		at   []time.Duration // in tenths of a second
		want int
	}{
		{"none", nil, 0},
		{"a second apart", []time.Duration{0, 10, 20}, 1},
		{"two of three", []time.Duration{0, 10, 19}, 2},
		{"all", []time.Duration{3, 4, 12}, 3},
	} {
		var moments []time.Time
		for _, d := range tt.at {
			moments = append(moments, begin.Add(d*time.Second/10))
		}
		if got := mostWithin(time.Second, moments); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestWritesOf counts a file that is replaced and leaves others beside it alone.
func TestWritesOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	moments, err := writesOf(t.Context(), path, func() error {
		if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
			return err
		}
		if err := replace(path, []byte("one")); err != nil {
			return err
		}
		return replace(path, []byte("two"))
	})
	if len(moments) != 2 || err != nil {
		t.Errorf("writesOf = %d, %v, want 2 and no error", len(moments), err)
	}
}

// TestReference runs the real reference program against its server.
func TestReference(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "reference")
	if out, err := exec.Command("go", "build", "-o", program, "./reference").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	srv, err := serve(filepath.Join(dir, "s"), []byte("an answer\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer srv.close()
	got, err := exec.Command(program, srv.path()).Output()
	if string(got) != "an answer\n" || err != nil {
		t.Errorf("the reference printed %q, %v, want the server's answer", got, err)
	}
	if err := exec.Command(program, filepath.Join(dir, "nobody")).Run(); err == nil {
		t.Error("the reference succeeds without a server")
	}
}

// TestAllAnswered refuses a run in which one process printed something else.
func TestAllAnswered(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "answers"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.WriteString("answer\nanswer\n"); err != nil {
		t.Fatal(err)
	}
	if err := allAnswered(out, []byte("answer\n"), 2); err != nil {
		t.Errorf("two of two: %v", err)
	}
	if err := allAnswered(out, []byte("answer\n"), 3); err == nil {
		t.Error("two answers of three processes pass")
	}
}

// TestPage keeps the table a table.
func TestPage(t *testing.T) {
	figures := []figure{{
		name: "a figure", measured: quantity{1.5, milliseconds}, against: "a reference",
		reference: quantity{1, milliseconds}, ratio: quantity{1.5, times}, limit: quantity{2, times},
	}}
	var page bytes.Buffer
	if err := writePage(&page, figures, thisMachine()); err != nil {
		t.Fatal(err)
	}
	const want = "| a figure | 1.50 ms | 1.00 ms: a reference | 1.50 | 2.00 | ok |\n"
	if !strings.Contains(page.String(), want) {
		t.Errorf("the page lacks %q:\n%s", want, page.String())
	}
	if strings.Contains(page.String(), "%!") {
		t.Errorf("the page has a broken format:\n%s", page.String())
	}
}
