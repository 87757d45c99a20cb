package keyring

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	zalando "github.com/zalando/go-keyring"

	"github.com/mfad/mfad/pkg/creds"
)

// stub stands for go-keyring; nil functions answer with "not found" or success.
type stub struct {
	get func(name string) (string, error)
	set func(name, value string) error
	del func(name string) error
}

func (s stub) Get(name string) (string, error) {
	if s.get == nil {
		return "", zalando.ErrNotFound
	}
	return s.get(name)
}

func (s stub) Set(name, value string) error {
	if s.set == nil {
		return nil
	}
	return s.set(name, value)
}

func (s stub) Delete(name string) error {
	if s.del == nil {
		return nil
	}
	return s.del(name)
}

// willing is a system that has nothing against a call and counts hang-ups.
type willing struct{ hangUps chan struct{} }

func (willing) ready(context.Context, string) error { return nil }
func (willing) unlock(context.Context) error        { return nil }
func (willing) classify(err error) error            { return fail(creds.CodeKeyringFailed, "", err) }
func (w willing) hangUp()                           { w.hangUps <- struct{}{} }

func newWilling() willing { return willing{make(chan struct{}, 100)} }

func TestHangingCallIsLeftAfterTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		sys := newWilling()
		o := newOS(stub{get: func(string) (string, error) { <-answer; return "late", nil }}, sys)

		start := time.Now()
		_, err := o.Get(t.Context(), "a")
		if got := time.Since(start); got != 2*time.Second || creds.CodeOf(err) != creds.CodeKeyringTimeout {
			t.Errorf("Get = %v after %v, want code %q after 2s", err, got, creds.CodeKeyringTimeout)
		}
		if creds.HintOf(err) == "" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get = %v, hint %q, want a hint and the deadline as the cause", err, creds.HintOf(err))
		}

		// The call still hangs: nobody waits for it again, and nothing piles up.
		before := runtime.NumGoroutine()
		start = time.Now()
		for range 50 {
			err := o.Set(t.Context(), "b", creds.NewSecret("v"))
			if creds.CodeOf(err) != creds.CodeKeyringTimeout || !strings.Contains(err.Error(), "still waiting for the keyring") {
				t.Fatalf("Set while a call hangs = %v, want code %q", err, creds.CodeKeyringTimeout)
			}
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("50 calls waited %v for a keyring that hangs, want 0s", got)
		}
		if got := runtime.NumGoroutine(); got > before {
			t.Errorf("%d goroutines, %d before the 50 calls", got, before)
		}
		if got := len(sys.hangUps); got != 1 {
			t.Errorf("hung up %d times on one call, want once", got)
		}

		// It answers at last: all is well again.
		close(answer)
		synctest.Wait()
		if v, err := o.Get(t.Context(), "a"); err != nil || v.Reveal() != "late" {
			t.Errorf("Get after the keyring woke up = %q, %v, want the value", v.Reveal(), err)
		}
	})
}

func TestCallWaitsForSlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOS(stub{get: func(string) (string, error) { time.Sleep(1500 * time.Millisecond); return "v", nil }}, newWilling())
		first := make(chan error, 1)
		go func() { _, err := o.Get(t.Context(), "a"); first <- err }()
		synctest.Wait()
		start := time.Now()
		_, err := o.Get(t.Context(), "b")
		// 1.5 s of its 2 s go into waiting, so its own 1.5 s do not fit.
		if got := time.Since(start); got != 2*time.Second || creds.CodeOf(err) != creds.CodeKeyringTimeout {
			t.Errorf("second Get = %v after %v, want a timeout after 2s", err, got)
		}
		if err := <-first; err != nil {
			t.Errorf("first Get = %v, want nil", err)
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
	})
}

func TestImpatientCallerDoesNotHangUp(t *testing.T) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(100*time.Millisecond, cancel)
			return ctx, cancel
		},
		"short deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 100*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) { impatient(t, end) })
	}
}

