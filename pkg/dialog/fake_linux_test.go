package dialog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// fake gives a dialog whose program is a shell script. $DIR is a folder of its own.
func fake(t *testing.T, p program, script string) (d *Dialog, dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, p.name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\nDIR="+dir+"\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Dialog{path: path, program: p, env: []string{"PATH=/usr/bin:/bin"}, quick: time.Second}, dir
}

// outcome runs Ask, which must end within 10 s, and say nothing of what was printed.
func outcome(t *testing.T, d *Dialog, p Prompt) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	code, err := d.Ask(ctx, p)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error("Ask did not end")
	}
	if err != nil && strings.Contains(err.Error(), "987") {
		t.Errorf("the error tells what was printed: %v", err)
	}
	return code.Reveal(), err
}

func TestWhatAProgramMayPrint(t *testing.T) {
	for name, tt := range map[string]struct {
		program program
		script  string
		code    string
		failure creds.Code
	}{
		"a line":                      {zenity, "echo 987654", "987654", ""},
		"no end of line":              {zenity, "printf 987654", "987654", ""},
		"a line of DOS":               {zenity, `printf '987654\r\n'`, "987654", ""},
		"two groups and blanks":       {zenity, "echo ' 987 654 '", "987654", ""},
		"words on stderr":             {zenity, "echo 'Gtk-WARNING: no theme' >&2; echo 987654", "987654", ""},
		"two lines":                   {zenity, "echo 987654; echo 987655", "", creds.CodeMFAProcess},
		"no end":                      {zenity, "yes 9876", "", creds.CodeMFAProcess},
		"nothing":                     {zenity, "", "", creds.CodeMFABadCode},
		"letters":                     {zenity, "echo 987abc", "", creds.CodeMFABadCode},
		"digits of another script":    {zenity, "echo ९८७६५४", "", creds.CodeMFABadCode},
		"seven digits":                {zenity, "echo 9876543", "", creds.CodeMFABadCode},
		"no":                          {zenity, "exit 77", "", creds.CodeCancelled},
		"no, from kdialog":            {kdialog, "echo; exit 1", "", creds.CodeCancelled},
		"a code and no":               {kdialog, "echo 987654; exit 1", "", creds.CodeCancelled},
		"a failure":                   {zenity, "exit 1", "", creds.CodeMFAProcess},
		"a failure of kdialog's":      {kdialog, "exit 2", "", creds.CodeMFAProcess},
		"a code and a failure":        {zenity, "echo 987654; echo 987654 >&2; exit 3", "", creds.CodeMFAProcess},
		"its own death":               {zenity, "echo 987654; kill -SEGV $$", "", creds.CodeMFAProcess},
		"a code, and a child is left": {zenity, "sleep 60 & echo 987654", "987654", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := fake(t, tt.program, tt.script)
			code, err := outcome(t, d, Prompt{Title: "t", Text: "x"})
			if code != tt.code || creds.CodeOf(err) != tt.failure {
				t.Errorf("Ask = %q, %q (%v); want %q, %q", code, creds.CodeOf(err), err, tt.code, tt.failure)
			}
		})
	}
	t.Run("a program that does not run", func(t *testing.T) {
		d, _ := fake(t, zenity, "")
		d.path += "-gone"
		if _, err := outcome(t, d, Prompt{}); creds.CodeOf(err) != creds.CodeMFAProcess {
			t.Errorf("Ask = %v, want that the program gave no code", err)
		}
	})
}

// TestABadAnswerIsAskedForAgain three times in all, with the reason.
func TestABadAnswerIsAskedForAgain(t *testing.T) {
	d, dir := fake(t, zenity, `echo "$*" >> $DIR/windows; echo 12`)
	_, err := outcome(t, d, Prompt{Title: "t", Text: "x"})
	got, _ := os.ReadFile(filepath.Join(dir, "windows"))
	if n := strings.Count(string(got), "--entry"); n != 3 || creds.CodeOf(err) != creds.CodeMFABadCode {
		t.Errorf("%d windows, then %v; want 3", n, err)
	}
	if n := strings.Count(string(got), "exactly six digits"); n != 2 {
		t.Errorf("%d windows give the reason, want 2:\n%s", n, got)
	}
}

// TestAProgramIsAskedToEnd before it is made to: it closes its own window.
func TestAProgramIsAskedToEnd(t *testing.T) {
	d, dir := fake(t, zenity, `trap 'echo > $DIR/asked; exit 1' TERM; echo > $DIR/up; while :; do sleep 0.01; done`)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(dir, "up")); err == nil {
				return
			}
		}
	}()
	if _, err := d.Ask(ctx, Prompt{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Ask = %v, want the context's end", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "asked")); err != nil {
		t.Error("it was not asked to end")
	}
}

// TestAProgramThatWillNotEnd is ended with all that it has started, also if it does
// not listen.
func TestAProgramThatWillNotEnd(t *testing.T) {
	for _, p := range []program{zenity, pinentry("pinentry")} {
		t.Run(p.name, func(t *testing.T) {
			d, dir := fake(t, p, `trap '' TERM; echo OK; sleep 300 & echo $$ > $DIR/new; mv $DIR/new $DIR/pid; while :; do sleep 300; done`)
			d.quick = time.Minute
			ctx, cancel := context.WithCancel(t.Context())
			var group int
			go func() {
				defer cancel()
				for group == 0 && ctx.Err() == nil {
					raw, _ := os.ReadFile(filepath.Join(dir, "pid"))
					for _, c := range strings.TrimSpace(string(raw)) {
						group = group*10 + int(c-'0')
					}
				}
			}()
			begun := time.Now()
			_, err := d.Ask(ctx, Prompt{})
			<-ctx.Done()
			if took := time.Since(begun); !errors.Is(err, context.Canceled) || took > 5*grace {
				t.Errorf("Ask = %v after %v, want the context's end soon", err, took)
			}
			// What was killed may still have to be reaped by its new parent.
			for deadline := time.Now().Add(5 * time.Second); syscall.Kill(-group, 0) == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("something of the program still runs")
				}
			}
		})
	}
}

