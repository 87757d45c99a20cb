package refresh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

func TestAnEditThatIsTakenBackCostsNoCode(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(2, false)
		e.Configure(ids, ps)
		login(t, e)
		w.said()
		e.Configure(nil, nil) // the config vanished for a moment
		synctest.Wait()
		if got := w.published[len(w.published)-1].Sessions["corp"]; got.Credentials.IsZero() {
			t.Error("a restart now would lose the session")
		}
		other := slices.Clone(ids)
		other[0].Fingerprint = "a mistyped device"
		e.Configure(other, ps)
		if got := e.Status().Identities["corp"].State; got != StateMFARequired {
			t.Errorf("with another device the identity is %s, want mfa_required", got)
		}
		e.Configure(ids, ps)
		synctest.Wait()
		if got, want := len(w.said()), 2; got != want {
			t.Errorf("%d calls after all was put back, want %d: each role once, no session", got, want)
		}
		if got := e.Status().Profiles["p0"].State; got != StateFresh {
			t.Errorf("the profile is %s, want fresh", got)
		}
	})
}

func TestOneProfilesTroubleEndsNoSession(t *testing.T) {
	setup := func(w *world) Options {
		w.refuse["p2"] = &creds.Error{Code: creds.CodeInvalidKey, Op: "the security token is invalid"}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(3, false))
		login(t, e)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		st := e.Status()
		if st.Identities["corp"].State != StateReady || st.Profiles["p0"].State != StateFresh || st.Profiles["p2"].State != StateExpired {
			t.Errorf("identity %s, p0 %s, p2 %s; want ready, fresh, expired", st.Identities["corp"].State, st.Profiles["p0"].State, st.Profiles["p2"].State)
		}
		asked := 0
		for _, m := range w.said() {
			if m != "0s session corp" && m != "0s p0" && m != "0s p1" && m != "0s verify" {
				asked++
			}
		}
		if asked > 6 {
			t.Errorf("AWS was troubled %d times in 20 minutes because of one profile", asked)
		}
	})
}

func TestAClockThatIsSetBack(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(1, false))
		login(t, e)
		e.mu.Lock() // as if noted a day ahead, before the clock was set
		p := e.profiles["p0"]
		p.through, p.current = creds.Credentials{}, creds.Credentials{}
		p.fail = failure{err: &creds.Error{Code: creds.CodeClockSkew, Op: "skew"}, count: 3, next: now().Add(24 * time.Hour)}
		e.looked = now().Add(24 * time.Hour)
		e.mu.Unlock()
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := e.Status().Profiles["p0"].State; got != StateFresh {
			t.Errorf("half a minute after the clock was set the profile is %s, want fresh", got)
		}
	})
}

func TestAFailedWriteIsTriedAgain(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		full := &fullDisk{world: w, failures: 2}
		e.Sink = full
		e.Configure(roles(1, false))
		login(t, e)
		time.Sleep(time.Minute)
		synctest.Wait()
		if full.failures != 0 || len(w.published[len(w.published)-1].Profiles) != 1 {
			t.Errorf("%d failures to go, %d profiles published; want all written within a minute", full.failures, len(w.published[len(w.published)-1].Profiles))
		}
		before := w.publishes()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := w.publishes() - before; n != 0 {
			t.Errorf("%d more writes after one succeeded", n)
		}
	})
}

// fullDisk fails the first writes that have something to write.
type fullDisk struct {
	*world
	failures int
}

func (f *fullDisk) Publish(ctx context.Context, s Saved) error {
	if len(s.Profiles) > 0 && f.failures > 0 {
		f.failures--
		return errors.New("no space left on device")
	}
	return f.world.Publish(ctx, s)
}

