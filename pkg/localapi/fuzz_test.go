package localapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// willing does whatever it is asked, unless err says otherwise: what a client
// must not get has to be refused before.
type willing struct{ err error }

func (w willing) Credentials(context.Context, CredentialsRequest, Talk) (Process, error) {
	return Process{Version: 1}, w.err
}

func (w willing) Login(context.Context, LoginRequest, Talk) (Outcome, error) {
	return Outcome{}, w.err
}
func (w willing) Refresh(context.Context, RefreshRequest) (Outcome, error) { return Outcome{}, w.err }
func (w willing) Console(context.Context, ConsoleRequest, Talk) (ConsoleAnswer, error) {
	return ConsoleAnswer{}, w.err
}

func (w willing) Role(context.Context, RoleRequest, Talk) (RoleAnswer, error) {
	return RoleAnswer{}, w.err
}
func (w willing) Unlock(context.Context, UnlockRequest) error   { return w.err }
func (w willing) Confirm(context.Context, ConfirmRequest) error { return w.err }
func (w willing) Lock(context.Context) (Outcome, error)         { return Outcome{}, w.err }
func (w willing) AddIdentity(context.Context, IdentityRequest) (IdentityAnswer, error) {
	return IdentityAnswer{}, w.err
}
func (w willing) RemoveIdentity(context.Context, string) error { return w.err }
func (w willing) SetTOTP(context.Context, TOTPRequest) error   { return w.err }
func (w willing) Rotate(context.Context, RotateRequest, Talk) (RotateAnswer, error) {
	return RotateAnswer{}, w.err
}
func (w willing) Reload(context.Context) error { return w.err }
func (w willing) Status(context.Context) (Status, <-chan struct{}) {
	return Status{}, nil
}
func (w willing) Glance() Status { return Status{} }

// bodies are the requests of the calls that take one.
func bodies() map[string]reflect.Type {
	return map[string]reflect.Type{
		"/v1/credentials":       reflect.TypeFor[CredentialsRequest](),
		"/v1/login":             reflect.TypeFor[LoginRequest](),
		"/v1/console":           reflect.TypeFor[ConsoleRequest](),
		"/v1/role":              reflect.TypeFor[RoleRequest](),
		"/v1/refresh":           reflect.TypeFor[RefreshRequest](),
		"/v1/unlock":            reflect.TypeFor[UnlockRequest](),
		"/v1/confirm":           reflect.TypeFor[ConfirmRequest](),
		"/v1/lock":              reflect.TypeFor[struct{}](),
		"/v1/reload":            reflect.TypeFor[struct{}](),
		"/v1/identities/add":    reflect.TypeFor[IdentityRequest](),
		"/v1/identities/remove": reflect.TypeFor[NameRequest](),
		"/v1/identities/totp":   reflect.TypeFor[TOTPRequest](),
		"/v1/identities/rotate": reflect.TypeFor[RotateRequest](),
	}
}

// takable tells whether body is nothing, or one JSON object with no field but
// those of form.
func takable(body []byte, form reflect.Type) bool {
	if len(bytes.Trim(body, " \t\r\n")) == 0 {
		return true
	}
	var fields map[string]json.RawMessage // encoding/json takes null for it too
	if !json.Valid(body) || json.Unmarshal(body, &fields) != nil {
		return false
	}
	for name := range fields {
		known := slices.ContainsFunc(reflect.VisibleFields(form), func(f reflect.StructField) bool {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return strings.EqualFold(tag, name)
		})
		if !known {
			return false
		}
	}
	return true
}

