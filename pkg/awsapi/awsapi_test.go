package awsapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

// world is a simulated AWS with alice in it.
type world struct {
	sim    *awssim.Server
	alice  *awssim.User
	device *awssim.Device
	key    creds.Credentials
	admin  string
	client *Client

	mu       sync.Mutex // guards observed
	observed []Call
}

func newWorld(t *testing.T) *world {
	t.Helper()
	sim := awssim.Start()
	sim.CodeStepFactor = 30 // a code a second
	return worldAt(t, sim)
}

// bubble runs test in simulated time, where AWS is reached over pipes.
func bubble(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := worldAt(t, awssim.New().ServePipe())
		w.client.http.Transport = limited{w.sim.Client().Transport}
		test(t, w)
	})
}

func worldAt(t *testing.T, sim *awssim.Server) *world {
	t.Helper()
	t.Cleanup(sim.Close)
	w := &world{sim: sim, alice: sim.AddUser("111111111111", "alice")}
	w.device = w.alice.AddMFA("alice")
	w.admin = sim.AddRole(awssim.Role{Account: "222222222222", Name: "Admin", Principals: []string{w.alice.ARN}, RequireMFA: true}).ARN
	w.key = creds.Credentials{AccessKeyID: w.alice.AccessKeyID, SecretAccessKey: creds.NewSecret(w.alice.SecretAccessKey)}
	var err error
	if w.client, err = New(Endpoint{URL: sim.URL, Observe: w.observe}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) observe(_ context.Context, c Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observed = append(w.observed, c)
}

func (w *world) session(t *testing.T) creds.Credentials {
	t.Helper()
	s, err := w.client.StartSession(t.Context(), w.key, w.device.Serial, w.code(t), 36*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) code(t *testing.T) creds.Secret {
	t.Helper()
	code, err := w.device.NextCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return creds.NewSecret(code)
}

func TestTheWayToARole(t *testing.T) {
	w := newWorld(t)
	s := w.session(t)
	if d := time.Until(s.Expires); d < 36*time.Hour-time.Minute || d > 36*time.Hour {
		t.Errorf("the session lives %v, want 36h", d)
	}
	c, err := w.client.AssumeRole(t.Context(), s, creds.Role{ARN: w.admin, SessionName: "alice", Duration: time.Hour,
		Tags: []creds.Tag{{Key: "team", Value: "db"}}, TransitiveTags: []string{"team"}, PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}})
	if err != nil {
		t.Fatal(err)
	}
	const principal = "arn:aws:sts::222222222222:assumed-role/Admin/alice"
	if c.Principal != principal || !c.UsableAt(time.Now()) || c.Issued.IsZero() {
		t.Errorf("got %+v, want credentials of %s", c, principal)
	}
	who, err := w.client.CallerIdentity(t.Context(), c)
	if err != nil || who.ARN != principal || who.Account != "222222222222" {
		t.Errorf("AWS says %+v, %v; want %s", who, err, principal)
	}
	devices, err := w.client.Devices(t.Context(), w.key)
	if err != nil || len(devices) != 1 || devices[0] != w.device.Serial {
		t.Errorf("devices %v, %v", devices, err)
	}
}

func TestAWSsWordsBecomeCodes(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*testing.T, *world) error
		code creds.Code
		says string
	}{
		{"a wrong code", func(t *testing.T, w *world) error {
			_, err := w.client.StartSession(t.Context(), w.key, w.device.Serial, creds.NewSecret(w.device.WrongCode()), time.Hour)
			return err
		}, creds.CodeMFARejected, "AWS did not take the code"},
		{"a code used before", func(t *testing.T, w *world) error {
			code := w.code(t)
			if _, err := w.client.StartSession(t.Context(), w.key, w.device.Serial, code, time.Hour); err != nil {
				t.Fatal(err)
			}
			_, err := w.client.StartSession(t.Context(), w.key, w.device.Serial, code, time.Hour)
			return err
		}, creds.CodeMFARejected, "used already"},
		{"a malformed code is not echoed", func(t *testing.T, w *world) error {
			_, err := w.client.StartSession(t.Context(), w.key, w.device.Serial, creds.NewSecret("98765x"), time.Hour)
			if err != nil && strings.Contains(err.Error(), "98765") {
				t.Errorf("the code stands in the error: %v", err)
			}
			return err
		}, creds.CodeMFABadCode, "malformed"},
		{"another user's device", func(t *testing.T, w *world) error {
			_, err := w.client.StartSession(t.Context(), w.key, "arn:aws:iam::111111111111:mfa/bob", w.code(t), time.Hour)
			return err
		}, creds.CodeMFADevice, "unable to validate MFA code"},
		{"a role that is not there", func(t *testing.T, w *world) error {
			_, err := w.client.AssumeRole(t.Context(), w.session(t), creds.Role{ARN: "arn:aws:iam::222222222222:role/Nosuch", SessionName: "alice"})
			return err
		}, creds.CodeAccessDenied, "is not authorized to perform: sts:AssumeRole"},
		{"more than an hour through a session", func(t *testing.T, w *world) error {
			w.sim.UpdateRole(w.admin, func(r *awssim.Role) { r.MaxSessionDuration = 12 * time.Hour })
			_, err := w.client.AssumeRole(t.Context(), w.session(t), creds.Role{ARN: w.admin, SessionName: "alice", Duration: 2 * time.Hour})
			return err
		}, creds.CodeDuration, "1 hour session limit"},
		{"a deleted key", func(t *testing.T, w *world) error {
			w.alice.DeleteKey(w.alice.AccessKeyID)
			_, err := w.client.CallerIdentity(t.Context(), w.key)
			return err
		}, creds.CodeInvalidKey, "InvalidClientTokenId"},
		{"a wrong secret", func(t *testing.T, w *world) error {
			key := w.key
			key.SecretAccessKey = creds.NewSecret("wrong")
			_, err := w.client.CallerIdentity(t.Context(), key)
			return err
		}, creds.CodeInvalidKey, "SignatureDoesNotMatch"},
		{"a session that has run out", func(t *testing.T, w *world) error {
			w.sim.LifetimeFactor = 9000 // 15 minutes in a tenth of a second
			s, err := w.client.StartSession(t.Context(), w.key, w.device.Serial, w.code(t), 15*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(s.Expires))
			_, err = w.client.CallerIdentity(t.Context(), s)
			return err
		}, creds.CodeExpired, "ExpiredToken"},
		{"a clock that is far behind", func(t *testing.T, w *world) error {
			w.sim.SetClockOffset(37 * time.Hour)
			_, err := w.client.CallerIdentity(t.Context(), w.key)
			return err
		}, creds.CodeClockSkew, "Signature expired"},
		{"a clock that is far ahead", func(t *testing.T, w *world) error {
			w.sim.SetClockOffset(-37 * time.Hour)
			_, err := w.client.CallerIdentity(t.Context(), w.key)
			return err
		}, creds.CodeClockSkew, "Signature not yet current"},
		{"throttled", faulty(awssim.Fault{Kind: awssim.Throttle}), creds.CodeThrottled, "Rate exceeded"},
		{"500", faulty(awssim.Fault{Kind: awssim.ServerError}), creds.CodeUnavailable, "InternalFailure"},
		{"503", faulty(awssim.Fault{Kind: awssim.ServerError, Status: 503}), creds.CodeUnavailable, "ServiceUnavailable"},
		{"a proxy's page instead of an answer", faulty(awssim.Fault{Kind: awssim.Garbage}), creds.CodeUnavailable, "no valid answer"},
		{"a proxy's refusal", faulty(awssim.Fault{Kind: awssim.Garbage, Status: 403}), creds.CodeUnavailable, "Forbidden"},
		{"half an answer", faulty(awssim.Fault{Kind: awssim.Cut}), creds.CodeUnavailable, "no valid answer"},
		{"a connection that is cut", faulty(awssim.Fault{Kind: awssim.DropBefore}), creds.CodeNetwork, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			err := tt.do(t, w)
			if creds.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %q: %v; want %q and the words %q", creds.CodeOf(err), err, tt.code, tt.says)
			}
			if strings.Contains(err.Error(), "https response error") || strings.Contains(err.Error(), "\n") {
				t.Errorf("the text is the SDK's, not a person's: %v", err)
			}
		})
	}
}

