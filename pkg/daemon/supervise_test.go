package daemon

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/state"
)

// witness is a service manager that notes when it is told what.
type witness struct {
	limit time.Duration
	start time.Time
	mu    sync.Mutex // guards the rest
	told  []string
	alive []time.Duration
}

func (w *witness) Watchdog() time.Duration { return w.limit }

func (w *witness) Tell(assignments ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range assignments {
		if a == "WATCHDOG=1" {
			w.alive = append(w.alive, time.Since(w.start))
		} else {
			w.told = append(w.told, a)
		}
	}
}

func newSupervised(t *testing.T, w *witness) *Daemon {
	t.Helper()
	home := t.TempDir()
	p := Paths{Config: filepath.Join(home, "config.ini"), State: filepath.Join(home, "state"), AWSCredentials: filepath.Join(home, "c"), AWSConfig: filepath.Join(home, "d")}
	dir := state.Dir(p.State)
	if err := dir.Ensure(); err != nil {
		t.Fatal(err)
	}
	return newDaemon(Options{Paths: p, Getenv: func(string) string { return "" }, Keyring: &keyring.Memory{}, Supervisor: w}, dir)
}

// TestTheWatchdogIsToldInTime, at full half minutes or as often as it wants.
func TestTheWatchdogIsToldInTime(t *testing.T) {
	for limit, most := range map[time.Duration]time.Duration{90 * time.Second: 30 * time.Second, 10 * time.Second: 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := &witness{limit: limit, start: time.Now()}
			d := newSupervised(t, w)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); d.supervised(ctx) }()
			time.Sleep(2*time.Minute + time.Second)
			synctest.Wait()
			if n := int(2*time.Minute/most) + 1; len(w.alive) != n {
				t.Errorf("within 2 minutes of %v it is told %v, want %d times", limit, w.alive, n)
			}
			if limit > time.Minute && w.alive[1]%(30*time.Second) != 0 {
				t.Errorf("told at %v, want full half minutes", w.alive)
			}

			cancel()
			<-done
			if w.told[len(w.told)-1] != "STOPPING=1" {
				t.Errorf("at the end it is told %q", w.told)
			}
		})
	}
}

// TestADaemonThatHangsSaysNothing: what tells the watchdog needs each lock.
func TestADaemonThatHangsSaysNothing(t *testing.T) {
	w := &witness{limit: 20 * time.Millisecond, start: time.Now()}
	d := newSupervised(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	d.mu.Lock()
	go func() { defer close(done); d.supervised(ctx) }()
	time.Sleep(100 * time.Millisecond) // the hanging is what is tested
	w.mu.Lock()
	n := len(w.alive)
	w.mu.Unlock()
	d.mu.Unlock()
	if n != 0 {
		t.Errorf("while it hangs the watchdog was told %d times", n)
	}
	cancel()
	<-done
}

// TestAHangupReloads, and tells the service manager when it begins and is through.
func TestAHangupReloads(t *testing.T) {
	w := &witness{start: time.Now()}
	d := newSupervised(t, w)
	hangups := make(chan os.Signal)
	d.Hangups = hangups
	if err := os.WriteFile(d.Paths.Config, []byte("[identity corp]\nmfa_serial = arn:aws:iam::111111111111:mfa/alice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.reloads(ctx) }()
	hangups <- syscall.SIGHUP
	hangups <- syscall.SIGHUP // the first is through when this is taken
	cancel()
	<-done
	if names := d.conf().IdentityNames(); !slices.Equal(names, []string{"corp"}) {
		t.Errorf("after it there are %v, want corp", names)
	}
	if got := strings.Join(w.told[:2], " "); got != "RELOADING=1 READY=1" {
		t.Errorf("it is told %q", w.told)
	}
}

func TestInWords(t *testing.T) {
	broken := "/c/config.ini:3: no\nsuch key"
	profiles := []localapi.ProfileStatus{{State: "fresh"}, {State: "failing"}}
	for want, st := range map[string]localapi.Status{
		"the config is not in force: /c/config.ini:3: no such key": {Daemon: localapi.DaemonStatus{ConfigError: &broken, Locked: true}},
		"locked, until: mfad unlock":                               {Daemon: localapi.DaemonStatus{Locked: true}, Profiles: profiles},
		"no profile is configured yet":                             {},
		"1 of 2 profiles fresh":                                    {Profiles: profiles},
		"1 of 2 profiles fresh; a code is needed: mfad login corp": {Profiles: profiles,
			Identities: []localapi.IdentityStatus{{Name: "corp", State: "mfa_required"}}},
	} {
		if got := inWords(st); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
