package refresh

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// refusedAt gives the moments of what AWS refused.
func refusedAt(moments []string) (all []time.Duration) {
	for _, m := range moments {
		at, what, _ := strings.Cut(m, " ")
		if strings.HasPrefix(what, "no ") || strings.Contains(what, "too long") {
			d, _ := time.ParseDuration(at)
			all = append(all, d)
		}
	}
	return all
}

// wantRare fails where AWS refused more than two calls within five minutes.
func wantRare(t *testing.T, moments []string) {
	t.Helper()
	all := refusedAt(moments)
	for i := 2; i < len(all); i++ {
		if all[i]-all[i-2] < 5*time.Minute {
			t.Errorf("AWS refused calls at %v, %v and %v: three within five minutes", all[i-2], all[i-1], all[i])
			return
		}
	}
}

// TestTheMaximumIsLookedUp: GetRole tells it to the second, as the session.
func TestTheMaximumIsLookedUp(t *testing.T) {
	bubble(t, func(w *world) Options { w.maximum = 19801 * time.Second; return Options{} }, func(t *testing.T, w *world, e *Engine) {
		device(w, e, true)
		e.Configure(mode(plan.Auto, 1, true))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		p := e.Status().Profiles["p0"]
		if p.Via != ViaDirect || p.Current.Lifetime() != 19801*time.Second {
			t.Errorf("via %q for %v, want direct for 5h30m1s", p.Via, p.Current.Lifetime())
		}
		if got := refusedAt(w.said()); len(got) != 0 {
			t.Errorf("AWS refused calls at %v, want none", got)
		}
		w.mu.Lock()
		w.maximum = 12 * time.Hour // the role was raised
		w.mu.Unlock()
		time.Sleep(30 * time.Hour)
		synctest.Wait()
		if p := e.Status().Profiles["p0"]; p.Current.Lifetime() != 12*time.Hour {
			t.Errorf("a day after the role was raised it lives %v, want 12h", p.Current.Lifetime())
		}
		w.said()
		w.mu.Lock()
		w.maximum = 4 * time.Hour // and lowered
		w.mu.Unlock()
		time.Sleep(7 * time.Hour)
		synctest.Wait()
		if p := e.Status().Profiles["p0"]; p.Via != ViaDirect || p.Current.Lifetime() != 4*time.Hour {
			t.Errorf("after the role was lowered it lives %v via %q, want 4h direct", p.Current.Lifetime(), p.Via)
		}
		if got := refusedAt(w.said()); len(got) != 1 {
			t.Errorf("AWS refused calls at %v, want the one that told it", got)
		}
	})
}

// TestTheSearchIsSlow: nobody may look, and the roles allow an hour and a half to
// twelve. The search costs at most two refused calls in five minutes, all is
// usable all the time, and in the end each gets the longest step.
func TestTheSearchIsSlow(t *testing.T) {
	for _, unattended := range []bool{true, false} {
		t.Run(fmt.Sprintf("unattended %v", unattended), func(t *testing.T) {
			setup := func(w *world) Options { w.hidden, w.maximum = true, 5*time.Hour; return Options{} }
			bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
				d := device(w, e, unattended)
				e.Configure(mode(plan.Direct, 5, unattended))
				if !unattended {
					go person(t.Context(), w, e, d)
					if err := e.Login(t.Context(), "corp", LoginOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				for range 90 {
					synctest.Wait()
					for name, p := range e.Status().Profiles {
						if !p.Current.UsableAt(time.Now()) {
							t.Fatalf("%v: %s has nothing", time.Since(w.start), name)
						}
					}
					time.Sleep(time.Minute)
				}
				wantRare(t, w.said())
				for name, p := range e.Status().Profiles {
					if p.Via != ViaDirect || p.Known.Ask(now(), false) != 4*time.Hour {
						t.Errorf("%s: via %q, %s; want direct, at least 4h", name, p.Via, p.Known)
					}
				}
				if w.reused > 0 {
					t.Errorf("%d codes were used twice or came late", w.reused)
				}
			})
		})
	}
}

