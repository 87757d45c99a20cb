package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

const fakeToken = `fake+token/&="><script>'`

func newLogin(endpoint string) Login {
	return Login{
		Endpoint:    endpoint,
		Issuer:      `https://intra.example/?a=b&c="d"`,
		Destination: "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups+ü",
		Token:       creds.NewSecret(fakeToken),
	}
}

func (l Login) want() url.Values {
	return url.Values{"Action": {"login"}, "Issuer": {l.Issuer}, "Destination": {l.Destination}, "SigninToken": {fakeToken}}
}

// answer is what a request to the loopback address got.
type answer struct {
	status int
	header http.Header
	body   string
}

func do(t *testing.T, r *http.Request) answer {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL, err)
		return answer{}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func request(method, address string) *http.Request {
	r, err := http.NewRequest(method, address, nil)
	if err != nil {
		panic(err)
	}
	return r
}

// TestOpen is the whole way: the browser gets the page, does what it says, and
// AWS gets the form.
func TestOpen(t *testing.T) {
	posted := make(chan url.Values, 1)
	aws := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.URL.RawQuery != "" || r.URL.Path != "/federation" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		posted <- r.PostForm
	}))
	defer aws.Close()
	l := newLogin(aws.URL + "/federation")
	addresses, answers := make(chan string, 1), make(chan answer, 1)
	err := l.Open(t.Context(), func(u string) error {
		addresses <- u
		answers <- do(t, request(http.MethodGet, u))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	address, got := <-addresses, <-answers
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[0-9a-f]{32}$`).MatchString(address) {
		t.Errorf("opened %q, want a port and 128 random bits on the loopback", address)
	}
	p := parse(t, got.body)
	if got.status != http.StatusOK || p.method != "post" || p.script != submit || !p.button {
		t.Fatalf("status %d, page %+v", got.status, p)
	}
	resp, err := http.PostForm(p.action, p.fields)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if form := <-posted; form.Encode() != l.want().Encode() {
		t.Errorf("AWS got %v, want %v", form, l.want())
	}
	checkHeaders(t, got.header, p, aws.URL)
	if conn, err := net.Dial("tcp", strings.Split(address, "/")[2]); err == nil {
		_ = conn.Close()
		t.Error("still listening, want the port closed after the page was fetched")
	}
}

// TestASlowBrowserGetsAllOfIt reads only after everything was closed, and has a
// second connection that it never uses, as Chrome does.
func TestASlowBrowserGetsAllOfIt(t *testing.T) {
	conns := make(chan net.Conn, 2)
	l := newLogin("https://signin.aws.amazon.com/federation")
	err := l.Open(t.Context(), func(address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			return err
		}
		spare, err := net.Dial("tcp", u.Host)
		if err != nil {
			return err
		}
		conns <- conn
		conns <- spare
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", u.Path, u.Host)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, spare := <-conns, <-conns
	defer func() { _ = conn.Close() }()
	defer func() { _ = spare.Close() }()
	text, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(text), "</html>\n") {
		t.Errorf("got %q, %v, want a page to its end", text, err)
	}
	if text, _ := io.ReadAll(spare); len(text) > 0 {
		t.Errorf("the unused connection got %q", text)
	}
}

// TestTheTokenIsInNoAddress watches what the browser's command line would be.
func TestTheTokenIsInNoAddress(t *testing.T) {
	l := newLogin("https://signin.aws.amazon.com/federation")
	l.Token = creds.NewSecret("0fakesignintoken0")
	err := l.Open(t.Context(), func(address string) error {
		if strings.Contains(address, l.Token.Reveal()) || strings.Contains(address, "console") {
			t.Errorf("opened %q", address)
		}
		return errors.New("no display")
	})
	if text := fmt.Sprintf("%v %+v %v", err, l, l.URL()); strings.Contains(text, l.Token.Reveal()) {
		t.Errorf("the token was printed: %s", text)
	}
}

func TestOpenFails(t *testing.T) {
	var address string
	err := newLogin("https://signin.aws.amazon.com/federation").Open(t.Context(), func(u string) error {
		address = u
		return errors.New("no display")
	})
	wantNotOpened(t, err, creds.CodeInternal, "no display")
	if conn, err := net.Dial("tcp", strings.Split(address, "/")[2]); err == nil {
		_ = conn.Close()
		t.Error("still listening, want the port closed after open failed")
	}
}

func wantNotOpened(t *testing.T, err error, code creds.Code, text string) {
	t.Helper()
	if creds.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), text) {
		t.Errorf("%q %v, want %q with %q", creds.CodeOf(err), err, code, text)
	}
	if want := "add --print and open the address yourself"; creds.HintOf(err) != want {
		t.Errorf("hint %q, want %q", creds.HintOf(err), want)
	}
}

// TestABrowserThatFailsLater: xdg-open and browsers in the foreground say
// anything when they end.
func TestABrowserThatFailsLater(t *testing.T) {
	l := newLogin("https://signin.aws.amazon.com/federation")
	over := make(chan struct{})
	err := l.Open(t.Context(), func(address string) error {
		defer close(over)
		do(t, request(http.MethodGet, address))
		return errors.New("crashed")
	})
	<-over
	if err != nil {
		t.Errorf("%v, want the sign-in to count", err)
	}
}

func TestOpenDoesNotWaitForTheBrowserToEnd(t *testing.T) {
	ended, over := make(chan struct{}), make(chan struct{})
	l := newLogin("https://signin.aws.amazon.com/federation")
	err := l.Open(t.Context(), func(address string) error {
		defer close(over)
		do(t, request(http.MethodGet, address))
		<-ended
		return nil
	})
	close(ended)
	<-over
	if err != nil {
		t.Error(err)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	l := newLogin("https://signin.aws.amazon.com/federation")
	ctx, cancel := context.WithCancel(t.Context())
	err := l.Open(ctx, func(string) error { cancel(); return nil })
	if creds.CodeOf(err) != creds.CodeInterrupted || !errors.Is(err, context.Canceled) {
		t.Errorf("%q %v, want %q", creds.CodeOf(err), err, creds.CodeInterrupted)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err = l.Open(ctx, func(string) error { return nil })
	wantNotOpened(t, err, creds.CodeTimeout, "no browser fetched the sign-in page in time")
}

// idle is a listener that nobody connects to, and that time can pass beside.
type idle struct{ closed chan struct{} }

func (i idle) Accept() (net.Conn, error) {
	<-i.closed
	return nil, net.ErrClosed
}

func (i idle) Close() error {
	select {
	case <-i.closed:
	default:
		close(i.closed)
	}
	return nil
}

func (idle) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

func TestNobodyFetchesThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := newLogin("https://signin.aws.amazon.com/federation")
		err := l.serve(t.Context(), idle{make(chan struct{})}, func(string) error { return nil })
		wantNotOpened(t, err, creds.CodeTimeout, "no browser fetched the sign-in page within 1m0s")
		if took := time.Since(start); took != time.Minute {
			t.Errorf("gave up after %s, want 1m0s", took)
		}
	})
}

// TestLoginsThatCannotBe are never shown to a browser.
func TestLoginsThatCannotBe(t *testing.T) {
	for name, l := range map[string]Login{
		"the zero one":   {},
		"no token":       {Endpoint: "https://signin.aws.amazon.com/federation"},
		"in clear":       newLogin("http://signin.aws.amazon.com/federation"),
		"a script":       newLogin("javascript:alert(1)"),
		"a policy's end": newLogin("https://x;script-src"),
	} {
		err := l.Open(t.Context(), func(address string) error {
			t.Errorf("%s: opened %s", name, address)
			return nil
		})
		wantNotOpened(t, err, creds.CodeInternal, "")
	}
}

func TestURL(t *testing.T) {
	l := newLogin("https://eu-west-1.signin.aws.amazon.com/federation")
	u, err := url.Parse(l.URL().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if u.Host != "eu-west-1.signin.aws.amazon.com" || u.Path != "/federation" || u.Fragment != "" ||
		u.Query().Encode() != l.want().Encode() {
		t.Errorf("got %q", u)
	}
	l.Issuer = ""
	if text := l.URL().Reveal(); strings.Contains(text, "Issuer") {
		t.Errorf("got %q, want no empty issuer", text)
	}
}
