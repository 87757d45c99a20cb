package localapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// backend answers as a test wants.
type backend struct {
	Backend     // nil: what a test does not expect panics
	credentials func(context.Context, CredentialsRequest, Talk) (Process, error)
	status      Status
	changed     chan struct{}
}

func (b *backend) Credentials(ctx context.Context, r CredentialsRequest, talk Talk) (Process, error) {
	return b.credentials(ctx, r, talk)
}
func (b *backend) Status(context.Context) (Status, <-chan struct{}) { return b.status, b.changed }
func (b *backend) Glance() Status                                   { return b.status }
func (b *backend) Reload(context.Context) error                     { return nil }

// serve runs a server on a real socket and gives its path.
func serve(t *testing.T, b Backend) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mfad", "mfad.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewServer(b, "v1.2.3").Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return path
}

func answering(p Process, err error) *backend {
	return &backend{credentials: func(context.Context, CredentialsRequest, Talk) (Process, error) { return p, err }}
}

// raw sends bytes and gives the answer's status and body.
func raw(t *testing.T, path, request string) (int, string) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func post(headers, body string) string {
	var b bytes.Buffer
	req, _ := http.NewRequest("POST", "http://mfad/v1/credentials", strings.NewReader(body))
	_ = req.Write(&b)
	return strings.Replace(b.String(), "User-Agent: Go-http-client/1.1\r\n", headers, 1)
}

func TestWhatABrowserCouldSendIsRefused(t *testing.T) {
	path := serve(t, answering(Process{Version: 1, AccessKeyID: "ASIAEXAMPLE"}, nil))
	good := `{"profile":"prod"}`
	for _, tt := range []struct {
		name, request string
		status        int
		code          creds.Code
	}{
		{"a plain request is answered", post("", good), 200, ""},
		{"so is curl's Host", strings.Replace(post("", good), "Host: mfad", "Host: localhost", 1), 200, ""},
		{"Origin", post("Origin: http://evil.example\r\n", good), 403, creds.CodeUsage},
		{"an empty-looking Origin", post("Origin: null\r\n", good), 403, creds.CodeUsage},
		{"Referer", post("Referer: http://evil.example/\r\n", good), 403, creds.CodeUsage},
		{"a foreign Host", strings.Replace(post("", good), "Host: mfad", "Host: evil.example", 1), 403, creds.CodeUsage},
		{"an unknown field", post("", `{"profile":"prod","x":1}`), 400, creds.CodeUsage},
		{"no JSON", post("", `profile=prod`), 400, creds.CodeUsage},
		{"two values", post("", good+good), 400, creds.CodeUsage},
		{"a body over 64 KiB", post("", `{"profile":"`+strings.Repeat("a", 64<<10)+`"}`), 400, creds.CodeUsage},
		{"GET for a secret", "GET /v1/credentials HTTP/1.1\r\nHost: mfad\r\n\r\n", 404, creds.CodeUsage},
		{"an unknown path", "POST /v2/x HTTP/1.1\r\nHost: mfad\r\nContent-Length: 0\r\n\r\n", 404, creds.CodeUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := raw(t, path, tt.request)
			var e Error
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatalf("the body is no JSON: %q", body)
			}
			if status != tt.status || e.Code != tt.code {
				t.Errorf("status %d, code %q; want %d, %q", status, e.Code, tt.status, tt.code)
			}
		})
	}
}

func TestErrorsArriveWhole(t *testing.T) {
	sent := &creds.Error{Code: creds.CodeLocked, Op: "mfad is locked", Hint: "run: mfad unlock"}
	path := serve(t, answering(Process{}, sent))
	c := &Client{Sockets: []string{path}, Version: "v1.2.3"}
	for _, call := range []func() error{
		func() error { return c.Do(t.Context(), "/v1/credentials", CredentialsRequest{}, nil) },
		func() error { return c.Converse(t.Context(), "/v1/credentials", CredentialsRequest{}, nil, Hearing{}) },
	} {
		err := call()
		if creds.CodeOf(err) != sent.Code || err.Error() != sent.Op || creds.HintOf(err) != sent.Hint {
			t.Errorf("got %q %q %q, want what was sent", creds.CodeOf(err), err, creds.HintOf(err))
		}
	}
}

