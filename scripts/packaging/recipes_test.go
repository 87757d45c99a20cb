package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestRecipes name each system's archive with its checksum.
func TestRecipes(t *testing.T) {
	r := &release{version: "1.2.3", url: "https://example.com/d", out: t.TempDir()}
	archives := map[target]string{}
	for i, name := range allTargets() {
		parsed, err := parseTargets(name)
		if err != nil {
			t.Fatal(err)
		}
		archives[parsed[0]] = strings.Repeat(fmt.Sprint(i), 64)
	}
	if err := r.writeRecipes(archives); err != nil {
		t.Fatal(err)
	}
	formula, expression := string(read(t, filepath.Join(r.out, "mfad.rb"))), string(read(t, filepath.Join(r.out, "mfad.nix")))
	for _, want := range []string{
		"url \"https://example.com/d/mfad_1.2.3_darwin_arm64.tar.gz\"\n      sha256 \"" + strings.Repeat("3", 64) + "\"",
		"url \"https://example.com/d/mfad_1.2.3_linux_amd64.tar.gz\"\n      sha256 \"" + strings.Repeat("0", 64) + "\"",
	} {
		if !strings.Contains(formula, want) {
			t.Errorf("no %q in\n%s", want, formula)
		}
	}
	if want := "url = \"https://example.com/d/mfad_1.2.3_linux_arm64.tar.gz\";\n      hash = \"sha256-" + strings.Repeat("ERER", 10) + "ERE=\""; !strings.Contains(expression, want) {
		t.Errorf("no %q in\n%s", want, expression)
	}
	delete(archives, target{"darwin", "arm64"})
	r.out = t.TempDir()
	if err := r.writeRecipes(archives); err != nil || len(names(t, r.out)) > 0 {
		t.Errorf("without one of the systems: %v, %v", names(t, r.out), err)
	}
}
