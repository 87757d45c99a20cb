package awsapi

import (
	"context"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

// fake are credentials of the form of AWS's.
var fake = creds.Credentials{
	AccessKeyID:     "ASIAEXAMPLE000000001",
	SecretAccessKey: creds.NewSecret("Made/UpSecretKey+ForTests/AndNothingElse"),
	SessionToken:    creds.NewSecret("IQoMadeUpToken//////////wEaCXVz+LWVhc3QtMSJIMEYCIQD=="),
}

// signin asks the simulator's federation endpoint.
func (w *world) signin(t *testing.T, c creds.Credentials, d time.Duration) (creds.Secret, error) {
	t.Helper()
	token, err := w.client.SigninToken(t.Context(), w.sim.URL+"/federation", c, d)
	keeps(t, err, c.SecretAccessKey, c.SessionToken, creds.NewSecret(c.AccessKeyID))
	if err != nil && (!token.IsZero() || strings.Contains(err.Error(), "/federation")) {
		t.Errorf("a token beside an error, or the request's address in it: %v", err)
	}
	return token, err
}

// viaSession is the role as the MFA session assumes it.
func (w *world) viaSession(t *testing.T) creds.Credentials {
	t.Helper()
	c, err := w.client.AssumeRole(t.Context(), w.session(t), creds.Role{ARN: w.admin, SessionName: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) federated(t *testing.T) creds.Credentials {
	t.Helper()
	c, err := w.client.FederationToken(t.Context(), w.key, "alice", "", nil, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) directly(t *testing.T) creds.Credentials {
	t.Helper()
	c, err := w.direct(t, creds.Role{ARN: w.admin, SessionName: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConsoleSessions(t *testing.T) {
	for name, tt := range map[string]struct {
		from  func(*world, *testing.T) creds.Credentials
		d     time.Duration
		lasts time.Duration
		who   string
	}{
		"12 h with a role of 1 h":      {(*world).directly, 12 * time.Hour, 12 * time.Hour, "assumed-role/Admin/alice"},
		"the shortest":                 {(*world).directly, 15 * time.Minute, 15 * time.Minute, "assumed-role/Admin/alice"},
		"what is left of the role":     {(*world).directly, 0, time.Hour, "assumed-role/Admin/alice"},
		"through a session":            {(*world).viaSession, 0, time.Hour, "assumed-role/Admin/alice"},
		"a federated user's own time":  {(*world).federated, 0, 2 * time.Hour, "federated-user/alice"},
		"less than a second is no ask": {(*world).directly, time.Second - 1, time.Hour, "assumed-role/Admin/alice"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				token, err := w.signin(t, tt.from(w, t), tt.d)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := w.sim.Client().PostForm(w.sim.URL+"/federation", url.Values{"Action": {"login"},
					"Destination": {"https://console.aws.amazon.com/"}, "SigninToken": {token.Reveal()}})
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				got := w.sim.ConsoleSessions()
				if len(got) != 1 || got[0].Expires.Sub(got[0].Started) != tt.lasts || !strings.HasSuffix(got[0].Principal, tt.who) {
					t.Errorf("AWS signed in %+v, want %s for %v", got, tt.who, tt.lasts)
				}
			})
		})
	}
}

func TestNoSigninToken(t *testing.T) {
	during := func(f awssim.Fault) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error {
			c := w.viaSession(t)
			w.sim.Inject(f)
			_, err := w.signin(t, c, 0)
			if n := len(w.sim.Calls("getSigninToken")); n != 1 {
				t.Errorf("%d calls, want one", n)
			}
			return err
		}
	}
	from := func(get func(*world, *testing.T) creds.Credentials, d time.Duration) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error { _, err := w.signin(t, get(w, t), d); return err }
	}
	for name, tt := range map[string]struct {
		do   func(*testing.T, *world) error
		want refusal
	}{
		"a duration through a session":       {from((*world).viaSession, time.Hour), refusal{creds.CodeRefused, "AWS refused the credentials: Invalid credentials parameter", "leave the duration out"}},
		"a duration with a federation token": {from((*world).federated, time.Hour), refusal{creds.CodeRefused, "Invalid credentials parameter", "leave the duration out"}},
		"a duration that is too long":        {from((*world).directly, 13*time.Hour), refusal{creds.CodeRefused, "Invalid credentials parameter", "leave the duration out"}},
		"credentials that have run out": {func(t *testing.T, w *world) error {
			c := w.directly(t)
			time.Sleep(time.Until(c.Expires))
			_, err := w.signin(t, c, 0)
			return err
		}, refusal{creds.CodeRefused, "Invalid credentials parameter", "fresh credentials"}},
		"the MFA session itself":  {from((*world).session, 0), refusal{creds.CodeRefused, "Only federation tokens or assume role tokens may be used for federated login", "role_arn, or its user sts:GetFederationToken"}},
		"throttled":               {during(awssim.Fault{Kind: awssim.Throttle}), refusal{creds.CodeThrottled, "Rate exceeded", "slow down"}},
		"500":                     {during(awssim.Fault{Kind: awssim.ServerError}), refusal{creds.CodeUnavailable, "AWS answered 500 Internal Server Error", "try again"}},
		"503":                     {during(awssim.Fault{Kind: awssim.ServerError, Status: 503}), refusal{creds.CodeUnavailable, "AWS answered 503 Service Unavailable", "try again"}},
		"a captive portal's page": {during(awssim.Fault{Kind: awssim.Garbage}), refusal{creds.CodeUnavailable, "no valid answer", "https_proxy"}},
		"a proxy's refusal":       {during(awssim.Fault{Kind: awssim.Garbage, Status: 403}), refusal{creds.CodeUnavailable, "something between here and AWS answered 403 Forbidden", "https_proxy"}},
		"half an answer":          {during(awssim.Fault{Kind: awssim.Cut}), refusal{creds.CodeUnavailable, "no valid answer", "https_proxy"}},
		"cut before":              {during(awssim.Fault{Kind: awssim.DropBefore}), refusal{creds.CodeNetwork, "the connection was cut", "check the network"}},
		"cut after":               {during(awssim.Fault{Kind: awssim.DropAfter}), refusal{creds.CodeNetwork, "the connection was cut", "check the network"}},
		"a hang ends in time": {func(t *testing.T, w *world) error {
			c := w.viaSession(t)
			w.sim.Inject(awssim.Fault{Kind: awssim.Hang})
			start := time.Now()
			_, err := w.signin(t, c, 0)
			if took := time.Since(start); took != callTimeout {
				t.Errorf("it took %v, want %v", took, callTimeout)
			}
			return err
		}, refusal{creds.CodeNetwork, "no answer in time", "check the network"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) { tt.want.check(t, tt.do(t, w)) })
		})
	}
}

