package console

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"
)

// page is what a browser makes of the sign-in page.
type page struct {
	method, action, script string
	fields                 url.Values
	button                 bool
}

func parse(t *testing.T, text string) page {
	t.Helper()
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	p := page{fields: url.Values{}}
	for n := range root.Descendants() {
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		switch n.Data {
		case "form":
			p.method, p.action = attr["method"], attr["action"]
		case "input":
			p.fields.Add(attr["name"], attr["value"])
		case "script":
			p.script += n.FirstChild.Data
		case "button":
			p.button = n.Parent.Data == "noscript"
		}
	}
	return p
}

func checkHeaders(t *testing.T, got http.Header, p page, endpoint string) {
	t.Helper()
	hash := sha256.Sum256([]byte(p.script))
	for name, want := range map[string]string{
		"Cache-Control":          "no-store",
		"Content-Type":           "text/html; charset=utf-8",
		"Referrer-Policy":        "no-referrer",
		"X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; script-src 'sha256-" +
			base64.StdEncoding.EncodeToString(hash[:]) + "'; form-action " + endpoint + " https://eu-west-1.console.aws.amazon.com",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
}

// TestFormTargets has every host that AWS redirects the browser to.
func TestFormTargets(t *testing.T) {
	for _, tt := range []struct{ endpoint, destination, want string }{
		{"https://signin.aws.amazon.com/federation", "https://console.aws.amazon.com/",
			"https://signin.aws.amazon.com https://console.aws.amazon.com https://*.aws.amazon.com"},
		{"https://signin.amazonaws.cn/federation", "", "https://signin.amazonaws.cn https://*.amazonaws.cn"},
		{"https://signin.aws.amazon.com/federation", "https://x;script-src *", "https://signin.aws.amazon.com https://*.aws.amazon.com"},
	} {
		policy := Login{Endpoint: tt.endpoint, Destination: tt.destination}.policy()
		if _, got, _ := strings.Cut(policy, "form-action "); got != tt.want {
			t.Errorf("form-action %q, want %q", got, tt.want)
		}
	}
}

// TestOneShot lets previewers, other programs and pages of other sites knock
// before the browser comes. None learns anything, and none spends the shot.
func TestOneShot(t *testing.T) {
	l := newLogin("https://signin.aws.amazon.com/federation")
	over := make(chan struct{})
	err := l.Open(t.Context(), func(address string) error {
		defer close(over)
		with := func(name, value string) *http.Request {
			r := request(http.MethodGet, address)
			r.Header.Set(name, value)
			return r
		}
		rebound := request(http.MethodGet, address)
		rebound.Host = "evil.example"
		local := request(http.MethodGet, address)
		local.Host = strings.Replace(local.Host, "127.0.0.1", "localhost", 1)
		for name, r := range map[string]*http.Request{
			"HEAD":             request(http.MethodHead, address),
			"POST":             request(http.MethodPost, address),
			"OPTIONS":          request(http.MethodOptions, address),
			"favicon":          request(http.MethodGet, address[:strings.LastIndex(address, "/")]+"/favicon.ico"),
			"root":             request(http.MethodGet, address[:strings.LastIndex(address, "/")]),
			"longer path":      request(http.MethodGet, address+"/"),
			"a query":          request(http.MethodGet, address+"?x"),
			"another host":     rebound,
			"localhost":        local,
			"an image":         with("Sec-Fetch-Dest", "image"),
			"a frame":          with("Sec-Fetch-Dest", "iframe"),
			"a fetch of a tab": with("Sec-Fetch-Dest", "empty"),
			"a prefetch":       with("Sec-Purpose", "prefetch;prerender"),
		} {
			got := do(t, r)
			if got.status != http.StatusNotFound || got.body != "" {
				t.Errorf("%s: status %d, body %q, want an empty 404", name, got.status, got.body)
			}
		}
		if got := do(t, with("Sec-Fetch-Dest", "document")); got.status != http.StatusOK || !strings.Contains(got.body, "<form") {
			t.Errorf("the browser: status %d, body %q, want the page", got.status, got.body)
		}
		return nil
	})
	<-over
	if err != nil {
		t.Error(err)
	}
}

func TestTheSecondGetsNothing(t *testing.T) {
	s := oneShot{host: "127.0.0.1:40000", path: "/x", page: []byte("the page"), done: make(chan error, 1)}
	for _, want := range []int{http.StatusOK, http.StatusNotFound} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, s.path, nil)
		r.Host = s.host
		s.ServeHTTP(w, r)
		if w.Code != want || (w.Body.Len() > 0) != (want == http.StatusOK) {
			t.Errorf("status %d, body %q, want %d", w.Code, w.Body, want)
		}
		select {
		case err := <-s.done:
			if err != nil || want != http.StatusOK {
				t.Errorf("done with %v after a status of %d", err, want)
			}
		default:
		}
	}
}

func TestOnlyTheFirstGetsThePage(t *testing.T) {
	var pages atomic.Int32
	over := make(chan struct{})
	err := newLogin("https://signin.aws.amazon.com/federation").Open(t.Context(), func(address string) error {
		defer close(over)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				resp, err := client.Get(address)
				if err != nil {
					return // it came after the port was closed
				}
				defer func() { _ = resp.Body.Close() }()
				if body, _ := io.ReadAll(resp.Body); len(body) > 0 {
					pages.Add(1)
				}
			})
		}
		all.Wait()
		return nil
	})
	<-over
	if err != nil || pages.Load() != 1 {
		t.Errorf("%d pages, %v, want one", pages.Load(), err)
	}
}
