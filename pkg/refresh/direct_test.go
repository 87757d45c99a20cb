package refresh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/plan"
)

// desk lets a real desk supply the engine, as the daemon does.
type desk struct{ *mfa.Desk }

func (d desk) Next(ctx context.Context, id Identity, profile string, prev error) (Attempt, error) {
	c, err := d.Desk.Next(ctx, id.Name, profile, prev)
	if err == mfa.ErrOver {
		err = ErrOver
	}
	a := Attempt{Code: c.Code, Profile: c.Profile, Program: c.Program}
	if c.Done != nil {
		a.Done = func(s plan.Spend, err error) { c.Done(mfa.Outcome{Profile: s.Profile, Why: s.Why, Err: err}) }
	}
	return a, err
}
func (d desk) Retarget(id Identity, profile string) { d.Desk.Retarget(id.Name, profile) }
func (d desk) Settle(id Identity, profile string, err error) {
	d.Desk.Settle(id.Name, profile, err)
}

// code is what a device shows at a moment.
func code(t time.Time) string { return fmt.Sprintf("%06d", t.Unix()/30%1_000_000) }

// device has AWS take each code of the right step once, and gives the engine a
// real desk: its program prints the code of the moment, or a person answers.
func device(w *world, e *Engine, unattended bool) *mfa.Desk {
	d := mfa.NewDesk()
	set := mfa.Settings{Serial: "serial", Methods: []mfa.Method{mfa.Process, mfa.Terminal}}
	if unattended {
		set.Process, set.Unattended = "totp", true
	}
	d.Run = func(context.Context, string) (string, error) { return code(time.Now()), nil }
	d.Configure(map[string]mfa.Settings{"corp": set})
	used := map[string]bool{}
	w.session = func(c string) error {
		if used[c] || c != code(time.Now()) {
			w.reused++
			return &creds.Error{Code: creds.CodeMFARejected, Op: "AWS did not take the code"}
		}
		used[c] = true
		return nil
	}
	e.Codes = desk{d}
	return d
}

// person answers whenever asked, as the daemon has a terminal's answer come in:
// with the code that the device shows, and after that one with the next.
func person(ctx context.Context, w *world, e *Engine, d *mfa.Desk) {
	seat := d.Sit("corp", "", true, true)
	defer seat.Leave()
	for last := ""; ; {
		select {
		case ev := <-seat.Events():
			if ev.Kind != mfa.Ask {
				continue
			}
			for code(time.Now()) == last {
				time.Sleep(time.Second)
			}
			last = code(time.Now())
			answer(ctx, w, e, d, ev.Question.Direct, last)
		case <-ctx.Done():
			return
		}
	}
}

// answer gives a code for a profile, or for the session, and waits for what AWS
// says of it.
func answer(ctx context.Context, w *world, e *Engine, d *mfa.Desk, profile, code string) mfa.Outcome {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	given := make(chan (<-chan mfa.Outcome), 1)
	over := make(chan error, 1)
	go func() {
		over <- e.Login(ctx, "corp", LoginOptions{Profile: profile, Give: func() {
			result, _, err := d.Offer("corp", profile, creds.NewSecret(code))
			if err != nil {
				w.t.Errorf("the person's code was refused: %v", err)
			}
			given <- result
		}})
	}()
	select {
	case err := <-over:
		return mfa.Outcome{Err: err}
	case result := <-given:
		r := <-result
		cancel()
		<-over
		return r
	}
}

// mode gives n profiles a mode.
func mode(m plan.Mode, n int, unattended bool) ([]Identity, []Profile) {
	ids, ps := roles(n, unattended)
	for i := range ps {
		ps[i].Mode = m
	}
	return ids, ps
}

// TestUpgradesOneAStep: ten direct roles and a program. All are fresh through the
// session at once, then each gets its role's full length, one code a step.
func TestUpgradesOneAStep(t *testing.T) {
	bubble(t, func(w *world) Options { w.latency = 100 * time.Millisecond; return Options{} }, func(t *testing.T, w *world, e *Engine) {
		device(w, e, true)
		e.Configure(mode(plan.Direct, 10, true))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for name, p := range e.Status().Profiles {
			if !p.Current.UsableAt(time.Now()) || p.Via != ViaSession {
				t.Errorf("%s is %s via %q after 3 s, want fresh via session", name, p.State, p.Via)
			}
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		var steps []int64
		for _, m := range w.said() {
			if !strings.Contains(m, "direct") {
				continue
			}
			at, _, _ := strings.Cut(m, " ")
			d, _ := time.ParseDuration(at)
			steps = append(steps, w.start.Add(d).Unix()/30-w.start.Unix()/30)
			if !strings.HasSuffix(m, " 12h0m0s") {
				t.Errorf("asked for less than the role allows: %s", m)
			}
		}
		if want := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; !slices.Equal(steps, want) {
			t.Errorf("upgrades in the steps %v, want %v", steps, want)
		}
		for name, p := range e.Status().Profiles {
			if p.Via != ViaDirect || p.Current.Lifetime() != 12*time.Hour {
				t.Errorf("%s came via %q for %v, want direct for 12h", name, p.Via, p.Current.Lifetime())
			}
		}
		if w.reused > 0 {
			t.Errorf("%d codes were used twice or came late", w.reused)
		}
	})
}
