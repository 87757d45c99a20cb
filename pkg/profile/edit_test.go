package profile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mfad/mfad/config"
	"github.com/mfad/mfad/pkg/creds"
)

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// alone fails if an edit left anything beside path.
func alone(t testing.TB, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

var newProfile = []KV{{"identity", "corp"}, {"role_arn", "arn:aws:iam::222222222222:role/New"}}

func TestAddSectionCreatesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "mfad", "config.ini")
	if err := AddSection(path, "identity corp", []KV{{"mfa_serial", "GAHT12345678"}, {"region", "eu-west-1"}}, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, want := content(t, path), "[identity corp]\nmfa_serial = GAHT12345678\nregion     = eu-west-1\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", p, got, want)
		}
	}
	alone(t, path)
}

// TestAddThenRemove is byte for byte, whatever else is in the file.
func TestAddThenRemove(t *testing.T) {
	example, err := config.Files.ReadFile("mfad.example.ini")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"the example":             string(example),
		"CRLF":                    strings.ReplaceAll(prod, "\n", "\r\n"),
		"a byte order mark":       "\ufeff" + prod,
		"comments at the end":     prod + "\n# the end\n",
		"blank lines at the end":  prod + "\n \t\n\n",
		"odd blanks and spelling": "\n\n  [ identity   corp ] ; me\n\tMFA_serial :GAHT12345678   # device\n\n; x\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := put(t, "config.ini", text)
			if err := AddSection(path, "profile new", newProfile, Options{}); err != nil {
				t.Fatal(err)
			}
			added := content(t, path)
			rest, ok := strings.CutPrefix(added, text)
			if !ok || !strings.Contains(rest, "[profile new]") {
				t.Fatalf("the file is now %q, want it to begin with what it was", added)
			}
			if strings.Contains(text, "\r") != strings.Contains(rest, "\r") {
				t.Errorf("the new lines %q end otherwise than the old", rest)
			}
			c, err := Load(path, Options{})
			if err != nil || c.Profiles["new"] == nil || c.Profiles["new"].RoleARN != newProfile[1].Value {
				t.Fatalf("got %v, %v, want the new profile", c, err)
			}
			if err := RemoveSection(path, "profile new", Options{}); err != nil {
				t.Fatal(err)
			}
			if got := content(t, path); got != text {
				t.Errorf("got\n%q\nwant\n%q", got, text)
			}
			alone(t, path)
		})
	}
}

