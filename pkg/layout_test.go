// Package pkg_test holds what is true of all packages together.
package pkg_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mfad/mfad/"

// rule says what a package below pkg/ may import: of mfad's, and of others'.
type rule struct {
	ours, others []string
}

var (
	sys  = "golang.org/x/sys"
	term = "golang.org/x/term"
)

// allowed is the import table of docs/design.md.
var allowed = map[string]rule{
	"creds":    {},
	"consent":  {[]string{"creds"}, nil},
	"inifile":  {},
	"fastpath": {},
	"durable":  {nil, []string{sys}},
	"awssim":   {},
	"wake":     {nil, []string{sys}},
	"watch":    {nil, []string{"github.com/fsnotify/fsnotify"}},
	"plan":     {},
	"audit":    {[]string{"creds"}, nil},
	"console":  {[]string{"creds"}, []string{"github.com/cli/browser"}},
	"endpoint": {[]string{"creds"}, nil},
	"notify":   {[]string{"creds"}, []string{"github.com/godbus/dbus"}},
	"dialog":   {[]string{"creds", "mfa"}, nil},
	"desktop":  {nil, []string{"github.com/godbus/dbus"}},
	"mfa":      {[]string{"creds"}, nil},
	"refresh":  {[]string{"creds", "plan"}, nil},
	"awsmfa":   {[]string{"creds"}, nil},
	"awsapi":   {[]string{"creds"}, []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go", "golang.org/x/net"}},
	"keyring":  {[]string{"creds", "durable"}, []string{"github.com/zalando/go-keyring", "github.com/godbus/dbus", "filippo.io/age", sys}},
	"state":    {[]string{"creds", "durable"}, []string{sys}},
	"profile":  {[]string{"creds", "durable", "inifile"}, []string{"gopkg.in/ini.v1", sys}},
	"setup":    {[]string{"credfile", "creds", "inifile", "profile"}, nil},
	"credfile": {[]string{"creds", "durable", "inifile"}, []string{"gopkg.in/ini.v1", sys, "github.com/gofrs/flock"}},
	"service":  {[]string{"creds"}, []string{sys}},
	"doctor":   {[]string{"credfile", "creds", "localapi", "profile"}, nil},
	"localapi": {[]string{"consent", "creds", "mfa"}, []string{sys}},
	"daemon": {[]string{"audit", "awsapi", "consent", "console", "credfile", "creds", "desktop", "dialog", "keyring", "localapi", "mfa", "notify", "plan", "profile", "refresh", "state", "wake", "watch"},
		[]string{sys}},
	"cli": {[]string{"audit", "awsapi", "awsmfa", "awssim", "consent", "console", "credfile", "creds", "daemon", "doctor", "durable", "endpoint", "inifile", "keyring", "localapi", "mfa", "plan", "profile", "service", "setup",
		"state"},
		[]string{"github.com/spf13/cobra", sys, term}},
}

func TestImportDirection(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, ours := strings.CutPrefix(path, module+"pkg/")
		if !ours {
			continue
		}
		may, listed := allowed[name]
		if !listed {
			t.Errorf("pkg/%s is not in the table: say in docs/design.md why it exists", name)
			continue
		}
		for _, imp := range strings.Fields(imports) {
			if dep, ours := strings.CutPrefix(imp, module+"pkg/"); ours {
				if !slices.Contains(may.ours, dep) {
					t.Errorf("%s may not import %s", name, dep)
				}
			} else if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") &&
				!slices.ContainsFunc(may.others, func(p string) bool { return imp == p || strings.HasPrefix(imp, p+"/") }) {
				t.Errorf("%s may not import %s", name, imp)
			}
		}
	}
}

// TestPackagesAreDocumented wants one package comment in each package.
func TestPackagesAreDocumented(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{.Doc}}`, "../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, doc, _ := strings.Cut(strings.TrimSpace(line), " ")
		if doc == "" && !strings.HasSuffix(path, "/pkg") {
			t.Errorf("%s has no package comment", path)
		}
	}
}
