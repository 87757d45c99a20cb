package refresh

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// clock is AWS's time as a daemon knows it.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return now().Add(time.Duration(c.ahead.Load())) }

// told is a world whose AWS tells its time when it is asked about a session.
type told struct {
	*world
	clock *clock
	err   error
}

func (w *told) Verify(ctx context.Context, id Identity, c creds.Credentials) error {
	time.Sleep(time.Second)
	w.clock.ahead.Store(0)
	_ = w.world.Verify(ctx, id, c)
	return w.err
}

// startedAhead runs an engine whose clock is ahead, and that takes back a session
// and direct credentials which end in 12 hours.
func startedAhead(t *testing.T, ahead time.Duration, err error, body func(*world, *Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &told{world: newWorld(t), clock: new(clock), err: err}
		w.clock.ahead.Store(int64(ahead))
		e := New(Options{AWS: w, Codes: w, Sink: w, Draw: func() float64 { return 0.5 }, Now: w.clock.now})
		ctx, cancel := context.WithCancel(t.Context())
		ids, ps := roles(2, true)
		session, direct := w.credentials(12*time.Hour), w.credentials(12*time.Hour)
		ended := e.Start(ctx)
		e.Resume(ids, ps, Saved{Sessions: map[string]SavedSession{"corp": {Credentials: session}},
			Spare: map[string]SavedProfile{"p1": {Credentials: direct, Via: ViaDirect}}})
		time.Sleep(2 * time.Second)
		body(w.world, e)
		cancel()
		ended()
	})
}

// TestAStartWithAWrongClock asks AWS before it asks for a code, and forgets nothing
// that cost one.
func TestAStartWithAWrongClock(t *testing.T) {
	startedAhead(t, 48*time.Hour, nil, func(w *world, e *Engine) {
		if got, want := w.said(), []string{"1s verify", "1s p0"}; !slices.Equal(got, want) {
			t.Errorf("AWS was asked for %q, want %q", got, want)
		}
		if _, ok := e.Direct("p1"); !ok {
			t.Error("the direct credentials are gone, and they cost a code")
		}
		time.Sleep(time.Second)
		if s := w.published[len(w.published)-1]; s.Sessions["corp"].Credentials.IsZero() || s.Profiles["p1"].Via != ViaDirect {
			t.Errorf("what is kept has the session %v and p1 %v, want both", s.Sessions["corp"], s.Profiles["p1"])
		}
	})
}

// TestAClientWaitsForTheTime: it is not sent for a code while AWS is asked.
func TestAClientWaitsForTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &told{world: newWorld(t), clock: new(clock)}
		e := New(Options{AWS: w, Codes: w, Sink: w, Now: w.clock.now})
		ctx, cancel := context.WithCancel(t.Context())
		ended := e.Start(ctx)
		synctest.Wait()
		w.clock.ahead.Store(int64(48 * time.Hour))
		ids, ps := roles(1, false)
		e.Resume(ids, ps, Saved{Sessions: map[string]SavedSession{"corp": {Credentials: w.credentials(12 * time.Hour)}}})
		if _, err := e.Credentials(t.Context(), "p0"); err != nil {
			t.Errorf("the client gets %v, want credentials", err)
		}
		cancel()
		ended()
	})
}

// TestASessionThatIsOver is asked about once, and nobody is told that AWS ended it
// early.
func TestASessionThatIsOver(t *testing.T) {
	startedAhead(t, 0, nil, func(w *world, e *Engine) {
		w.said()
		e.Configure(roles(2, false)) // from here on only a person has codes
		time.Sleep(13 * time.Hour)
		if got := w.said(); slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, "verify") }) {
			t.Errorf("a session that ends in its time is asked about: %q", got)
		}
	})
	expired := &creds.Error{Code: creds.CodeExpired, Op: "the security token is expired"}
	synctest.Test(t, func(t *testing.T) {
		w := &told{world: newWorld(t), clock: new(clock), err: expired}
		e := New(Options{AWS: w, Codes: w, Sink: w})
		ctx, cancel := context.WithCancel(t.Context())
		ended := e.Start(ctx)
		ids, ps := roles(1, false)
		e.Resume(ids, ps, Saved{Sessions: map[string]SavedSession{"corp": {Credentials: w.credentials(-time.Hour)}}})
		_, err := e.Credentials(t.Context(), "p0")
		if creds.CodeOf(err) != creds.CodeMFARequired || strings.Contains(err.Error(), "early") {
			t.Errorf("the client gets %v, want that a code is needed", err)
		}
		time.Sleep(time.Minute)
		if got, want := w.said(), []string{"1s verify"}; !slices.Equal(got, want) {
			t.Errorf("AWS was asked for %q, want %q", got, want)
		}
		cancel()
		ended()
	})
}

// TestWhatIsLongOverIsForgotten at a start, and costs no call.
func TestWhatIsLongOverIsForgotten(t *testing.T) {
	startedAhead(t, 61*time.Hour, nil, func(w *world, e *Engine) {
		if got, want := w.said(), []string{"0s session corp"}; !slices.Equal(got, want) {
			t.Errorf("AWS was asked for %q, want %q", got, want)
		}
		if _, ok := e.Direct("p1"); ok {
			t.Error("direct credentials that ended two days ago came back")
		}
	})
}

// TestARefusedStamp is no reason to fail: the next try, in a moment, has the right
// time. Who waits gets that, and what lives still is replaced too.
func TestARefusedStamp(t *testing.T) {
	skew := &creds.Error{Code: creds.CodeClockSkew, Op: "signature expired"}
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(1, true))
		time.Sleep(10 * time.Minute)
		w.said()
		w.mu.Lock()
		w.refuse["p0"] = skew
		w.mu.Unlock()
		_ = e.Refresh(t.Context())
		if got := e.Status().Profiles["p0"].State; got != StateFailing {
			t.Errorf("p0 is %s, want failing", got)
		}
		time.Sleep(5 * time.Minute)
		w.mu.Lock()
		delete(w.refuse, "p0")
		w.mu.Unlock()
		time.Sleep(time.Minute + 15*time.Second)
		if p := e.Status().Profiles["p0"]; p.State != StateFresh || now().Sub(p.Current.Issued) > 2*time.Minute {
			t.Errorf("p0 is %s since %v, want it fetched anew", p.State, p.Current.Issued)
		}
	})
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		w.refuse["p0"] = skew
		e.Configure(roles(1, true))
		time.Sleep(5 * time.Minute) // the tries are a minute apart by now
		time.AfterFunc(10*time.Second, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.refuse, "p0")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if _, err := e.Credentials(ctx, "p0"); err != nil {
			t.Errorf("a client that waits gets %v, want credentials", err)
		}
	})
}
