package endpoint

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

func fresh(id string) creds.Credentials {
	return creds.Credentials{AccessKeyID: id, SecretAccessKey: creds.NewSecret("not-a-secret"), SessionToken: creds.NewSecret("not-a-token"),
		Expires: time.Now().Add(time.Hour).Truncate(time.Second)}
}

// listen starts a server that ends with the test.
func listen(t *testing.T, source Source, first creds.Credentials) *Server {
	t.Helper()
	s, err := Listen(source, first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// get asks as an SDK would.
func get(t *testing.T, s *Server) (status int, body map[string]string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", s.Token().Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatalf("status %d, no JSON: %v", resp.StatusCode, err)
	}
	return resp.StatusCode, body
}

func TestAnswer(t *testing.T) {
	c := fresh("ASIAEXAMPLE1")
	s := listen(t, func(context.Context) (creds.Credentials, error) { return c, nil }, creds.Credentials{})
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("URL %s: SDKs take http to the loopback alone", s.URL())
	}
	if n := len(s.Token().Reveal()); n != 64 {
		t.Errorf("the token has %d hex digits, want 64", n)
	}
	status, got := get(t, s)
	want := map[string]string{"AccessKeyId": "ASIAEXAMPLE1", "SecretAccessKey": "not-a-secret", "Token": "not-a-token",
		"Expiration": c.Expires.UTC().Format("2006-01-02T15:04:05Z")}
	if status != http.StatusOK || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("status %d, %v; want %v", status, got, want)
	}
}

// raw sends bytes as they are and reads until the server closes.
func raw(t *testing.T, s *Server, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(bufio.NewReader(conn)) // to its end: no connection is kept
	if err != nil {
		t.Fatalf("%q: %v after %q", request, err, answer)
	}
	return string(answer)
}

