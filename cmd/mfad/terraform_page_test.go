package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quoted finds what docs/terraform.md quotes, and of which file.
var quoted = regexp.MustCompile("(?s)<!-- (terraform/[a-z_]+\\.tf) -->\n```hcl\n(.*?)```\n")

// TestTerraformPage: what the page quotes is what the files hold, which are what
// TestTerraformExample applies.
func TestTerraformPage(t *testing.T) {
	t.Parallel()
	docs := filepath.Join("..", "..", "docs")
	b, err := os.ReadFile(filepath.Join(docs, "terraform.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(b), "\r\n", "\n")
	quotes := quoted.FindAllStringSubmatch(page, -1)
	if got := strings.Count(page, "```hcl"); len(quotes) == 0 || len(quotes) != got {
		t.Errorf("%d of %d pieces of Terraform name their file", len(quotes), got)
	}
	seen := map[string]bool{}
	for _, q := range quotes {
		name, text := q[1], q[2]
		seen[name] = true
		file, err := os.ReadFile(filepath.Join(docs, filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		whole := "\n" + strings.ReplaceAll(string(file), "\r\n", "\n")
		if !strings.Contains(whole, "\n"+text) {
			t.Errorf("%s does not hold what the page quotes:\n%s", name, text)
		}
	}
	files, err := filepath.Glob(filepath.Join(docs, "terraform", "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if name := "terraform/" + filepath.Base(path); !seen[name] {
			t.Errorf("the page quotes nothing of %s", name)
		}
	}
}
