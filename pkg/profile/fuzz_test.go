package profile

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mfad/mfad/config"
	"github.com/mfad/mfad/pkg/creds"
)

// FuzzLoad reads any bytes: no panic; a config or else problems that name FILE:LINE;
// and what loads keeps every byte when a section is added, and again when it goes.
func FuzzLoad(f *testing.F) {
	example, err := config.Files.ReadFile("mfad.example.ini")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(example), prod, "\ufeff" + prod, "[", "[]", "[profile a]]x", "a", "=", "\x00", "\xff", "\xff\xfe[\x00",
		"[profile a]\nregion = `x\n`\n", "[profile a]\nregion = \"\"\"x\ny\"\"\"\n", "[profile a]\n - = x\n\"region\" = y\n",
		"[profile a]\nsource_profile = a\nrole_arn = x\n", "[defaults]\nregion = \u00a0eu-west-1\u0085\n", "[profile a] # ]\nx",
		"\x1f", prod + "\n\n\x1f# x\n[defaults]\n", "[profile a]\nregion = x\n \x1c\n",
		strings.ReplaceAll(prod, "\n", "\r\n"), strings.TrimSuffix(prod, "\n"), prod + "\n \t\n# the end", corp + "\n\n[profile x] ; y\nidentity=corp\n\n\n; z\n",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "config.ini")
	opts := Options{Home: "/home/alice"}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, opts)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v, want one of them", c, err)
		}
		if err != nil {
			lines := bytes.Count(data, []byte("\n")) + 1
			for _, p := range list(t, err) {
				if p.File != path || p.Line < 1 || p.Line > lines || p.Msg == "" {
					t.Fatalf("problem %+v in a file of %d lines", p, lines)
				}
			}
			return
		}
		for name, p := range c.Profiles {
			if c.Identities[p.Identity] == nil || p.Section == "" || p.Write == "" || p.MFA == "" || c.Region(p) == "" {
				t.Errorf("profile %s is incomplete: %+v", name, p)
			}
		}
		addedAndRemoved(t, path, data, opts)
	})
}

func addedAndRemoved(t *testing.T, path string, data []byte, opts Options) {
	t.Helper()
	const header = "identity added-by-a-test"
	err := AddSection(path, header, []KV{{"mfa_serial", "GAHT12345678"}, {"region", "eu-west-1"}}, opts)
	added := content(t, path)
	if err != nil {
		if added != string(data) || creds.CodeOf(err) != creds.CodeConfig || !bytes.Contains(data, []byte("added-by-a-test")) {
			t.Fatalf("%v; %q is now %q", err, data, added)
		}
		return
	}
	rest, kept := strings.CutPrefix(added, string(data))
	if !kept || strings.Count(rest, "\n") > 5 {
		t.Fatalf("%q became %q", data, added)
	}
	if err := RemoveSection(path, header, opts); err != nil {
		t.Fatalf("%v\nof %q", err, added)
	}
	want := string(data)
	if want != "" && !strings.HasSuffix(want, "\n") {
		if strings.Contains(rest, "\r\n") {
			want += "\r"
		}
		want += "\n"
	}
	if got := content(t, path); got != want {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}
