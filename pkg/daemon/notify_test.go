package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/notify"
)

// fakeDesktop keeps what is shown. The zero value works at once.
type fakeDesktop struct {
	takes  time.Duration // how long Show hangs
	fails  error
	frozen bool // it can change nothing, as macOS

	answers chan notify.Answer

	mu    sync.Mutex
	calls []string // each with the time since the test's begin
	begun time.Time
	last  uint32
}

func (f *fakeDesktop) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf("%v ", time.Since(f.begun).Round(time.Second))+fmt.Sprintf(format, args...))
}

func (f *fakeDesktop) Show(ctx context.Context, n notify.Notification, replaces notify.ID) (notify.ID, error) {
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
		return notify.ID{}, ctx.Err()
	}
	if f.fails != nil {
		f.note("failed")
		return notify.ID{}, f.fails
	}
	if replaces.IsZero() {
		f.last++
		replaces = notify.ID{Number: f.last}
	}
	f.note("%d: %s | %s", replaces.Number, n.Title, strings.ReplaceAll(n.Body, "\n", " | "))
	if f.frozen {
		return notify.ID{}, nil
	}
	return replaces, nil
}

func (f *fakeDesktop) Withdraw(_ context.Context, id notify.ID) error {
	f.note("%d: gone", id.Number)
	return nil
}

func (f *fakeDesktop) Close() {}

func (f *fakeDesktop) Answers() <-chan notify.Answer { return f.answers }

// saw compares what has been shown and taken back since the last saw.
func (f *fakeDesktop) saw(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.calls, want) {
		t.Errorf("the desktop saw\n  %s\nwant\n  %s", strings.Join(f.calls, "\n  "), strings.Join(want, "\n  "))
	}
	f.calls = nil
}

// street is a herald at work on a fake desktop.
type street struct {
	*herald
	desktop *fakeDesktop

	mu      sync.Mutex
	changes chan struct{}
	mended  map[string]bool // by profile or code
}

// cry runs a test with a herald, in a bubble.
func cry(t *testing.T, f *fakeDesktop, test func(t *testing.T, s *street)) {
	synctest.Test(t, func(t *testing.T) {
		f.begun, f.answers = time.Now(), make(chan notify.Answer) // of the bubble
		s := &street{desktop: f, changes: make(chan struct{}), mended: map[string]bool{}}
		s.herald = newHerald(f, slog.New(slog.DiscardHandler),
			func() <-chan struct{} { s.mu.Lock(); defer s.mu.Unlock(); return s.changes },
			func() func(trouble) bool {
				return func(t trouble) bool {
					s.mu.Lock()
					defer s.mu.Unlock()
					return s.mended[t.profile] || s.mended[string(t.code)]
				}
			})
		ctx, cancel := context.WithCancel(t.Context())
		var over sync.WaitGroup
		over.Go(func() { s.run(ctx) })
		test(t, s)
		cancel()
		end := time.Now()
		over.Wait()
		if took := time.Since(end); took > farewell {
			t.Errorf("the herald ended after %v", took)
		}
	})
}

// mend makes profiles fresh, or ends what a code stands for.
func (s *street) mend(whether bool, what ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range what {
		s.mended[w] = whether
	}
	close(s.changes)
	s.changes = make(chan struct{})
}

func (s *street) fails(profile string, code creds.Code) { s.failsFor("corp", profile, code) }

func (s *street) failsFor(identity, profile string, code creds.Code) {
	s.report(trouble{profile: profile, identity: identity, program: "terraform", code: code, text: "a code is needed", hint: "run: mfad login " + identity})
}

const needed = creds.CodeMFARequired

func TestAFailureIsToldOnceInTenMinutes(t *testing.T) {
	cry(t, &fakeDesktop{}, func(t *testing.T, s *street) {
		for range 20 { // twice in 19 minutes
			s.fails("prod", needed)
			time.Sleep(time.Minute)
		}
		const text = "1: mfad: prod needs a code | terraform got no credentials: a code is needed | run: mfad login corp"
		s.desktop.saw(t, "1s "+text, "10m1s "+text)
		s.fails("prod", creds.CodeAccessDenied) // another failure takes its place
		time.Sleep(time.Minute)
		s.desktop.saw(t, "20m0s 1: gone", "20m1s 2: mfad: AWS refuses prod | terraform got no credentials: a code is needed | run: mfad login corp")
	})
}

