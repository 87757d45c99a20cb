package main

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

const keyringPassword = "not-a-real-password"

// wallet is a Secret Service that is not GNOME's, on a desktop of its own.
type wallet struct {
	*desktop
	window string // of the question for its password: part of the title
	lock   func()
	open   func() // as its user does, without mfad
	isOpen func() bool
}

// newWallet gives a desktop with a bus on which nothing starts by itself.
func newWallet(t *testing.T, programs ...string) *wallet {
	t.Helper()
	for _, p := range programs {
		needs(t, "keyring", p)
	}
	needs(t, "keyring", "dbus-daemon")
	m := newMachine(t, 240) // an hour is 15 s
	m.display(programs[0])
	d := &desktop{machine: m, address: "unix:path=" + m.path("bus")}
	config := m.write("bus.conf", `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>`+d.address+`</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>`, 0o600)
	m.start(m.command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1"))
	m.env = append(m.env, "DBUS_SESSION_BUS_ADDRESS="+d.address, "MFAD_KEYRING=os", "QT_QPA_PLATFORM=xcb")
	return &wallet{desktop: d}
}

// runs starts one of the desktop's programs and waits until it has a name on the bus.
func (w *wallet) runs(name, program string, args ...string) *exec.Cmd {
	w.t.Helper()
	cmd := w.command(program, args...)
	cmd.Stdin = strings.NewReader(keyringPassword + "\n")
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	w.until(program+" is on the bus", func() (owned bool) {
		call := w.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", name)
		return call.Store(&owned) == nil && owned
	})
	return cmd
}

// newKWallet gives a desktop of KDE's whose user has logged in: open is what
// pam_kwallet does then.
func newKWallet(t *testing.T) *wallet {
	t.Helper()
	w := newWallet(t, "kwalletd5")
	salt := strings.Repeat("not so random salt", 4)[:56]
	w.write(".config/kwalletrc", "[Wallet]\nFirst Use=false\n", 0o600)
	w.write(".local/share/kwalletd/kdewallet.salt", salt, 0o600)
	hash, err := pbkdf2.Key(sha512.New, keyringPassword, []byte(salt), 50000, 56)
	if err != nil {
		t.Fatal(err)
	}
	const service, path = "org.kde.kwalletd5", dbus.ObjectPath("/modules/kwalletd5")
	w.window = "KDE Wallet"
	w.open = func() { w.call(service, path, "org.kde.KWallet.pamOpen", "kdewallet", hash, int32(0)) }
	w.lock = func() { w.call(service, path, "org.kde.KWallet.closeAllWallets") }
	w.isOpen = func() (open bool) {
		return w.call(service, path, "org.kde.KWallet.isOpen", "kdewallet").Store(&open) == nil && open
	}
	first := w.runs(service, "kwalletd5")
	w.open() // makes the wallet
	w.until("the wallet is there", w.isOpen)
	_ = first.Process.Signal(syscall.SIGTERM)
	_ = first.Wait()
	w.runs(secretsName, "kwalletd5")
	w.open()
	return w
}

// newKeePassXC gives a desktop where KeePassXC has the Secret Service's name, and a
// database that it gives out without asking for each item.
func newKeePassXC(t *testing.T) *wallet {
	t.Helper()
	w := newWallet(t, "keepassxc", "keepassxc-cli")
	config := w.write("keepassxc.ini", "[General]\nConfigVersion=2\nSingleInstance=false\nUpdateCheckMessageShown=true\n"+
		"[GUI]\nCheckForUpdates=false\n[FdoSecrets]\nEnabled=true\nConfirmAccessItem=false\nConfirmDeleteItem=false\n", 0o600)
	empty := w.write("db.xml", `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<KeePassFile><Meta><CustomData><Item>
<Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{6d666164-0000-4000-8000-000000000001}</Value>
</Item></CustomData></Meta>
<Root><Group><UUID>bWZhZAAAQACAAAAAAAAAAQ==</UUID><Name>Root</Name></Group></Root></KeePassFile>
`, 0o600)
	database := w.path("db.kdbx")
	made := w.command("keepassxc-cli", "import", "-q", "-p", "-t", "100", empty, database)
	made.Stdin = strings.NewReader(keyringPassword + "\n" + keyringPassword + "\n")
	if r := finish(made); r.status != 0 {
		t.Fatalf("keepassxc-cli: status %d, %s", r.status, r.stderr)
	}
	const service, path, window = "org.keepassxc.KeePassXC.MainWindow", dbus.ObjectPath("/keepassxc"), "org.keepassxc.KeePassXC.MainWindow"
	w.window = "Unlock Database"
	w.open = func() { w.call(service, path, window+".openDatabase", database, keyringPassword) }
	w.lock = func() { w.call(service, path, window+".lockAllDatabases") }
	w.runs(service, "keepassxc", "--config", config, "--pw-stdin", database)
	conn := w.connect()
	w.isOpen = func() bool {
		locked := dbus.MakeVariant(true) // what cannot be asked yet is not open
		_ = conn.Object(secretsName, "/org/freedesktop/secrets/collection/db").
			Call("org.freedesktop.DBus.Properties.Get", 0, "org.freedesktop.Secret.Collection", "Locked").Store(&locked)
		return locked.Value() == false
	}
	return w
}

// locks has the keyring lock itself, as its user does, or a screen lock. KeePassXC does
// not while it is still saving.
func (w *wallet) locks() {
	w.t.Helper()
	w.until("the keyring is locked", func() bool { w.lock(); return !w.isOpen() })
}

// answers presses keys in the keyring's window until what opened it has ended.
func (w *wallet) answers(ended <-chan result, keys ...string) (r result) {
	w.t.Helper()
	w.until("the window is answered", func() bool {
		select {
		case r = <-ended:
			return true
		case <-time.After(300 * time.Millisecond): // a window takes as long until it heeds keys
		}
		if _, shown := w.xdotool("search", "--onlyvisible", "--name", w.window); shown {
			w.xdotool(keys...)
		}
		return false
	})
	return r
}

// TestOtherKeyrings: KDE's and KeePassXC's hold what mfad keeps, and a daemon that was
// started before its user has opened them waits, says so, and goes on by itself.
func TestOtherKeyrings(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *wallet{"KWallet": newKWallet, "KeePassXC": newKeePassXC} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.until("the keyring is open", w.isOpen)
			w.addAlice()
			w.addProfile("prod", "Admin")
			w.login()
			w.comesTo("prod", "fresh", patience, fresh)
			sent := w.codes()
			w.kill(syscall.SIGKILL)
			w.locks()
			if k := w.keyringStatus(); k.Kind != "os" || k.Error == nil || creds.Code(k.Error.Code) != creds.CodeKeyringLocked {
				t.Errorf("the status tells of the keyring %+v, want that it is locked", k)
			}
			pid := w.daemon()
			w.refuses("a tool", w.tries("", "credential-process", "--profile", "prod"), creds.CodeKeyringLocked)
			_, ended := w.begins("", "unlock")
			w.refuses("an unlock that was declined", w.answers(ended, "key", "Escape"), creds.CodeKeyringLocked)
			w.open()
			w.isRenewed("after its user has opened the keyring")
			w.serves("after its user has opened the keyring")
			if k := w.keyringStatus(); k.Error != nil {
				t.Errorf("the status tells of the keyring %+v", k.Error)
			}
			if now := w.daemon(); now != pid {
				t.Errorf("the daemon is %d and was %d", now, pid)
			}
			w.kill(syscall.SIGKILL)
			w.locks()
			_, ended = w.begins("", "unlock")
			if r := w.answers(ended, "key", "ctrl+a", "type", "--args", "1", keyringPassword, "key", "Return"); r.status != 0 {
				t.Errorf("unlock with the password: status %d, %s", r.status, r.stderr)
			}
			w.serves("after the unlock")
			if n := w.codes(); n != sent {
				t.Errorf("it took %d more codes, want none", n-sent)
			}
			w.mfad("profile", "remove", "prod")
			w.mfad("identity", "remove", "corp")
			w.addAlice() // which is refused where there is a key
		})
	}
}
