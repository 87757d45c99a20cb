package refresh

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// count tells how many moments hold a text.
func count(moments []string, text string) (n int) {
	for _, m := range moments {
		if strings.Contains(m, text) {
			n++
		}
	}
	return n
}

// noIAM is an AWS of which only STS can be reached.
type noIAM struct {
	*world
	looks int
}

func (n *noIAM) MaxSessionDuration(context.Context, Profile, creds.Credentials) (time.Duration, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.looks++
	return 0, &creds.Error{Code: creds.CodeNetwork, Op: "no route"}
}

// TestWithoutIAM: a maximum that cannot be looked up holds nothing back, neither
// at first nor after a day.
func TestWithoutIAM(t *testing.T) {
	bubble(t, func(w *world) Options { w.maximum = 8 * time.Hour; return Options{} }, func(t *testing.T, w *world, e *Engine) {
		n := &noIAM{world: w}
		e.AWS = n
		device(w, e, true)
		e.Configure(mode(plan.Direct, 1, true))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if p := e.Status().Profiles["p0"]; p.Via != ViaDirect {
			t.Errorf("after ten minutes via %q, want direct", p.Via)
		}
		time.Sleep(47 * time.Hour)
		synctest.Wait()
		moments := w.said()
		if got := count(moments, "direct p0 8h"); got < 11 {
			t.Errorf("renewed %d times in two days, want every four hours", got)
		}
		if n.looks > 60 {
			t.Errorf("looked %d times in two days", n.looks)
		}
		wantRare(t, moments)
	})
}

// TestRestsOutliveALock: what AWS refused is not tried again because of a lock, or
// of a restart while locked.
func TestRestsOutliveALock(t *testing.T) {
	setup := func(w *world) Options {
		w.refuse["direct p0"] = &creds.Error{Code: creds.CodeAccessDenied, Op: "no"}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		device(w, e, true)
		ids, ps := mode(plan.Direct, 1, true)
		e.Configure(ids, ps)
		for range 3 {
			time.Sleep(10 * time.Minute)
			e.Lock()
			time.Sleep(time.Minute)
			e.Unlock()
		}
		synctest.Wait()
		if got := count(w.said(), "no direct p0"); got != 1 {
			t.Errorf("AWS refused it direct %d times, want once", got)
		}
		saved := w.published[len(w.published)-1]
		next := New(Options{AWS: w, Codes: e.Codes, Sink: w})
		next.Lock()
		next.Resume(ids, ps, saved)
		next.Unlock()
		if k, err := next.Knowledge("p0"); err != nil || k.Off.IsZero() {
			t.Errorf("after a restart while locked direct is tried again at once: %v", err)
		}
	})
}

// TestTwoProfilesOfOneRole share the bound on codes.
func TestTwoProfilesOfOneRole(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		d := device(w, e, false)
		ids, ps := mode(plan.Session, 2, false)
		ps[1].Role.ARN = ps[0].Role.ARN
		for i := range ps {
			ps[i].Role.Duration = time.Hour
		}
		e.Configure(ids, ps)
		for i, want := range []creds.Code{creds.CodeMFARejected, creds.CodeMFARejected, creds.CodeRefused, creds.CodeRefused} {
			if got := creds.CodeOf(answer(t.Context(), w, e, d, ps[i%2].Name, "000000").Err); got != want {
				t.Errorf("code %d: %q, want %q", i+1, got, want)
			}
		}
		if got := count(w.said(), "refused"); got != 2 {
			t.Errorf("%d codes were sent, want two", got)
		}
	})
}

// federation answers for a federated identity, whose role allows less and less.
type federation struct {
	*world
	asked []time.Duration
}

func (f *federation) AssumeRole(_ context.Context, p Profile, from creds.Credentials) (creds.Credentials, Via, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, p.Role.Duration)
	if p.Role.Duration > f.maximum {
		f.note("%s too long %v", p.Name, p.Role.Duration)
		return creds.Credentials{}, "", &creds.Error{Code: creds.CodeDuration, Op: "exceeds the MaxSessionDuration"}
	}
	return f.credentials(p.Role.Duration), ViaSAML, nil
}

// TestAFederatedRoleGetsItsLength: an hour at once, then what GetRole told, or
// what the search found; and no loop where AWS grants nothing.
func TestAFederatedRoleGetsItsLength(t *testing.T) {
	for _, tt := range []struct {
		name    string
		maximum time.Duration
		hidden  bool
		want    time.Duration
	}{
		{"it may look itself up", 5 * time.Hour, false, 5 * time.Hour},
		{"it may not", 5 * time.Hour, true, 4 * time.Hour},
		{"not even an hour is granted", 0, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setup := func(w *world) Options { w.maximum, w.hidden = tt.maximum, tt.hidden; return Options{} }
			bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
				f := &federation{world: w}
				e.AWS = f
				ids, ps := mode(plan.Auto, 1, false)
				ids[0].Federated = true
				e.Configure(ids, ps)
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if f.asked[0] != time.Hour {
					t.Errorf("at first %v was asked for, want an hour", f.asked[0])
				}
				if got := e.Status().Profiles["p0"].Current.Lifetime(); got != tt.want {
					t.Errorf("it lives %v after %v, want %v", got, f.asked, tt.want)
				}
				if len(f.asked) > 12 {
					t.Errorf("%d calls in two hours", len(f.asked))
				}
				wantRare(t, w.said())
			})
		})
	}
}

// TestAnAgeThatIsNone: a role is denied, then allowed, which has nothing to do
// with the age of the MFA; what was learned by mistake is unlearned.
func TestAnAgeThatIsNone(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world, e *Engine) {
		d := device(w, e, false)
		e.Configure(mode(plan.Session, 1, false))
		login := func() {
			t.Helper()
			if r := answer(t.Context(), w, e, d, "", code(time.Now())); r.Err != nil {
				t.Fatal(r.Err)
			}
			synctest.Wait()
		}
		login()
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		w.refuse["p0"] = &creds.Error{Code: creds.CodeAccessDenied, Op: "denied"}
		w.mu.Unlock()
		time.Sleep(time.Hour)
		w.mu.Lock()
		delete(w.refuse, "p0") // an administrator gives it back, and the user logs in
		w.mu.Unlock()
		login()
		if e.Status().Profiles["p0"].Known.MaxAge == 0 {
			t.Fatal("nothing was learned by mistake: the test tests nothing")
		}
		typed := 0
		for end := time.Now().Add(28 * time.Hour); time.Now().Before(end); time.Sleep(10 * time.Minute) {
			e.Cached("p0")
			synctest.Wait()
			if e.Status().Identities["corp"].Asking {
				login()
				typed++
			}
		}
		if got := e.Status().Profiles["p0"].Known.MaxAge; got != 0 {
			t.Errorf("a day later it still wants an MFA younger than %v", got)
		}
		if typed > 0 {
			t.Errorf("a person gave %d codes because of it", typed)
		}
	})
}