// FuzzBodies sends what a program might: no handler panics, nothing of a browser's
// and no body with an unknown field or with more behind it is answered with 200,
// and every refusal is JSON with a code and a message.
func FuzzBodies(f *testing.F) {
	head := func(line, headers string) string { return line + " HTTP/1.1\r\nHost: mfad\r\n" + headers }
	forms := bodies()
	for path := range forms {
		for _, body := range []string{
			"", " \n", "{}", "{}}", "{}]", "null", "[]", "1", `"x"`, "{", `{"profile":"prod"}`, `{"profile":1}`, `{"name":"corp","x":1}`, `{"Name":"a","NAME":"b"}`,
			`{"profile":"prod"}{}`, `{} x`, `{"profiles":["a",null]}`, `{"timeout_seconds":1e999}`, `{"duration_seconds":1.5}`, "\ufeff{}", "{\"profile\":\"\xff\"}",
			`{"profile":"` + strings.Repeat("a", maxBody) + `"}`, strings.Repeat(" ", maxBody+1) + "{}",
		} {
			f.Add(head("POST "+path, ""), []byte(body), uint8(0))
			f.Add(head("POST "+path, "Accept: "+streamType+"\r\n"), []byte(body), uint8(len(body)))
		}
	}
	for _, h := range []string{"Origin: null\r\n", "Referer: http://evil.example/\r\n", "Content-Type: text/plain\r\n", "Mfad-Version: \xff\r\n", "Origin:\r\n", "Expect: 100-continue\r\n"} {
		f.Add(head("POST /v1/credentials", h), []byte("{}"), uint8(0))
	}
	for _, line := range []string{"GET /v1/status", "GET /v1/events", "GET /v1/short?name=[", "GET /", "GET /v1/credentials", "POST /v1/status", "PUT /v1/lock", "POST //v1/lock", "POST /v2/x", "POST http://mfad/v1/lock", "HEAD /v1/status", "POST /v1/lock?x=1", "POST /v1/%6cock"} {
		f.Add(head(line, ""), []byte(nil), uint8(3))
	}
	f.Add("POST /v1/credentials HTTP/1.1\r\nHost: evil.example\r\n", []byte("{}"), uint8(0))
	codes := []creds.Code{creds.CodeUsage, creds.CodeUnknownProfile, creds.CodeMFARequired, creds.CodeLocked, creds.CodeExpired, creds.CodeNetwork, creds.CodeTimeout, creds.CodeInternal, "made_up"}
	f.Fuzz(func(t *testing.T, headers string, body []byte, failure uint8) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(headers + "\r\n")))
		if err != nil || r.RequestURI == "*" {
			return // net/http answers that itself
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if r.URL.Path == "/v1/events" {
			cancel() // else the stream does not end
		}
		var b willing
		if failure > 127 {
			b.err = &creds.Error{Code: codes[int(failure)%len(codes)], Op: "do it"}
		}
		w := httptest.NewRecorder()
		NewServer(b, "v1.2.3").ServeHTTP(w, r.WithContext(ctx))
		answered(t, w, r, body, forms)
	})
}

func answered(t *testing.T, w *httptest.ResponseRecorder, r *http.Request, body []byte, forms map[string]reflect.Type) {
	t.Helper()
	said := w.Body.Bytes()
	where := r.Method + " " + r.URL.String()
	if got := w.Header().Get(VersionHeader); got != "v1.2.3" {
		t.Fatalf("%s: the version is %q", where, got)
	}
	if w.Code/100 == 3 && w.Header().Get("Location") != "" {
		return // http.ServeMux sends //v1/lock to /v1/lock
	}
	if w.Code != http.StatusOK {
		var e Error
		if err := json.Unmarshal(said, &e); err != nil || e.Code == "" || e.Message == "" || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: status %d with %q (%v), want JSON with a code and a message", where, w.Code, said, err)
		}
		return
	}
	for line := range bytes.Lines(said) {
		if !json.Valid(line) {
			t.Fatalf("%s: answered %q, which is no JSON", where, line)
		}
	}
	if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" || r.Host != "mfad" && r.Host != "localhost" {
		t.Fatalf("%s: answered a browser: %v, Host %q", where, r.Header, r.Host)
	}
	form, takes := forms[r.URL.Path]
	switch {
	case takes && (r.Method != http.MethodPost || !takable(body, form)):
		t.Fatalf("%s: answered 200 to %q", where, body)
	case !takes && (r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.Path != "/v1/status" && r.URL.Path != "/v1/events"):
		t.Fatalf("%s: answered 200", where)
	case len(body) > maxBody && takes:
		t.Fatalf("%s: read %d bytes", where, len(body))
	}
}
