package keyring

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

const walletCollection = dbus.ObjectPath("/org/freedesktop/secrets/collection/kdewallet")

// kwallet starts the real KWallet 5 with a wallet that its user has had for long, and
// closed: nobody has logged in yet. Login opens the wallet as pam_kwallet does.
func (r *rig) kwallet() (login func()) {
	r.t.Helper()
	needs(r.t, "kwalletd5")
	for _, dir := range []string{".config", ".local/share/kwalletd"} {
		if err := os.MkdirAll(filepath.Join(r.home, dir), 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
	salt := []byte(strings.Repeat("not so random salt", 4)[:56])
	for name, content := range map[string]string{
		".config/kwalletrc":                    "[Wallet]\nFirst Use=false\n",
		".local/share/kwalletd/kdewallet.salt": string(salt),
	} {
		if err := os.WriteFile(filepath.Join(r.home, name), []byte(content), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	hash, err := pbkdf2.Key(sha512.New, testPassword, salt, 50000, 56)
	if err != nil {
		r.t.Fatal(err)
	}
	conn := r.connect()
	login = func() {
		r.t.Helper()
		if err := conn.Object("org.kde.kwalletd5", "/modules/kwalletd5").Call("org.kde.KWallet.pamOpen", 0, "kdewallet", hash, int32(0)).Err; err != nil {
			r.t.Fatal(err)
		}
	}
	stop := r.program("kwalletd5")
	r.waitsFor(conn, "org.kde.kwalletd5")
	login() // makes the wallet
	file := filepath.Join(r.home, ".local", "share", "kwalletd", "kdewallet.kwl")
	if !eventually(func() bool { info, err := os.Stat(file); return err == nil && info.Size() > 0 }) {
		r.t.Fatal("KWallet makes no wallet")
	}
	stop()
	r.program("kwalletd5")
	r.waitsFor(conn, secretsName)
	return login
}

// waitsFor waits until somebody owns a name.
func (r *rig) waitsFor(conn *dbus.Conn, name string) {
	r.t.Helper()
	owned := func() (owned bool) {
		_ = conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
		return owned
	}
	if !eventually(owned) {
		r.t.Fatalf("nobody owns %s in 5 s", name)
	}
}

// lock has the service lock a collection, as a screen lock may.
func (r *rig) lock(collection dbus.ObjectPath) {
	r.t.Helper()
	if err := r.connect().Object(secretsName, secretsPath).Call(secretService+".Lock", 0, []dbus.ObjectPath{collection}).Err; err != nil {
		r.t.Fatal(err)
	}
}

func TestKWallet(t *testing.T) {
	r := newRig(t, false)
	d := newDisplay(t)
	login := r.kwallet()
	o := NewOS()
	comesTo(t, o, creds.CodeKeyringLocked, "before the login")
	login()
	comesTo(t, o, "", "after the login, which opened the wallet")
	conformText(t, o)
	r.lock(walletCollection)
	comesTo(t, o, creds.CodeKeyringLocked, "locked")
	unlock := func() error { return o.Unlock(t.Context()) }
	if err := d.during(unlock, "KDE Wallet", dismissed()...); creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("Unlock, dismissed = %v, want code %q", err, creds.CodeKeyringLocked)
	}
	comesTo(t, o, creds.CodeKeyringLocked, "after the question was dismissed")
	if err := d.during(unlock, "KDE Wallet", typed(testPassword)...); err != nil {
		t.Errorf("Unlock with the password = %v, want nil", err)
	}
	if got, err := o.Get(t.Context(), "identity/corp"); err != nil || got.IsZero() {
		t.Errorf("Get after the unlock = %v, want what was stored", err)
	}
}

// fakeWallet is KWallet's own interface, of a fake Secret Service.
type fakeWallet struct{ open bool }

func (w fakeWallet) IsOpen(name string) (bool, *dbus.Error) {
	return w.open && name == "kdewallet", nil
}

// asKWallet has a fake be KWallet as well.
func (f *fakeSecrets) asKWallet(t *testing.T, open bool) {
	t.Helper()
	if err := f.conn.ExportWithMap(fakeWallet{open}, map[string]string{"IsOpen": "isOpen"}, "/modules/kwalletd5", "org.kde.KWallet"); err != nil {
		t.Fatal(err)
	}
	if reply, err := f.conn.RequestName("org.kde.kwalletd5", dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("RequestName = %v, %v", reply, err)
	}
}

// TestKWalletThatAsksForEachUse is asked once by itself: its window must not come back
// with each look.
func TestKWalletThatAsksForEachUse(t *testing.T) {
	f := startFake(t, newRig(t, false), &fakeSecrets{})
	f.asKWallet(t, true)
	f.locked.Store(true)
	o := NewOS()
	for range 3 {
		comesTo(t, o, creds.CodeKeyringLocked, "while nobody answers")
	}
	if n := len(f.prompts); n != 1 {
		t.Errorf("%d windows were opened, want one", n)
	}
	wait(t, f.dismissed, "the window to be taken back")
}

// TestAClosedKWalletIsNotAskedFor: a person has to unlock that, when asked to.
func TestAClosedKWalletIsNotAskedFor(t *testing.T) {
	f := startFake(t, newRig(t, false), &fakeSecrets{})
	f.asKWallet(t, false)
	f.locked.Store(true)
	comesTo(t, NewOS(), creds.CodeKeyringLocked, "with a closed wallet")
	if n := len(f.prompts); n != 0 {
		t.Errorf("%d windows were opened, want none", n)
	}
}

// TestTheFirstWalletIsKDEsOwn: it is the one that the login opens.
func TestTheFirstWalletIsKDEsOwn(t *testing.T) {
	for kde, want := range map[bool]string{true: "kdewallet", false: "Login"} {
		f := startFake(t, newRig(t, false), &fakeSecrets{onPrompt: func(f *fakeSecrets) {
			f.empty.Store(false)
			f.complete(false)
		}})
		if kde {
			f.asKWallet(t, true)
		}
		f.empty.Store(true)
		if err := NewOS().Unlock(t.Context()); err != nil {
			t.Errorf("Unlock = %v, want nil", err)
		}
		if got, _ := f.label.Load().(string); got != want {
			t.Errorf("the first collection is called %q, want %q", got, want)
		}
		closeSharedConnection()
	}
}