// TestWhoGetsNothing sends what a page, another user and a confused program could.
func TestWhoGetsNothing(t *testing.T) {
	var asked atomic.Int32
	s := listen(t, func(context.Context) (creds.Credentials, error) { asked.Add(1); return fresh("ASIAEXAMPLE1"), nil }, creds.Credentials{})
	host := s.listener.Addr().String()
	_, port, _ := net.SplitHostPort(host)
	token := s.Token().Reveal()
	auth := "Authorization: " + token + "\r\n"
	for _, tt := range []struct {
		name, line, host, headers string
		want                      int
	}{
		{"no token", "GET /credentials", host, "", 401},
		{"another token", "GET /credentials", host, "Authorization: " + strings.Repeat("0", 64) + "\r\n", 401},
		{"a beginning of the token", "GET /credentials", host, "Authorization: " + token[:63] + "\r\n", 401},
		{"a scheme before it", "GET /credentials", host, "Authorization: Bearer " + token + "\r\n", 401},
		{"two tokens", "GET /credentials", host, auth + auth, 401},
		{"an empty token", "GET /credentials", host, "Authorization:\r\n", 401},
		{"the token in the address", "GET /credentials?Authorization=" + token, host, "", 401},
		{"no token, another path", "GET /", host, "", 401},
		{"no token, a browser", "POST /credentials", "evil.example", "Origin: http://evil.example\r\n", 401},
		{"no token, OPTIONS *", "OPTIONS *", host, "", 401},
		{"another host", "GET /credentials", "evil.example:" + port, auth, 403},
		{"localhost", "GET /credentials", "localhost:" + port, auth, 403},
		{"no port", "GET /credentials", "127.0.0.1", auth, 403},
		{"another host in the address", "GET http://evil.example/credentials", host, auth, 403},
		{"Origin", "GET /credentials", host, auth + "Origin: null\r\n", 403},
		{"Referer", "GET /credentials", host, auth + "Referer: http://127.0.0.1/\r\n", 403},
		{"an empty Referer", "GET /credentials", host, auth + "Referer:\r\n", 403},
		{"Sec-Fetch-Site", "GET /credentials", host, auth + "Sec-Fetch-Site: same-origin\r\n", 403},
		{"another path", "GET /", host, auth, 404},
		{"a path below", "GET /credentials/", host, auth, 404},
		{"a path that only looks so", "GET /%63redentials", host, auth, 404},
		{"a query", "GET /credentials?x", host, auth, 404},
		{"POST", "POST /credentials", host, auth + "Content-Length: 0\r\n", 405},
		{"DELETE", "DELETE /credentials", host, auth, 405},
		{"OPTIONS", "OPTIONS /credentials", host, auth, 405},
		{"long headers", "GET /credentials", host, auth + "X: " + strings.Repeat("x", 1<<14) + "\r\n", 431},
	} {
		answer := raw(t, s, tt.line+" HTTP/1.1\r\nHost: "+tt.host+"\r\n"+tt.headers+"\r\n")
		if !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", tt.want)) {
			t.Errorf("%s: got %.60q, want %d", tt.name, answer, tt.want)
		}
		if strings.Contains(answer, "ASIA") || strings.Contains(answer, token) || strings.Contains(answer, "not-a") {
			t.Errorf("%s: the answer holds a secret: %q", tt.name, answer)
		}
		if tt.want != 431 && (!strings.Contains(answer, "Cache-Control: no-store\r\n") || !strings.Contains(answer, `{"code":"usage","message":"`)) {
			t.Errorf("%s: got %q, want no-store and JSON", tt.name, answer)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
	answer := raw(t, s, "HEAD /credentials HTTP/1.1\r\nHost: "+host+"\r\n"+auth+"\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.HasSuffix(answer, "\r\n\r\n") {
		t.Errorf("HEAD: got %q, want headers alone", answer)
	}
}

// TestAConnectionThatSaysNothing is closed by the server.
func TestAConnectionThatSaysNothing(t *testing.T) {
	t.Parallel()
	s := listen(t, nil, creds.Credentials{})
	begin := time.Now()
	if answer := raw(t, s, "GET /credentials HTTP/1.1\r\n"); strings.Contains(answer, " 200 ") {
		t.Errorf("got %q", answer)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it was held open for %v", took)
	}
}

// TestFailures: what the source says decides between the last credentials and an
// error, and between an error that SDKs try again after and one that they do not.
func TestFailures(t *testing.T) {
	hinted := func(c creds.Code) error { return &creds.Error{Code: c, Op: "what failed", Hint: "run: mfad x"} }
	for _, tt := range []struct {
		err  error
		last bool // the last credentials are served
		want int  // where there are none
	}{
		{hinted(creds.CodeDaemonDown), true, 503},
		{hinted(creds.CodeTimeout), true, 503},
		{hinted(creds.CodeNetwork), true, 503},
		{hinted(creds.CodeThrottled), true, 503},
		{hinted(creds.CodeUnavailable), true, 503},
		{hinted(creds.CodeKeyringTimeout), true, 503},
		{hinted(creds.CodeKeyringLocked), true, 423},
		{hinted(creds.CodeConfig), true, 403},
		{errors.New("what failed"), true, 403},
		{hinted(creds.CodeLocked), false, 423},
		{hinted(creds.CodeUnknownProfile), false, 410},
		{hinted(creds.CodeMFARequired), false, 403},
		{hinted(creds.CodeAccessDenied), false, 403},
		{hinted(creds.CodeInvalidKey), false, 403},
	} {
		code := creds.CodeOf(tt.err)
		answer := func() (creds.Credentials, error) { return creds.Credentials{}, tt.err }
		s := listen(t, func(context.Context) (creds.Credentials, error) { return answer() }, creds.Credentials{})
		status, body := get(t, s)
		if status != tt.want || body["code"] != string(code) || !strings.HasPrefix(body["message"], "what failed") {
			t.Errorf("%s: status %d, %v; want %d", code, status, body, tt.want)
		}
		if creds.HintOf(tt.err) != "" && !strings.Contains(body["message"], "mfad x") {
			t.Errorf("%s: the message %q lacks the hint", code, body["message"])
		}
		answer = func() (creds.Credentials, error) { return fresh("ASIAEXAMPLE1"), nil }
		get(t, s)
		answer = func() (creds.Credentials, error) { return creds.Credentials{}, tt.err }
		if status, body := get(t, s); (status == http.StatusOK) != tt.last {
			t.Errorf("%s after an answer: status %d, %v; want the last credentials: %v", code, status, body, tt.last)
		}
		answer = func() (creds.Credentials, error) { return creds.Credentials{}, hinted(creds.CodeDaemonDown) }
		if status, _ := get(t, s); (status == http.StatusOK) != tt.last {
			t.Errorf("no daemon after %s: status %d; want the last credentials: %v", code, status, tt.last)
		}
	}
}

// TestTheFirstAreServedUntilTheirEnd where the source has nothing.
func TestTheFirstAreServedUntilTheirEnd(t *testing.T) {
	down := func(context.Context) (creds.Credentials, error) {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeDaemonDown, Op: "no daemon"}
	}
	first := fresh("ASIAEXAMPLE1")
	if status, body := get(t, listen(t, down, first)); status != 200 || body["AccessKeyId"] != "ASIAEXAMPLE1" {
		t.Errorf("status %d, %v; want the first", status, body)
	}
	first.Expires = time.Now().Add(-time.Second)
	if status, body := get(t, listen(t, down, first)); status != 503 {
		t.Errorf("after their end: status %d, %v; want 503", status, body)
	}
}

