package awsapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

// off is how far a clock is from AWS's.
func (w *world) off(c *Clock) time.Duration { return c.Now().Sub(w.sim.Now()) }

// TestOneRefusalPutsAllClientsRight: AWS tells its time with it, and what it gives
// from then on has its true lifetime.
func TestOneRefusalPutsAllClientsRight(t *testing.T) {
	for _, wrong := range []time.Duration{-240 * time.Hour, -2 * time.Hour, 6 * time.Hour} {
		bubble(t, func(t *testing.T, w *world) {
			w.client.endpoint.Clock = new(Clock)
			other := &Client{endpoint: w.client.endpoint, http: w.client.http}
			w.sim.SetClockOffset(wrong)
			_, err := other.CallerIdentity(t.Context(), w.key)
			refusal{creds.CodeClockSkew, "Signature", "clock"}.check(t, err)
			if d := w.off(w.client.endpoint.Clock); d.Abs() > 2*time.Second {
				t.Fatalf("with AWS %v off the clock is wrong by %v, want next to nothing", wrong, d)
			}
			s := w.session(t)
			if d := s.Lifetime() - 36*time.Hour; d.Abs() > 2*time.Second {
				t.Errorf("the session lives for %v, want 36h", s.Lifetime())
			}
			if got := w.last(t).Given; got != 36*time.Hour {
				t.Errorf("observed that %v were given, want 36h", got)
			}
			w.sim.SetClockOffset(0)
			_, _ = other.CallerIdentity(t.Context(), w.key)
			if d := w.off(w.client.endpoint.Clock); d != 0 {
				t.Errorf("after AWS's next answer the clock is wrong by %v, want nothing", d)
			}
		})
	}
}

func TestASmallDifferenceCountsAsNone(t *testing.T) {
	for ahead, want := range map[time.Duration]time.Duration{29 * time.Second: 0, -29 * time.Second: 0, 10 * time.Minute: 10 * time.Minute} {
		bubble(t, func(t *testing.T, w *world) {
			w.sim.SetClockOffset(ahead)
			if _, err := w.client.CallerIdentity(t.Context(), w.key); err != nil {
				t.Fatal(err)
			}
			if got := w.client.endpoint.Clock.Now().Sub(time.Now().Round(0)); (got - want).Abs() > 2*time.Second {
				t.Errorf("with AWS %v ahead the clock is put right by %v, want %v", ahead, got, want)
			}
		})
	}
}

// TestOnlyAWSTellsTheTime, not what stands between here and AWS.
func TestOnlyAWSTellsTheTime(t *testing.T) {
	page := func(status int, header map[string]string, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(6*time.Hour).UTC().Format(http.TimeFormat))
			for name, value := range header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	refused := "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
	aws := map[string]string{"X-Amzn-Requestid": "11111111-2222-3333-4444-555555555555"}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		tells  bool
	}{
		{"AWS", page(http.StatusForbidden, aws, refused), true},
		{"a portal's page", page(http.StatusOK, nil, "<html><body>Sign in to the network</body></html>"), false},
		{"a portal's empty page", page(http.StatusOK, nil, ""), false},
		{"a portal's redirect", page(http.StatusFound, map[string]string{"Location": "http://portal.invalid/"}, ""), false},
		{"a proxy's refusal", page(http.StatusForbidden, nil, "blocked"), false},
		{"a cache", page(http.StatusForbidden, map[string]string{"X-Amzn-Requestid": aws["X-Amzn-Requestid"], "Age": "21600"}, refused), false},
	} {
		server := httptest.NewServer(tt.answer)
		c, err := New(Endpoint{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.CallerIdentity(context.Background(), fake)
		ahead := time.Until(c.endpoint.Clock.Now())
		if tells := ahead > time.Hour; tells != tt.tells {
			t.Errorf("%s: the clock was put ahead by %v, want that %v", tt.name, ahead, tt.tells)
		}
		server.Close()
	}
}

// TestAClockSetBackTakesNothingBack: the monotonic clock goes on.
func TestAClockSetBackTakesNothingBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client.endpoint.Clock
		if _, err := w.client.CallerIdentity(t.Context(), w.key); err != nil {
			t.Fatal(err)
		}
		c.date = c.date.Add(2 * time.Hour) // the wall clock of that moment was ahead of today's by as much
		w.sim.SetClockOffset(2 * time.Hour)
		time.Sleep(time.Minute)
		if d := w.off(c); d.Abs() > 2*time.Second {
			t.Errorf("the clock is wrong by %v, want next to nothing", d)
		}
		if _, err := w.client.CallerIdentity(t.Context(), w.key); err != nil {
			t.Errorf("a call is refused: %v", err)
		}
	})
}

// TestAClockWithoutAnAnswer is this machine's.
func TestAClockWithoutAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sim.SetClockOffset(6 * time.Hour)
		w.sim.Inject(awssim.Fault{Kind: awssim.DropBefore})
		_, _ = w.client.CallerIdentity(t.Context(), w.key)
		if got := w.client.endpoint.Clock.Now(); !got.Equal(time.Now()) {
			t.Errorf("it shows %v, want %v", got, time.Now())
		}
	})
}
