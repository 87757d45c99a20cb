package keyring

import (
	"context"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

// servicePID gives the process that is the Secret Service on the bus of
// DBUS_SESSION_BUS_ADDRESS.
func servicePID(t *testing.T) string {
	t.Helper()
	conn, err := dbus.Connect(os.Getenv(busVariable))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var pid uint32
	if err := conn.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, secretsName).Store(&pid); err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(int(pid))
}

func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("waited 10 s for %s", what)
	}
}

func TestUnlockAnswered(t *testing.T) {
	f := startFake(t, newRig(t, false), &fakeSecrets{onPrompt: func(f *fakeSecrets) {
		// A signal of somebody else's must not be taken for the answer.
		_ = f.conn.Emit("/com/example", "com.example.Unrelated", "noise")
		_ = f.conn.Emit(fakePrompt+"2", secretPrompt+".Completed", true, dbus.MakeVariant(""))
		f.locked.Store(false)
		f.complete(false)
	}})
	f.locked.Store(true)
	o := NewOS()
	if _, err := o.Get(t.Context(), "a"); creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("Get before = %v, want code %q", err, creds.CodeKeyringLocked)
	}
	if len(f.prompts) != 0 {
		t.Error("Get asked a person")
	}
	if err := o.Unlock(t.Context()); err != nil {
		t.Errorf("Unlock = %v, want nil", err)
	}
	if _, err := o.Get(t.Context(), "a"); creds.CodeOf(err) != creds.CodeKeyNotFound {
		t.Errorf("Get after = %v, want code %q", err, creds.CodeKeyNotFound)
	}
	if err := o.Unlock(t.Context()); err != nil || len(f.prompts) != 1 {
		t.Errorf("Unlock of an open keyring = %v after %d prompts, want nil and no further one", err, len(f.prompts))
	}
}

func TestUnlockMakesTheFirstKeyring(t *testing.T) {
	f := startFake(t, newRig(t, false), &fakeSecrets{onPrompt: func(f *fakeSecrets) {
		f.empty.Store(false)
		f.complete(false)
	}})
	f.empty.Store(true)
	if err := NewOS().Unlock(t.Context()); err != nil || !f.made.Load() {
		t.Errorf("Unlock = %v, made %v, want a collection made", err, f.made.Load())
	}
}

func TestUnlockNotGranted(t *testing.T) {
	for name, onPrompt := range map[string]func(*fakeSecrets){
		"dismissed":                   func(f *fakeSecrets) { f.complete(true) },
		"answered, but still locked":  func(f *fakeSecrets) { f.complete(false) },
		"answered with nothing in it": func(f *fakeSecrets) { _ = f.conn.Emit(fakePrompt, secretPrompt+".Completed") },
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, newRig(t, false), &fakeSecrets{onPrompt: onPrompt})
			f.locked.Store(true)
			if err := NewOS().Unlock(t.Context()); creds.CodeOf(err) != creds.CodeKeyringLocked {
				t.Errorf("Unlock = %v, want code %q", err, creds.CodeKeyringLocked)
			}
		})
	}
}

func TestUnlockNobodyAnswers(t *testing.T) {
	noGoroutineStays(t)
	f := startFake(t, newRig(t, false), &fakeSecrets{})
	f.locked.Store(true)
	o := NewOS()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- o.Unlock(ctx) }()
	wait(t, f.prompts, "the prompt")
	// Others are not held up by the question.
	_, err := timed(t, soon, func() (creds.Secret, error) { return o.Get(t.Context(), "a") })
	if creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("Get during the question = %v, want code %q", err, creds.CodeKeyringLocked)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Unlock = %v, want context canceled", err)
	}
	wait(t, f.dismissed, "the prompt to be taken back")
}

// TestUnlockLeavesGNOMEItsPrompt: Dismiss would end the real gnome-keyring.
func TestUnlockLeavesGNOMEItsPrompt(t *testing.T) {
	f := startFake(t, newRig(t, false), &fakeSecrets{})
	if reply, err := f.conn.RequestName("org.gnome.keyring", dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("RequestName = %v, %v", reply, err)
	}
	f.locked.Store(true)
	o := NewOS()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- o.Unlock(ctx) }()
	wait(t, f.prompts, "the prompt")
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Unlock = %v, want context canceled", err)
	}
	if !eventually(func() bool { return len(o.prompts.turn) == 0 }) || len(f.dismissed) != 0 {
		t.Errorf("%d prompts were taken back, want none", len(f.dismissed))
	}
}