// answering asks an endpoint that gives the same answer to everything.
func answering(t *testing.T, status int, page string) error {
	t.Helper()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(page))
	}))
	defer endpoint.Close()
	c, err := New(Endpoint{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.SigninToken(t.Context(), endpoint.URL+"/federation?x=y", fake, time.Hour)
	keeps(t, err, fake.SecretAccessKey, fake.SessionToken, creds.NewSecret(fake.AccessKeyID))
	return err
}

func TestAPageThatRepeatsSecrets(t *testing.T) {
	key, token := fake.SecretAccessKey.Reveal(), fake.SessionToken.Reveal()
	for name, echo := range map[string]string{
		"the id":                  fake.AccessKeyID,
		"the key":                 key,
		"the token":               token,
		"escaped for an address":  url.QueryEscape(token),
		"escaped for a page":      strings.ReplaceAll(html.EscapeString(key), "/", "&#x2F;"),
		"every letter escaped":    entities(key),
		"escaped for JSON":        strings.ReplaceAll(key, "/", `\/`),
		"cut off":                 token[:20],
		"broken into lines":       broken(token, "\n"),
		"broken by tags":          broken(token, "<wbr>"),
		"outside of what is kept": "quiet</title></head><body>" + key,
	} {
		t.Run(name, func(t *testing.T) {
			err := answering(t, 400, "<html><title>Bad "+echo+"</title></html>")
			refusal{creds.CodeRefused, "AWS refused the credentials", "leave the duration out"}.check(t, err)
			if strings.Contains(err.Error(), "Bad") || strings.Contains(err.Error(), "quiet") {
				t.Errorf("the page's words were kept: %v", err)
			}
		})
	}
}

func broken(s, at string) string {
	for i := len(s) - len(s)%5; i > 0; i -= 5 {
		s = s[:i] + at + s[i:]
	}
	return s
}

func entities(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, "&#%d;", r)
	}
	return b.String()
}

func TestSigninAnswersThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		page   string
		want   refusal
	}{
		"no token":                          {200, `{"Other":"x"}`, refusal{creds.CodeUnavailable, "holds no sign-in token", "try again"}},
		"an empty one":                      {200, `{"SigninToken":""}`, refusal{creds.CodeUnavailable, "holds no sign-in token", "try again"}},
		"a list":                            {200, `[]`, refusal{creds.CodeUnavailable, "no valid answer", "https_proxy"}},
		"nothing":                           {200, ``, refusal{creds.CodeUnavailable, "no valid answer", "https_proxy"}},
		"more than fits":                    {200, `{"SigninToken":"` + strings.Repeat("x", maxAnswer) + `"}`, refusal{creds.CodeUnavailable, "no valid answer", "https_proxy"}},
		"a refusal of a MB":                 {400, strings.Repeat("x", maxAnswer+1), refusal{creds.CodeUnavailable, "no valid answer", "https_proxy"}},
		"a refusal in no words":             {400, ``, refusal{creds.CodeRefused, "get a console sign-in token: AWS refused the credentials", "duration"}},
		"a proxy that wants a password":     {407, `<h1>Proxy</h1>`, refusal{creds.CodeUnavailable, "answered 407 Proxy Authentication Required", "https_proxy"}},
		"a status that nobody knows":        {599, ``, refusal{creds.CodeUnavailable, "answered 599", "try again"}},
		"too many requests":                 {429, ``, refusal{creds.CodeThrottled, "Rate exceeded", "slow down"}},
		"a page that would move the cursor": {400, "<title>a\x1b[2Jb&#27;c\u202ed\r\n e</title>", refusal{creds.CodeRefused, ": a[2Jbcd e", "duration"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.check(t, answering(t, tt.status, tt.page)) })
	}
}

func TestSigninStaysHere(t *testing.T) {
	var followed atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer elsewhere.Close()
	for _, status := range []int{302, 303, 307, 308} {
		portal := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		c, err := New(Endpoint{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.SigninToken(t.Context(), portal.URL, fake, 0)
		portal.Close()
		if followed.Load() || creds.CodeOf(err) != creds.CodeUnavailable {
			t.Errorf("%d: followed %v, error %v; want the credentials to stay here", status, followed.Load(), err)
		}
	}
}

// TestAnAnswerThatStops: its head came, and then nothing.
func TestAnAnswerThatStops(t *testing.T) {
	for _, status := range []int{200, 400} {
		endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // the server notices a client that goes away only then
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"SigninToken":`))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}))
		c, err := New(Endpoint{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err = c.SigninToken(ctx, endpoint.URL, fake, 0)
		cancel()
		endpoint.Close()
		refusal{creds.CodeNetwork, "no answer in time", "check the network"}.check(t, err)
	}
}

func TestASigninEndpointThatIsNone(t *testing.T) {
	for _, endpoint := range []string{"", "signin.aws.amazon.com/federation", "https://user:hidden@ /", "https:///federation", "\x7f"} {
		c, err := New(Endpoint{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.SigninToken(t.Context(), endpoint, fake, 0)
		refusal{creds.CodeConfig, "the sign-in endpoint is no web address", "signin_url"}.check(t, err)
		keeps(t, err, creds.NewSecret("hidden"))
	}
}

// TestSigninGoesTheWayOfOtherCalls: a private CA and a proxy hold for it too.
func TestSigninGoesTheWayOfOtherCalls(t *testing.T) {
	aws := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" || r.Method != http.MethodPost || r.Header.Get("Authorization") != "" {
			t.Errorf("got %s %s, signed %q; want an unsigned form", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(`{"SigninToken":"made-up","New":1}`))
	}))
	aws.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that distrusts it is no news
	aws.StartTLS()
	defer aws.Close()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: aws.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Error(w, "no", http.StatusBadGateway)
	}))
	defer proxy.Close()
	for name, tt := range map[string]struct {
		e        Endpoint
		endpoint string
		code     creds.Code
		says     string
	}{
		"with the bundle": {Endpoint{CABundle: bundle}, aws.URL, "", ""},
		"without":         {Endpoint{}, aws.URL, creds.CodeNetwork, "certificate"},
		"by proxy":        {Endpoint{HTTPSProxy: proxy.URL}, "https://signin.aws.invalid/federation?a=b", creds.CodeNetwork, "signin.aws.invalid: Bad Gateway"},
	} {
		c, err := New(tt.e)
		if err != nil {
			t.Fatal(err)
		}
		token, err := c.SigninToken(t.Context(), tt.endpoint, fake, 0)
		if creds.CodeOf(err) != tt.code || (token.Reveal() == "made-up") != (tt.code == "") {
			t.Errorf("%s: %q: %v, want %q", name, creds.CodeOf(err), err, tt.code)
		}
		if err != nil && (strings.Contains(err.Error(), "a=b") || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v; want the words %q, and not the request's address", name, err, tt.says)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the proxy was asked %d times, want once", asked.Load())
	}
}
