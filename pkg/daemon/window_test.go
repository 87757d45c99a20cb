package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// fakeScreen is a desktop with somebody in front of it.
type fakeScreen struct {
	mu     sync.Mutex
	opened int
	now    int // open at this moment
	asked  mfa.Question
	answer chan any // a string that is typed, or an error
	locked bool
	moved  chan struct{}
}

func (s *fakeScreen) Can(on mfa.Display) bool { return on["DISPLAY"] != "" }

func (s *fakeScreen) Ask(ctx context.Context, q mfa.Question, _ mfa.Display) (creds.Secret, error) {
	s.mu.Lock()
	s.opened, s.now, s.asked = s.opened+1, s.now+1, q
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
	}()
	select {
	case a := <-s.answer:
		if err, failed := a.(error); failed {
			return creds.Secret{}, err
		}
		return creds.NewSecret(a.(string)), nil
	case <-ctx.Done():
		return creds.Secret{}, context.Cause(ctx)
	}
}

func (s *fakeScreen) Watch(ctx context.Context, on mfa.Display, changed func(bool)) {
	if on == nil {
		<-ctx.Done()
	}
	for ctx.Err() == nil {
		s.mu.Lock()
		locked, moved := s.locked, s.moved
		s.mu.Unlock()
		changed(locked)
		select {
		case <-moved:
		case <-ctx.Done():
		}
	}
}

// lock and unlock the screen.
func (s *fakeScreen) lock(locked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = locked
	close(s.moved)
	s.moved = make(chan struct{})
}

// wants fails the test unless so many windows were opened so far, and so many are.
func (s *fakeScreen) wants(t *testing.T, when string, opened, now int) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != opened || s.now != now {
		t.Errorf("%s: %d windows were opened, %d are; want %d and %d", when, s.opened, s.now, opened, now)
	}
}

// office is a desk whose windows appear on a screen.
type office struct {
	*windows
	*fakeScreen
	desk *mfa.Desk
	ends time.Time // of the session
}

func inOffice(t *testing.T, body func(*testing.T, *office)) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{desk: mfa.NewDesk(), fakeScreen: &fakeScreen{answer: make(chan any), moved: make(chan struct{})}}
		o.desk.Configure(map[string]mfa.Settings{"corp": {Serial: "device", Methods: []mfa.Method{mfa.Process, mfa.Terminal, mfa.Dialog}}})
		o.windows = &windows{
			dialogs: o.fakeScreen, presence: o.fakeScreen, desk: o.desk, log: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1), clerks: map[string]*clerk{},
			left: func(string) time.Duration { return time.Until(o.ends) },
			login: func(ctx context.Context, identity string) error {
				_, err := o.desk.Next(ctx, identity, "", nil)
				return err
			},
			changed: func() <-chan struct{} { return nil },
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); o.run(ctx) }()
		o.attend([]string{"corp"})
		o.seen(mfa.Display{"DISPLAY": ":1"})
		synctest.Wait()
		body(t, o)
		stop()
		<-ended
		o.fakeScreen.wants(t, "at the end", o.fakeScreen.opened, 0)
	})
}

// wanted has a code wanted, and gives what comes of it.
func (o *office) wanted(t *testing.T) <-chan mfa.Code {
	got := make(chan mfa.Code, 1)
	go func() {
		if c, err := o.desk.Next(t.Context(), "corp", "", nil); err == nil {
			got <- c
		}
	}()
	synctest.Wait()
	o.nudge() // as the engine's change does
	synctest.Wait()
	return got
}

func declines() error { return &creds.Error{Code: creds.CodeCancelled, Op: "the window was closed"} }

// lastWord is what a client heard last.
func lastWord(s *mfa.Seat) mfa.EventKind {
	synctest.Wait()
	select {
	case e := <-s.Events():
		return e.Kind
	default:
		return ""
	}
}

func TestAWindowForAClientWithoutATerminal(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		got := o.wanted(t)
		o.wants(t, "nobody waits, and nothing is urgent", 0, 0)
		client := o.desk.Sit("corp", "prod", false, false)
		o.wants(t, "a client waits", 1, 1)
		if q := o.asked; q.Serial != "device" || len(q.Profiles) != 1 || q.Profiles[0] != "prod" {
			t.Errorf("the window asks %+v", q)
		}
		o.answer <- "123456"
		if c := <-got; c.Code.Reveal() != "123456" {
			t.Errorf("the code is %q", c.Code.Reveal())
		} else {
			c.Done(mfa.Outcome{})
		}
		client.Leave()
		o.desk.Settle("corp", "", nil)
		o.wants(t, "it is answered", 1, 0)
	})
}