// faulty asks who the caller is while AWS misbehaves.
func faulty(f awssim.Fault) func(*testing.T, *world) error {
	return func(t *testing.T, w *world) error {
		w.sim.Inject(f)
		_, err := w.client.CallerIdentity(t.Context(), w.key)
		return err
	}
}

// TestAnEncodedReason leaves AWS's sentence, and says how to read the rest.
func TestAnEncodedReason(t *testing.T) {
	err := faulty(awssim.Fault{Kind: awssim.Refuse, Status: 403, Code: "AccessDenied",
		Message: "You are not authorized to perform this operation. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm"})(t, newWorld(t))
	if creds.CodeOf(err) != creds.CodeAccessDenied || !strings.HasSuffix(err.Error(), "You are not authorized to perform this operation.") {
		t.Errorf("got %q: %v; want the sentence alone", creds.CodeOf(err), err)
	}
	if hint := creds.HintOf(err); !strings.HasSuffix(hint, "aws sts decode-authorization-message --encoded-message 4GIOHlTkIaWHQD0Q0m6XSnuUMCm") {
		t.Errorf("the hint does not say how to read the reason: %s", hint)
	}
}

func TestACallIsMadeOnce(t *testing.T) {
	for _, kind := range []awssim.FaultKind{awssim.Throttle, awssim.ServerError, awssim.DropBefore, awssim.DropAfter, awssim.Cut} {
		bubble(t, func(t *testing.T, w *world) {
			w.sim.Inject(awssim.Fault{Kind: kind})
			_, session := w.client.StartSession(t.Context(), w.key, w.device.Serial, w.code(t), time.Hour)
			_, direct := w.client.AssumeRoleWithCode(t.Context(), w.key, creds.Role{ARN: w.admin, SessionName: "alice"}, w.device.Serial, w.code(t))
			for action, err := range map[string]error{"GetSessionToken": session, "AssumeRole": direct} {
				if n := len(w.sim.Calls(action)); err == nil || n != 1 {
					t.Errorf("%v: %d calls of %s (%v), want one: the code may be spent", kind, n, action, err)
				}
				if _, unsent := errors.AsType[*NotSentError](err); unsent {
					t.Errorf("%v: a code of %s that reached AWS counts as not sent", kind, action)
				}
			}
		})
	}
}

