package refresh

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// TestThrottled: where AWS takes fewer calls than there are, all roles are fresh by
// one code as soon as AWS lets them be, and few calls are refused on the way.
func TestThrottled(t *testing.T) {
	for _, tt := range []struct {
		perSecond int
		latency   time.Duration
		within    float64 // of the time that AWS's limit alone takes, and 4 s
		share     float64 // of the calls may be refused
	}{
		{600, 50 * time.Millisecond, 1, 0.1},
		{200, 50 * time.Millisecond, 1, 0.15},
		{50, 50 * time.Millisecond, 1.2, 0.25},
		{50, 500 * time.Millisecond, 1.2, 0.1},
		{5, 50 * time.Millisecond, 1.2, 0.45}, // fewer than one call in flight
	} {
		t.Run(fmt.Sprintf("%d a second in %v", tt.perSecond, tt.latency), func(t *testing.T) {
			var granted, refused int
			bubble(t, func(w *world) Options {
				w.latency, w.grant = tt.latency, 12*time.Hour
				w.outage = limited(tt.perSecond, &granted, &refused)
				return Options{}
			}, func(t *testing.T, w *world, e *Engine) {
				ids, ps := roles(thousand, true)
				e.Configure(ids, ps)
				began := time.Now()
				for fresh := 0; fresh < thousand; time.Sleep(100 * time.Millisecond) {
					if time.Since(began) > time.Hour {
						t.Fatalf("only %d are fresh after an hour, %d calls were refused", fresh, refused)
					}
					fresh = 0
					for _, p := range e.Status().Profiles {
						if p.Current.UsableAt(now()) {
							fresh++
						}
					}
				}
				took, least := time.Since(began), time.Duration(thousand/tt.perSecond)*time.Second
				t.Logf("%v, %d refused", took, refused)
				if float64(took) > tt.within*float64(least)+float64(4*time.Second) {
					t.Errorf("it took %v, AWS's limit alone is %v", took, least)
				}
				if all := granted + refused; float64(refused) > tt.share*float64(all) {
					t.Errorf("%d of %d calls were refused, want a share of %v at most", refused, all, tt.share)
				}
				w.mu.Lock()
				for i, at := range w.written[1:] { // the first is that of the config
					if i > 0 && at.Sub(w.written[i]) < time.Second {
						t.Errorf("two writes within %v", at.Sub(w.written[i]))
					}
				}
				w.mu.Unlock()
				sessions := 0
				for _, said := range w.said() {
					var at, what string
					if fmt.Sscan(said, &at, &what); what == "session" {
						sessions++
					}
				}
				if sessions != 1 {
					t.Errorf("%d codes, want 1", sessions)
				}
			})
		})
	}
}

// limited refuses what is more than so many calls a second, by a bucket of as many
// tokens.
func limited(perSecond int, granted, refused *int) func(time.Duration) error {
	tokens, last := float64(perSecond), time.Duration(0)
	return func(since time.Duration) error {
		tokens = min(tokens+(since-last).Seconds()*float64(perSecond), float64(perSecond))
		last = since
		if tokens < 1 {
			*refused++
			return &creds.Error{Code: creds.CodeThrottled, Op: "Rate exceeded"}
		}
		tokens--
		*granted++
		return nil
	}
}

// TestPaceRecovers: once AWS takes all again, as many calls as before are in flight.
func TestPaceRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace()
		call := func(throttled bool) {
			leave := p.take(t.Context())
			time.Sleep(time.Millisecond)
			leave(throttled)
		}
		for range 10 {
			call(true)
		}
		if p.limit > 2 {
			t.Errorf("after ten refusals one by one the bound is %v, want 2 at most", p.limit)
		}
		began := time.Now()
		var calls sync.WaitGroup
		for range 5000 {
			calls.Go(func() { call(false) })
		}
		calls.Wait()
		if p.limit != maxFlights || time.Since(began) > 3*time.Second {
			t.Errorf("after 5000 good calls in %v the bound is %v, want %d", time.Since(began), p.limit, maxFlights)
		}
	})
}
