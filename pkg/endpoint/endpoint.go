// Package endpoint serves one profile's credentials to AWS's SDKs over HTTP on
// this machine's loopback, as a container's agent would (AWS SDKs and Tools
// Reference Guide, "Container credential provider",
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
// Whoever has its token gets them, and nobody else. It fetches nothing, asks
// nobody and writes nothing: a [Source] has the credentials, and where that is
// silent for a while the last ones are served as long as they live.
package endpoint

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Source gives the credentials of now. It must not wait for a person. Its context
// ends after [Limit]; an answer that comes later is lost. The code of its error
// decides what is served instead, see [Server].
type Source func(context.Context) (creds.Credentials, error)

// Limit is how long a [Source] may take. AWS's SDK for JavaScript gives a whole
// request one second.
const Limit = 800 * time.Millisecond

// Host is the address that every [Server] listens at.
const Host = "127.0.0.1"

// path is the only one that there is.
const path = "/credentials"

// Server is a running endpoint. Make one with [Listen].
//
// It answers each request with what its source says, once for all requests of
// the moment. Where the source cannot tell (no daemon, no network, too slow) it
// answers with the last credentials as long as they live. Where the source refused
// them (locked, no such profile, a code is needed, AWS refused) it answers with
// that error, and the last ones are forgotten.
type Server struct {
	source   Source
	listener net.Listener
	http     *http.Server
	token    creds.Secret
	served   chan struct{} // closed when the server has ended

	mu     sync.Mutex // guards what follows
	last   creds.Credentials
	flight *flight
}

// flight is a call of the source that is under way.
type flight struct {
	done chan struct{} // closed when c and err are set
	c    creds.Credentials
	err  error
}

// Listen begins to serve source at a free port of 127.0.0.1, until [Server.Close].
// First is what the source gave before; it may be zero. The error is a
// [creds.Error] with [creds.CodeInternal]: this machine gives no port.
func Listen(source Source, first creds.Credentials) (*Server, error) {
	listener, err := net.Listen("tcp4", Host+":0")
	if err != nil {
		return nil, &creds.Error{Code: creds.CodeInternal, Op: "open a port on " + Host + " for credentials",
			Hint: "add --env for credentials that do not renew themselves", Err: err}
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	s := &Server{
		source: source, listener: listener, last: first,
		token: creds.NewSecret(hex.EncodeToString(random[:])), served: make(chan struct{}),
	}
	s.http = &http.Server{
		Handler:                      s,
		DisableGeneralOptionsHandler: true, // it would answer without a token
		ReadHeaderTimeout:            2 * time.Second,
		ReadTimeout:                  2 * time.Second,
		WriteTimeout:                 5 * time.Second,
		MaxHeaderBytes:               8 << 10,
		ErrorLog:                     log.New(io.Discard, "", 0), // stderr is the command's
	}
	s.http.SetKeepAlivesEnabled(false)
	go func() {
		defer close(s.served)
		_ = s.http.Serve(listener) // until Close
	}()
	return s, nil
}

// URL is the value of AWS_CONTAINER_CREDENTIALS_FULL_URI.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + path }

// Token is the value of AWS_CONTAINER_AUTHORIZATION_TOKEN: 256 random bits.
func (s *Server) Token() creds.Secret { return s.token }

// Close ends the endpoint at once, and requests that are under way with it.
func (s *Server) Close() {
	_ = s.http.Close()
	<-s.served
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = creds.Credentials{}
}

// credentials asks the source, once for all who ask meanwhile.
func (s *Server) credentials() (creds.Credentials, error) {
	s.mu.Lock()
	f := s.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flight = f
		go s.fly(f)
	}
	s.mu.Unlock()
	<-f.done
	return f.c, f.err
}

// fly ends f within the limit, whatever the source does.
func (s *Server) fly(f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	type answer struct {
		c   creds.Credentials
		err error
	}
	got := make(chan answer, 1)
	go func() {
		c, err := s.source(ctx)
		got <- answer{c, err}
	}()
	var a answer
	select {
	case a = <-got:
	case <-ctx.Done():
		a.err = &creds.Error{Code: creds.CodeTimeout, Op: "the daemon has not answered in time", Hint: "run: mfad status"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.c, f.err = s.judgeLocked(a.c, a.err, time.Now())
	s.flight = nil
	close(f.done)
}

// judgeLocked decides what is served after the source gave c and err. Whether c
// lives is the source's to say, which knows AWS's time; now is this machine's.
func (s *Server) judgeLocked(c creds.Credentials, err error, now time.Time) (creds.Credentials, error) {
	switch {
	case err == nil:
		s.last = c
		return c, nil
	case refused(creds.CodeOf(err)):
		s.last = creds.Credentials{}
	case s.last.UsableAt(now):
		return s.last, nil
	}
	return creds.Credentials{}, err
}

// refused tells an answer about the credentials from a failure to get one.
func refused(c creds.Code) bool {
	switch c {
	case creds.CodeLocked, creds.CodeUnknownProfile, creds.CodeUsage,
		creds.CodeMFARequired, creds.CodeCancelled, creds.CodeMFARejected, creds.CodeMFAUsedCode, creds.CodeMFADevice, creds.CodeMFAProcess,
		creds.CodeAccessDenied, creds.CodeInvalidKey, creds.CodeRefused, creds.CodeDuration, creds.CodeKeyNotFound:
		return true
	}
	return false
}
