package dialog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// TestAppleScript: a text can neither end the script's own nor look like a flag,
// and only the number that stands for it is a no.
func TestAppleScript(t *testing.T) {
	for script, want := range map[string]creds.Code{
		"echo 123456": "",
		"echo 'execution error: Abgebrochen. (-128)' >&2; exit 1": creds.CodeCancelled,
		"echo 'execution error: no window (-1713)' >&2; exit 1":   creds.CodeMFAProcess,
	} {
		dir := t.TempDir()
		d := &Dialog{path: filepath.Join(dir, "osascript"), program: appleScript, env: []string{"PATH=/usr/bin:/bin"}, quick: quick}
		log := filepath.Join(dir, "log")
		if err := os.WriteFile(d.path, []byte("#!/bin/sh\nshift 15\nprintf '%s|' \"$@\" > "+log+"\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := d.Ask(t.Context(), Prompt{Title: "-e", Text: `" & do shell script "false"`})
		if creds.CodeOf(err) != want {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
		if got, _ := os.ReadFile(log); string(got) != `-e|" & do shell script "false"|` {
			t.Errorf("behind -- the script got %q", got)
		}
	}
}