func TestAConversation(t *testing.T) {
	b := &backend{credentials: func(_ context.Context, r CredentialsRequest, talk Talk) (Process, error) {
		if !talk.CanAsk() {
			return Process{}, errors.New("there is no stream to ask on")
		}
		talk.Confirm(consent.Question{ID: "0123", Profile: r.Profile, Program: "terraform", PID: 7})
		talk.Say(mfa.Event{Kind: mfa.Ask, Question: mfa.Question{Identity: "corp", Serial: "serial", Profiles: []string{r.Profile}}})
		talk.Say(mfa.Event{Kind: mfa.Stop})
		return Process{Version: 1, AccessKeyID: "ASIAEXAMPLE"}, nil
	}}
	path := serve(t, b)
	c := &Client{Sockets: []string{path}}
	var heard []mfa.Event
	var confirmed consent.Question
	var out Process
	err := c.Converse(t.Context(), "/v1/credentials", CredentialsRequest{Profile: "prod"}, &out, Hearing{
		Code: func(e mfa.Event) { heard = append(heard, e) }, Confirm: func(q consent.Question) { confirmed = q }})
	if err != nil || out.AccessKeyID != "ASIAEXAMPLE" {
		t.Fatalf("got %+v, %v", out.AccessKeyID, err)
	}
	if len(heard) != 2 || heard[0].Kind != mfa.Ask || heard[0].Question.Profiles[0] != "prod" || heard[1].Kind != mfa.Stop {
		t.Errorf("heard %+v, want the question and its end", heard)
	}
	if want := (consent.Question{ID: "0123", Profile: "prod", Program: "terraform", PID: 7}); confirmed != want {
		t.Errorf("asked to confirm %+v, want %+v", confirmed, want)
	}
}

func TestAClientThatGoesAwayIsNoticed(t *testing.T) {
	came, gone := make(chan struct{}), make(chan struct{})
	b := &backend{credentials: func(ctx context.Context, _ CredentialsRequest, _ Talk) (Process, error) {
		close(came)
		<-ctx.Done()
		close(gone)
		return Process{}, ctx.Err()
	}}
	path := serve(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-came
		cancel()
	}()
	_ = (&Client{Sockets: []string{path}}).Converse(ctx, "/v1/credentials", CredentialsRequest{}, nil, Hearing{})
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the backend still waits for a client that has gone")
	}
}

func TestEventsFollowChanges(t *testing.T) {
	changed := make(chan struct{})
	b := &backend{changed: changed}
	path := serve(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	_ = (&Client{Sockets: []string{path}}).Events(ctx, func(Status) {
		if seen++; seen == 1 {
			b.changed = make(chan struct{})
			close(changed)
		} else {
			cancel()
		}
	})
	if seen != 2 {
		t.Errorf("%d pictures, want the first and one after the change", seen)
	}
}

func TestNobodyThere(t *testing.T) {
	dir := t.TempDir()
	c := &Client{Sockets: []string{filepath.Join(dir, "a.sock"), filepath.Join(dir, "b.sock")}}
	err := c.Do(t.Context(), "/v1/status", nil, nil)
	if !errors.Is(err, ErrNoDaemon) || creds.CodeOf(err) != creds.CodeDaemonDown {
		t.Errorf("got %v, want ErrNoDaemon", err)
	}
}

func TestTheSecondSocketIsTried(t *testing.T) {
	path := serve(t, answering(Process{Version: 1}, nil))
	c := &Client{Sockets: []string{filepath.Join(t.TempDir(), "none.sock"), path}}
	if err := c.Do(t.Context(), "/v1/reload", struct{}{}, nil); err != nil {
		t.Error(err)
	}
}

func TestAnotherVersionIsTold(t *testing.T) {
	path := serve(t, answering(Process{}, nil))
	told := ""
	c := &Client{Sockets: []string{path}, Version: "v9", Mismatch: func(v string) { told = v }}
	if err := c.Do(t.Context(), "/v1/reload", struct{}{}, nil); err != nil || told != "v1.2.3" {
		t.Errorf("told %q (%v), want the daemon's version", told, err)
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "mfad", "mfad.sock")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v (%v), want %v", p, info.Mode().Perm(), err, want)
		}
	}
	if _, err := Listen(path); err == nil {
		t.Error("a second daemon took the socket of a living one")
	}
	// A killed daemon leaves its socket behind.
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close()
	second, err := Listen(path)
	if err != nil {
		t.Fatalf("the socket of a dead daemon was not replaced: %v", err)
	}
	second.Close()
	plain := filepath.Join(dir, "new", "mfad", "file")
	if err := os.WriteFile(plain, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(plain); err == nil {
		t.Error("a file that is no socket was replaced")
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(open, "mfad.sock")); err == nil {
		t.Error("a folder in which others can write was taken")
	}
}

// TestAnotherUserIsRefused connects as another user to a socket that, against
// all care, everybody may open.
func TestAnotherUserIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP-REAL security: only root can become another user")
	}
	perl, err := exec.LookPath("perl")
	if err != nil {
		t.Skip("SKIP-REAL security: there is no perl to connect with")
	}
	path := serve(t, answering(Process{Version: 1}, nil))
	for p := path; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	const script = `use IO::Socket::UNIX; $SIG{PIPE} = "IGNORE"; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
		print $s "GET /v1/status HTTP/1.1\r\nHost: mfad\r\n\r\n"; my $l = <$s>; print defined $l ? "answered" : "closed";`
	out, err := exec.Command("setpriv", "--reuid=65534", "--clear-groups", perl, "-e", script, path).CombinedOutput()
	if err != nil || string(out) != "closed" {
		t.Errorf("another user got %q (%v), want a closed connection", out, err)
	}
}
