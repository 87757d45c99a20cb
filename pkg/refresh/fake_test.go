package refresh

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// world is AWS, the person and the files of one test. It grants what AWS would,
// and can be away or refuse.
type world struct {
	t     testing.TB
	start time.Time

	mu        sync.Mutex
	seq       int
	moments   []string // "1h30m0s session", in the order of the calls
	issued    map[string]time.Time
	published []Saved
	written   []time.Time // when

	latency time.Duration
	grant   time.Duration // of a role; 0: an hour
	maximum time.Duration // of a role that is assumed direct
	hidden  bool          // GetRole is denied
	aged    string        // a profile whose role wants an MFA younger than maxAge
	maxAge  time.Duration
	started map[string]time.Time // of sessions
	outage  func(since time.Duration) error
	refuse  map[string]error // by profile
	code    func(ctx context.Context, prev error) (string, error)
	session func(code string) error
	settled []error
	revoked bool
	reused  int // codes that AWS did not take
}

func now() time.Time { return time.Now().Round(0) }

func newWorld(t testing.TB) *world {
	return &world{t: t, start: now(), maximum: 12 * time.Hour, issued: map[string]time.Time{}, started: map[string]time.Time{}, refuse: map[string]error{},
		code: func(context.Context, error) (string, error) { return "123456", nil }}
}

func (w *world) note(format string, args ...any) {
	w.moments = append(w.moments, time.Since(w.start).Round(time.Second).String()+" "+fmt.Sprintf(format, args...))
}

func (w *world) credentials(lifetime time.Duration) creds.Credentials {
	w.seq++
	c := creds.Credentials{AccessKeyID: fmt.Sprintf("ASIA%04d", w.seq), SecretAccessKey: creds.NewSecret("s"), SessionToken: creds.NewSecret("t"),
		Issued: now(), Expires: now().Add(lifetime)}
	w.issued[c.AccessKeyID] = c.Expires
	return c
}

func (w *world) away() error {
	if w.outage == nil {
		return nil
	}
	return w.outage(time.Since(w.start))
}

func (w *world) StartSession(ctx context.Context, id Identity, code creds.Secret, _ string) (creds.Credentials, error) {
	time.Sleep(w.latency)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.away(); err != nil {
		return creds.Credentials{}, err
	}
	if w.session != nil {
		if err := w.session(code.Reveal()); err != nil {
			w.note("refused %s", id.Name)
			return creds.Credentials{}, err
		}
	}
	w.note("session %s", id.Name)
	c := w.credentials(id.SessionDuration)
	w.started[c.AccessKeyID] = now()
	return c, nil
}

func (w *world) AssumeRole(_ context.Context, p Profile, from creds.Credentials) (creds.Credentials, Via, error) {
	time.Sleep(w.latency)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.away(); err != nil {
		return creds.Credentials{}, "", err
	}
	if end, ok := w.issued[from.AccessKeyID]; !ok || !now().Before(end) {
		return creds.Credentials{}, "", &creds.Error{Code: creds.CodeExpired, Op: "expired"}
	}
	if err := w.refuse[p.Name]; err != nil {
		w.note("no %s", p.Name)
		return creds.Credentials{}, "", err
	}
	if at, ok := w.started[from.AccessKeyID]; ok && p.Name == w.aged && now().Sub(at) >= w.maxAge {
		w.note("no %s", p.Name)
		return creds.Credentials{}, "", &creds.Error{Code: creds.CodeAccessDenied, Op: "not authorized to perform sts:AssumeRole"}
	}
	w.note("%s", p.Name)
	grant := w.grant
	if grant == 0 {
		grant = time.Hour
	}
	return w.credentials(grant), ViaSession, nil
}

func (w *world) Verify(_ context.Context, _ Identity, session creds.Credentials) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("verify")
	if w.revoked {
		return &creds.Error{Code: creds.CodeInvalidKey, Op: "the security token is invalid"}
	}
	return nil
}

// AssumeDirect grants what the role allows, and refuses more.
func (w *world) AssumeDirect(_ context.Context, _ Identity, p Profile, code creds.Secret, _ string) (creds.Credentials, error) {
	time.Sleep(w.latency)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.away(); err != nil {
		return creds.Credentials{}, err
	}
	if w.session != nil {
		if err := w.session(code.Reveal()); err != nil {
			w.note("refused %s", p.Name)
			return creds.Credentials{}, err
		}
	}
	if err := w.refuse["direct "+p.Name]; err != nil {
		w.note("no direct %s", p.Name)
		return creds.Credentials{}, err
	}
	if p.Role.Duration > w.maximum {
		w.note("direct %s too long %v", p.Name, p.Role.Duration)
		return creds.Credentials{}, &creds.Error{Code: creds.CodeDuration, Op: "exceeds the MaxSessionDuration"}
	}
	w.note("direct %s %v", p.Name, p.Role.Duration)
	return w.credentials(p.Role.Duration), nil
}

// MaxSessionDuration tells, unless nobody may look.
func (w *world) MaxSessionDuration(_ context.Context, p Profile, from creds.Credentials) (time.Duration, error) {
	time.Sleep(w.latency)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.away(); err != nil {
		return 0, err
	}
	if w.hidden {
		w.note("no look %s", p.Name)
		return 0, &creds.Error{Code: creds.CodeAccessDenied, Op: "not authorized to perform iam:GetRole"}
	}
	return w.maximum, nil
}

// Next gives a code for whatever it is wanted, as the person or program of the
// test does.
func (w *world) Next(ctx context.Context, id Identity, profile string, prev error) (Attempt, error) {
	w.mu.Lock()
	ask := w.code
	w.mu.Unlock()
	code, err := ask(ctx, prev)
	return Attempt{Code: creds.NewSecret(code), Profile: profile, Program: id.Unattended}, err
}

func (w *world) Retarget(_ Identity, profile string) {}

func (w *world) Settle(_ Identity, _ string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled = append(w.settled, err)
}

func (w *world) Publish(_ context.Context, s Saved) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Sessions, s.Profiles = maps.Clone(s.Sessions), maps.Clone(s.Profiles)
	w.published = append(w.published, s)
	w.written = append(w.written, now())
	return nil
}

// roles gives one identity and n roles below it.
func roles(n int, unattended bool) ([]Identity, []Profile) {
	ids := []Identity{{Name: "corp", Serial: "serial", SessionDuration: 36 * time.Hour, Unattended: unattended}}
	var ps []Profile
	for i := range n {
		ps = append(ps, Profile{Name: fmt.Sprintf("p%d", i), Identity: "corp", Role: creds.Role{ARN: fmt.Sprintf("role%d", i)}, Mode: plan.Session})
	}
	return ids, ps
}

// bubble runs an engine in simulated time.
func bubble(t *testing.T, setup func(*world) Options, body func(*testing.T, *world, *Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := Options{AWS: w, Codes: w, Sink: w, Draw: func() float64 { return 0.5 }}
		if setup != nil {
			extra := setup(w)
			o.Wait, o.Now = extra.Wait, extra.Now
		}
		e := New(o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := e.Start(ctx)
		synctest.Wait()
		body(t, w, e)
		cancel()
		ended()
	})
}

// said gives the moments so far and forgets them.
func (w *world) said() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.moments
	w.moments = nil
	return m
}
