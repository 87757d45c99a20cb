package keyring

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/creds"
)

// exposed is an empty database whose root group is given to the Secret Service.
const exposed = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<KeePassFile><Meta><CustomData><Item>
<Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{6d666164-0000-4000-8000-000000000001}</Value>
</Item></CustomData></Meta>
<Root><Group><UUID>bWZhZAAAQACAAAAAAAAAAQ==</UUID><Name>Root</Name></Group></Root></KeePassFile>
`

// keepassxc is the real one, with a database open.
type keepassxc struct {
	r        *rig
	window   dbus.BusObject
	database string
}

// keepassxc starts it. With asking it is set as after its installation, but for the
// Secret Service, which is on: it has each use of an item confirmed.
func (r *rig) keepassxc(asking bool) *keepassxc {
	r.t.Helper()
	needs(r.t, "keepassxc", "keepassxc-cli")
	k := &keepassxc{r: r, database: filepath.Join(r.home, "db.kdbx")}
	settings := "[General]\nConfigVersion=2\nSingleInstance=false\nUpdateCheckMessageShown=true\n[GUI]\nCheckForUpdates=false\n[FdoSecrets]\nEnabled=true\n"
	if !asking {
		settings += "ConfirmAccessItem=false\nConfirmDeleteItem=false\n"
	}
	for path, content := range map[string]string{"keepassxc.ini": settings, "db.xml": exposed} {
		if err := os.WriteFile(filepath.Join(r.home, path), []byte(content), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	made := exec.Command("keepassxc-cli", "import", "-q", "-p", "-t", "100", filepath.Join(r.home, "db.xml"), k.database)
	made.Stdin = strings.NewReader(testPassword + "\n" + testPassword + "\n")
	if out, err := made.CombinedOutput(); err != nil {
		r.t.Fatalf("keepassxc-cli: %v: %s", err, out)
	}
	r.program("keepassxc", "--config", filepath.Join(r.home, "keepassxc.ini"), "--pw-stdin", k.database)
	conn := r.connect()
	const name = "org.keepassxc.KeePassXC.MainWindow"
	r.waitsFor(conn, name)
	r.waitsFor(conn, secretsName)
	k.window = conn.Object(name, "/keepassxc")
	return k
}

// lock closes the database, as KeePassXC does when nobody uses it. It does not while it
// is still saving.
func (k *keepassxc) lock(o *OS) {
	k.r.t.Helper()
	locked := func() bool {
		if err := k.window.Call("org.keepassxc.KeePassXC.MainWindow.lockAllDatabases", 0).Err; err != nil {
			k.r.t.Fatal(err)
		}
		return creds.CodeOf(o.Check(k.r.t.Context())) == creds.CodeKeyringLocked
	}
	if !eventually(locked) {
		k.r.t.Fatal("KeePassXC does not lock")
	}
}

// open opens it, as its user does in KeePassXC's own window.
func (k *keepassxc) open() {
	k.r.t.Helper()
	if err := k.window.Call("org.keepassxc.KeePassXC.MainWindow.openDatabase", 0, k.database, testPassword).Err; err != nil {
		k.r.t.Fatal(err)
	}
}

// patient waits longer than a daemon does: KeePassXC writes all of its database each
// time, on a machine that runs other tests too.
func patient() *OS {
	o := NewOS()
	o.quick = 20 * time.Second
	return o
}

func TestKeePassXC(t *testing.T) {
	r := newRig(t, false)
	d := newDisplay(t)
	k := r.keepassxc(false)
	o := patient()
	comesTo(t, o, "", "with an open database")
	conformText(t, o)
	k.lock(o)
	unlock := func() error { return o.Unlock(t.Context()) }
	if err := d.during(unlock, "Unlock Database", dismissed()...); creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("Unlock, dismissed = %v, want code %q", err, creds.CodeKeyringLocked)
	}
	comesTo(t, o, creds.CodeKeyringLocked, "after the question was dismissed")
	if err := d.during(unlock, "Unlock Database", typed(testPassword)...); err != nil {
		t.Errorf("Unlock with the password = %v, want nil", err)
	}
	if got, err := o.Get(t.Context(), "identity/corp"); err != nil || got.IsZero() {
		t.Errorf("Get after the unlock = %v, want what was stored", err)
	}
	k.lock(o)
	k.open()
	comesTo(t, o, "", "opened by its user")
}

// TestKeePassXCThatAsksForEachItem: no window opens unless a person asked for it, and
// what is then allowed is allowed until mfad ends.
func TestKeePassXCThatAsksForEachItem(t *testing.T) {
	r := newRig(t, false)
	d := newDisplay(t)
	r.keepassxc(true)
	o := patient()
	comesTo(t, o, "", "with an open database")
	if err := o.Set(t.Context(), "identity/corp", creds.NewSecret("a value")); err != nil {
		t.Errorf("Set of a new item = %v, want nil: it is the maker's", err)
	}
	closeSharedConnection() // the next one is as after a restart
	set := o.Set(t.Context(), "identity/corp", creds.NewSecret("another"))
	_, get := o.Get(t.Context(), "identity/corp")
	for op, err := range map[string]error{"Set": set, "Get": get, "Delete": o.Delete(t.Context(), "identity/corp")} {
		if creds.CodeOf(err) != creds.CodeKeyringLocked || !strings.Contains(creds.HintOf(err), "mfad unlock") {
			t.Errorf("%s before it was allowed = %v, want code %q and how to unlock", op, err, creds.CodeKeyringLocked)
		}
	}
	if out, err := exec.Command("xdotool", "search", "--onlyvisible", "--name", "Access Request").Output(); err == nil {
		t.Errorf("windows %s opened, and nobody had asked for one", out)
	}
	unlock := func() error { return o.Unlock(t.Context()) }
	if err := d.during(unlock, "Access Request", dismissed()...); creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("Unlock, dismissed = %v, want code %q", err, creds.CodeKeyringLocked)
	}
	if err := d.during(unlock, "Access Request", "key", "Return"); err != nil {
		t.Errorf("Unlock, allowed = %v, want nil", err)
	}
	for range 2 {
		if got, err := o.Get(t.Context(), "identity/corp"); err != nil || got.Reveal() != "a value" {
			t.Errorf("Get once it is allowed = %q, %v", got.Reveal(), err)
		}
	}
	if err := o.Set(t.Context(), "identity/corp", creds.NewSecret("a third")); err != nil {
		t.Errorf("Set once it is allowed = %v, want nil", err)
	}
}