// TestARestartForgetsNothing: what was learned, refused and granted is known to
// the next daemon.
func TestARestartForgetsNothing(t *testing.T) {
	setup := func(w *world) Options { w.hidden, w.maximum = true, 8*time.Hour; return Options{} }
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		device(w, e, true)
		ids, ps := mode(plan.Direct, 2, true)
		e.Configure(ids, ps)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		first := w.said()
		if p := e.Status().Profiles["p0"]; p.Via != ViaDirect {
			t.Fatalf("p0 is not direct after %v: %v", time.Since(w.start), first)
		}
		saved := w.published[len(w.published)-1]
		second := New(Options{AWS: w, Codes: e.Codes, Sink: w, Draw: func() float64 { return 0.5 }})
		second.Resume(ids, ps, saved)
		for name, p := range second.Status().Profiles {
			was := e.Status().Profiles[name]
			if p.Via != was.Via || !p.Current.Equal(was.Current) || p.Known != was.Known {
				t.Errorf("%s came back via %q with %s, want via %q with %s", name, p.Via, p.Known, was.Via, was.Known)
			}
		}
		if got, want := second.refusals.all(), e.refusals.all(); !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%d refusals came back, want %d", len(got), len(want))
		}
	})
}

// TestCodesForOneRoleAreFew: two codes in five minutes are the most, over
// restarts and whoever asks.
func TestCodesForOneRoleAreFew(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		d := device(w, e, false)
		ids, ps := mode(plan.Session, 1, false)
		e.Configure(ids, ps)
		if r := answer(t.Context(), w, e, d, "", code(time.Now())); r.Err != nil {
			t.Fatal(r.Err)
		}
		synctest.Wait()
		wrong := func() creds.Code { return creds.CodeOf(answer(t.Context(), w, e, d, "p0", "000000").Err) }
		sent := func() int {
			n := 0
			for _, m := range w.said() {
				if strings.Contains(m, "refused p0") {
					n++
				}
			}
			return n
		}
		for i, want := range []creds.Code{creds.CodeMFARejected, creds.CodeMFARejected, creds.CodeRefused} {
			if got := wrong(); got != want {
				t.Errorf("code %d: %q, want %q", i+1, got, want)
			}
		}
		if n := sent(); n != 2 {
			t.Errorf("%d codes were sent, want two", n)
		}
		time.Sleep(5*time.Minute + time.Second)
		if r := answer(t.Context(), w, e, d, "p0", code(time.Now())); r.Err != nil || r.Profile != "p0" {
			t.Errorf("five minutes later: spent on %q, %v; want p0", r.Profile, r.Err)
		}
	})
}

// TestARoleThatRefusesDirect is served through the session, and tried again after
// a day or when a person asks.
func TestARoleThatRefusesDirect(t *testing.T) {
	setup := func(w *world) Options {
		w.refuse["direct p0"] = &creds.Error{Code: creds.CodeAccessDenied, Op: "not authorized to perform sts:AssumeRole"}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		d := device(w, e, true)
		ids, ps := mode(plan.Direct, 1, true)
		e.Configure(ids, ps)
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		tried := 0
		for _, m := range w.said() {
			if strings.Contains(m, "no direct p0") {
				tried++
			}
		}
		if tried != 2 {
			t.Errorf("tried direct %d times in 25 hours, want twice", tried)
		}
		if p := e.Status().Profiles["p0"]; p.State != StateFresh || p.Via != ViaSession || !strings.Contains(p.Why, "refused it direct") {
			t.Errorf("%s via %q because %q; want fresh via session, since direct was refused", p.State, p.Via, p.Why)
		}
		delete(w.refuse, "direct p0")
		time.Sleep(30 * time.Second)
		if r := answer(t.Context(), w, e, d, "p0", code(time.Now())); r.Err != nil {
			t.Errorf("a person's code: %v, want it sent and taken", r.Err)
		}
	})
}