func TestAWindowIsClosedWhenTheAnswerComesFromElsewhere(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		got := o.wanted(t)
		o.desk.Sit("corp", "prod", false, false)
		o.wants(t, "a client waits", 1, 1)
		if _, _, err := o.desk.Offer("corp", "", creds.NewSecret("123456")); err != nil {
			t.Fatal(err)
		}
		<-got
		o.desk.Settle("corp", "", nil)
		o.wants(t, "another gave the code", 1, 0)
	})
}

// TestWhoDeclinesIsLeftAlone, longer each time, and who waits is told.
func TestWhoDeclinesIsLeftAlone(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		o.wanted(t)
		opened := 0
		// Three times no code is a no as well: whoever types them is there.
		noCode := &creds.Error{Code: creds.CodeMFABadCode, Op: "no six digits"}
		for i, rest := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, time.Hour} {
			client := o.desk.Sit("corp", "prod", false, false)
			opened++
			o.wants(t, "a client waits", opened, 1)
			if i == 1 {
				o.answer <- noCode
			} else {
				o.answer <- declines()
			}
			if e := lastWord(client); e != mfa.Nobody || o.desk.CanAsk("corp") {
				t.Errorf("after a no the client hears %q", e)
			}
			if !o.resting("corp") {
				t.Error("a notification would ask again at once")
			}
			client.Leave()
			time.Sleep(rest - 2*halfMinute + time.Second)
			o.desk.Sit("corp", "prod", false, false).Leave()
			o.wants(t, "in the pause", opened, 0)
			time.Sleep(2 * halfMinute)
		}
	})
}

// TestNoWindowWithoutAPerson in front of it.
func TestNoWindowWithoutAPerson(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		o.lock(true)
		synctest.Wait()
		o.wanted(t)
		o.desk.Sit("corp", "prod", false, false)
		o.wants(t, "the screen is locked", 0, 0)
		if o.desk.CanAsk("corp") {
			t.Error("somebody could be asked at a locked screen")
		}
		o.lock(false)
		o.wants(t, "it is unlocked", 1, 1)
		o.lock(true)
		o.wants(t, "it is locked again", 1, 0)
	})
}

// TestAWindowWithoutAClient opens in the last minutes only, and when somebody comes
// back to a session that has ended.
func TestAWindowWithoutAClient(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		o.ends = time.Now().Add(30 * time.Minute)
		o.wanted(t)
		time.Sleep(14 * time.Minute)
		o.wants(t, "16 minutes are left", 0, 0)
		time.Sleep(90 * time.Second)
		o.wants(t, "14 minutes are left", 1, 1)
		o.desk.Settle("corp", "", errors.New("given up"))
		o.wants(t, "the question is over", 1, 0)
		o.lock(true)
		synctest.Wait()
		time.Sleep(10 * time.Hour)
		o.wants(t, "it has ended at night", 1, 0)
		o.lock(false)
		o.wants(t, "somebody comes", 2, 1)
		o.answer <- declines()
		o.wants(t, "and does not want to", 2, 0)
		if len(o.desk.Questions()) != 0 {
			t.Error("the question stays open")
		}
		o.lock(true)
		synctest.Wait()
		o.lock(false)
		o.wants(t, "again, in the pause", 2, 0)
	})
}

// TestADesktopThatIsGone is not tried again until a client tells of one.
func TestADesktopThatIsGone(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		o.wanted(t)
		client := o.desk.Sit("corp", "prod", false, false)
		o.wants(t, "a client waits", 1, 1)
		o.answer <- errors.New("cannot open display")
		if e := lastWord(client); e != mfa.Nobody {
			t.Errorf("the client hears %q", e)
		}
		time.Sleep(time.Hour)
		o.wants(t, "an hour later", 1, 0)
		o.seen(mfa.Display{"LANG": "C"})
		o.wants(t, "a client without a desktop", 1, 0)
		o.seen(mfa.Display{"DISPLAY": ":2"})
		o.wants(t, "a client with one", 2, 1)
	})
}