func TestAddAfterALineWithoutItsEnd(t *testing.T) {
	path := put(t, "config.ini", strings.TrimSuffix(prod, "\n"))
	if err := AddSection(path, "profile new", newProfile, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, want := content(t, path), prod+"\n[profile new]\nidentity = corp\nrole_arn = arn:aws:iam::222222222222:role/New\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRemoveKeepsWhatIsAround(t *testing.T) {
	path := put(t, "config.ini", `# head
[identity corp]
mfa_serial = GAHT12345678

# about the old one
[profile old]
identity = corp
; duration = 1h
output = json

# about the next
[profile next]
identity = corp
`)
	if err := RemoveSection(path, "profile old", Options{}); err != nil {
		t.Fatal(err)
	}
	want := `# head
[identity corp]
mfa_serial = GAHT12345678

# about the old one

# about the next
[profile next]
identity = corp
`
	if got := content(t, path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRemoveCuresABrokenConfig(t *testing.T) {
	path := put(t, "config.ini", prod+"[profile broken]\nidentity = nobody\n")
	if err := RemoveSection(path, "profile broken", Options{}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != prod {
		t.Errorf("got\n%s\nwant\n%s", got, prod)
	}
}

func TestRefusedEditsChangeNothing(t *testing.T) {
	system := put(t, "system.ini", "[identity sys]\nmfa_serial = GAHT12345678\n[profile shared]\nidentity = sys\n")
	add := func(header string, keys ...KV) func(string) error {
		return func(path string) error { return AddSection(path, header, keys, Options{System: system}) }
	}
	remove := func(header string) func(string) error {
		return func(path string) error { return RemoveSection(path, header, Options{System: system}) }
	}
	for _, tt := range []struct {
		name string
		edit func(path string) error
		code creds.Code
		want string // FILE is the config
	}{
		{"a section that is there", add("profile  prod", newProfile...), creds.CodeConfig,
			"add [profile prod] to the config: it is there already: FILE:3"},
		{"what would not load", add("profile new", KV{"identity", "nobody"}), creds.CodeConfig,
			`add [profile new] to the config: FILE:8: identity: there is no identity "nobody"`},
		{"an unknown key", add("profile new", KV{"identity", "corp"}, KV{"rol_arn", "x"}), creds.CodeConfig,
			`add [profile new] to the config: FILE:9: unknown key "rol_arn" in [profile new], the nearest known is role_arn`},
		{"a bad name", add("profile a]b", newProfile...), creds.CodeConfig,
			"add [profile a]b] to the config: FILE:7: there is text after the ]"},
		{"a value of two lines", add("profile new", KV{"identity", "corp\n[profile x]"}), creds.CodeUsage,
			"add [profile new] to the config: identity holds a control character"},
		{"a value that would be cut", add("identity new", KV{"mfa_serial", "GAHT12345678"}, KV{"mfa_process", "a #b"}), creds.CodeUsage,
			"add [identity new] to the config: the value of mfa_process can't be written in the config"},
		{"an identity that is needed", remove("identity corp"), creds.CodeConfig,
			`remove [identity corp] from the config: FILE:2: identity: there is no identity "corp"`},
		{"a profile that is not there", remove("profile x"), creds.CodeUnknownProfile,
			"remove [profile x] from the config: there is no such section in FILE"},
		{"an identity that is not there", remove("identity x"), creds.CodeUsage,
			"remove [identity x] from the config: there is no such section in FILE"},
		{"a section of the system's", remove("profile shared"), creds.CodeUnknownProfile,
			"remove [profile shared] from the config: it stands in " + system + ":3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := put(t, "config.ini", prod)
			err := tt.edit(path)
			if creds.CodeOf(err) != tt.code || creds.HintOf(err) == "" {
				t.Errorf("code %q and hint %q, want %q and a hint", creds.CodeOf(err), creds.HintOf(err), tt.code)
			}
			first, _, _ := strings.Cut(strings.ReplaceAll(fmt.Sprint(err), path, "FILE"), "\n")
			if first != tt.want {
				t.Errorf("got  %s\nwant %s", first, tt.want)
			}
			if got := content(t, path); got != prod {
				t.Errorf("the file is now\n%s", got)
			}
			alone(t, path)
		})
	}
}

func TestRefusedLoadKeepsTheList(t *testing.T) {
	err := AddSection(put(t, "config.ini", prod), "profile new", []KV{{"identity", "x"}, {"mfa", "y"}}, Options{})
	if e, ok := errors.AsType[*Errors](err); !ok || len(e.List) != 2 {
		t.Errorf("got %v, want a list of two problems", err)
	}
}

func TestEditKeepsASymlink(t *testing.T) {
	dir := t.TempDir()
	target := put(t, "mfad.ini", prod)
	link := filepath.Join(dir, "config.ini")
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
	if err := AddSection(link, "profile new", newProfile, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(link); err != nil || got != target {
		t.Errorf("the link is now %q (%v), want %q", got, err, target)
	}
	if !strings.Contains(content(t, target), "[profile new]") {
		t.Error("the target was not changed")
	}
}

func TestEditRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
	for _, path := range []string{os.DevNull, dir, dangling} {
		if err := AddSection(path, "identity corp", []KV{{"mfa_serial", "GAHT12345678"}}, Options{}); creds.CodeOf(err) != creds.CodeConfig {
			t.Errorf("%s: got %v, want it refused", path, err)
		}
	}
}

// TestEditsAtOnceAreAllKept runs as many editors as a script may start.
func TestEditsAtOnceAreAllKept(t *testing.T) {
	path := put(t, "config.ini", corp)
	const n = 8
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			errs[i] = AddSection(path, fmt.Sprintf("profile p%d", i), []KV{{"identity", "corp"}}, Options{})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, Options{})
	if err != nil || len(c.Profiles) != n {
		t.Errorf("got %d profiles (%v), want %d:\n%s", len(c.ProfileNames()), err, n, content(t, path))
	}
}
