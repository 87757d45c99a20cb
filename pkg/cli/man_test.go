package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// pages writes the manual and gives each page by name.
func pages(t *testing.T, epoch string) (dir string, all map[string]string) {
	t.Helper()
	dir = t.TempDir()
	var out bytes.Buffer
	a := &app{out: &out, err: &out, getenv: func(name string) string { return map[string]string{"SOURCE_DATE_EPOCH": epoch}[name] }}
	if status := a.run(t.Context(), []string{"man", dir}); status != 0 || out.Len() > 0 {
		t.Fatalf("status %d, %s", status, out.String())
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	all = map[string]string{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = string(b)
	}
	return dir, all
}

// TestTheManual has a page for each command that help lists, with all of its flags,
// and is the same twice.
func TestTheManual(t *testing.T) {
	_, all := pages(t, "")
	_, again := pages(t, "")
	for name, text := range all {
		if again[name] != text {
			t.Errorf("%s differs the second time", name)
		}
		if i := strings.IndexFunc(text, func(c rune) bool { return c > '~' || c < ' ' && c != '\n' }); i >= 0 {
			t.Errorf("%s is not ASCII at %q", name, text[i:min(i+20, len(text))])
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"} {
			if !strings.Contains(text, "\n.SH \""+section+"\"\n") {
				t.Errorf("%s has no section %s", name, section)
			}
		}
	}
	for name, want := range map[string]string{
		"mfad.1": `.B "mfad\-status(1)"`, "mfad-identity-add.1": `.B "\-\-mfa\-serial ARN"`, "mfad-credential-process.1": "(default 50s)",
		"mfad-exec.1": "\n.SH \"GLOBAL OPTIONS\"\n", "mfad-status.1": "\n.SH \"EXAMPLES\"\n",
	} {
		if !strings.Contains(all[name], want) {
			t.Errorf("%s has no %q:\n%s", name, want, all[name])
		}
	}
	if _, hidden := all["mfad-man.1"]; hidden {
		t.Error("a hidden command has a page")
	}
	if _, dated := pages(t, "1772442000"); !strings.HasPrefix(dated["mfad.1"], `.TH "MFAD" 1 "2026-03-02"`) {
		t.Errorf("SOURCE_DATE_EPOCH does not count: %.60q", dated["mfad.1"])
	}
}

func TestADateThatIsNone(t *testing.T) {
	if _, err := manDate("yesterday"); creds.CodeOf(err) != creds.CodeUsage {
		t.Errorf("got %v", err)
	}
}

// TestTheManualIsWellFormed, as the real readers of manual pages see it.
func TestTheManualIsWellFormed(t *testing.T) {
	dir, all := pages(t, "1772442000")
	for _, reader := range [][]string{
		{"groff", "-man", "-ww", "-z", "-Tutf8"},
		{"man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"},
		{"mandoc", "-T", "lint", "-W", "warning"},
	} {
		t.Run(reader[0], func(t *testing.T) {
			if _, err := exec.LookPath(reader[0]); err != nil {
				t.Skipf("SKIP-REAL manual: %v", err)
			}
			for name := range all {
				cmd := exec.Command(reader[0], append(reader[1:], filepath.Join(dir, name))...)
				var said bytes.Buffer
				cmd.Stderr = &said
				out, err := cmd.Output()
				if reader[0] == "mandoc" {
					said.Write(out) // it complains on stdout
				}
				if err != nil || said.Len() > 0 {
					t.Errorf("%s: %v\n%s", name, err, said.String())
				}
			}
		})
	}
}

func TestRoff(t *testing.T) {
	p := &page{}
	p.line(".it's a-b\\c ½")
	if got, want := p.String(), "\\&.it\\(aqs a\\-b\\ec \\[u00BD]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

var (
	tableRow = regexp.MustCompile(`(?m)^\| (.*?) \| (.*) \|$`)
	docLink  = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
)

// TestTheManualSaysWhatTheDocsSay holds manual.go against docs/cli.md.
func TestTheManualSaysWhatTheDocsSay(t *testing.T) {
	doc, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	for heading, have := range map[string][][2]string{"Exit status": exitStatuses(), "Environment": environment()} {
		_, section, _ := strings.Cut(string(doc), "\n## "+heading+"\n\n")
		table, _, _ := strings.Cut(section, "\n\n")
		var want [][2]string
		for _, row := range tableRow.FindAllStringSubmatch(table, -1)[2:] {
			plain := func(s string) string {
				return strings.NewReplacer("`", "", `\|`, "|").Replace(docLink.ReplaceAllString(s, "$1"))
			}
			want = append(want, [2]string{plain(row[1]), plain(row[2])})
		}
		for _, row := range want {
			if !slices.Contains(have, row) {
				t.Errorf("%s: pkg/cli/manual.go has no row %q", heading, row)
			}
		}
		if len(have) != len(want) {
			t.Errorf("%s: docs/cli.md has %d rows, pkg/cli/manual.go %d", heading, len(want), len(have))
		}
	}
}
