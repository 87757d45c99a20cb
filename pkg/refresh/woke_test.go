package refresh

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// tried gives when AWS was asked for roles, since the last look at it.
type tried struct {
	*world
	at []time.Duration
}

func (w *tried) since(begun time.Time) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []time.Duration
	for _, at := range w.at {
		if d := w.start.Add(at).Sub(begun); d >= 0 {
			all = append(all, d.Round(time.Second))
		}
	}
	return all
}

// offline is a world without a network until it is told.
func offline(w *world) (t *tried, back func()) {
	t = &tried{world: w}
	w.outage = func(since time.Duration) error {
		t.at = append(t.at, since)
		return &creds.Error{Code: creds.CodeNetwork, Op: "no route to host"}
	}
	return t, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.outage = nil
	}
}

// TestThePausesStartOverAfterASleep: the network is back some seconds after the
// machine, and the tries were a minute apart by then.
func TestThePausesStartOverAfterASleep(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(1, false))
		login(t, e)
		w.mu.Lock()
		tries, back := offline(w)
		w.mu.Unlock()
		time.Sleep(40 * time.Minute)
		if n := len(tries.since(w.start)); n < 7 {
			t.Fatalf("AWS was tried %d times, want the pauses grown", n)
		}
		woken := now()
		e.Woke()
		time.Sleep(19 * time.Second)
		want := []time.Duration{0, time.Second, 3 * time.Second, 8 * time.Second, 18 * time.Second}
		if got := tries.since(woken); !slices.Equal(got, want) {
			t.Errorf("tried %v after waking, want %v", got, want)
		}
		back()
		time.Sleep(20 * time.Second)
		if got := e.Status().Profiles["p0"]; got.State != StateFresh || got.Err != nil {
			t.Errorf("with the network p0 is %s, %v; want fresh", got.State, got.Err)
		}
	})
}

// TestASleepIsNoReasonToAskAgain what AWS refused, or has no time for, or a person.
func TestASleepIsNoReasonToAskAgain(t *testing.T) {
	for _, code := range []creds.Code{creds.CodeAccessDenied, creds.CodeThrottled} {
		setup := func(w *world) Options {
			w.refuse["p0"] = &creds.Error{Code: code, Op: "no"}
			return Options{}
		}
		bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
			e.Configure(roles(1, true))
			time.Sleep(3 * time.Minute)
			w.said()
			e.Woke()
			synctest.Wait()
			if got := w.said(); len(got) != 0 {
				t.Errorf("%s: AWS was asked for %q at once", code, got)
			}
		})
	}
	asked := 0
	setup := func(w *world) Options {
		w.session = func(string) error {
			asked++
			return &creds.Error{Code: creds.CodeNetwork, Op: "no route to host"}
		}
		return Options{}
	}
	for unattended, want := range map[bool]int{false: 0, true: 1} {
		bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
			ids, ps := roles(1, unattended)
			e.Configure(ids, ps)
			if !unattended {
				_ = e.Login(t.Context(), "corp", LoginOptions{})
			}
			time.Sleep(5 * time.Minute)
			w.mu.Lock()
			before := asked
			w.mu.Unlock()
			e.Woke()
			time.Sleep(100 * time.Millisecond)
			w.mu.Lock()
			defer w.mu.Unlock()
			if got := asked - before; got != want {
				t.Errorf("unattended %v: %d codes were sent at once, want %d", unattended, got, want)
			}
		})
	}
}
