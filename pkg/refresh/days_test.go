package refresh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// gap is a time during which the machine sleeps: timers stand still, the wall
// clock does not.
type gap struct{ from, to time.Duration }

// asleep is an Options.Wait on a machine that sleeps in the gaps.
func asleep(start time.Time, gaps []gap) func(context.Context, time.Duration, <-chan struct{}) {
	return func(ctx context.Context, d time.Duration, wake <-chan struct{}) {
		begin := time.Since(start)
		wait(ctx, d, wake)
		for _, g := range gaps {
			// A timer that would have fired in the gap fires after it, by what
			// was left of it; so does a wake.
			if at := time.Since(start); begin < g.to && at >= g.from && at < g.to {
				wait(ctx, g.to-at+max(0, begin+d-g.from), nil)
			}
		}
	}
}

// TestSevenDays: ten roles and a person who answers whenever asked, over seven
// days with nights of sleep and an outage. No profile is ever stale while the
// machine is awake and AWS is there; the list of moments is what it is.
func TestSevenDays(t *testing.T) {
	gaps := []gap{
		{20 * time.Hour, 28 * time.Hour},
		{44*time.Hour + 10*time.Minute, 52 * time.Hour},
		{100 * time.Hour, 100*time.Hour + 20*time.Minute},
	}
	outage := gap{80 * time.Hour, 80*time.Hour + 25*time.Minute}
	real := time.Now()
	setup := func(w *world) Options {
		w.outage = func(since time.Duration) error {
			if since >= outage.from && since < outage.to {
				return &creds.Error{Code: creds.CodeNetwork, Op: "no route"}
			}
			return nil
		}
		return Options{Wait: asleep(w.start, gaps)}
	}
	var moments []string
	stale := 0
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(10, true))
		synctest.Wait()
		for time.Since(w.start) < 7*24*time.Hour {
			time.Sleep(time.Minute)
			synctest.Wait()
			since := time.Since(w.start)
			awake := true
			for _, g := range gaps {
				// A minute to notice: the poll is half that.
				awake = awake && (since < g.from || since > g.to+time.Minute)
			}
			if !awake {
				continue
			}
			for name, p := range e.Status().Profiles {
				if !p.Current.UsableAt(time.Now()) {
					stale++
					t.Errorf("%v: %s is stale", since, name)
				}
			}
			if stale > 5 {
				break
			}
		}
		moments = w.said()
	})
	if took := time.Since(real); took > 5*time.Second {
		t.Logf("seven days took %v", took) // a figure, not a limit: machines are noisy
	}
	// All ten go together: every moment of p0 is one of the others too.
	byProfile := map[string][]string{}
	for _, m := range moments {
		at, what, _ := strings.Cut(m, " ")
		byProfile[what] = append(byProfile[what], at)
	}
	for i := 1; i < 10; i++ {
		if name := fmt.Sprintf("p%d", i); !slices.Equal(byProfile[name], byProfile["p0"]) {
			t.Errorf("%s was refreshed %d times, p0 %d times, or at other moments", name, len(byProfile[name]), len(byProfile["p0"]))
		}
	}
	// One code for each 36 h less the five minutes before the end.
	wantSessions := []string{"0s", "35h55m0s", "71h50m0s", "107h45m0s", "143h40m0s"}
	if !slices.Equal(byProfile["session corp"], wantSessions) {
		t.Errorf("sessions at %v, want %v", byProfile["session corp"], wantSessions)
	}
	// Half an hour apart, except where the machine slept, AWS was away, or a new
	// session freshened all.
	var breaks []string
	last := time.Duration(0)
	for _, at := range byProfile["p0"] {
		d, err := time.ParseDuration(at)
		if err != nil {
			t.Fatal(err)
		}
		if d-last != 30*time.Minute {
			breaks = append(breaks, at)
		}
		last = d
	}
	wantBreaks := []string{
		"0s",
		"28h0m0s",                // woke up; the short sleep later on moved nothing
		"35h55m0s",               // new session
		"52h0m0s",                // woke up
		"71h50m0s",               // new session
		"80h25m8s",               // AWS is back
		"107h45m0s", "143h40m0s", // new sessions
	}
	if !slices.Equal(breaks, wantBreaks) {
		t.Errorf("out of step at %v, want %v", breaks, wantBreaks)
	}
}

// TestAnUnansweredQuestion: a person is asked half an hour before the session's
// end and does not answer. The roles are assumed once more five minutes before
// the end and so live on for an hour; then a code is needed.
func TestAnUnansweredQuestion(t *testing.T) {
	var asked atomic.Int32
	setup := func(w *world) Options {
		w.code = func(ctx context.Context, _ error) (string, error) {
			if asked.Add(1) == 1 {
				return "123456", nil
			}
			<-ctx.Done()
			return "", ctx.Err()
		}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(1, false))
		if err := e.Login(t.Context(), "corp", LoginOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(35*time.Hour + 29*time.Minute)
		synctest.Wait()
		if asked.Load() != 1 {
			t.Errorf("asked %d times 31 minutes before the end, want once", asked.Load())
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if asked.Load() != 2 {
			t.Errorf("asked %d times 29 minutes before the end, want twice", asked.Load())
		}
		w.said()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, want := w.said(), []string{"35h55m0s p0"}; !slices.Equal(got, want) {
			t.Errorf("calls at the session's end: %v, want %v", got, want)
		}
		st := e.Status()
		if got := st.Profiles["p0"].State; got != StateFresh {
			t.Errorf("half an hour after the session's end the profile is %s, want fresh", got)
		}
		if got := st.Identities["corp"].State; got != StateMFARequired {
			t.Errorf("after the session's end the identity is %s, want mfa_required", got)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if got := e.Status().Profiles["p0"].State; got != StateMFARequired {
			t.Errorf("an hour after the session's end the profile is %s, want mfa_required", got)
		}
		if got := w.said(); got != nil {
			t.Errorf("calls without a session: %v", got)
		}
		if asked.Load() != 2 {
			t.Errorf("the question was stacked: asked %d times", asked.Load())
		}
	})
}
