package awssim

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// Server is a [Sim] that listens.
type Server struct {
	*Sim
	// URL is the endpoint of STS and IAM, without a final slash; the federation
	// endpoint is URL + "/federation".
	URL string

	http   *http.Server
	client *http.Client
	conns  sync.WaitGroup // connections with a goroutine of their own
	served chan struct{}  // closed when the listener's loop has ended
}

// Start gives a new Sim on a free port of 127.0.0.1, over plain HTTP. It panics
// if this machine has no loopback.
func Start() *Server {
	srv, err := New().Listen("127.0.0.1:0")
	if err != nil {
		panic("awssim: " + err.Error())
	}
	return srv
}

// Listen serves the Sim over plain HTTP at a TCP address such as 127.0.0.1:0,
// until [Server.Close].
func (s *Sim) Listen(address string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return s.serve(l, "http://"+l.Addr().String(), new(net.Dialer).DialContext), nil
}

// ServePipe serves the Sim over [net.Pipe], without a socket, so that it works
// inside a [testing/synctest] bubble. It is reached by [Server.Client] only,
// whatever the host in the URL, and must be closed before the bubble ends.
func (s *Sim) ServePipe() *Server {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	return s.serve(l, "http://aws.invalid", l.dial)
}

func (s *Sim) serve(l net.Listener, url string, dial func(context.Context, string, string) (net.Conn, error)) *Server {
	srv := &Server{Sim: s, URL: url, served: make(chan struct{})}
	srv.http = &http.Server{
		// Connections cut on order are no news.
		ErrorLog: log.New(io.Discard, "", 0),
		Handler:  s,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				srv.conns.Add(1)
			case http.StateClosed:
				srv.conns.Done()
			}
		},
	}
	srv.client = &http.Client{Transport: &http.Transport{DialContext: dial}}
	go func() {
		defer close(srv.served)
		if err := srv.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic("awssim: " + err.Error())
		}
	}()
	return srv
}

// Client is an HTTP client that reaches this server and ends with it. It has no
// timeout of its own.
func (srv *Server) Client() *http.Client { return srv.client }

// Close stops listening, cuts every connection, also of calls that hang, and
// returns when no request is being handled.
func (srv *Server) Close() {
	srv.client.CloseIdleConnections()
	_ = srv.http.Close()
	<-srv.served
	srv.conns.Wait()
}

// pipeListener accepts the far ends of pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for the next dial.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and every dial to come.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr has no meaning for a pipe.
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