// TestAYoungMFA: the role's trust policy wants an MFA younger than an hour.
func TestAYoungMFA(t *testing.T) {
	for _, learned := range []bool{false, true} {
		t.Run(fmt.Sprintf("learned %v", learned), func(t *testing.T) {
			setup := func(w *world) Options { w.maxAge = time.Hour; return Options{} }
			bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
				d := device(w, e, false)
				ids, ps := mode(plan.Session, 2, false)
				if !learned {
					ps[0].MaxAge = time.Hour
				}
				w.aged = "p0"
				e.Configure(ids, ps)
				login := func() {
					t.Helper()
					if r := answer(t.Context(), w, e, d, "", code(time.Now())); r.Err != nil {
						t.Fatal(r.Err)
					}
					synctest.Wait()
				}
				login()
				if learned {
					time.Sleep(90 * time.Minute)
					synctest.Wait()
					if n := len(refusedAt(w.said())); n == 0 {
						t.Fatal("AWS refused nothing, so nothing can be learned")
					}
					login() // cures it, and tells why
				}
				w.said()
				e.Cached("p0") // a client asks
				time.Sleep(59 * time.Minute)
				synctest.Wait()
				e.Cached("p0")
				if st := e.Status(); st.Identities["corp"].Asking {
					t.Error("a code is asked for while the MFA is young")
				}
				if !learned {
					if p := e.Status().Profiles["p0"]; time.Until(p.Current.Expires) < 50*time.Minute {
						t.Errorf("the role was not assumed once more before the MFA got too old: %v left", time.Until(p.Current.Expires))
					}
				}
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				if st := e.Status(); !st.Identities["corp"].Asking || st.Identities["corp"].Target != "" {
					t.Error("no code is asked for, although the MFA is too old and the profile in use")
				}
				if got := refusedAt(w.said()); learned && len(got) > 1 || !learned && len(got) > 0 {
					t.Errorf("AWS refused calls at %v: what is known is tried all the same", got)
				}
				login()
				time.Sleep(3 * time.Hour) // nobody uses it
				synctest.Wait()
				st := e.Status()
				if st.Identities["corp"].Asking || st.Profiles["p0"].State != StateMFARequired || st.Profiles["p1"].State != StateFresh {
					t.Errorf("asking %v, p0 %s, p1 %s; want nobody asked for what nobody uses", st.Identities["corp"].Asking, st.Profiles["p0"].State, st.Profiles["p1"].State)
				}
				q, err := e.Ask(t.Context(), "p0")
				if q == nil || err != nil {
					t.Fatalf("a client's question is not asked: %v", err)
				}
				login()
				<-q.Done
				if _, ok := e.Cached("p0"); !ok {
					t.Error("the profile has nothing after the code")
				}
			})
		})
	}
}

// TestAChainGoesFromItsRoot: five profiles, each assumed from the one before. A
// new session has all fetched in order, and so has a change of the root's role.
func TestAChainGoesFromItsRoot(t *testing.T) {
	bubble(t, func(w *world) Options { w.latency = 10 * time.Millisecond; return Options{} }, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(5, false)
		for i := 1; i < 5; i++ {
			ps[i].Source = ps[i-1].Name
		}
		e.Configure(ids, ps)
		login(t, e)
		want := []string{"0s session corp", "0s p0", "0s p1", "0s p2", "0s p3", "0s p4"}
		if got := w.said(); !slices.Equal(got, want) {
			t.Errorf("calls %v, want %v", got, want)
		}
		for i := range ps { // the root's role changed, and so did what depends on it
			ps[i].Fingerprint = "new"
		}
		e.Configure(ids, ps)
		if _, err := e.Credentials(t.Context(), "p4"); err != nil {
			t.Fatal(err)
		}
		want = []string{"0s p0", "0s p1", "0s p2", "0s p3", "0s p4"}
		if got := w.said(); !slices.Equal(got, want) {
			t.Errorf("after a change of the root: %v, want %v", got, want)
		}
	})
}
