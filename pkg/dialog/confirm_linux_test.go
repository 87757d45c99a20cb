package dialog

import (
	"context"
	"errors"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// yesOrNo is a question with what the programs could take for something else.
func yesOrNo() Prompt {
	return Prompt{Title: title + ": allow the use of prod?", Text: "Allow <b>aws</b> & co_op (pid 7) to use profile prod?\n\n/usr/bin/aws\\n"}
}

// presses asks for a yes, while somebody presses keys.
func (s *screen) presses(d *Dialog, keys ...string) (bool, error) {
	s.t.Helper()
	did := s.person(d, s.keys(keys...))
	allowed, err := d.Confirm(s.within(), yesOrNo())
	if failed := did(); failed != nil {
		s.t.Fatalf("%v; Confirm = %v, %v", failed, allowed, err)
	}
	return allowed, err
}

// TestAYesIsAllowed: the keys that lead to Allow differ.
func TestAYesIsAllowed(t *testing.T) {
	toAllow := map[string][]string{
		"zenity": {"Tab", "space"}, "pinentry-gtk-2": {"Tab", "space"}, "pinentry-qt": {"Tab", "space"},
		"kdialog": {"Return"}, "pinentry-gnome3": {"Return"},
	}
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		if allowed, err := s.presses(d, toAllow[d.Name()]...); !allowed || err != nil {
			t.Errorf("Confirm = %v, %v; want a yes", allowed, err)
		}
		s.nothingLeft()
	})
}

func TestToCloseTheQuestionIsANo(t *testing.T) {
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		if allowed, err := s.presses(d, "Escape"); allowed || err != nil {
			t.Errorf("Confirm = %v, %v; want a no", allowed, err)
		}
		s.nothingLeft()
	})
}

// TestReturnIsNoYes where the program lets that be so: somebody may have been about to
// press it elsewhere.
func TestReturnIsNoYes(t *testing.T) {
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		if d.Name() == "kdialog" || d.Name() == "pinentry-gnome3" {
			t.Skip("it presses Allow here, and that cannot be chosen")
		}
		if allowed, err := s.presses(d, "Return"); allowed || err != nil {
			t.Errorf("Confirm = %v, %v; want a no", allowed, err)
		}
	})
}

func TestTheQuestionClosesWithTheContext(t *testing.T) {
	over := errors.New("the screen is locked")
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		ctx, cancel := context.WithCancelCause(s.within())
		did := s.person(d, func() error { cancel(over); return nil })
		allowed, err := d.Confirm(ctx, yesOrNo())
		if failed := did(); failed != nil {
			t.Fatal(failed)
		}
		if allowed || !errors.Is(err, over) {
			t.Errorf("Confirm = %v, %v; want the cause", allowed, err)
		}
		s.nothingLeft()
	})
}

// TestWhatCountsAsAYes: a program that broke off has allowed nothing.
func TestWhatCountsAsAYes(t *testing.T) {
	const plain = `echo OK; while read c rest; do case "$c" in CONFIRM) `
	for name, tt := range map[string]struct {
		program program
		script  string
		allowed bool
		failure creds.Code
	}{
		"zenity, yes":             {zenity, "exit 0", true, ""},
		"zenity, no":              {zenity, "exit 77", false, ""},
		"zenity, no display":      {zenity, "echo 'cannot open display' >&2; exit 1", false, creds.CodeMFAProcess},
		"zenity, killed":          {zenity, "kill -9 $$", false, creds.CodeMFAProcess},
		"kdialog, yes":            {kdialog, "exit 0", true, ""},
		"kdialog, no":             {kdialog, "exit 1", false, ""},
		"kdialog, closed":         {kdialog, "exit 2", false, ""},
		"kdialog, crashed":        {kdialog, "exit 134", false, creds.CodeMFAProcess},
		"pinentry, yes":           {pinentry("pinentry"), plain + `echo OK;; *) echo OK; esac; done`, true, ""},
		"pinentry, closed":        {pinentry("pinentry"), plain + `echo ERR 83886179 cancelled;; *) echo OK; esac; done`, false, ""},
		"pinentry, not confirmed": {pinentry("pinentry"), plain + `echo ERR 83886194 no;; *) echo OK; esac; done`, false, ""},
		"pinentry, broken":        {pinentry("pinentry"), plain + `echo ERR 83886336 no display;; *) echo OK; esac; done`, false, creds.CodeMFAProcess},
		"pinentry, gone":          {pinentry("pinentry"), plain + `exit 0;; *) echo OK; esac; done`, false, creds.CodeMFAProcess},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := fake(t, tt.program, tt.script)
			if allowed, err := d.Confirm(t.Context(), yesOrNo()); allowed != tt.allowed || creds.CodeOf(err) != tt.failure {
				t.Errorf("Confirm = %v, %v; want %v, %q", allowed, err, tt.allowed, tt.failure)
			}
		})
	}
}
