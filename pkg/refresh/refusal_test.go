package refresh

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// TestTheBoundOnRefusals compares the bound with its definition: the first moment
// when fewer than so many calls of a kind were refused in the last five minutes.
func TestTheBoundOnRefusals(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	draw := rand.New(rand.NewPCG(1, 2))
	calls := []RefusedCall{RefusedRole, RefusedDirect, RefusedLookup, RefusedSessionLookup, RefusedUpdate}
	for round := range 500 {
		var s refused
		at := start
		for range draw.IntN(12) {
			at = at.Add(time.Duration(draw.IntN(180)) * time.Second)
			s.add(Refusal{Time: at, Profile: "p", RoleARN: fmt.Sprint(draw.IntN(2)), Call: calls[draw.IntN(len(calls))]})
		}
		if all := s.all(); !slices.IsSortedFunc(all, older) {
			t.Fatalf("round %d: not the oldest first: %v", round, all)
		}
		look, most := at.Add(time.Duration(draw.IntN(600))*time.Second), 1+draw.IntN(2)
		is := func(r *Refusal) bool { return r.RoleARN == "1" && r.Call == RefusedDirect || r.isLookup() }
		fewAt := func(t time.Time) bool {
			n := 0
			for _, r := range s.all() {
				if is(&r) && t.Sub(r.Time) < alarmWindow {
					n++
				}
			}
			return n < most
		}
		got, want := s.bound(look, most, is), time.Time{}
		if !fewAt(look) {
			for want = look; !fewAt(want); want = want.Add(time.Second) {
			}
		}
		if !got.Equal(want) {
			t.Fatalf("round %d at %v, %d at most: free from %v, want %v; refused: %v", round, look, most, got, want, s.all())
		}
	}
}

// TestOneRoleIsRefusedForDays: what is kept does not grow with the days, and a
// restart rests as long as the run before would have.
func TestOneRoleIsRefusedForDays(t *testing.T) {
	setup := func(w *world) Options {
		w.refuse["p0"] = &creds.Error{Code: creds.CodeAccessDenied, Op: "not authorized to perform sts:AssumeRole"}
		return Options{}
	}
	bubble(t, setup, func(t *testing.T, w *world, e *Engine) {
		ids, ps := roles(2, false)
		e.Configure(ids, ps)
		login(t, e)
		time.Sleep(20*time.Hour + time.Minute)
		synctest.Wait()
		saved := w.published[len(w.published)-1]
		if n := len(saved.Refusals); n < len(refusals) || n > lastFew {
			t.Errorf("%d refusals are kept, want the last %d to %d", n, len(refusals), lastFew)
		}
		if !slices.IsSortedFunc(saved.Refusals, older) {
			t.Errorf("not the oldest first: %v", saved.Refusals)
		}
		second := New(e.Options)
		second.Resume(ids, ps, saved)
		if got, want := second.profiles["p0"].fail.next, e.profiles["p0"].fail.next; !got.Equal(want) || !want.After(now()) {
			t.Errorf("after a restart AWS is asked again at %v, want %v, as before", got, want)
		}
		delete(w.refuse, "p0")
		e.Retry()
		synctest.Wait()
		if left := w.published[len(w.published)-1].Refusals; len(left) > 0 {
			t.Errorf("the role was assumed at last, and %d refusals are kept, want none", len(left))
		}
	})
}

// TestWhatIsBelow: an edit moves a profile, and with it what a login waits for.
func TestWhatIsBelow(t *testing.T) {
	e := New(Options{Codes: &world{}})
	ids, ps := roles(3, false)
	ids = append(ids, Identity{Name: "other"})
	ps = append(ps, Profile{Name: "child", Identity: "corp", Source: "p1", Role: creds.Role{ARN: "c"}},
		Profile{Name: "grandchild", Identity: "corp", Source: "child", Role: creds.Role{ARN: "g"}})
	want := func(identity, profile string, want ...string) {
		t.Helper()
		got := e.Freshened(identity, profile)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("below %s, %q: %q, want %q", identity, profile, got, want)
		}
	}
	e.Configure(ids, ps)
	want("corp", "", "child", "grandchild", "p0", "p1", "p2")
	want("corp", "p1", "child", "grandchild", "p1")
	want("other", "")
	want("none", "")
	ps[2].Identity = "other"
	e.Configure(ids, ps[:3])
	want("corp", "", "p0", "p1")
	want("other", "", "p2")
	e.Lock()
	want("corp", "", "p0", "p1")
	for _, p := range e.ids["corp"].below {
		if e.profiles[p.Name] != p {
			t.Errorf("after a lock the identity has another %s than the engine", p.Name)
		}
	}
}