func TestAStormIsOneNotification(t *testing.T) {
	cry(t, &fakeDesktop{}, func(t *testing.T, s *street) {
		for i := range 100 { // in three seconds
			s.fails(fmt.Sprintf("p%02d", i), needed)
			time.Sleep(30 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		s.mend(true, "p00")
		for i := range 100 {
			s.fails(fmt.Sprintf("p%02d", i), needed) // all of it was told
		}
		time.Sleep(time.Minute)
		line := func(at, n, more int) string {
			return fmt.Sprintf("%ds 1: mfad: %d profiles need a code | p00, p01, p02 … and %d more got no credentials | run: mfad login corp", at, n, more)
		}
		s.desktop.saw(t, line(1, 34, 31), line(2, 68, 65), line(3, 100, 97))
		for i := range 100 {
			s.mend(true, fmt.Sprintf("p%02d", i))
		}
		s.desktop.saw(t, "2m3s 1: gone") // once, with the last of them
	})
}

func TestWhatIsMendedInTimeIsNotShown(t *testing.T) {
	cry(t, &fakeDesktop{}, func(t *testing.T, s *street) {
		s.fails("prod", needed)
		s.fails("dev", needed)
		time.Sleep(gather / 2)
		s.mend(true, "prod")
		time.Sleep(time.Minute)
		s.desktop.saw(t, "1s 1: mfad: dev needs a code | terraform got no credentials: a code is needed | run: mfad login corp")
	})
}

// TestWhatFailsOtherwiseMeanwhile: only what keeps a profile from working now is told.
func TestWhatFailsOtherwiseMeanwhile(t *testing.T) {
	cry(t, &fakeDesktop{}, func(t *testing.T, s *street) {
		s.fails("prod", needed)
		s.fails("prod", creds.CodeAccessDenied) // before the first was shown
		time.Sleep(time.Minute)
		s.desktop.saw(t, "1s 1: mfad: AWS refuses prod | terraform got no credentials: a code is needed | run: mfad login corp")
	})
}

func TestIdentitiesHaveTheirOwnUpToThree(t *testing.T) {
	cry(t, &fakeDesktop{}, func(t *testing.T, s *street) {
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			s.failsFor("id-"+name, name, needed)
			time.Sleep(2 * gather)
		}
		one := func(n int, name string) string {
			return fmt.Sprintf("%ds %d: mfad: %s needs a code | terraform got no credentials: a code is needed | run: mfad login id-%[3]s", 2*n-1, n, name)
		}
		s.desktop.saw(t, one(1, "a"), one(2, "b"), one(3, "c"), one(4, "d"),
			"9s 4: mfad: 2 profiles need a code | d, e got no credentials | run: mfad status")
	})
}

// TestALockIsToldOnce: who locked knows, and is reminded only.
func TestALockIsToldOnce(t *testing.T) {
	cry(t, &fakeDesktop{}, func(t *testing.T, s *street) {
		lock := func() {
			for range 3 {
				s.fails("prod", creds.CodeLocked)
				s.fails("dev", creds.CodeLocked)
				time.Sleep(time.Hour)
			}
		}
		lock()
		s.desktop.saw(t, "1s 1: mfad is locked | prod, dev got no credentials | run: mfad login corp")
		s.mend(true, string(creds.CodeLocked))
		s.desktop.saw(t, "3h0m0s 1: gone")
		s.mend(false, string(creds.CodeLocked))
		lock()
		s.desktop.saw(t, "3h0m1s 2: mfad is locked | prod, dev got no credentials | run: mfad login corp")
	})
}

func TestTheKeyringIsOneMatterOfAllIdentities(t *testing.T) {
	cry(t, &fakeDesktop{}, func(t *testing.T, s *street) {
		s.failsFor("corp", "prod", creds.CodeKeyringLocked)
		s.failsFor("home", "blog", creds.CodeKeyringLocked)
		time.Sleep(time.Minute)
		s.desktop.saw(t, "1s 1: mfad: the keyring is locked | prod, blog got no credentials | run: mfad status")
	})
}

// TestADesktopThatFailsIsLeftAlone for a minute; then the same failure is told.
func TestADesktopThatFailsIsLeftAlone(t *testing.T) {
	cry(t, &fakeDesktop{fails: errors.New("no")}, func(t *testing.T, s *street) {
		for range 12 {
			s.fails("prod", needed)
			time.Sleep(10 * time.Second)
		}
		s.desktop.saw(t, "1s failed", "1m11s failed")
		s.desktop.fails = nil
		time.Sleep(respite)
		s.fails("prod", needed)
		time.Sleep(time.Minute)
		s.desktop.saw(t, "3m1s 1: mfad: prod needs a code | terraform got no credentials: a code is needed | run: mfad login corp")
	})
}

// TestADesktopThatHangsHoldsNobodyUp: neither who fails, nor the daemon's end.
func TestADesktopThatHangsHoldsNobodyUp(t *testing.T) {
	cry(t, &fakeDesktop{takes: time.Hour}, func(t *testing.T, s *street) {
		for i := range 1000 {
			s.fails(fmt.Sprint(i), needed)
			time.Sleep(10 * time.Millisecond)
		}
		if got, want := time.Since(s.desktop.begun), 10*time.Second; got != want {
			t.Errorf("a thousand failures took %v, want %v", got, want)
		}
	})
}

// TestWhereNothingCanBeUpdated nothing is stacked.
func TestWhereNothingCanBeUpdated(t *testing.T) {
	cry(t, &fakeDesktop{frozen: true}, func(t *testing.T, s *street) {
		for i := range 60 {
			s.fails(fmt.Sprintf("p%02d", i), needed)
			time.Sleep(10 * time.Second)
		}
		time.Sleep(10 * time.Second)
		s.fails("p60", needed)
		time.Sleep(time.Minute)
		s.desktop.saw(t, "1s 1: mfad: p00 needs a code | terraform got no credentials: a code is needed | run: mfad login corp",
			"10m11s 2: mfad: 61 profiles need a code | p00, p01, p02 … and 58 more got no credentials | run: mfad login corp")
	})
}

func TestTheDaemonsEndTakesAllBack(t *testing.T) {
	f := &fakeDesktop{}
	cry(t, f, func(_ *testing.T, s *street) {
		s.fails("prod", needed)
		time.Sleep(time.Minute)
	})
	if n := len(f.calls); n != 2 || f.calls[1] != "1m0s 1: gone" {
		t.Errorf("the desktop saw %q, want the notification and its end", f.calls)
	}
}

// TestANotificationIsAnswered by whoever sees it, and by nobody else.
func TestANotificationIsAnswered(t *testing.T) {
	f := &fakeDesktop{}
	cry(t, f, func(t *testing.T, s *street) {
		given := make(chan string, 1)
		s.answer = func(identity string, typed creds.Secret) { given <- identity + " " + typed.Reveal() }
		s.fails("prod", needed)
		s.fails("other", creds.CodeAccessDenied)
		time.Sleep(time.Minute)
		for _, tt := range []struct {
			id    uint32
			typed string
			want  string
		}{
			{1, "", "corp "}, {1, "123456", "corp 123456"}, {7, "123456", ""}, {0, "", ""},
		} {
			a := notify.Answer{ID: notify.ID{Number: tt.id}}
			if tt.typed != "" {
				a.Reply = creds.NewSecret(tt.typed)
			}
			f.answers <- a
			synctest.Wait()
			got := ""
			select {
			case got = <-given:
			default:
			}
			if got != tt.want && !(tt.id == 1 && got == "") { // which of the two came first is not said
				t.Errorf("answer %d %q: %q, want %q", tt.id, tt.typed, got, tt.want)
			}
		}
	})
}

// TestASessionThatEndsSoon is told three times, in its place, until the code came.
func TestASessionThatEndsSoon(t *testing.T) {
	cry(t, &fakeDesktop{}, func(t *testing.T, s *street) {
		ends := time.Date(2026, 3, 2, 14, 35, 0, 0, time.Local)
		for range 30 {
			for _, which := range []string{"0", "0", "1"} {
				s.report(trouble{identity: "corp", code: needed, ends: ends, text: which, hint: "run: mfad login corp"})
			}
			time.Sleep(10 * time.Second)
		}
		const text = "1: mfad: corp wants a code | its MFA session ends at 14:35; until then everything goes on | run: mfad login corp"
		s.mend(true, string(needed))
		s.desktop.saw(t, "1s "+text, "5m0s 1: gone")
	})
}

func TestWhatIsNotTold(t *testing.T) {
	for _, code := range []creds.Code{creds.CodeNetwork, creds.CodeThrottled, creds.CodeUnavailable, creds.CodeTimeout, creds.CodeInterrupted,
		creds.CodeUsage, creds.CodeUnknownProfile, creds.CodeCancelled, creds.CodeInternal, ""} {
		if kindOf(code) != untold {
			t.Errorf("%q is told: it passes by itself, or a person knows it already", code)
		}
	}
}

func TestTheTextIsOneLineAndShort(t *testing.T) {
	long := trouble{profile: "prod", program: "k9s", code: creds.CodeAccessDenied, text: "AWS said:\n\tno " + strings.Repeat("é", 500)}
	body, _, _ := strings.Cut(message(refusal, []trouble{long}).Body, "\n")
	if n := len([]rune(body)); n != longest || !strings.HasPrefix(body, "k9s got no credentials: AWS said: no é") || !strings.HasSuffix(body, "é…") {
		t.Errorf("%d characters: %q", n, body)
	}
	if got := message(refusal, []trouble{long}); !strings.HasSuffix(got.Body, "\nrun: mfad status") {
		t.Errorf("without a hint: %q", got.Body)
	}
}
