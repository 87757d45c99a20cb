package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestErrorsAreDocumented walks the source for codes of errors, wherever they are
// made, and holds docs/errors.md against them, in both directions.
func TestErrorsAreDocumented(t *testing.T) {
	codes := codesInSource(t)
	if len(codes) < 20 {
		t.Fatalf("found only %d codes in the source: %v", len(codes), codes)
	}
	doc, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\d+ \\| ([^|]*) \\|").FindAllStringSubmatch(string(doc), -1) {
		if listed[m[1]] {
			t.Errorf("docs/errors.md lists %s twice", m[1])
		}
		if listed[m[1]] = true; codes[m[1]] == "" {
			t.Errorf("docs/errors.md lists %s, which is no code in the source", m[1])
		}
		if len(strings.TrimSpace(m[2])) == 0 {
			t.Errorf("docs/errors.md names no cause of %s", m[1])
		}
	}
	for code, where := range codes {
		if !listed[code] {
			t.Errorf("docs/errors.md does not list %s (%s)", code, where)
		}
	}
}

// codesInSource finds every text that becomes a creds.Code: a constant of that
// type, a conversion to it, or the field Code of a creds.Error. It gives where.
func codesInSource(t *testing.T) map[string]string {
	codes := map[string]string{}
	files := token.NewFileSet()
	for _, root := range []string{".", "../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				for _, e := range codeTexts(n) {
					if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						text, err := strconv.Unquote(lit.Value)
						if err == nil && text != "" {
							codes[text] = files.Position(lit.Pos()).String()
						}
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return codes
}

// codeTexts gives what n makes a creds.Code of.
func codeTexts(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.ValueSpec:
		if isNamed(n.Type, "Code") {
			return n.Values
		}
	case *ast.CallExpr:
		if s, ok := n.Fun.(*ast.SelectorExpr); ok && isNamed(s.X, "creds") && s.Sel.Name == "Code" {
			return n.Args
		}
	case *ast.CompositeLit:
		if s, ok := n.Type.(*ast.SelectorExpr); !ok || !isNamed(s.X, "creds") || s.Sel.Name != "Error" {
			return nil
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && isNamed(kv.Key, "Code") {
				return []ast.Expr{kv.Value}
			}
		}
	}
	return nil
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
