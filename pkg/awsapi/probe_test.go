package awsapi

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

// TestProbeMeasuresTheClock by AWS's Date, without a signature and without changing
// the clock that calls are signed by.
func TestProbeMeasuresTheClock(t *testing.T) {
	sim := awssim.Start()
	defer sim.Close()
	for _, wrong := range []time.Duration{0, 40 * time.Second, -2 * time.Hour} {
		sim.SetClockOffset(wrong)
		clock := new(Clock)
		r := Probe(t.Context(), Endpoint{URL: sim.URL, Clock: clock})
		if r.Err != nil || !r.Dated || (r.Ahead-wrong).Abs() > 2*time.Second {
			t.Errorf("with AWS %v ahead: %+v", wrong, r)
		}
		if !strings.Contains(sim.URL, r.Host) || r.Proxy != "" {
			t.Errorf("reached %q through %q, want %s", r.Host, r.Proxy, sim.URL)
		}
		if d := time.Until(clock.Now()); d.Abs() > time.Second {
			t.Errorf("the clock was put %v ahead by an answer without a signature", d)
		}
	}
}

// TestProbeSendsNoSecret: nothing but a GET.
func TestProbeSendsNoSecret(t *testing.T) {
	var seen http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = *r }))
	defer s.Close()
	if r := Probe(t.Context(), Endpoint{URL: s.URL, Region: "eu-west-1"}); r.Err != nil {
		t.Fatal(r.Err)
	}
	if seen.Method != http.MethodGet || seen.URL.Path != "/" || seen.Header.Get("Authorization") != "" || seen.ContentLength > 0 {
		t.Errorf("sent %s %s with %v", seen.Method, seen.URL, seen.Header)
	}
}

func TestProbeTellsWhatIsInTheWay(t *testing.T) {
	answer := func(status int, date bool) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !date {
				w.Header()["Date"] = nil
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return s
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	own := httptest.NewTLSServer(nil)
	t.Cleanup(own.Close)
	for _, tt := range []struct {
		name        string
		endpoint    Endpoint
		code        creds.Code
		says, hints string
	}{
		{"nobody there", Endpoint{URL: gone.URL}, creds.CodeNetwork, "refused", "endpoint_url"},
		{"a gateway that fails", Endpoint{URL: answer(502, true).URL}, creds.CodeUnavailable, "502", "endpoint_url"},
		{"STS asks for a signature", Endpoint{URL: answer(403, true).URL}, "", "", ""},
		{"no Date", Endpoint{URL: answer(302, false).URL}, "", "", ""},
		{"a proxy that wants a password", Endpoint{Region: "eu-west-1", HTTPSProxy: "http://user:hidden@" + strings.TrimPrefix(proxy.URL, "http://")},
			creds.CodeNetwork, "Proxy Authentication Required", "check the proxy 127.0.0.1"},
		{"a certificate of somebody's", Endpoint{URL: own.URL}, creds.CodeNetwork, "certificate", "endpoint_url"},
		{"no certificates", Endpoint{CABundle: "/nonexistent/ca.pem"}, creds.CodeConfig, "ca_bundle", "PEM"},
		{"no such region", Endpoint{Region: "no where"}, creds.CodeConfig, "", "region"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Probe(t.Context(), tt.endpoint)
			if tt.code == "" {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				return
			}
			if got := creds.CodeOf(r.Err); got != tt.code {
				t.Fatalf("got %q (%v), want %q", got, r.Err, tt.code)
			}
			if text := r.Err.Error(); !strings.Contains(text, tt.says) || strings.Contains(text+creds.HintOf(r.Err)+r.Proxy, "hidden") {
				t.Errorf("got %q, want %q in it and no password", text, tt.says)
			}
			if hint := creds.HintOf(r.Err); !strings.Contains(hint, tt.hints) {
				t.Errorf("the hint is %q, want %q in it", hint, tt.hints)
			}
		})
	}
	if got, want := asked.Load(), "CONNECT sts.eu-west-1.amazonaws.com:443"; got != want {
		t.Errorf("the proxy was asked for %v, want %s", got, want)
	}
	if r := Probe(t.Context(), Endpoint{URL: answer(302, false).URL}); r.Dated {
		t.Error("an answer without a Date told the time")
	}
}

// TestProbeTakesTheCABundle as every call does.
func TestProbeTakesTheCABundle(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := Probe(t.Context(), Endpoint{URL: s.URL, CABundle: bundle}); r.Err != nil {
		t.Error(r.Err)
	}
}
