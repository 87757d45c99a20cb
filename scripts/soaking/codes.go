package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// codeServer is the window of the simulated device: a connection gets the code
// that it shows just then.
type codeServer struct {
	listener net.Listener
	done     chan struct{}
}

func serveCodes(path string, device *awssim.Device, sim *awssim.Sim) (*codeServer, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	srv := &codeServer{l, make(chan struct{})}
	go func() {
		defer close(srv.done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, device.Code(sim.Now()))
			_ = conn.Close()
		}
	}()
	return srv, nil
}

func (s *codeServer) close() {
	_ = s.listener.Close()
	<-s.done
}

// printCode is the program that mfad runs for a code.
func printCode(ctx context.Context, w io.Writer, socket string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.Copy(w, conn)
	return err
}

// unsaved is how long after AWS's answer a kill may still lose a session: roles
// are waited for up to a second, so that all is one write.
const unsaved = 3 * time.Second

// codeFigures say what the codes were spent on.
type codeFigures struct {
	sessions int // reached mfad
	faulted  int // AWS failed on order; the code may be spent
	lost     int // a kill came before the session could be saved
	refused  int // used before, or wrong
	extra    int // a living session was not yet due
	where    []string
}

// spent judges the calls that carried a code, oldest first: one is needed where
// no session lives, or where the one that does is past half its life.
func spent(calls []awssim.Call, kills []time.Time) (f codeFigures) {
	var session awssim.Call
	// Both sides stamp a session by clocks of their own.
	const tolerance = time.Second
	for _, c := range calls {
		if due := halfway(session); c.Time.Before(due.Add(-tolerance)) {
			if killedWithin(kills, session.Time, unsaved) {
				f.lost++
			} else {
				f.extra++
				f.where = append(f.where, fmt.Sprintf("%s: a code was spent %v before the session was due", stamp(c.Time), due.Sub(c.Time)))
			}
		}
		switch {
		case !delivered(c) && c.Fault != 0:
			f.faulted++
		case !delivered(c):
			f.refused++
			f.where = append(f.where, fmt.Sprintf("%s: AWS refused a code: %s", stamp(c.Time), c.Code))
		default:
			f.sessions++
			session = c
		}
	}
	return f
}

// delivered tells whether the answer reached mfad, as far as AWS can know.
func delivered(c awssim.Call) bool {
	return c.OK() && (c.Fault == 0 || c.Fault == awssim.Delay)
}

// halfway is when half a session's life is over.
func halfway(c awssim.Call) time.Time { return c.Time.Add(c.Expires.Sub(c.Time) / 2) }

func killedWithin(kills []time.Time, from time.Time, d time.Duration) bool {
	return slices.ContainsFunc(kills, func(k time.Time) bool { return k.After(from) && k.Before(from.Add(d)) })
}

// sessionSpans gives when a session lived that mfad knows of.
func (s *stage) sessionSpans() []span {
	s.mu.Lock()
	kills := slices.Clone(s.kills)
	s.mu.Unlock()
	var spans []span
	for _, c := range s.sim.Calls("GetSessionToken") {
		if !delivered(c) || killedWithin(kills, c.Time, unsaved) {
			continue
		}
		if n := len(spans); n > 0 && !c.Time.After(spans[n-1].to) {
			spans[n-1].to = c.Expires
		} else {
			spans = append(spans, span{c.Time, c.Expires})
		}
	}
	return spans
}

// lastTry is when a code was last sent; zero: never.
func (s *stage) lastTry() time.Time {
	calls := s.sim.Calls("GetSessionToken")
	if len(calls) == 0 {
		return time.Time{}
	}
	return calls[len(calls)-1].Time
}

// started is the zero of all times that are shown.
var started = time.Now()

// stamp writes a time as the seconds since the start.
func stamp(t time.Time) string { return fmt.Sprintf("%6.1f s", t.Sub(started).Seconds()) }
