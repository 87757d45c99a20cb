package refresh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// login gives the engine its session, or ends the test.
func login(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Login(t.Context(), "corp", LoginOptions{}); err != nil {
		t.Fatalf("login: %v", err)
	}
}

func (w *world) publishes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.published)
}

func TestOneCodeFreshensAllTogether(t *testing.T) {
	bubble(t, func(w *world) Options { w.latency = 80 * time.Millisecond; return Options{} }, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(10, false))
		synctest.Wait()
		before := w.publishes()
		begin := time.Now()
		login(t, e)
		// One round trip for the session, one for all roles together.
		if took := time.Since(begin); took != 160*time.Millisecond {
			t.Errorf("ten fresh after %v, want two round trips (160ms)", took)
		}
		if n := w.publishes() - before; n != 1 {
			t.Errorf("%d writes, want one", n)
		}
		for name, p := range e.Status().Profiles {
			if p.State != StateFresh || p.Via != ViaSession {
				t.Errorf("%s is %s via %q after login, want fresh via session", name, p.State, p.Via)
			}
		}
	})
}

func TestAStragglerDoesNotHoldUpTheOthers(t *testing.T) {
	setup := func(w *world) Options { return Options{} }
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		slow := &slowRole{world: w, name: "p0", wait: 12 * time.Second}
		e.AWS = slow
		e.Configure(roles(3, false))
		synctest.Wait()
		before := w.publishes()
		begin := time.Now()
		login(t, e)
		if took := time.Since(begin); took != 12*time.Second {
			t.Errorf("login returned after %v, want with the last profile (12s)", took)
		}
		if n := w.publishes() - before; n != 2 {
			t.Errorf("%d writes, want two: the others after a second, then the straggler", n)
		}
		if got := len(w.published[before].Profiles); got != 2 {
			t.Errorf("the first write had %d profiles, want 2", got)
		}
	})
}

// slowRole delays one profile's AssumeRole.
type slowRole struct {
	*world
	name string
	wait time.Duration
}

func (s *slowRole) AssumeRole(ctx context.Context, p Profile, from creds.Credentials) (creds.Credentials, Via, error) {
	if p.Name == s.name {
		time.Sleep(s.wait)
	}
	return s.world.AssumeRole(ctx, p, from)
}

func TestWrongCodes(t *testing.T) {
	rejected := &creds.Error{Code: creds.CodeMFARejected, Op: "no"}
	used := &creds.Error{Code: creds.CodeMFAUsedCode, Op: "used"}
	for _, tt := range []struct {
		name    string
		answers []error // to the codes, in order
		asked   int
		want    creds.Code
	}{
		{"the second is right", []error{rejected, nil}, 2, ""},
		{"three are the most", []error{rejected, rejected, rejected, nil}, 3, creds.CodeMFARejected},
		{"a used one was not sent and does not count", []error{used, rejected, used, rejected, nil}, 5, ""},
		{"a lost network ends the question: the code may be spent", []error{&creds.Error{Code: creds.CodeNetwork}}, 1, creds.CodeNetwork},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked, reasons := 0, []error{}
			setup := func(w *world) Options {
				w.code = func(_ context.Context, prev error) (string, error) {
					asked++
					reasons = append(reasons, prev)
					return "123456", nil
				}
				w.session = func(string) error { return tt.answers[asked-1] }
				return Options{}
			}
			bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
				e.Configure(roles(1, false))
				if got := creds.CodeOf(e.Login(t.Context(), "corp", LoginOptions{})); got != tt.want {
					t.Errorf("login: %q, want %q", got, tt.want)
				}
				if asked != tt.asked {
					t.Errorf("asked %d times, want %d", asked, tt.asked)
				}
				for i, r := range reasons {
					var want error
					if i > 0 {
						want = tt.answers[i-1]
					}
					if !errors.Is(r, want) && r != want {
						t.Errorf("question %d gave the reason %v, want %v", i+1, r, want)
					}
				}
				if len(w.settled) != 1 || creds.CodeOf(w.settled[0]) != tt.want {
					t.Errorf("settled with %v, want once with %q", w.settled, tt.want)
				}
			})
		})
	}
}

func TestAFailedQuestionRests(t *testing.T) {
	setup := func(w *world) Options {
		w.session = func(string) error { return &creds.Error{Code: creds.CodeMFARejected, Op: "no"} }
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(1, false))
		if err := e.Login(t.Context(), "corp", LoginOptions{}); creds.CodeOf(err) != creds.CodeMFARejected {
			t.Fatalf("login: %v", err)
		}
		if q, err := e.Ask(t.Context(), "p0"); q != nil || creds.CodeOf(err) != creds.CodeMFARejected {
			t.Errorf("asked again at once: %v, %v", q, err)
		}
		w.session = nil
		login(t, e) // a person may, at any time
	})
}

