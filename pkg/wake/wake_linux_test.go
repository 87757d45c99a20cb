package wake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// setClock sets the wall clock to what it is, which is a jump for the kernel.
func setClock(t *testing.T) {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		t.Fatal(err)
	}
	err := unix.ClockSettime(unix.CLOCK_REALTIME, &now)
	if errors.Is(err, unix.EPERM) {
		t.Skip("SKIP-REAL wake: the clock can be set by root alone")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// watched runs a Watch until the test ends, and gives it time to be armed.
func watched(t *testing.T) (jumps <-chan struct{}, end func()) {
	t.Helper()
	told := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		Watch(ctx, func() { told <- struct{}{} })
	}()
	end = func() {
		cancel()
		select {
		case <-over:
		case <-time.After(10 * time.Second):
			t.Error("Watch did not return")
		}
	}
	t.Cleanup(end)
	armed(t)
	return told, end
}

// armed waits until this process has a timer that is cancelled when the clock is set,
// and gives the kernel's words for it.
func armed(t *testing.T) string {
	t.Helper()
	flags := fmt.Sprintf("settime flags: 0%o\n", unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		all, err := filepath.Glob("/proc/self/fdinfo/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range all {
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), flags) {
				return string(text)
			}
		}
	}
	t.Fatal("no timer was armed in 10 s")
	return ""
}

func next(t *testing.T, jumps <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-jumps:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s was not told in 10 s", what)
	}
}

func TestAJumpIsTold(t *testing.T) {
	jumps, _ := watched(t)
	setClock(t)
	next(t, jumps, "a jump")
	setClock(t) // during the pause
	next(t, jumps, "a jump right after it")
}

// TestManyJumpsAreOne: whoever sets the clock over and over costs a wake-up a second.
func TestManyJumpsAreOne(t *testing.T) {
	jumps, _ := watched(t)
	setClock(t)
	next(t, jumps, "a jump")
	begun := time.Now()
	for range 100 {
		setClock(t)
	}
	next(t, jumps, "what happened meanwhile")
	if took := time.Since(begun); took < pause/2 {
		t.Errorf("jumps are told %v apart, want %v", took, pause)
	}
	if len(jumps) != 0 {
		t.Errorf("told %d times more, want once", len(jumps))
	}
}

// TestItCostsNothingAtRest: the timer is set to a moment that never comes.
func TestItCostsNothingAtRest(t *testing.T) {
	watched(t)
	_, value, _ := strings.Cut(armed(t), "it_value: (")
	var seconds int64
	if _, err := fmt.Sscanf(value, "%d", &seconds); err != nil {
		t.Fatalf("the timer's time is %q: %v", value, err)
	}
	if years := seconds / (365 * 24 * 3600); years < 200 {
		t.Errorf("the timer expires in %d years", years)
	}
}

func TestNothingStaysOpen(t *testing.T) {
	open := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := open()
	for range 20 {
		_, end := watched(t)
		end()
	}
	if after := open(); after > before+1 { // the first poll opens the poller's own
		t.Errorf("%d files are open after it, %d before", after, before)
	}
}

// TestWithoutATimer: where the kernel gives none, nothing is told and nothing spins.
func TestWithoutATimer(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := unix.Rlimit{Cur: 0, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	told := 0
	Watch(ctx, func() { told++ })
	err := ctx.Err()
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); e != nil {
		t.Fatal(e)
	}
	if err == nil || told != 0 {
		t.Errorf("Watch told %d times and returned before its time: %v", told, err == nil)
	}
}
