package refresh

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

const thousand = 1000

// many is an engine with a thousand fresh profiles of one identity, whose loop
// runs only when a benchmark says so.
type many struct {
	*Engine
	w     *world
	steps atomic.Int64
}

// manyProfiles gives every profile credentials, as a restart does. Unrestored
// has them fetched.
func manyProfiles(b *testing.B, m plan.Mode, unattended, unrestored bool) *many {
	b.Helper()
	x := &many{w: newWorld(b)}
	x.Engine = New(Options{AWS: x.w, Codes: x.w, Sink: x.w, Draw: func() float64 { return 0.5 }})
	ids, ps := roles(thousand, unattended)
	saved := Saved{Sessions: map[string]SavedSession{"corp": {Credentials: x.w.credentials(36 * time.Hour)}}, Profiles: map[string]SavedProfile{}, Roles: map[string]plan.Known{}}
	for i := range ps {
		ps[i].Mode = m
		ps[i].Role.ARN = fmt.Sprintf("arn:aws:iam::111111111111:role/role%d", i)
		saved.Roles[ps[i].Role.ARN] = plan.Known{}.Told(12*time.Hour, "GetRole as the MFA session", now())
		if !unrestored {
			saved.Profiles[ps[i].Name] = SavedProfile{Credentials: x.w.credentials(12 * time.Hour), Via: ViaDirect}
			if m == plan.Session {
				saved.Profiles[ps[i].Name] = SavedProfile{Credentials: x.w.credentials(time.Hour), Via: ViaSession}
			}
		}
	}
	x.Resume(ids, ps, saved)
	return x
}

// start runs the loop until the benchmark ends.
func (x *many) start(b *testing.B) {
	timer := x.Wait
	x.Wait = func(ctx context.Context, d time.Duration, wake <-chan struct{}) {
		x.steps.Add(1)
		timer(ctx, d, wake)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := x.Start(ctx)
	b.Cleanup(func() {
		cancel()
		ended()
	})
}

// BenchmarkStepThousandProfiles is one look at everything, with nothing due.
func BenchmarkStepThousandProfiles(b *testing.B) {
	for _, tt := range []struct {
		name       string
		mode       plan.Mode
		unattended bool
		change     func(*many)
	}{
		{"session", plan.Session, false, func(*many) {}},
		{"session-lapsed", plan.Session, false, func(x *many) { x.ids["corp"].session = creds.Credentials{} }},
		{"session-refused", plan.Session, false, func(x *many) {
			err := &creds.Error{Code: creds.CodeAccessDenied, Op: "not authorized to perform sts:AssumeRole"}
			for h := range 24 { // each once an hour for a day
				for _, p := range x.profiles {
					x.refuseLocked(p, RefusedRole, err, now().Add(time.Duration(h-23)*time.Hour))
					p.fail = failure{err: err, count: 24, next: now().Add(time.Hour)}
				}
			}
		}},
		{"direct", plan.Direct, false, func(*many) {}},
		{"auto-unattended", plan.Auto, true, func(*many) {}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			x := manyProfiles(b, tt.mode, tt.unattended, false)
			tt.change(x)
			x.run = b.Context()
			x.step(now())
			for b.Loop() {
				x.step(now())
			}
			x.flights.Wait()
		})
	}
	b.Run("nudges", func(b *testing.B) { // a hundred milliseconds full of them
		x := manyProfiles(b, plan.Session, false, false)
		x.start(b)
		for b.Loop() {
			for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; time.Sleep(100 * time.Microsecond) {
				x.Nudge()
			}
		}
		b.ReportMetric(float64(x.steps.Load())/float64(b.N), "steps/op")
	})
}

// BenchmarkStatusThousandProfiles is the picture that `mfad status` shows.
func BenchmarkStatusThousandProfiles(b *testing.B) {
	for _, tt := range []struct {
		mode       plan.Mode
		unattended bool
	}{{plan.Session, false}, {plan.Direct, false}, {plan.Auto, true}} {
		b.Run(string(tt.mode), func(b *testing.B) {
			x := manyProfiles(b, tt.mode, tt.unattended, false)
			x.run = b.Context()
			for b.Loop() {
				x.Status()
			}
		})
	}
}

// BenchmarkCycleThousandProfiles is a thousand profiles that become due at once
// and are waited for, with an STS that takes 50 ms: sixteen waves at best. What
// takes longer is the engine's own.
func BenchmarkCycleThousandProfiles(b *testing.B) {
	for _, waiters := range []int{1, thousand} {
		b.Run(fmt.Sprintf("waiters=%d", waiters), func(b *testing.B) {
			x := manyProfiles(b, plan.Session, false, true)
			x.w.latency = 50 * time.Millisecond
			x.start(b)
			if err := x.Refresh(b.Context()); err != nil {
				b.Fatal(err)
			}
			x.steps.Store(0)
			published := x.w.publishes()
			for b.Loop() {
				cycle(b, x, waiters)
			}
			b.ReportMetric(float64(x.steps.Load())/float64(b.N), "steps/op")
			b.ReportMetric(float64(x.w.publishes()-published)/float64(b.N), "publishes/op")
		})
	}
}

// cycle has everything fetched anew and waits for it: for all in one place, or
// for each in one of its own.
func cycle(b *testing.B, x *many, waiters int) {
	b.Helper()
	if waiters == 1 {
		if err := x.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
		return
	}
	x.mu.Lock()
	for _, p := range x.profiles {
		p.through = creds.Credentials{}
		x.serveLocked(p)
	}
	x.mu.Unlock()
	errs := make(chan error)
	for i := range waiters {
		go func() {
			_, err := x.Credentials(b.Context(), fmt.Sprintf("p%d", i))
			errs <- err
		}()
	}
	for range waiters {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAskThousandProfiles is a thousand programs that want a profile each
// while there is no session: one code frees them all.
func BenchmarkAskThousandProfiles(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		x := manyProfiles(b, plan.Session, false, true)
		x.ids["corp"].session = creds.Credentials{}
		given := make(chan struct{})
		x.w.code = func(context.Context, error) (string, error) { <-given; return "123456", nil }
		x.start(b)
		b.StartTimer()
		var questions []*Question
		for i := range thousand {
			q, err := x.Ask(b.Context(), fmt.Sprintf("p%d", i))
			if err != nil {
				b.Fatal(err)
			}
			questions = append(questions, q)
		}
		close(given)
		for _, q := range questions {
			<-q.Done
		}
	}
}
