package notify

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// choice is what an Ask gave.
type choice struct {
	pressed int
	err     error
}

// asks begins an Ask, and waits until it is shown.
func asks(ctx context.Context, t *testing.T, d *Desktop, s *server) <-chan choice {
	t.Helper()
	c := make(chan choice, 1)
	go func() {
		pressed, err := d.Ask(ctx, Notification{Title: "allow?", Body: "aws", Button: "x", Reply: "y"}, "Allow", "Deny")
		c <- choice{pressed, err}
	}()
	for deadline := time.Now().Add(5 * time.Second); len(s.shown()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is shown")
		}
	}
	return c
}

func ended(t *testing.T, c <-chan choice) choice {
	t.Helper()
	select {
	case x := <-c:
		return x
	case <-time.After(5 * time.Second):
		t.Fatal("Ask goes on")
		return choice{}
	}
}

func TestAsk(t *testing.T) {
	r := newRig(t)
	s := r.serve(&server{abilities: []string{"body", "actions"}})
	other := r.connect()
	last := func() uint32 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.last
	}
	emit := func(from *dbus.Conn, name string, args ...any) {
		t.Helper()
		if err := from.Emit(serverPath, serverName+"."+name, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name    string
		signal  string
		what    any
		pressed int
		fails   bool
	}{
		{"the first button", "ActionInvoked", "0", 0, false},
		{"the second", "ActionInvoked", "1", 1, false},
		{"closed by the person", "NotificationClosed", uint32(2), Dismissed, false},
		{"put away by the desktop", "NotificationClosed", uint32(1), Dismissed, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := asks(t.Context(), t, r.desktop(5*time.Second), s)
			s.mu.Lock()
			actions := fmt.Sprint(s.actions)
			s.mu.Unlock()
			if actions != "[0 Allow 1 Deny]" {
				t.Errorf("the actions are %s", actions)
			}
			// None of these is an answer.
			emit(other, "ActionInvoked", last(), "0")
			emit(s.conn, "ActionInvoked", last()+1, "0")
			emit(s.conn, "ActionInvoked", last(), "default")
			emit(s.conn, "ActionInvoked", last(), "2")
			emit(s.conn, tt.signal, last(), tt.what)
			if x := ended(t, c); x.pressed != tt.pressed || (x.err != nil) != tt.fails {
				t.Errorf("Ask = %d, %v; want %d, failure %v", x.pressed, x.err, tt.pressed, tt.fails)
			}
			if left := s.shown(); len(left) > 0 {
				t.Errorf("afterwards %q is shown", left)
			}
		})
	}
	t.Run("the end of the context", func(t *testing.T) {
		over := errors.New("answered elsewhere")
		ctx, cancel := context.WithCancelCause(t.Context())
		c := asks(ctx, t, r.desktop(5*time.Second), s)
		cancel(over)
		if x := ended(t, c); !errors.Is(x.err, over) || len(s.shown()) > 0 {
			t.Errorf("Ask = %+v, and %q is shown", x, s.shown())
		}
	})
	t.Run("a desktop without buttons", func(t *testing.T) {
		s.mu.Lock()
		s.abilities = []string{"body"}
		s.mu.Unlock()
		if _, err := r.desktop(5*time.Second).Ask(t.Context(), Notification{Title: "allow?"}, "Allow", "Deny"); !errors.Is(err, ErrNoButtons) || len(s.shown()) > 0 {
			t.Errorf("Ask = %v, and %q is shown", err, s.shown())
		}
	})
	t.Run("a bus that goes", func(t *testing.T) {
		s.mu.Lock()
		s.abilities = []string{"body", "actions"}
		s.mu.Unlock()
		c := asks(t.Context(), t, r.desktop(time.Second), s)
		r.kill()
		if x := ended(t, c); x.err == nil {
			t.Errorf("Ask = %+v", x)
		}
		if _, err := r.desktop(time.Second).Ask(t.Context(), Notification{Title: "allow?"}, "Allow"); !errors.Is(err, ErrNone) {
			t.Errorf("without a bus Ask = %v, want ErrNone", err)
		}
	})
}
