package localapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// maxBody is the largest body that is read.
const maxBody = 64 << 10

// Backend is what the API offers. Errors are shown by code, text and hint.
type Backend interface {
	Credentials(ctx context.Context, r CredentialsRequest, talk Talk) (Process, error)
	Login(ctx context.Context, r LoginRequest, talk Talk) (Outcome, error)
	Refresh(ctx context.Context, r RefreshRequest) (Outcome, error)
	Console(ctx context.Context, r ConsoleRequest, talk Talk) (ConsoleAnswer, error)
	Role(ctx context.Context, r RoleRequest, talk Talk) (RoleAnswer, error)
	Unlock(ctx context.Context, r UnlockRequest) error
	Lock(ctx context.Context) (Outcome, error)
	Confirm(ctx context.Context, r ConfirmRequest) error
	AddIdentity(ctx context.Context, r IdentityRequest) (IdentityAnswer, error)
	RemoveIdentity(ctx context.Context, name string) error
	SetTOTP(ctx context.Context, r TOTPRequest) error
	Rotate(ctx context.Context, r RotateRequest, talk Talk) (RotateAnswer, error)
	Reload(ctx context.Context) error
	// Status gives the present picture and a channel that closes when it changes.
	Status(ctx context.Context) (Status, <-chan struct{})
	// Glance gives what is known now: it waits for nothing, and has no keyring looked at.
	Glance() Status
}

// Server answers the API's requests for a backend.
type Server struct {
	backend Backend
	version string
	mux     *http.ServeMux
}

// NewServer makes a server that calls itself by version.
func NewServer(b Backend, version string) *Server {
	s := &Server{backend: b, version: version, mux: http.NewServeMux()}
	s.mux.HandleFunc("POST /v1/credentials", converse(b.Credentials))
	s.mux.HandleFunc("POST /v1/login", converse(b.Login))
	s.mux.HandleFunc("POST /v1/console", converse(b.Console))
	s.mux.HandleFunc("POST /v1/role", converse(b.Role))
	s.mux.HandleFunc("POST /v1/refresh", call(b.Refresh))
	s.mux.HandleFunc("POST /v1/unlock", call(nothing(b.Unlock)))
	s.mux.HandleFunc("POST /v1/confirm", call(nothing(b.Confirm)))
	s.mux.HandleFunc("POST /v1/lock", call(func(ctx context.Context, _ struct{}) (Outcome, error) { return b.Lock(ctx) }))
	s.mux.HandleFunc("POST /v1/reload", call(nothing(func(ctx context.Context, _ struct{}) error { return b.Reload(ctx) })))
	s.mux.HandleFunc("POST /v1/identities/add", call(b.AddIdentity))
	s.mux.HandleFunc("POST /v1/identities/remove", call(nothing(func(ctx context.Context, r NameRequest) error {
		return b.RemoveIdentity(ctx, r.Name)
	})))
	s.mux.HandleFunc("POST /v1/identities/totp", call(nothing(b.SetTOTP)))
	s.mux.HandleFunc("POST /v1/identities/rotate", converse(b.Rotate))
	s.mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		st, _ := b.Status(r.Context())
		answer(w, st)
	})
	s.mux.HandleFunc("GET /v1/short", s.short)
	s.mux.HandleFunc("GET /v1/events", s.events)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, &creds.Error{Code: creds.CodeUsage, Op: "there is no " + r.Method + " " + r.URL.Path,
			Hint: "see docs/api.md"})
	})
	return s
}

// ServeHTTP refuses what a browser could send and passes the rest on.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(VersionHeader, s.version)
	w.Header().Set("Cache-Control", "no-store")
	if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" || (r.Host != Host && r.Host != "localhost") {
		refuse(w, http.StatusForbidden, &creds.Error{Code: creds.CodeUsage, Op: "requests from a browser are refused",
			Hint: "ask for http://localhost/v1/..., without Origin and Referer"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, withDisplay(r))
}

// Serve answers on l until ctx ends, then lets running requests finish for a
// moment.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	// Long waits end at once when the daemon stops; quick answers still go out.
	base, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	srv := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: withConn,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(sameUser{l}) }()
	select {
	case err := <-done:
		stop(err)
		return err
	case <-ctx.Done():
	}
	stop(&creds.Error{Code: creds.CodeDaemonDown, Op: "the daemon is stopping", Hint: "run it again: mfad daemon"})
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

