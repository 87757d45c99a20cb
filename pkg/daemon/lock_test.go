package daemon

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/refresh"
	"github.com/mfad/mfad/pkg/state"
)

// start runs a daemon without a socket whose mfa_process never gives a code.
func start(t *testing.T, dir string, kr keyring.Store) *Daemon {
	t.Helper()
	config := filepath.Join(dir, "config.ini")
	text := "[identity corp]\nmfa_serial = arn:aws:iam::111111111111:mfa/alice\nmfa_process = sleep 60\n[profile prod]\nidentity = corp\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(Options{Keyring: kr, Getenv: func(string) string { return "" }, Paths: Paths{
		Config: config, State: dir, Socket: filepath.Join(dir, "s"), AWSCredentials: filepath.Join(dir, "credentials"), AWSConfig: filepath.Join(dir, "awsconfig"),
	}}, state.Dir(dir))
	d.runs(t)
	return d
}

// runs has the daemon run, without a socket, until the test ends.
func (d *Daemon) runs(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- d.run(ctx, func(ctx context.Context) error {
			close(up)
			<-ctx.Done()
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	<-up
}

// until waits for what the daemon comes to by itself.
func (d *Daemon) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		_, changed := d.picture()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // not all of it is in the picture
		case <-limit:
			t.Fatalf("it does not come about that %s", what)
		}
	}
}

func (d *Daemon) asking() bool { return d.engine.Status().Identities["corp"].Asking }

func TestALockDuringALoginStays(t *testing.T) {
	d := start(t, t.TempDir(), &keyring.Memory{})
	login := make(chan error, 1)
	go func() {
		_, err := d.Login(t.Context(), localapi.LoginRequest{}, localapi.Talk{})
		login <- err
	}()
	d.until(t, "a code is asked for", d.asking)
	if _, err := d.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-login; err == nil {
		t.Error("the login succeeded although mfad was locked meanwhile")
	}
	if st, _ := d.picture(); !st.Daemon.Locked || !d.dir.Locked() {
		t.Errorf("locked: %v, on disk: %v; want both", st.Daemon.Locked, d.dir.Locked())
	}
}

func TestAFailedLoginLeavesTheLock(t *testing.T) {
	d := start(t, t.TempDir(), &keyring.Memory{})
	if _, err := d.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, ctrlC := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	login := func(ctx context.Context, done chan<- error) {
		_, err := d.Login(ctx, localapi.LoginRequest{}, localapi.Talk{})
		done <- err
	}
	go login(ctx, first)
	d.until(t, "a code is asked for", d.asking)
	if !d.dir.Locked() {
		t.Error("a login that has not succeeded took the lock's mark: a crash now would end the lock")
	}
	other, endOther := context.WithCancel(t.Context())
	go login(other, second)
	d.until(t, "both are at it", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.logins == 2 })
	ctrlC()
	<-first
	if !d.asking() {
		t.Error("a login that was interrupted ended another's question")
	}
	endOther()
	<-second
	if st, _ := d.picture(); !st.Daemon.Locked {
		t.Error("mfad is unlocked although no login succeeded")
	}
}

// lateKeyring is locked until it is opened.
type lateKeyring struct {
	keyring.Store
	open chan struct{}
}

func (l lateKeyring) Get(ctx context.Context, name string) (creds.Secret, error) {
	select {
	case <-l.open:
		return l.Store.Get(ctx, name)
	default:
		return creds.Secret{}, &creds.Error{Code: creds.CodeKeyringLocked, Op: "locked"}
	}
}

func TestALockBeforeTheKeyringIsOpenForgetsToo(t *testing.T) {
	dir := t.TempDir()
	key, err := state.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	kr := lateKeyring{&keyring.Memory{}, make(chan struct{})}
	if err := kr.Set(t.Context(), sessionsKey, key); err != nil {
		t.Fatal(err)
	}
	before := &store{log: slog.New(slog.DiscardHandler)}
	before.use(state.OpenSessions(state.Dir(dir), key))
	now := time.Now().Round(0)
	before.add(refresh.Identity{Name: "corp", Fingerprint: " arn:aws:iam::111111111111:mfa/alice"}, creds.Credentials{
		AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: creds.NewSecret("s"), SessionToken: creds.NewSecret("t"), Issued: now, Expires: now.Add(time.Hour)})
	d := start(t, dir, kr)
	if _, err := d.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if saved, err := state.OpenSessions(d.dir, key).Load(); err != nil || len(saved.Sessions) > 0 {
		t.Errorf("%d sessions are still stored after a lock (%v)", len(saved.Sessions), err)
	}
	close(kr.open)
	if err := d.Unlock(t.Context(), localapi.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	if c, ok := d.engine.Cached("prod"); ok {
		t.Errorf("an unlock serves %s, of before the lock", c.AccessKeyID)
	}
}
