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
// made, and holds docs/errors.md against them, in both directions. Each row has a
// cause and a cure.
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
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\d+ \\|").FindAllStringSubmatch(string(doc), -1) {
		if listed[m[1]] {
			t.Errorf("docs/errors.md lists %s twice", m[1])
		}
		if listed[m[1]] = true; codes[m[1]] == "" {
			t.Errorf("docs/errors.md lists %s, which is no code in the source", m[1])
		}
	}
	for row := range strings.Lines(string(doc)) {
		if !strings.HasPrefix(row, "| ") {
			continue
		}
		cells := strings.Split(strings.TrimSpace(row), "|")
		if len(cells) != 6 || strings.TrimSpace(cells[3]) == "" || strings.TrimSpace(cells[4]) == "" {
			t.Errorf("docs/errors.md: no cause or no cure in the row %s", row)
		}
	}
	for code, where := range codes {
		if !listed[code] {
			t.Errorf("docs/errors.md does not list %s (%s)", code, where)
		}
	}
}

// codesInSource finds every text that becomes a creds.Code: a constant of that
// type, a conversion to it, or the field Code of an error. It gives where. In such a
// field a text is a mistake: a code has one spelling, its constant's.
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
				_, field := n.(*ast.CompositeLit)
				for _, e := range codeTexts(n) {
					if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						if field {
							t.Errorf("%s: the code %s is a text, and no constant of package creds", files.Position(lit.Pos()), lit.Value)
						}
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
		if s, ok := n.Type.(*ast.SelectorExpr); !isNamed(n.Type, "Error") && (!ok || s.Sel.Name != "Error") {
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