// events streams a status now and after every change, at most ten a second.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	say := stream(w)
	for {
		st, changed := s.backend.Status(r.Context())
		say(Message{Event: "status", Status: &st})
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
		pause := time.NewTimer(100 * time.Millisecond)
		select {
		case <-pause.C:
		case <-r.Context().Done():
			pause.Stop()
			return
		}
	}
}

// nothing adapts a call without an answer.
func nothing[Q any](f func(context.Context, Q) error) func(context.Context, Q) (struct{}, error) {
	return func(ctx context.Context, q Q) (struct{}, error) { return struct{}{}, f(ctx, q) }
}

// call makes a handler of a backend's method.
func call[Q, A any](f func(context.Context, Q) (A, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q Q
		if err := decode(r, &q); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		a, err := f(r.Context(), q)
		if err != nil {
			refuse(w, 0, err)
			return
		}
		answer(w, a)
	}
}

// converse is call for methods that may have to ask the client's person: the
// answer is streamed to clients that accept that.
func converse[Q, A any](f func(context.Context, Q, Talk) (A, error)) http.HandlerFunc {
	plain := call(func(ctx context.Context, q Q) (A, error) { return f(ctx, q, Talk{}) })
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != streamType {
			plain(w, r)
			return
		}
		var q Q
		if err := decode(r, &q); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		say := stream(w)
		a, err := f(r.Context(), q, Talk{say})
		if err != nil {
			say(Message{Event: "error", Error: WireError(err)})
			return
		}
		say(Message{Event: "result", Result: a})
	}
}

// streamType is the media type of an answer in JSON lines.
const streamType = "application/x-ndjson"

// stream starts an answer in lines.
func stream(w http.ResponseWriter) func(Message) {
	w.Header().Set("Content-Type", streamType)
	w.WriteHeader(http.StatusOK)
	enc, flush := json.NewEncoder(w), http.NewResponseController(w)
	var mu sync.Mutex // guards w
	return func(m Message) {
		mu.Lock()
		defer mu.Unlock()
		_ = enc.Encode(m) // a client that went away is noticed by its context
		_ = flush.Flush()
	}
}

// decode reads a body strictly; no body is an empty object.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil { // not More, which takes a closing bracket for the end
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("there is more than one JSON value")
		}
	}
	if err != nil {
		return &creds.Error{Code: creds.CodeUsage, Op: "read the request", Hint: "see docs/api.md", Err: err}
	}
	return nil
}

func answer(w http.ResponseWriter, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)+1)) // else a long answer is chunked, which pkg/fastpath does not read
	_, _ = w.Write(append(b, '\n'))
}

// refuse answers with an error; status 0 is derived from its code.
func refuse(w http.ResponseWriter, status int, err error) {
	if status == 0 {
		status = statusOf(creds.CodeOf(err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(WireError(err))
}

// statusOf gives the HTTP status of an error code: 4xx where the caller or a
// person must act, 502 and 504 for AWS, 500 for mfad itself.
func statusOf(c creds.Code) int {
	switch c {
	case creds.CodeUsage, creds.CodeConfig, creds.CodeMFABadCode:
		return http.StatusBadRequest
	case creds.CodeUnknownProfile, creds.CodeKeyNotFound:
		return http.StatusNotFound
	case creds.CodeConflict, creds.CodeMFAUsedCode, creds.CodeMFARequired, creds.CodeCancelled:
		return http.StatusConflict
	case creds.CodeLocked, creds.CodeKeyringLocked, creds.CodeKeyringAbsent, creds.CodeKeyringTimeout:
		return http.StatusLocked
	case creds.CodeMFARejected, creds.CodeMFADevice, creds.CodeAccessDenied, creds.CodeInvalidKey, creds.CodeExpired,
		creds.CodeClockSkew, creds.CodeDuration, creds.CodeRefused:
		return http.StatusForbidden
	case creds.CodeThrottled, creds.CodeUnavailable, creds.CodeNetwork:
		return http.StatusBadGateway
	case creds.CodeTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