func TestACodeThatNeverLeft(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	c, err := New(Endpoint{URL: closed.URL})
	if err != nil {
		t.Fatal(err)
	}
	key := creds.Credentials{AccessKeyID: "AKIAEXAMPLE000000001", SecretAccessKey: creds.NewSecret("s")}
	_, session := c.StartSession(t.Context(), key, "serial", creds.NewSecret("123456"), time.Hour)
	_, direct := c.AssumeRoleWithCode(t.Context(), key, creds.Role{ARN: "arn:aws:iam::222222222222:role/Admin", SessionName: "alice"},
		"serial", creds.NewSecret("123456"))
	for _, err := range []error{session, direct} {
		if _, unsent := errors.AsType[*NotSentError](err); !unsent || creds.CodeOf(err) != creds.CodeNetwork {
			t.Errorf("got %v (%q), want a network error whose code was not sent", err, creds.CodeOf(err))
		}
	}
}

func TestACancelledCall(t *testing.T) {
	w := newWorld(t)
	w.sim.Inject(awssim.Fault{Kind: awssim.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.client.CallerIdentity(ctx, w.key); creds.CodeOf(err) != creds.CodeNetwork {
		t.Errorf("a hang: %v, want network", err)
	}
}

func TestProxies(t *testing.T) {
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Error(w, "no", http.StatusBadGateway)
	}))
	defer proxy.Close()
	e := Endpoint{HTTPSProxy: proxy.URL}
	request := func(rawURL string) *url.URL {
		u, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.proxy()(&http.Request{URL: u})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := request("https://sts.us-east-1.amazonaws.com/"); p == nil || p.String() != proxy.URL {
		t.Errorf("AWS is reached by %v, want the configured proxy", p)
	}
	if p := request("http://127.0.0.1:1/"); p != nil {
		t.Errorf("loopback is reached by %v, want no proxy", p)
	}
	e.NoProxy = "amazonaws.com"
	if p := request("https://sts.us-east-1.amazonaws.com/"); p != nil {
		t.Errorf("AWS is reached by %v although no_proxy names it", p)
	}
	c, err := New(Endpoint{HTTPSProxy: proxy.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CallerIdentity(t.Context(), creds.Credentials{AccessKeyID: "AKIAEXAMPLE000000001", SecretAccessKey: creds.NewSecret("s")})
	if asked.Load() != 1 || creds.CodeOf(err) != creds.CodeNetwork {
		t.Errorf("the proxy was asked %d times: %v", asked.Load(), err)
	}
}

func TestCABundle(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, filepath.Join(dir, "none.pem")} {
		if _, err := New(Endpoint{CABundle: path}); creds.CodeOf(err) != creds.CodeConfig {
			t.Errorf("%s: %v, want a config error", path, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer elsewhere.Close()
	portal := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer portal.Close()
	c, err := New(Endpoint{URL: portal.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CallerIdentity(t.Context(), creds.Credentials{AccessKeyID: "AKIAEXAMPLE000000001", SecretAccessKey: creds.NewSecret("s")})
	if followed.Load() || creds.CodeOf(err) != creds.CodeUnavailable {
		t.Errorf("followed: %v, error %v; want a signed request to stay here", followed.Load(), err)
	}
}
