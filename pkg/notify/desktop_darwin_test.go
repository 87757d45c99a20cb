package notify

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTheTextsAreArgumentsOfTheScript: a text can neither end the script's own
// nor look like a flag.
func TestTheTextsAreArgumentsOfTheScript(t *testing.T) {
	dir := t.TempDir()
	program, log := filepath.Join(dir, "osascript"), filepath.Join(dir, "log")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nshift 7\nprintf '%s|' \"$@\" > "+log+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := &Desktop{program: program}
	id, err := d.Show(t.Context(), Notification{Title: `-e`, Body: `" & do shell script "false"`}, ID{})
	if err != nil || !id.IsZero() {
		t.Fatalf("Show = %v, %v; want no ID, since nothing can be taken back", id, err)
	}
	got, err := os.ReadFile(log)
	if want := `-e|" & do shell script "false"|`; string(got) != want || err != nil {
		t.Errorf("behind -- the script got %q, %v; want %q", got, err, want)
	}
}
