package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityClaimsAreTested reads docs/security.md: each row of a table of claims
// names tests, and each of them is in the source.
func TestSecurityClaimsAreTested(t *testing.T) {
	doc, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, claims := testsInSource(t), 0
	inTable := false
	for line := range strings.Lines(string(doc)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "| claim | tests |":
			inTable = true
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case inTable && !strings.HasPrefix(line, "| ---"):
			claims++
			checkClaim(t, line, tests)
		}
	}
	if claims < 40 {
		t.Errorf("only %d claims were found: does this test still know the page's tables?", claims)
	}
}

var testName = regexp.MustCompile("`([a-z/]+\\.(?:Test|Fuzz)[A-Za-z0-9]+(?:/[a-z_]+)?)`")

// checkClaim looks at one row.
func checkClaim(t *testing.T, row string, tests map[string]bool) {
	t.Helper()
	cells := strings.Split(strings.Trim(row, "| "), " | ")
	if len(cells) != 2 || strings.TrimSpace(cells[0]) == "" {
		t.Errorf("no claim and its tests: %s", row)
		return
	}
	names := testName.FindAllStringSubmatch(cells[1], -1)
	if len(names) == 0 {
		t.Errorf("the claim has no test: %s", cells[0])
	}
	for _, name := range names {
		if !tests[name[1]] {
			t.Errorf("there is no test %s, which is to hold: %s", name[1], cells[0])
		}
	}
	if rest := strings.Trim(testName.ReplaceAllString(cells[1], ""), ", "); rest != "" {
		t.Errorf("%q is no name of a test, of: %s", rest, cells[0])
	}
}

// testsInSource gives every test as PACKAGE.NAME, where a package is its folder below
// pkg or below the top, and every script as cli.TestScripts/NAME.
func testsInSource(t *testing.T) map[string]bool {
	t.Helper()
	tests, files := map[string]bool{}, token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := strings.TrimPrefix(strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../"), "pkg/")
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				tests[folder+"."+fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	scripts, _ := filepath.Glob("cli/testdata/*.txtar")
	for _, s := range scripts {
		tests["cli.TestScripts/"+strings.TrimSuffix(filepath.Base(s), ".txtar")] = true
	}
	return tests
}

// TestDependenciesAreExplained holds docs/dependencies.md against go.mod: each module
// that is imported directly is named there, and no other is.
func TestDependenciesAreExplained(t *testing.T) {
	doc, err := os.ReadFile("../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-test", "-f", `{{range .Imports}}{{.}}
{{end}}{{range .TestImports}}{{.}}
{{end}}{{range .XTestImports}}{{.}}
{{end}}`, "../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string]bool{}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && !strings.HasPrefix(path, module) {
			imported[path] = true
		}
	}
	var modules []string
	for _, m := range regexp.MustCompile(`(?m)^\| (.+?) \|`).FindAllStringSubmatch(string(doc), -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[1], -1) {
			modules = append(modules, name[1])
		}
	}
	named := func(path string) bool {
		for _, m := range modules {
			if path == m || strings.HasPrefix(path, m+"/") || m == "smithy-go" && strings.HasPrefix(path, "github.com/aws/smithy-go") {
				return true
			}
		}
		return false
	}
	for path := range imported {
		if !named(path) {
			t.Errorf("docs/dependencies.md does not say why %s is there", path)
		}
	}
	for _, m := range modules {
		used := !strings.Contains(m, ".") // a part of the module before it
		for path := range imported {
			used = used || path == m || strings.HasPrefix(path, m+"/")
		}
		if !used {
			t.Errorf("docs/dependencies.md explains %s, which nothing imports", m)
		}
	}
}
