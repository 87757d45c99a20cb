package console

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// openTimeout is for a browser that starts up first, on a slow disk.
const openTimeout = time.Minute

// Login is a form that signs a browser in to the console. AWS takes it for 15
// minutes from when the token was made ("IAM User Guide, Enable custom identity
// broker access to the AWS console"). The zero Login opens nothing.
type Login struct {
	Endpoint    string       // of [Federation]
	Issuer      string       // page that a person is sent to when the session is over; may be empty
	Destination string       // of [Destination]
	Token       creds.Secret // the SigninToken that Endpoint gave
}

// fields are the parameters of the federation endpoint's login action, in the
// order of the IAM User Guide.
func (l Login) fields() []field {
	all := []field{{"Action", "login"}}
	if l.Issuer != "" {
		all = append(all, field{"Issuer", l.Issuer})
	}
	return append(all, field{"Destination", l.Destination}, field{"SigninToken", l.Token.Reveal()})
}

type field struct{ Name, Value string }

// URL is the login as one address, for a person to open by hand.
// It holds the token: whoever has it in time is signed in.
func (l Login) URL() creds.Secret {
	query := url.Values{}
	for _, f := range l.fields() {
		query.Set(f.Name, f.Value)
	}
	return creds.NewSecret(l.Endpoint + "?" + query.Encode())
}

// Open has a browser sign in, and returns once the browser has what it needs
// for that. It calls open with an address of this machine, whose page posts the
// form to Endpoint. That address works once, for the first GET that a browser
// makes to show a page, on 127.0.0.1 alone, and is useless afterwards.
//
// Open does not wait for open to return: some browsers run until they are
// closed. The failure of open before the page was fetched is a [creds.Error]
// with [creds.CodeInternal], as is a page that cannot be served, for want of a
// token or because Endpoint is not https on another machine. A page that nobody
// fetched for a minute, or until the deadline of ctx, is one with
// [creds.CodeTimeout]; a cancelled ctx is one with [creds.CodeInterrupted].
func (l Login) Open(ctx context.Context, open func(url string) error) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return notOpened(creds.CodeInternal, err)
	}
	return l.serve(ctx, listener, open)
}

// serve is Open with a listener, which it closes.
func (l Login) serve(ctx context.Context, listener net.Listener, open func(url string) error) error {
	defer func() { _ = listener.Close() }()
	page, err := l.render()
	if err != nil {
		return notOpened(creds.CodeInternal, err)
	}
	shot := oneShot{
		host:   listener.Addr().String(),
		path:   "/" + randomPath(),
		policy: l.policy(),
		page:   page,
		done:   make(chan error, 1),
	}
	server := &http.Server{
		Handler:           &shot,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = shot.wait(ctx, open)
	// The page was flushed before wait returned. Connections that a browser
	// opened in advance and never used must not hold anybody up.
	_ = server.Close()
	<-served
	return err
}

// wait calls open and waits for the page to be fetched.
func (s *oneShot) wait(ctx context.Context, open func(url string) error) error {
	// Nobody waits for this goroutine: it may last as long as the browser.
	opened := make(chan error, 1)
	go func() { opened <- open("http://" + s.host + s.path) }()
	timeout := time.NewTimer(openTimeout)
	defer timeout.Stop()
	for {
		select {
		case err := <-s.done:
			return sent(err)
		case err := <-opened:
			// What came for the page had it from open, whatever open says.
			if err != nil && !s.spent.Load() {
				return notOpened(creds.CodeInternal, err)
			}
		case <-timeout.C:
			return notOpened(creds.CodeTimeout, fmt.Errorf("no browser fetched the sign-in page within %s", openTimeout))
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return notOpened(creds.CodeTimeout, errors.New("no browser fetched the sign-in page in time"))
			}
			return &creds.Error{Code: creds.CodeInterrupted, Op: "open the console in a browser", Err: ctx.Err()}
		}
	}
}

// sent is what comes of sending the page, with err or without.
func sent(err error) error {
	if err == nil {
		return nil
	}
	return notOpened(creds.CodeInternal, fmt.Errorf("send the sign-in page to the browser: %v", err))
}

func notOpened(code creds.Code, err error) error {
	return &creds.Error{
		Code: code,
		Op:   "open the console in a browser",
		Hint: "add --print and open the address yourself",
		Err:  err,
	}
}

// randomPath is what another user of this machine would have to guess: 128 bits.
func randomPath() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}
