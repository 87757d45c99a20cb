//go:build unix

package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestEnsureMakesTheFolder(t *testing.T) {
	d := Dir(t.TempDir() + "/a/b")
	for range 2 {
		if err := d.Ensure(); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{string(d), filepath.Dir(string(d))} {
		if got := mode(t, path); got != 0o700 {
			t.Errorf("%s has mode %04o, want 0700", path, got)
		}
	}
}

func TestEnsureCloses(t *testing.T) {
	for _, open := range []os.FileMode{0o755, 0o770, 0o777, 0o701} {
		d := Dir(t.TempDir())
		if err := os.WriteFile(d.Path("audit.jsonl"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(string(d), open); err != nil {
			t.Fatal(err)
		}
		if err := d.Ensure(); err != nil || mode(t, string(d)) != 0o700 {
			t.Errorf("mode %04o: Ensure = %v, mode now %04o, want 0700", open, err, mode(t, string(d)))
		}
	}
}

func TestEnsureThroughALink(t *testing.T) {
	target := t.TempDir()
	d := Dir(t.TempDir() + "/link")
	if err := os.Symlink(target, string(d)); err != nil {
		t.Fatal(err)
	}
	if err := d.Ensure(); err != nil {
		t.Errorf("Ensure = %v, want nil", err)
	}
}

func TestEnsureRefuses(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	foreign := func(t *testing.T, path string) {
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T, d Dir)
		text  string
		hint  string
	}{
		{"a file in its place", func(t *testing.T, d Dir) {
			if err := os.WriteFile(string(d), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a directory", ""},
		{"another user's folder", func(t *testing.T, d Dir) {
			if err := os.Mkdir(string(d), 0o700); err != nil {
				t.Fatal(err)
			}
			foreign(t, string(d))
		}, "another user (uid 12345)", "MFAD_STATE_DIR"},
		{"a file planted while it was open", func(t *testing.T, d Dir) {
			if err := os.Mkdir(string(d), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(d.Path("sessions"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			foreign(t, d.Path("sessions"))
			if err := os.Chmod(string(d), 0o777); err != nil {
				t.Fatal(err)
			}
		}, "sessions belongs to another user", "remove it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Dir(t.TempDir() + "/mfad")
			tt.setup(t, d)
			err := d.Ensure()
			if creds.CodeOf(err) != creds.CodeConfig || !strings.Contains(err.Error(), tt.text) || !strings.Contains(creds.HintOf(err), tt.hint) {
				t.Errorf("Ensure = %v, hint %q, want code %q, %q in the text and %q in the hint",
					err, creds.HintOf(err), creds.CodeConfig, tt.text, tt.hint)
			}
		})
	}
}

func TestSocketPath(t *testing.T) {
	d := newDir(t)
	if got, err := d.ReadSocketPath(); got != "" || err != nil {
		t.Errorf("ReadSocketPath of nothing = %q, %v, want \"\" and nil", got, err)
	}
	for _, path := range []string{"/run/user/1000/mfad/mfad.sock", "/a path/with \n in it"} {
		if err := d.WriteSocketPath(path); err != nil {
			t.Fatal(err)
		}
		if got, err := d.ReadSocketPath(); got != path || err != nil {
			t.Errorf("ReadSocketPath = %q, %v, want %q", got, err, path)
		}
	}
	for range 2 {
		if err := d.WriteSocketPath(""); err != nil {
			t.Errorf("WriteSocketPath(\"\") = %v, want nil", err)
		}
	}
	if got, err := d.ReadSocketPath(); got != "" || err != nil {
		t.Errorf("ReadSocketPath after removal = %q, %v, want \"\" and nil", got, err)
	}
}

func TestLockedMark(t *testing.T) {
	d := newDir(t)
	for _, want := range []bool{false, true, true, false, false} {
		if err := d.SetLocked(want); err != nil {
			t.Fatal(err)
		}
		if got := Dir(string(d)).Locked(); got != want {
			t.Errorf("Locked = %v after SetLocked(%v)", got, want)
		}
	}
	// Where it cannot be known, nothing is handed out.
	if err := os.WriteFile(d.Path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !Dir(d.Path("file")).Locked() {
		t.Error("Locked = false in a folder that cannot be looked at")
	}
}

func TestEveryFileIsPrivate(t *testing.T) {
	d := newDir(t)
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	if err := d.SetLocked(true); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteSocketPath("/s"); err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	if err := OpenSessions(d, key).Save(Saved{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.Path(sessionsName), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _ = OpenSessions(d, newKey(t)).Load() // sets the file aside
	if err := OpenSessions(d, key).Save(Saved{}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if got := mode(t, d.Path(e.Name())); got != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", e.Name(), got)
		}
	}
	want := "daemon.lock locked sessions sessions.damaged socket"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the folder holds %s, want %s", got, want)
	}
}
