package dialog

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// title is what the windows of these tests have in common.
const title = "MFA code"

var realPrograms = []string{"zenity", "kdialog", "pinentry-gtk-2", "pinentry-qt", "pinentry-gnome3"}

// each runs a test with each real program, on a screen of its own. The window of
// pinentry-gnome3 is that of another program, which the session bus starts.
func each(t *testing.T, test func(t *testing.T, s *screen, d *Dialog)) {
	for _, name := range realPrograms {
		t.Run(name, func(t *testing.T) {
			s := newScreen(t)
			if name == "pinentry-gnome3" {
				if _, err := exec.LookPath("gcr-viewer"); err != nil {
					t.Skip("SKIP-REAL dialogs: gcr is not installed")
				}
				s.bus()
			}
			test(t, s, s.find(name))
		})
	}
}

func question() Prompt {
	return For(mfa.Question{Identity: "corp", Serial: "arn:aws:iam::123456789012:mfa/al_ice",
		Profiles: []string{"dev & test", "<b>prod</b>", "100%"}, Since: time.Now()}, time.Now())
}

// TestATypedCode arrives, in two groups as an app shows it; and all that the
// program gets of the environment is what it needs.
func TestATypedCode(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-for-windows")
	allowed := append([]string{"PATH", "HOME", "ZENITY_CANCEL", "ZENITY_ESC", "PWD", "DESKTOP_STARTUP_ID"}, mfa.DisplayVariables()...)
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		var envs [][]string
		did := s.person(d, func() error {
			envs = s.programs()
			return s.keys("1", "2", "3", "space", "4", "5", "6", "Return")()
		})
		code, err := d.Ask(s.within(), question())
		if failed := did(); failed != nil {
			t.Fatalf("%v; Ask = %v, %v", failed, code, err)
		}
		if err != nil || code.Reveal() != "123456" {
			t.Errorf("Ask = %q, %v; want the code", code.Reveal(), err)
		}
		if len(envs) == 0 {
			t.Error("no program was seen")
		}
		for _, env := range envs {
			for _, v := range env {
				if name, _, _ := strings.Cut(v, "="); !slices.Contains(allowed, name) {
					t.Errorf("the program got %s", name)
				}
			}
		}
		s.nothingLeft()
	})
}

// nothingLeft wants no window and no process after an answer.
func (s *screen) nothingLeft() {
	s.t.Helper()
	s.gone()
	if id := s.window(); id != "" {
		s.t.Errorf("the window %s is still open", id)
	}
	for _, env := range s.programs() {
		s.t.Errorf("a program still runs, with %q", env)
	}
}

func TestAMistypedCodeIsAskedForAgain(t *testing.T) {
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		did := s.person(d, s.keys("1", "2", "Return"), s.keys("6", "5", "4", "3", "2", "1", "Return"))
		code, err := d.Ask(s.within(), question())
		if failed := did(); failed != nil {
			t.Fatalf("%v; Ask = %v, %v", failed, code, err)
		}
		if err != nil || code.Reveal() != "654321" {
			t.Errorf("Ask = %q, %v; want the second answer", code.Reveal(), err)
		}
	})
}

func TestEscapeIsANo(t *testing.T) {
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		did := s.person(d, s.keys("1", "Escape"))
		code, err := d.Ask(s.within(), question())
		if failed := did(); failed != nil {
			t.Fatalf("%v; Ask = %v, %v", failed, code, err)
		}
		if creds.CodeOf(err) != creds.CodeCancelled || !code.IsZero() {
			t.Errorf("Ask = %v, %v; want that the person declined", code, err)
		}
		s.nothingLeft()
	})
}

func TestTheWindowClosesWithTheContext(t *testing.T) {
	answered := errors.New("answered elsewhere")
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		ctx, cancel := context.WithCancelCause(s.within())
		var at time.Time
		did := s.person(d, func() error {
			at = time.Now()
			cancel(answered)
			return nil
		})
		code, err := d.Ask(ctx, question())
		if failed := did(); failed != nil {
			t.Fatalf("%v; Ask = %v, %v", failed, code, err)
		}
		if took := time.Since(at); !errors.Is(err, answered) || !code.IsZero() || took > 3*grace {
			t.Errorf("Ask = %v, %v after %v; want the cause at once", code, err, took)
		}
		s.nothingLeft()
	})
}

func TestADisplayThatIsNotThere(t *testing.T) {
	each(t, func(t *testing.T, s *screen, d *Dialog) {
		if d.Name() == "pinentry-gnome3" {
			t.Skip("opens its window where the session bus says")
		}
		for _, wrong := range []mfa.Display{{"DISPLAY": ":4095"}, {"DISPLAY": "nonsense"}, {"WAYLAND_DISPLAY": "wayland-77"}} {
			s.Display = wrong
			begun := time.Now()
			_, err := s.find(d.Name()).Ask(s.within(), question())
			if creds.CodeOf(err) != creds.CodeMFAProcess || creds.HintOf(err) == "" || time.Since(begun) > 5*time.Second {
				t.Errorf("on %v: %v after %v; want at once that the program gave no code, and what to do", wrong, err, time.Since(begun))
			}
		}
	})
}
