//go:build unix

package keyring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// environment is an Environment over a map.
func environment(vars map[string]string) Environment {
	return Environment{
		Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Unset:  func(name string) error { delete(vars, name); return nil },
	}
}

func TestPassphraseSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // WriteFile's mode is cut by the umask
			t.Fatal(err)
		}
		return path
	}
	file := write("own", "from the file\n", 0o600)
	write("systemd/"+credentialName, "from systemd", 0o400)
	write("acl/"+credentialName, "from systemd with an ACL", 0o440)
	write("open/"+credentialName, "x", 0o444)
	write("group/"+credentialName, "x", 0o460)
	other := write("foreign", "x", 0o600)
	if os.Getuid() == 0 {
		if err := os.Chown(other, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}

	const fileVar, valueVar, credsVar = passphraseFileVariable, passphraseVariable, credentialsVariable
	for _, tt := range []struct {
		name string
		vars map[string]string
		want string
		code creds.Code
		text string
	}{
		{"nothing set", nil, "", "", ""},
		{"file", map[string]string{fileVar: file}, "from the file", "", ""},
		{"file wins over the variable", map[string]string{fileVar: file, valueVar: "v"}, "from the file", "", ""},
		{"variable", map[string]string{valueVar: "v"}, "v", "", ""},
		{"variable wins over systemd", map[string]string{valueVar: "v", credsVar: dir + "/systemd"}, "v", "", ""},
		{"empty variable counts as unset", map[string]string{valueVar: "", credsVar: dir + "/systemd"}, "from systemd", "", ""},
		{"systemd", map[string]string{credsVar: dir + "/systemd"}, "from systemd", "", ""},
		{"systemd with an ACL", map[string]string{credsVar: dir + "/acl"}, "from systemd with an ACL", "", ""},
		{"systemd without this credential", map[string]string{credsVar: dir}, "", "", ""},
		{"credential open to all", map[string]string{credsVar: dir + "/open"}, "", creds.CodeConfig, "mode 0444"},
		{"credential the group may write", map[string]string{credsVar: dir + "/group"}, "", creds.CodeConfig, "mode 0460"},
		{"one newline is cut, not two", map[string]string{fileVar: write("two", "a \n\n", 0o600)}, "a \n", "", ""},
		{"CRLF", map[string]string{fileVar: write("crlf", "a\r\n", 0o600)}, "a", "", ""},
		{"the group may read", map[string]string{fileVar: write("g", "a", 0o640)}, "", creds.CodeConfig, "mode 0640"},
		{"others may write", map[string]string{fileVar: write("o", "a", 0o602)}, "", creds.CodeConfig, "mode 0602"},
		{"no such file", map[string]string{fileVar: dir + "/none", valueVar: "v"}, "", creds.CodeConfig, "no such file"},
		{"empty file", map[string]string{fileVar: write("empty", "\n", 0o600)}, "", creds.CodeConfig, "is empty"},
		{"largest", map[string]string{fileVar: write("max", strings.Repeat("p", 4096)+"\n", 0o600)}, strings.Repeat("p", 4096), "", ""},
		{"too large", map[string]string{fileVar: write("big", strings.Repeat("p", 5000), 0o600)}, "", creds.CodeConfig, "more than 4096"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Passphrase(environment(tt.vars))
			if got.Reveal() != tt.want || creds.CodeOf(err) != tt.code {
				t.Errorf("got %q, %v, want %q and code %q", got.Reveal(), err, tt.want, tt.code)
			}
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q, want %q in it", err, tt.text)
			}
			if _, still := tt.vars[valueVar]; still {
				t.Errorf("%s is still in the environment", valueVar)
			}
		})
	}
	if os.Getuid() == 0 {
		if _, err := Passphrase(environment(map[string]string{fileVar: other})); creds.CodeOf(err) != creds.CodeConfig {
			t.Errorf("a file of another user: %v, want code %q", err, creds.CodeConfig)
		}
	}
}

func TestPassphraseLeavesTheRealEnvironment(t *testing.T) {
	t.Setenv(passphraseFileVariable, "")
	t.Setenv(passphraseVariable, "v")
	if got, err := Passphrase(ProcessEnvironment()); err != nil || got.Reveal() != "v" {
		t.Fatalf("got %q, %v, want v", got.Reveal(), err)
	}
	if got, set := os.LookupEnv(passphraseVariable); set {
		t.Errorf("%s=%q is still set: a child would get it", passphraseVariable, got)
	}
}