// talk is a pinentry that writes down what it is told.
const talk = `echo "OK hello"; while read -r line; do printf '%s\n' "$line" >> $DIR/told; case $line in `

func TestWhatAPinentryMayAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		script, code string
		failure      creds.Code
	}{
		"a code":                   {talk + "GETPIN) echo 'D 987654'; echo OK;; *) echo OK;; esac; done", "987654", ""},
		"an escaped code":          {talk + "GETPIN) echo '# a remark'; echo 'S PASSWORD_FROM_CACHE'; echo 'D 987%20654'; echo OK;; *) echo OK;; esac; done", "987654", ""},
		"it knows only GETPIN":     {talk + "GETPIN) echo 'D 987654'; echo OK;; *) echo 'ERR 536871187 Unknown IPC command';; esac; done", "987654", ""},
		"it stays after BYE":       {talk + "BYE) sleep 60;; GETPIN) echo 'D 987654'; echo OK;; *) echo OK;; esac; done", "987654", ""},
		"no":                       {talk + "GETPIN) echo 'ERR 83886179 Operation cancelled <Pinentry>';; *) echo OK;; esac; done", "", creds.CodeCancelled},
		"no to everything":         {talk + "GETPIN) echo 'ERR 83886278 Operation fully cancelled';; *) echo OK;; esac; done", "", creds.CodeCancelled},
		"an error":                 {talk + "GETPIN) echo 'ERR 83918950 Inappropriate ioctl for device';; *) echo OK;; esac; done", "", creds.CodeMFAProcess},
		"a terminal's":             {talk + "GETINFO*) echo 'D gtk2:curses'; echo OK;; GETPIN) echo 'D 987654'; echo OK;; *) echo OK;; esac; done", "", creds.CodeMFAProcess},
		"nothing typed":            {talk + "*) echo OK;; esac; done", "", creds.CodeMFABadCode},
		"a question":               {talk + "GETPIN) echo 'INQUIRE QUALITY 987';; *) echo OK;; esac; done", "", creds.CodeMFAProcess},
		"lines without end":        {"echo OK; yes 'S 987'", "", creds.CodeMFAProcess},
		"a line without end":       {"tr '\\0' 9 < /dev/zero", "", creds.CodeMFAProcess},
		"it ends at once":          {"exit 0", "", creds.CodeMFAProcess},
		"it ends after a greeting": {"echo OK", "", creds.CodeMFAProcess},
		"it ends in the middle":    {talk + "GETPIN) printf 'D 987654'; exit;; *) echo OK;; esac; done", "", creds.CodeMFAProcess},
		"no greeting":              {"sleep 60", "", creds.CodeMFAProcess},
		"silence after a greeting": {"echo OK; sleep 60", "", creds.CodeMFAProcess},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := fake(t, pinentry("pinentry"), tt.script)
			code, err := outcome(t, d, Prompt{Title: "t", Text: "x"})
			if code != tt.code || creds.CodeOf(err) != tt.failure {
				t.Errorf("Ask = %q, %q (%v); want %q, %q", code, creds.CodeOf(err), err, tt.code, tt.failure)
			}
		})
	}
}

// TestAPinentryIsToldOneLineForEach text, whatever is in it, and none too long.
func TestAPinentryIsToldOneLineForEach(t *testing.T) {
	d, dir := fake(t, pinentry("pinentry"), talk+"GETPIN) echo 'D 123456'; echo OK;; *) echo OK;; esac; done")
	if _, err := outcome(t, d, Prompt{Title: "a\nGETPIN", Text: "100%\nGETPIN " + strings.Repeat("%", 2000), Reason: "no\r\nBYE"}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "told"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for _, want := range []string{"OPTION no-grab", "SETTIMEOUT 0", "SETTITLE a GETPIN", "SETDESC 100%25%0AGETPIN %25", "SETPROMPT Code:", "SETERROR no  BYE", "GETINFO flavor", "GETPIN"} {
		if !strings.HasPrefix(lines[0], want) {
			t.Fatalf("it was told %.60q, want %q", lines[0], want)
		}
		if len(lines[0]) > lineLimit {
			t.Errorf("%s has %d bytes, want %d at most", want, len(lines[0]), lineLimit)
		}
		lines = lines[1:]
	}
}

// TestTheTextsAsArguments: each program undoes something of its own.
func TestTheTextsAsArguments(t *testing.T) {
	p := Prompt{Title: "-t\nx", Text: "<b>a_b</b> & c\\n\nR&D\x1b[2J", Reason: "no \u202e"}
	for _, tt := range []struct {
		program program
		want    string
	}{
		{zenity, "[--entry][--title=-t x][--text=no  \n\n<b>a__b</b> & c\\\\n\nR&D [2J]"},
		{kdialog, "[--title=-t x][--inputbox=<qt>no  <br/><br/>&lt;b&gt;a_b&lt;/b&gt; &amp;&amp; c&#92;n<br/>R&amp;&amp;D [2J</qt>]"},
	} {
		d, dir := fake(t, tt.program, `printf '[%s]' "$@" > $DIR/arguments; echo 123456`)
		if _, err := outcome(t, d, p); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "arguments")); string(got) != tt.want {
			t.Errorf("%s got %q\nwant %q", d.Name(), got, tt.want)
		}
	}
}
