//go:build !windows

package console

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cli/browser"
)

const address = "http://127.0.0.1:1/$(touch pwned);`id`'\"&%25"

// fakeBrowser writes a program that notes the arguments it was given, one a
// line, and gives its path and what it noted.
func fakeBrowser(t *testing.T, name string) (path string, noted func() string) {
	t.Helper()
	dir := t.TempDir()
	path, notes := filepath.Join(dir, name), filepath.Join(dir, "notes")
	script := "#!/bin/sh\necho this is for nobody\nprintf '%s\\n' \"$@\" >'" + notes + "'\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, func() string {
		text, err := os.ReadFile(notes)
		if err != nil {
			t.Errorf("the browser was not started: %v", err)
		}
		return string(text)
	}
}

func env(value string) func(string) string {
	return func(name string) string {
		if name == "BROWSER" {
			return value
		}
		return ""
	}
}

// TestBrowserCommands has the address arrive as one argument, whatever is in
// it, and the user's own quoting work.
func TestBrowserCommands(t *testing.T) {
	capture(t, &os.Stderr)
	plain, notedPlain := fakeBrowser(t, "browser")
	spaced, notedSpaced := fakeBrowser(t, "My Browser")
	for _, tt := range []struct {
		name, command, env string
		noted              func() string
		args               []string
	}{
		{"a program", plain, "", notedPlain, []string{address}},
		{"a program with a space in its path", spaced, "", notedSpaced, []string{address}},
		{"options", plain + ` -P work --flag='a b'`, "", notedPlain, []string{"-P", "work", "--flag=a b", address}},
		{"a place for the address", plain + ` --url "%s" --new`, "", notedPlain, []string{"--url", address, "--new"}},
		{"BROWSER", "", plain + " -P work", notedPlain, []string{"-P", "work", address}},
		{"BROWSER with a place", " ", plain + " '%s' end", notedPlain, []string{address, "end"}},
		{"BROWSER with alternatives", "", ":/no/such/browser %s:" + plain + ":false", notedPlain, []string{address}},
		{"a command before BROWSER", plain, "false", notedPlain, []string{address}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := Browser(tt.command, env(tt.env))(address); err != nil {
				t.Fatal(err)
			}
			if got, want := tt.noted(), strings.Join(tt.args, "\n")+"\n"; got != want {
				t.Errorf("arguments %q, want %q", got, want)
			}
		})
	}
	if _, err := os.Stat("pwned"); err == nil {
		_ = os.Remove("pwned")
		t.Error("a shell read the address")
	}
}

func TestBrowserFails(t *testing.T) {
	stderr := capture(t, &os.Stderr)
	for _, tt := range []struct{ command, env, want string }{
		{"exit 3;", "", `run "exit 3;": exit status 3`},
		{"mfad-no-such-browser --new", "", `run "mfad-no-such-browser --new": command not found`},
		{"", "false:exit 4;", `run "exit 4;": exit status 4`},
	} {
		err := Browser(tt.command, env(tt.env))(address)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.command+tt.env, err, tt.want)
		}
	}
	if text := stderr(); !strings.Contains(text, "mfad-no-such-browser") {
		t.Errorf("stderr %q, want what the shell says", text)
	}
}

// TestTheSystemsBrowser puts the only program in the way that a system would
// have, and then none.
func TestTheSystemsBrowser(t *testing.T) {
	path, noted := fakeBrowser(t, "xdg-open")
	if err := os.Symlink(path, filepath.Join(filepath.Dir(path), "open")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(path)+":/bin:/usr/bin")
	var output strings.Builder
	browser.Stdout, browser.Stderr = &output, &output
	if err := Browser("", env(""))(address); err != nil {
		t.Error(err)
	}
	if got := noted(); got != address+"\n" {
		t.Errorf("arguments %q, want the address", got)
	}
	if output.Len() > 0 {
		t.Errorf("the browser wrote %q into mfad's output", &output)
	}
	t.Setenv("PATH", t.TempDir())
	err := Browser("", env(""))(address)
	if err == nil || !strings.Contains(err.Error(), "executable file not found") || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("%v, want it to say that there is no browser, without the address", err)
	}
}

// TestStdoutIsForTheAnswer: what a browser prints is none.
func TestStdoutIsForTheAnswer(t *testing.T) {
	path, _ := fakeBrowser(t, "browser")
	stdout := capture(t, &os.Stdout)
	if err := Browser(path, env(""))(address); err != nil {
		t.Error(err)
	}
	if text := stdout(); text != "" {
		t.Errorf("the browser wrote %q into mfad's stdout", text)
	}
}

// capture has what is written to a stream of this process until the test ends.
func capture(t *testing.T, stream **os.File) func() string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	before := *stream
	*stream = file
	t.Cleanup(func() {
		*stream = before
		_ = file.Close()
	})
	return func() string {
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
}