func TestALockWithdrawsTheQuestion(t *testing.T) {
	setup := func(w *world) Options {
		w.code = func(ctx context.Context, _ error) (string, error) {
			<-ctx.Done()
			time.Sleep(5 * time.Second) // a program that is slow to die
			return "", ctx.Err()
		}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(1, false))
		q, err := e.Ask(t.Context(), "p0")
		if err != nil {
			t.Fatal(err)
		}
		e.Lock()
		<-q.Done
		if creds.CodeOf(q.Err()) != creds.CodeCancelled {
			t.Errorf("the question ended with %v, want cancelled", q.Err())
		}
		e.Unlock()
		w.mu.Lock()
		w.code = func(context.Context, error) (string, error) { return "123456", nil }
		w.mu.Unlock()
		login(t, e) // a question of its own, not the one that is still dying
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := e.Status().Profiles["p0"].State; got != StateFresh {
			t.Errorf("the profile is %s, want fresh", got)
		}
	})
}

func TestWhatALockForgotStaysForgotten(t *testing.T) {
	t.Run("what a former run saved", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
			e.Lock()
			ids, ps := roles(1, false)
			c := w.credentials(time.Hour)
			e.Resume(ids, ps, Saved{Sessions: map[string]SavedSession{"corp": {c, ""}}, Profiles: map[string]SavedProfile{"p0": {c, ViaSession, ""}}})
			e.Unlock()
			if _, ok := e.Cached("p0"); ok {
				t.Error("served after unlock without a code")
			}
		})
	})
	t.Run("a role that was in the air", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
			e.Configure(roles(1, false))
			login(t, e)
			w.mu.Lock()
			w.latency = 2 * time.Second
			w.mu.Unlock()
			refreshed := make(chan error, 1)
			go func() { refreshed <- e.Refresh(t.Context()) }()
			time.Sleep(time.Second)
			e.Lock()
			if _, ok := e.Cached("p0"); ok {
				t.Error("a lock serves")
			}
			e.Unlock()
			time.Sleep(3 * time.Second)
			if _, ok := e.Cached("p0"); ok {
				t.Error("credentials of a session that the lock forgot are served")
			}
			<-refreshed
		})
	})
}

func TestARevokedSessionDoesNotComeBack(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(1, false)
		ps = append(ps, Profile{Name: "plain", Identity: "corp"})
		e.Configure(ids, ps)
		login(t, e)
		e.Configure(nil, nil) // an edit, and back
		e.Configure(ids, ps)
		synctest.Wait()
		w.mu.Lock()
		w.revoked = true
		w.refuse["p0"] = &creds.Error{Code: creds.CodeInvalidKey, Op: "invalid"}
		w.mu.Unlock()
		if err := e.Refresh(t.Context(), "p0"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if _, ok := e.Cached("plain"); ok {
			t.Fatal("a session that AWS does not know any more is served")
		}
		if s, ok := w.published[len(w.published)-1].Sessions["corp"]; ok {
			t.Errorf("it is kept for a restart: %s", s.Credentials.AccessKeyID)
		}
		e.Configure(nil, nil)
		e.Configure(ids, ps)
		if _, ok := e.Cached("plain"); ok {
			t.Error("it came back with an edit")
		}
	})
}

// TestAQuestionIsOpenForAllThatWantIt: several programs cause one question, and
// a login that joins it does not take it along when it leaves.
func TestAQuestionIsOpenForAllThatWantIt(t *testing.T) {
	var given chan struct{}
	asked := 0
	setup := func(w *world) Options {
		given = make(chan struct{}) // of the bubble
		w.code = func(ctx context.Context, _ error) (string, error) {
			asked++
			select {
			case <-given:
				return "123456", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(3, false))
		var questions []*Question
		for i := range 3 {
			q, err := e.Ask(t.Context(), fmt.Sprintf("p%d", i))
			if err != nil {
				t.Fatal(err)
			}
			questions = append(questions, q)
			synctest.Wait()
		}
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { left <- e.Login(ctx, "corp", LoginOptions{}) }()
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the login ended with %v, want that it was cancelled", err)
		}
		synctest.Wait()
		if id := e.Status().Identities["corp"]; !id.Asking || asked != 1 {
			t.Errorf("asking: %v, after %d questions; want the first still open", id.Asking, asked)
		}
		close(given)
		for i, q := range questions {
			<-q.Done
			if err := q.Err(); err != nil {
				t.Errorf("question %d ended with %v", i, err)
			}
		}
		if got := e.Status().Identities["corp"].State; got != StateReady {
			t.Errorf("after the code the identity is %s, want ready", got)
		}
	})
}