// TestTheSourceKnowsTheTime: what it gives is passed on, also where this machine's
// clock is so far ahead that it seems to have run out.
func TestTheSourceKnowsTheTime(t *testing.T) {
	c := fresh("ASIAEXAMPLE1")
	c.Expires = time.Now().Add(-5 * time.Hour)
	source := func(context.Context) (creds.Credentials, error) { return c, nil }
	if status, body := get(t, listen(t, source, creds.Credentials{})); status != 200 || body["AccessKeyId"] != "ASIAEXAMPLE1" {
		t.Errorf("status %d, %v; want what the source gave", status, body)
	}
}

// TestASlowSourceDoesNotHoldAnybodyUp: an answer comes within the second that the
// SDK for JavaScript waits, and one call serves all who ask meanwhile.
func TestASlowSourceDoesNotHoldAnybodyUp(t *testing.T) {
	var calls atomic.Int32
	release := make(chan struct{})
	s := listen(t, func(context.Context) (creds.Credentials, error) { // deaf to its context
		calls.Add(1)
		<-release
		return fresh("ASIAEXAMPLE2"), nil
	}, fresh("ASIAEXAMPLE1"))
	defer close(release)
	begin := time.Now()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if status, body := get(t, s); status != 200 || body["AccessKeyId"] != "ASIAEXAMPLE1" {
				t.Errorf("status %d, %v; want the last credentials", status, body)
			}
		})
	}
	all.Wait()
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the answers took %v, want less than 1 s", took)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the source was called %d times for 20 requests of one moment", n)
	}
}

func TestClose(t *testing.T) {
	s := listen(t, func(context.Context) (creds.Credentials, error) { return fresh("ASIAEXAMPLE1"), nil }, creds.Credentials{})
	s.Close()
	if conn, err := net.Dial("tcp", s.listener.Addr().String()); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
	if s.last != (creds.Credentials{}) {
		t.Error("the last credentials are still in memory")
	}
}

// TestAnswersGoOutInOnePiece: what is sent has its length, and no chunks.
func TestAnswersGoOutInOnePiece(t *testing.T) {
	s := listen(t, func(context.Context) (creds.Credentials, error) { return fresh("ASIAEXAMPLE1"), nil }, creds.Credentials{})
	answer := raw(t, s, "GET /credentials HTTP/1.1\r\nHost: "+s.listener.Addr().String()+"\r\nAuthorization: "+s.Token().Reveal()+"\r\n\r\n")
	head, body, _ := bytes.Cut([]byte(answer), []byte("\r\n\r\n"))
	if !strings.Contains(string(head), fmt.Sprintf("Content-Length: %d\r\n", len(body))) || !strings.Contains(string(head), "Connection: close") {
		t.Errorf("got %q", head)
	}
}