func TestARefusedRoleIsAskedForRarely(t *testing.T) {
	setup := func(w *world) Options {
		w.refuse["p0"] = &creds.Error{Code: creds.CodeAccessDenied, Op: "denied"}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(1, false))
		login(t, e)
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		want := []string{"0s session corp", "0s no p0", "5m0s no p0", "20m0s no p0", "1h20m0s no p0", "2h20m0s no p0", "3h20m0s no p0"}
		if got := w.said(); !slices.Equal(got, want) {
			t.Errorf("calls %v, want %v", got, want)
		}
		if got := e.Status().Profiles["p0"].State; got != StateExpired {
			t.Errorf("state %s, want expired", got)
		}
		if _, err := e.Credentials(t.Context(), "p0"); creds.CodeOf(err) != creds.CodeAccessDenied {
			t.Errorf("a client got %v, want the refusal that is known", err)
		}
		if got := w.said(); got != nil {
			t.Errorf("a client caused calls: %v", got)
		}
		delete(w.refuse, "p0")
		if err := e.Refresh(t.Context(), "p0"); err != nil {
			t.Fatal(err)
		}
		if got := e.Status().Profiles["p0"].State; got != StateFresh {
			t.Errorf("state %s after the user asked, want fresh", got)
		}
	})
}

func TestAnOutageChangesNothingForTools(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		asked := 0
		e.Configure(roles(2, false))
		login(t, e)
		w.code = func(context.Context, error) (string, error) { asked++; return "123456", nil }
		w.mu.Lock()
		w.outage = func(time.Duration) error { return &creds.Error{Code: creds.CodeThrottled, Op: "slow down"} }
		w.mu.Unlock()
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		st := e.Status()
		for name, p := range st.Profiles {
			if p.State != StateFailing || creds.CodeOf(p.Err) != creds.CodeThrottled {
				t.Errorf("%s is %s (%v) in the outage, want failing, with the reason", name, p.State, p.Err)
			}
		}
		if c, err := e.Credentials(t.Context(), "p0"); err != nil || !c.UsableAt(time.Now()) {
			t.Errorf("a client got %v, want the old credentials", err)
		}
		if asked != 0 {
			t.Errorf("a person was asked %d times because of an outage", asked)
		}
		w.mu.Lock()
		w.outage = nil
		w.mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := e.Status().Profiles["p0"].State; got != StateFresh {
			t.Errorf("two minutes after the outage the profile is %s, want fresh", got)
		}
	})
}

func TestASessionThatAWSEndsEarly(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     creds.Code
		times   int // how often AWS says it
		dropped bool
	}{
		{"expired is final", creds.CodeExpired, 1, true},
		{"an unknown token may be a hiccup, or one role's trouble", creds.CodeInvalidKey, 1, false},
		{"unless AWS says so of the session itself", creds.CodeInvalidKey, 99, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
				e.Configure(roles(1, false))
				login(t, e)
				said := 0
				w.mu.Lock()
				w.revoked = tt.times > 1
				w.outage = func(time.Duration) error {
					if said++; said > tt.times {
						return nil
					}
					return &creds.Error{Code: tt.err, Op: "the security token"}
				}
				w.mu.Unlock()
				time.Sleep(31 * time.Minute)
				synctest.Wait()
				st := e.Status()
				if got := st.Identities["corp"].Session.IsZero(); got != tt.dropped {
					t.Errorf("session dropped: %v, want %v", got, tt.dropped)
				}
				if !st.Profiles["p0"].Current.UsableAt(time.Now()) {
					t.Error("the profile's own credentials were dropped too")
				}
			})
		})
	}
}

func TestManyCallersCauseOneCall(t *testing.T) {
	bubble(t, func(w *world) Options { w.latency = time.Second; return Options{} }, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(1, false)
		e.Configure(ids, nil)
		login(t, e)
		e.Configure(ids, ps)
		w.said()
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				if _, err := e.Credentials(t.Context(), "p0"); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if got, want := w.said(), []string{"3s p0"}; len(got) != 1 {
			t.Errorf("calls %v, want one like %v", got, want)
		}
	})
}

func TestCredentialsThatNeedACode(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(1, false)
		ps = append(ps, Profile{Name: "base", Identity: "corp"}, Profile{Name: "chained", Identity: "corp", Source: "p0", Role: creds.Role{ARN: "r"}})
		e.Configure(ids, ps)
		for _, name := range []string{"p0", "base", "chained"} {
			if _, err := e.Credentials(t.Context(), name); creds.CodeOf(err) != creds.CodeMFARequired {
				t.Errorf("%s: %v, want mfa_required at once", name, err)
			}
		}
		if _, err := e.Credentials(t.Context(), "nosuch"); creds.CodeOf(err) != creds.CodeUnknownProfile {
			t.Errorf("an unknown profile: %v", err)
		}
		if got := w.said(); got != nil {
			t.Errorf("calls without a session: %v", got)
		}
	})
}