func impatient(t *testing.T, end func(context.Context) (context.Context, context.CancelFunc)) {
	synctest.Test(t, func(t *testing.T) {
		sys := newWilling()
		o := newOS(stub{get: func(string) (string, error) { time.Sleep(time.Second); return "v", nil }}, sys)
		ctx, cancel := end(t.Context())
		defer cancel()
		start := time.Now()
		_, err := o.Get(ctx, "a")
		if took := time.Since(start); took != 100*time.Millisecond || !errors.Is(err, ctx.Err()) {
			t.Errorf("Get = %v after %v, want %v after 100ms", err, took, ctx.Err())
		}
		// The first call goes on for 0.9 s and is no reason to fail the next.
		if v, err := o.Get(t.Context(), "a"); err != nil || v.Reveal() != "v" {
			t.Errorf("next Get = %q, %v, want the value", v.Reveal(), err)
		}
		if got := len(sys.hangUps); got != 0 {
			t.Errorf("hung up %d times on a healthy keyring, want 0", got)
		}
	})
}

func TestPanicOfTheLibraryIsAnError(t *testing.T) {
	o := newOS(stub{get: func(string) (string, error) {
		var gone *struct{ Name string }
		return gone.Name, nil
	}}, newWilling())
	for range 2 { // the second shows that the lane is free again
		_, err := o.Get(t.Context(), "a")
		if creds.CodeOf(err) != creds.CodeKeyringFailed || creds.HintOf(err) == "" {
			t.Errorf("Get = %v, want code %q and a hint", err, creds.CodeKeyringFailed)
		}
	}
}

func TestPanicValueIsNotShown(t *testing.T) {
	o := newOS(stub{set: func(_, value string) error { panic(value) }}, newWilling())
	err := o.Set(t.Context(), "a", creds.NewSecret("must-not-show"))
	if creds.CodeOf(err) != creds.CodeKeyringFailed || strings.Contains(err.Error(), "must-not-show") {
		t.Errorf("Set = %v, want code %q and no value", err, creds.CodeKeyringFailed)
	}
}

func TestLibraryThatLiesIsFoundOut(t *testing.T) {
	for _, tt := range []struct {
		name string
		lib  stub
		do   func(*OS) error
	}{
		{"set did nothing", stub{}, set},
		{"set kept the old value", stub{get: func(string) (string, error) { return "old", nil }}, set},
		{"delete did nothing", stub{get: func(string) (string, error) { return "still", nil }}, remove},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.do(newOS(tt.lib, newWilling())); creds.CodeOf(err) != creds.CodeKeyringFailed {
				t.Errorf("got %v, want code %q", err, creds.CodeKeyringFailed)
			}
		})
	}
}

func set(o *OS) error    { return o.Set(context.Background(), "a", creds.NewSecret("new")) }
func remove(o *OS) error { return o.Delete(context.Background(), "a") }

func TestErrorsOfTheLibrary(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want creds.Code
	}{
		{zalando.ErrNotFound, creds.CodeKeyNotFound},
		{zalando.ErrUnsupportedPlatform, creds.CodeKeyringAbsent},
		{zalando.ErrSetDataTooBig, creds.CodeKeyringFailed},
		{errors.New("something else"), creds.CodeKeyringFailed},
	} {
		o := newOS(stub{get: func(string) (string, error) { return "", tt.err }}, newWilling())
		if _, err := o.Get(t.Context(), "a"); creds.CodeOf(err) != tt.want {
			t.Errorf("%v: code %q, want %q", tt.err, creds.CodeOf(err), tt.want)
		}
	}
}

func TestUnlockWaitsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOS(stub{}, asking{newWilling()})
		start := time.Now()
		err := o.Unlock(t.Context())
		if got := time.Since(start); got != 90*time.Second || creds.CodeOf(err) != creds.CodeKeyringTimeout {
			t.Errorf("Unlock = %v after %v, want code %q after 90s", err, got, creds.CodeKeyringTimeout)
		}
	})
}

// asking is a system whose question nobody answers.
type asking struct{ willing }

func (asking) unlock(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
