package doctor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestChecksAreDocumented holds the table in docs/cli.md against the names of checks
// in the source, in both directions.
func TestChecksAreDocumented(t *testing.T) {
	checks := checksInSource(t)
	if len(checks) < 15 {
		t.Fatalf("found only %d checks in the source: %v", len(checks), checks)
	}
	doc, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "\n| check | looks at |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	listed := map[string]bool{}
	for row := range strings.Lines(table) {
		names, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(names, -1) {
			if listed[m[1]] = true; checks[m[1]] == "" {
				t.Errorf("docs/cli.md lists the check %s, which is none in the source", m[1])
			}
		}
	}
	for name, where := range checks {
		if !listed[name] {
			t.Errorf("docs/cli.md does not list the check %s (%s)", name, where)
		}
	}
}

// checksInSource finds the name of every check, the field Check of a finding or the
// first argument of failure, and where.
func checksInSource(t *testing.T) map[string]string {
	t.Helper()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	checks := map[string]string{}
	files := token.NewFileSet()
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := checkOf(n).(*ast.BasicLit)
			if !ok {
				return true
			}
			name, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			checks[name] = files.Position(lit.Pos()).String()
			return true
		})
	}
	return checks
}

// checkOf gives what n names a check with; nil: it names none.
func checkOf(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if id, ok := n.Key.(*ast.Ident); ok && id.Name == "Check" {
			return n.Value
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "failure" {
			return n.Args[0]
		}
	}
	return nil
}