func TestCredentialsWaitForANetworkUntilTheirTime(t *testing.T) {
	setup := func(w *world) Options {
		w.outage = func(since time.Duration) error {
			if since > 0 {
				return &creds.Error{Code: creds.CodeNetwork, Op: "away"}
			}
			return nil
		}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(1, false)
		e.Configure(ids, nil)
		login(t, e)
		time.Sleep(time.Second)
		e.Configure(ids, ps)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := e.Credentials(ctx, "p0"); creds.CodeOf(err) != creds.CodeNetwork || time.Since(begin) != 20*time.Second {
			t.Errorf("after %v: %v; want the network's failure after 20s", time.Since(begin), err)
		}
	})
}

func TestChainsGoInOrder(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(1, false)
		for i := range 3 {
			source := "p0"
			if i > 0 {
				source = fmt.Sprintf("c%d", i-1)
			}
			ps = append(ps, Profile{Name: fmt.Sprintf("c%d", i), Identity: "corp", Source: source, Role: creds.Role{ARN: "r"}})
		}
		e.Configure(ids, ps)
		login(t, e)
		want := []string{"0s session corp", "0s p0", "0s c0", "0s c1", "0s c2"}
		if got := w.said(); !slices.Equal(got, want) {
			t.Errorf("calls %v, want each parent before its child: %v", got, want)
		}
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		want = []string{"30m0s p0", "30m0s c0", "30m0s c1", "30m0s c2"}
		if got := w.said(); !slices.Equal(got, want) {
			t.Errorf("calls at half life %v, want %v", got, want)
		}
	})
}

func TestARestartNeedsNothing(t *testing.T) {
	var saved Saved
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(3, false))
		login(t, e)
		saved = w.published[len(w.published)-1]
	})
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(3, false)
		ps[2].Fingerprint = "another role now"
		for _, s := range saved.Sessions {
			w.issued[s.Credentials.AccessKeyID] = s.Credentials.Expires
		}
		e.Resume(ids, ps, saved)
		synctest.Wait()
		if got, want := w.said(), []string{"0s p2"}; !slices.Equal(got, want) {
			t.Errorf("calls after a restart: %v, want only the changed profile's: %v", got, want)
		}
		for name, p := range e.Status().Profiles {
			if p.State != StateFresh {
				t.Errorf("%s is %s after a restart, want fresh", name, p.State)
			}
		}
	})
}

func TestALockForgetsAndAsksNothing(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(2, true))
		synctest.Wait()
		w.said()
		e.Lock()
		synctest.Wait()
		if last := w.published[len(w.published)-1]; len(last.Sessions)+len(last.Profiles) != 0 {
			t.Errorf("a lock left %d sessions and %d profiles", len(last.Sessions), len(last.Profiles))
		}
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if got := w.said(); got != nil {
			t.Errorf("calls while locked: %v", got)
		}
		if _, err := e.Credentials(t.Context(), "p0"); creds.CodeOf(err) != creds.CodeLocked {
			t.Errorf("a client got %v, want locked", err)
		}
		if err := e.Login(t.Context(), "corp", LoginOptions{}); creds.CodeOf(err) != creds.CodeLocked {
			t.Errorf("login: %v, want locked", err)
		}
		e.Unlock()
		synctest.Wait()
		if got := e.Status().Profiles["p0"].State; got != StateFresh {
			t.Errorf("after unlock the profile is %s, want fresh", got)
		}
	})
}

func TestCredentialsThatArriveExpired(t *testing.T) {
	bubble(t, func(w *world) Options { w.grant = -time.Minute; return Options{} }, func(t *testing.T, w *world, e *Engine) {
		e.Configure(roles(1, false))
		login(t, e)
		p := e.Status().Profiles["p0"]
		if creds.CodeOf(p.Err) != creds.CodeClockSkew || p.State != StateExpired {
			t.Errorf("%s (%v), want expired because of the clock", p.State, p.Err)
		}
	})
}

func TestChangingTheConfig(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(2, false)
		e.Configure(ids, ps)
		login(t, e)
		w.said()
		ps[0].Before = Window{Fixed: 10 * time.Minute}
		e.Configure(ids, ps[:1])
		synctest.Wait()
		if got := w.said(); got != nil {
			t.Errorf("calls after an edit that changes no credentials: %v", got)
		}
		if last := w.published[len(w.published)-1]; len(last.Profiles) != 1 {
			t.Errorf("%d profiles published after one was removed, want 1", len(last.Profiles))
		}
		if got := e.Status().Profiles["p0"].Next.Sub(w.start); got != 50*time.Minute {
			t.Errorf("next refresh after %v, want 50m: the new window", got)
		}
		ids[0].Fingerprint = "another device"
		e.Configure(ids, ps[:1])
		if got := e.Status().Identities["corp"].State; got != StateMFARequired {
			t.Errorf("with another device the identity is %s, want mfa_required", got)
		}
	})
}