func TestUnlockLosesItsPartner(t *testing.T) {
	for name, lose := range map[string]func(*rig, *fakeSecrets){
		"the bus dies":      func(r *rig, _ *fakeSecrets) { r.killBus() },
		"the service quits": func(_ *rig, f *fakeSecrets) { _ = f.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			noGoroutineStays(t)
			r := newRig(t, false)
			f := startFake(t, r, &fakeSecrets{})
			f.locked.Store(true)
			result := make(chan error, 1)
			go func() { result <- NewOS().Unlock(t.Context()) }()
			wait(t, f.prompts, "the prompt")
			lose(r, f)
			select {
			case err := <-result:
				// The prompt's own call may still be under way: then it is the bus
				// that is absent.
				if code := creds.CodeOf(err); code != creds.CodeKeyringFailed && code != creds.CodeKeyringAbsent {
					t.Errorf("Unlock = %v, want code %q or %q", err, creds.CodeKeyringFailed, creds.CodeKeyringAbsent)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("Unlock still waits after 10 s")
			}
		})
	}
}

// TestLockedBetweenLookAndCall makes go-keyring itself ask, which it does
// without an end: the keyring was locked just after it was looked at.
func TestLockedBetweenLookAndCall(t *testing.T) {
	noGoroutineStays(t)
	f := startFake(t, newRig(t, false), &fakeSecrets{})
	f.lateLock.Store(true)
	o := NewOS()
	o.quick = 300 * time.Millisecond
	_, err := timed(t, soon, func() (creds.Secret, error) { return o.Get(t.Context(), "a") })
	if creds.CodeOf(err) != creds.CodeKeyringTimeout {
		t.Errorf("Get = %v, want code %q", err, creds.CodeKeyringTimeout)
	}
	wait(t, f.prompts, "go-keyring's question")
	if !eventually(func() bool { return len(o.calls.turn) == 0 }) {
		t.Fatal("the call hangs although its connection was closed")
	}
	f.lateLock.Store(false)
	o.quick = unattended
	if _, err := o.Get(t.Context(), "a"); creds.CodeOf(err) != creds.CodeKeyNotFound {
		t.Errorf("Get once it is open = %v, want code %q", err, creds.CodeKeyNotFound)
	}
}

func TestServiceHangsInACall(t *testing.T) {
	noGoroutineStays(t)
	f := startFake(t, newRig(t, false), &fakeSecrets{hold: make(chan struct{})})
	defer close(f.hold)
	o := NewOS()
	o.quick = 300 * time.Millisecond
	for range 3 { // each call is bounded, and makes way for the next
		_, err := timed(t, soon, func() (creds.Secret, error) { return o.Get(t.Context(), "a") })
		if creds.CodeOf(err) != creds.CodeKeyringTimeout {
			t.Errorf("Get = %v, want code %q", err, creds.CodeKeyringTimeout)
		}
		wait(t, f.held, "the call to reach the service")
		if !eventually(func() bool { return len(o.calls.turn) == 0 }) {
			t.Fatal("the call hangs although its connection was closed")
		}
	}
}

func TestBusDiesInTheMiddleOfACall(t *testing.T) {
	for name, f := range map[string]*fakeSecrets{
		"during a question": {}, // go-keyring panics there
		"during a search":   {hold: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			noGoroutineStays(t)
			r := newRig(t, false)
			startFake(t, r, f)
			reached := f.prompts
			if f.hold != nil {
				reached = f.held
				defer close(f.hold)
			} else {
				f.lateLock.Store(true)
			}
			result := make(chan error, 1)
			go func() { _, err := NewOS().Get(t.Context(), "a"); result <- err }()
			wait(t, reached, "the call")
			r.killBus()
			select {
			case err := <-result:
				if code := creds.CodeOf(err); code != creds.CodeKeyringFailed && code != creds.CodeKeyringAbsent {
					t.Errorf("Get = %v, want code %q or %q", err, creds.CodeKeyringFailed, creds.CodeKeyringAbsent)
				}
			case <-time.After(time.Second):
				t.Fatal("Get still waits 1 s after the bus died")
			}
		})
	}
}
