package daemon

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/profile"
)

// porch is a desktop that questions for a yes open on. Its fakeScreen can be locked.
type porch struct {
	*fakeScreen
	says chan bool

	mu     sync.Mutex
	opened []string // ways, in order
	open   int
	broken bool // no window can be opened
}

func (p *porch) ask(ctx context.Context, way string) (bool, error) {
	p.mu.Lock()
	p.opened = append(p.opened, way)
	broken := p.broken && way == "dialog"
	p.open++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open--
	}()
	if broken {
		return false, errors.New("no program is installed that opens a dialog")
	}
	select {
	case yes := <-p.says:
		return yes, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

func (p *porch) Dialog(ctx context.Context, _ consent.Question, _ mfa.Display) (bool, error) {
	return p.ask(ctx, "dialog")
}

func (p *porch) Notification(ctx context.Context, _ consent.Question, _ mfa.Display) (bool, error) {
	return p.ask(ctx, "notification")
}

func (p *porch) wants(t *testing.T, when, opened string, open int) {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := strings.Join(p.opened, " "); got != opened || p.open != open {
		t.Errorf("%s: opened were %q, %d are; want %q, %d", when, got, p.open, opened, open)
	}
}

// onPorch runs a test with a daemon that can ask for a yes, and a wish for prod.
func onPorch(t *testing.T, prompt []string, body func(t *testing.T, d *Daemon, p *porch, wish wish)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &porch{fakeScreen: &fakeScreen{moved: make(chan struct{})}, says: make(chan bool)}
		d := &Daemon{
			Options: Options{Log: slog.New(slog.DiscardHandler), Confirms: p, Presence: p.fakeScreen}, consents: consent.NewDesk(),
			config: &profile.Config{Defaults: profile.Defaults{Prompt: prompt}}, audit: &audit.Log{Path: dir + "/audit.jsonl"},
			windows: &windows{on: mfa.Display{"DISPLAY": ":1"}},
		}
		body(t, d, p, wish{profile: &profile.Profile{Name: "prod", Identity: "corp", Confirm: true}})
		if err := d.audit.Close(); err != nil {
			t.Error(err)
		}
	})
}

// allowed is what came of a wish.
type allowed struct {
	why string
	err error
}

func (d *Daemon) begins(ctx context.Context, w wish) <-chan allowed {
	c := make(chan allowed, 1)
	go func() {
		why, err := d.allow(ctx, w)
		c <- allowed{why, err}
	}()
	return c
}

func TestAProfileWithoutConfirmAsksNobody(t *testing.T) {
	onPorch(t, nil, func(t *testing.T, d *Daemon, p *porch, w wish) {
		w.profile.Confirm = false
		if why, err := d.allow(t.Context(), w); why != "" || err != nil {
			t.Errorf("got %q, %v", why, err)
		}
		p.wants(t, "without confirm", "", 0)
	})
}

func TestTheWaysToAskForAYes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		prompt []string
		set    func(d *Daemon, p *porch)
		opened string
		why    string // empty: refused
	}{
		{"auto", nil, func(*Daemon, *porch) {}, "dialog", "allowed in a dialog"},
		{"no window can be opened", nil, func(_ *Daemon, p *porch) { p.broken = true }, "dialog notification", "allowed in a notification"},
		{"no display", nil, func(d *Daemon, _ *porch) { d.windows.on = nil }, "notification", "allowed in a notification"},
		{"nobody's daemon", nil, func(d *Daemon, _ *porch) { d.Confirms = nil }, "", ""},
		{"in the config's order", []string{"notification", "dialog"}, func(*Daemon, *porch) {}, "notification", "allowed in a notification"},
		{"not in the config's list", []string{"process", "terminal"}, func(*Daemon, *porch) {}, "", ""},
		{"a locked screen", nil, func(_ *Daemon, p *porch) { p.locked = true }, "", ""},
		{"a desktop that does not tell", nil, func(d *Daemon, _ *porch) { d.Presence = silent{} }, "dialog", "allowed in a dialog"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onPorch(t, tt.prompt, func(t *testing.T, d *Daemon, p *porch, w wish) {
				tt.set(d, p)
				answer := d.begins(t.Context(), w)
				if tt.why != "" {
					p.says <- true
				}
				got := <-answer
				if got.why != tt.why || (got.err == nil) != (tt.why != "") {
					t.Errorf("got %q, %v; want %q", got.why, got.err, tt.why)
				}
				if got.err != nil && (creds.CodeOf(got.err) != creds.CodeCancelled || creds.HintOf(got.err) == "" || !strings.HasSuffix(got.err.Error(), "there is nobody to ask")) {
					t.Errorf("refused with %q, %v, hint %q", creds.CodeOf(got.err), got.err, creds.HintOf(got.err))
				}
				p.wants(t, "at the end", tt.opened, 0)
			})
		})
	}
}

// silent is a desktop that does not tell whether somebody sits there.
type silent struct{}

func (silent) Watch(ctx context.Context, _ mfa.Display, _ func(bool)) { <-ctx.Done() }

// TestALockedScreenTakesTheQuestionAway: whoever comes to the machine is not asked what
// somebody else was.
func TestALockedScreenTakesTheQuestionAway(t *testing.T) {
	onPorch(t, nil, func(t *testing.T, d *Daemon, p *porch, w wish) {
		answer := d.begins(t.Context(), w)
		p.wants(t, "at first", "dialog", 1)
		p.lock(true)
		if got := <-answer; creds.CodeOf(got.err) != creds.CodeCancelled {
			t.Errorf("behind the lock: %+v", got)
		}
		p.wants(t, "behind the lock", "dialog", 0)
	})
}

func TestNobodyAnswersInTime(t *testing.T) {
	onPorch(t, nil, func(t *testing.T, d *Daemon, p *porch, w wish) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		_, err := d.allow(ctx, w)
		if creds.CodeOf(err) != creds.CodeCancelled || !strings.HasSuffix(err.Error(), "in time") {
			t.Errorf("got %v", err)
		}
		p.wants(t, "afterwards", "dialog", 0)
	})
}

func TestWhoDoesNotWaitIsNotAskedFor(t *testing.T) {
	for name, change := range map[string]func(*wish){
		"cached": func(w *wish) { w.cached = true }, "no prompt": func(w *wish) { w.noPrompt = true },
	} {
		t.Run(name, func(t *testing.T) {
			onPorch(t, nil, func(t *testing.T, d *Daemon, p *porch, w wish) {
				change(&w)
				if _, err := d.allow(t.Context(), w); creds.CodeOf(err) != creds.CodeCancelled {
					t.Errorf("got %v", err)
				}
				p.wants(t, "afterwards", "", 0)
				records, _, err := audit.Read(d.audit.Path, audit.Filter{})
				if recorded := len(records) == 1; err != nil || recorded == w.cached {
					t.Errorf("the audit log has %+v (%v)", records, err)
				}
			})
		})
	}
}

func TestARelativeCommandIsRefused(t *testing.T) {
	onPorch(t, nil, func(t *testing.T, d *Daemon, _ *porch, w wish) {
		w.command = "terraform"
		if _, err := d.allow(t.Context(), w); creds.CodeOf(err) != creds.CodeUsage {
			t.Errorf("got %v, want usage", err)
		}
	})
}
