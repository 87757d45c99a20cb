//go:build unix

package profile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWhatOthersCanWriteIsRefused changes one thing each about a config, its
// policy or a folder.
func TestWhatOthersCanWriteIsRefused(t *testing.T) {
	chmod := func(name string, mode os.FileMode) func(*testing.T, string) string {
		return func(t *testing.T, dir string) string {
			path := filepath.Join(dir, name)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	chown := func(name string) func(*testing.T, string) string {
		return func(t *testing.T, dir string) string {
			path := filepath.Join(dir, name)
			if err := os.Chown(path, 1001, -1); err != nil {
				t.Skipf("needs root: %v", err)
			}
			return path
		}
	}
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, dir string) (path string)
		want   string // text | hint; PATH is what change gave; empty: it loads
	}{
		{"readable by all", chmod("config.ini", 0o644), ""},
		{"writable by the group", chmod("config.ini", 0o620), "other users can write to the file (mode 0620) | run: chmod go-w PATH"},
		{"writable by all", chmod("config.ini", 0o602), "other users can write to the file (mode 0602) | run: chmod go-w PATH"},
		{"another owner", chown("config.ini"), `the file belongs to another user (uid 1001) | run: sudo chown "$(id -un)" PATH`},
		{"a folder of all", chmod(".", 0o777), "other users can write to its folder PATH (mode 0777) | run: chmod go-w PATH"},
		{"a sticky folder of all", chmod(".", 0o777|os.ModeSticky), ""},
		{"a folder of another", chown("."), `its folder PATH belongs to another user (uid 1001) | run: sudo chown "$(id -un)" PATH`},
		{"a policy of all", chmod("p/policy.json", 0o666), "policy: PATH: other users can write to the file (mode 0666) | run: chmod go-w PATH"},
		{"a policy's folder of all", chmod("p", 0o777), "policy: PATH/policy.json: other users can write to its folder PATH (mode 0777) | run: chmod go-w PATH"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := put(t, "config.ini", prod+"policy = p/policy.json\n")
			dir := filepath.Dir(path)
			if err := os.Mkdir(filepath.Join(dir, "p"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "p", "policy.json"), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			changed := tt.change(t, dir)
			_, err := Load(path, Options{})
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v, want it loaded", err)
				}
				return
			}
			got := list(t, err)
			text, hint, _ := strings.Cut(strings.ReplaceAll(tt.want, "PATH", changed), " | ")
			if len(got) != 1 || got[0].Msg != text || got[0].Hint != hint {
				t.Errorf("got\n%+v\nwant\n%s\n%s", got, text, hint)
			}
		})
	}
}

func TestSymlinkIntoAFolderOfAllIsRefused(t *testing.T) {
	target := put(t, "mfad.ini", prod)
	if err := os.Chmod(filepath.Dir(target), 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "config.ini")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	_, err := Load(link, Options{})
	if got := list(t, err); !strings.Contains(got[0].Msg, filepath.Dir(target)) || got[0].File != link {
		t.Errorf("got %+v, want the target's folder named", got)
	}
}

// TestPipeIsNotOpened would hang otherwise.
func TestPipeIsNotOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.ini")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	_, err := Load(path, Options{})
	if got := list(t, err); got[0].Msg != "this is not a regular file" {
		t.Errorf("got %+v", got)
	}
}

func TestUnreadableIsAnError(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"a folder":           dir,
		"a file as a folder": filepath.Join(put(t, "f", "x"), "config.ini"),
		"a loop of links":    filepath.Join(dir, "loop"),
	} {
		if name == "a loop of links" {
			if err := os.Symlink(path, path); err != nil {
				t.Fatal(err)
			}
		}
		c, err := Load(path, Options{})
		if c != nil || len(list(t, err)) != 1 {
			t.Errorf("%s: got %v, %v, want one problem", name, c, err)
		}
	}
}

func TestTooLargeIsRefused(t *testing.T) {
	path := put(t, "config.ini", strings.Repeat("# x\n", largest/4)+"\n")
	_, err := Load(path, Options{})
	if got := list(t, err); got[0].Msg != "the file is larger than 256 KiB" {
		t.Errorf("got %+v", got)
	}
}
