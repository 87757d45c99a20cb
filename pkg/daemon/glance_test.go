package daemon

import (
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/state"
)

// TestAGlanceIsNeverOld: it is the last picture only while that is true.
func TestAGlanceIsNeverOld(t *testing.T) {
	d := newDaemon(Options{Getenv: func(string) string { return "" }}, state.Dir(t.TempDir()))
	if d.Glance().Daemon.Locked {
		t.Fatal("it is locked from the start")
	}
	d.mu.Lock()
	d.locked = true // without a word: the picture before is shown
	d.mu.Unlock()
	if d.Glance().Daemon.Locked {
		t.Error("a picture was made though nothing was told to have changed")
	}
	d.mu.Lock()
	d.changedLocked()
	d.mu.Unlock()
	if !d.Glance().Daemon.Locked {
		t.Error("a change is not seen")
	}
	d.mu.Lock()
	d.config = &profile.Config{Path: "new"}
	d.mu.Unlock()
	d.glance.until = d.clock.Now()
	if d.Glance().Daemon.Config != "new" {
		t.Error("what time has changed is not seen")
	}
	d.mu.Lock()
	d.config = &profile.Config{Path: "newer"}
	d.mu.Unlock()
	d.glance.until = d.clock.Now().Add(time.Hour) // as if the clock had been set back
	if d.Glance().Daemon.Config != "newer" {
		t.Error("a clock that was set back keeps a picture for long")
	}
}

func TestFirstEnd(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 500e6, time.UTC)
	at := func(d time.Duration) *time.Time { t := now.Add(d).Truncate(time.Second); return &t }
	for _, tt := range []struct {
		name             string
		session, profile *time.Time
		want             time.Duration
	}{
		{"nothing ends", nil, nil, glanceLimit},
		{"what has ended counts no more", at(-time.Minute), at(-2 * time.Second), glanceLimit},
		{"what ends this second", nil, at(100 * time.Millisecond), 500 * time.Millisecond},
		{"the first", at(9 * time.Second), at(20 * time.Second), 9500 * time.Millisecond},
		{"later than the limit", at(time.Hour), at(time.Hour), glanceLimit},
	} {
		st := localapi.Status{Identities: []localapi.IdentityStatus{{SessionExpires: tt.session}}, Profiles: []localapi.ProfileStatus{{Expires: tt.profile}}}
		if got := firstEnd(st, now).Sub(now); got != tt.want {
			t.Errorf("%s: after %v, want %v", tt.name, got, tt.want)
		}
	}
}
