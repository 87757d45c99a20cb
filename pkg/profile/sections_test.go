package profile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// TestAddSections: several sections come together or not at all, and a preview
// tells what they would make of the file.
func TestAddSections(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mfad", "config.ini")
	add := []Section{
		{"identity corp", []KV{{"mfa_serial", "arn:aws:iam::111111111111:mfa/alice"}}},
		{"profile db", []KV{{"source_profile", "prod"}, {"role_arn", "arn:aws:iam::333333333333:role/DB"}}},
		{"profile prod", []KV{{"identity", "corp"}, {"role_arn", "arn:aws:iam::222222222222:role/Admin"}}},
	}
	was, is, err := PreviewSections(path, add, Options{})
	if err != nil || was != nil {
		t.Fatalf("PreviewSections = %q, %v", was, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("a preview made the folder")
	}
	if err := AddSections(path, add, Options{}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != string(is) {
		t.Errorf("the file holds %q, %v; the preview was %q", b, err, is)
	}
	c, err := Load(path, Options{})
	if err != nil || c.Profiles["db"].Source != c.Profiles["prod"] {
		t.Errorf("Load = %v, %v", c, err)
	}
	more := []Section{{"profile x", []KV{{"identity", "corp"}}}, {"profile y", []KV{{"identity", "nobody"}}}}
	if err := AddSections(path, more, Options{}); creds.CodeOf(err) != creds.CodeConfig {
		t.Errorf("AddSections with one that does not load = %v", err)
	}
	if _, _, err := PreviewSections(path, more, Options{}); creds.CodeOf(err) != creds.CodeConfig {
		t.Errorf("PreviewSections of it = %v", err)
	}
	if err := AddSections(path, nil, Options{}); err != nil {
		t.Errorf("AddSections of nothing = %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != string(is) {
		t.Errorf("the file changed: %q, %v", b, err)
	}
}
