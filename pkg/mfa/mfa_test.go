package mfa

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// answer is what Next gave.
type answer struct {
	Code
	err error
}

// next calls Next in the background.
func next(t *testing.T, d *Desk, prev error) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		code, err := d.Next(t.Context(), "corp", "", prev)
		c <- answer{code, err}
	}()
	return c
}

func desk(s Settings) *Desk {
	d := NewDesk()
	if s.Methods == nil {
		s.Methods = []Method{Process, Terminal}
	}
	s.Serial = "serial"
	d.Configure(map[string]Settings{"corp": s})
	return d
}

// heard gives the event that waits at a seat, "" if none does.
func heard(s *Seat) EventKind {
	select {
	case e := <-s.Events():
		return e.Kind
	default:
		return ""
	}
}

func TestCheckCode(t *testing.T) {
	for code, want := range map[string]creds.Code{
		"123456": "", "000001": "",
		"": creds.CodeMFABadCode, "12345": creds.CodeMFABadCode, "1234567": creds.CodeMFABadCode,
		"12345a": creds.CodeMFABadCode, "12 456": creds.CodeMFABadCode, "１２３４５６": creds.CodeMFABadCode,
	} {
		if got := creds.CodeOf(CheckCode(code)); got != want {
			t.Errorf("CheckCode(%q) = %q, want %q", code, got, want)
		}
	}
}

func TestACodeInTwoGroups(t *testing.T) {
	if code, err := ParseCode(" 123 456\n"); code != "123456" || err != nil {
		t.Errorf("got %q, %v", code, err)
	}
	if _, err := ParseCode("123 45"); creds.CodeOf(err) != creds.CodeMFABadCode {
		t.Errorf("five digits: %v", err)
	}
}

func TestOneClientIsAskedAndAllAreSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		mute := d.Sit("corp", "a", false, false)
		first := d.Sit("corp", "b", true, false)
		second := d.Sit("corp", "c", true, false)
		got := next(t, d, nil)
		synctest.Wait()
		if e := <-first.Events(); e.Kind != Ask || e.Question.Serial != "serial" || !slices.Equal(e.Question.Profiles, []string{"a", "b", "c"}) {
			t.Errorf("the first with a terminal heard %+v, want the question, with all who wait", e)
		}
		if heard(mute) != "" || heard(second) != "" {
			t.Error("somebody else was asked too")
		}
		result, _, err := d.Offer("corp", "", creds.NewSecret("123456"))
		if err != nil {
			t.Fatal(err)
		}
		a := <-got
		if a.Code.Code.Reveal() != "123456" {
			t.Errorf("Next gave %q", a.Code.Code.Reveal())
		}
		a.Done(Outcome{})
		if r := <-result; r.Err != nil {
			t.Errorf("the giver was told %v", r.Err)
		}
		d.Settle("corp", "", nil)
		if heard(first) != Stop {
			t.Error("the client that was asking was not told to stop")
		}
	})
}

func TestWhenTheAskedClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		first, second := d.Sit("corp", "", true, false), d.Sit("corp", "", true, false)
		mute := d.Sit("corp", "", false, false)
		_ = next(t, d, nil)
		synctest.Wait()
		<-first.Events()
		first.Leave()
		if heard(second) != Ask {
			t.Error("the second was not asked after the first left")
		}
		if heard(mute) != "" {
			t.Error("a client without a terminal heard something too early")
		}
		second.Leave()
		if heard(mute) != Nobody {
			t.Error("who is left was not told that nobody can be asked")
		}
		d.Settle("corp", "", errors.New("over"))
	})
}

func TestAnEagerClientIsAskedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		patient, eager := d.Sit("corp", "", true, false), d.Sit("corp", "", true, true)
		_ = next(t, d, nil)
		synctest.Wait()
		if heard(eager) != Ask || heard(patient) != "" {
			t.Error("not the login was asked, but a client that waits by the way")
		}
	})
}

func TestARejectedCodeIsAskedForAgainWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		seat := d.Sit("corp", "", true, false)
		_ = next(t, d, &creds.Error{Code: creds.CodeMFARejected, Op: "AWS did not take the code"})
		synctest.Wait()
		if e := <-seat.Events(); e.Kind != Ask || e.Question.Reason != "AWS did not take the code" {
			t.Errorf("heard %+v, want the question with the reason", e)
		}
	})
}

func TestAnOfferMayComeBeforeTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		if _, _, err := d.Offer("corp", "", creds.NewSecret("654321")); err != nil {
			t.Fatal(err)
		}
		if a := <-next(t, d, nil); a.Code.Code.Reveal() != "654321" {
			t.Errorf("Next gave %q, want the code that was offered", a.Code.Code.Reveal())
		}
	})
}

func TestAWithdrawnOfferIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		_, withdraw, err := d.Offer("corp", "", creds.NewSecret("654321"))
		if err != nil {
			t.Fatal(err)
		}
		withdraw()
		got := next(t, d, nil)
		synctest.Wait()
		select {
		case a := <-got:
			t.Errorf("Next gave %+v after the offer was withdrawn", a)
		default:
		}
	})
}

func TestWhoComesWhileAnOfferLiesThereIsAskedOnceItIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{Process: "p", Unattended: true})
		stop := make(chan struct{})
		d.Run = func(context.Context, string) (string, error) {
			<-stop // slow to die
			return "", errors.New("stopped")
		}
		_ = next(t, d, nil)
		synctest.Wait()
		_, withdraw, err := d.Offer("corp", "", creds.NewSecret("123456"))
		if err != nil {
			t.Fatal(err)
		}
		d.Configure(map[string]Settings{"corp": {Methods: []Method{Terminal}}})
		seat := d.Sit("corp", "", true, false)
		withdraw()
		close(stop)
		synctest.Wait()
		if heard(seat) != Ask {
			t.Error("nobody was asked after the offer was withdrawn")
		}
		d.Settle("corp", "", errors.New("over"))
	})
}

func TestPrograms(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings Settings
		waiting  bool // a client waits
		runs     bool
	}{
		{"one that needs nobody runs by itself", Settings{Process: "p", Unattended: true}, false, true},
		{"one that needs a touch does not", Settings{Process: "p"}, false, false},
		{"but where a client waits it does", Settings{Process: "p"}, true, true},
		{"not if the config does not list it", Settings{Process: "p", Unattended: true, Methods: []Method{Terminal}}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := desk(tt.settings)
				ran := make(chan struct{}, 1)
				d.Run = func(context.Context, string) (string, error) {
					ran <- struct{}{}
					return "touch it\n 123456 \n999999\n", nil
				}
				if tt.waiting {
					d.Sit("corp", "", false, false)
				}
				got := next(t, d, nil)
				synctest.Wait()
				if len(ran) == 1 != tt.runs {
					t.Errorf("ran: %v, want %v", len(ran) == 1, tt.runs)
				}
				if tt.runs {
					if a := <-got; a.Code.Code.Reveal() != "123456" || a.err != nil {
						t.Errorf("Next gave %q, %v; want the first line of six digits", a.Code.Code.Reveal(), a.err)
					}
				}
			})
		})
	}
}

func TestAProgramIsAskedAgainOnlyForTheNextCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{Process: "p", Unattended: true})
		d.Run = func(context.Context, string) (string, error) { return "123456", nil }
		time.Sleep(10 * time.Second)
		begin := time.Now()
		a := <-next(t, d, &creds.Error{Code: creds.CodeMFAUsedCode})
		if waited := time.Since(begin); a.err != nil || waited != 20*time.Second+500*time.Millisecond {
			t.Errorf("waited %v (%v), want to the end of the 30 s step and half a second", waited, a.err)
		}
	})
}

func TestAProgramThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{Process: "p", Unattended: true})
		d.Run = func(context.Context, string) (string, error) { return "", errors.New("no key inserted") }
		if a := <-next(t, d, nil); creds.CodeOf(a.err) != creds.CodeMFAProcess {
			t.Errorf("Next gave %v, want mfa_process", a.err)
		}
		d.Settle("corp", "", errors.New("over"))
		seat := d.Sit("corp", "", true, false)
		_ = next(t, d, nil)
		synctest.Wait()
		if e := <-seat.Events(); e.Kind != Ask || !strings.Contains(e.Question.Reason, "no key inserted") {
			t.Errorf("the person heard %+v, want to be asked instead, with the reason", e)
		}
	})
}

func TestACodeFromElsewhereStopsTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{Process: "p", Unattended: true})
		stopped := false
		d.Run = func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			stopped = true
			return "", ctx.Err()
		}
		got := next(t, d, nil)
		synctest.Wait()
		if _, _, err := d.Offer("corp", "", creds.NewSecret("123456")); err != nil {
			t.Fatal(err)
		}
		if a := <-got; a.Code.Code.Reveal() != "123456" || !stopped {
			t.Errorf("Next gave %q, %v; program stopped: %v", a.Code.Code.Reveal(), a.err, stopped)
		}
	})
}

func TestAnEditChangesTheProgramThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{Process: "hangs", Unattended: true})
		d.Run = func(ctx context.Context, command string) (string, error) {
			if command == "hangs" {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "123456", nil
		}
		got := next(t, d, nil)
		synctest.Wait()
		d.Configure(map[string]Settings{"corp": {Process: "works", Unattended: true, Methods: []Method{Process}}})
		if a := <-got; a.Code.Code.Reveal() != "123456" || a.err != nil {
			t.Errorf("Next gave %q, %v; want the new program's code", a.Code.Code.Reveal(), a.err)
		}
	})
}

func TestAProgramStopsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{Process: "p"})
		running := 0
		d.Run = func(ctx context.Context, _ string) (string, error) {
			running++
			defer func() { running-- }()
			<-ctx.Done()
			return "", ctx.Err()
		}
		seat := d.Sit("corp", "", false, false)
		_ = next(t, d, nil)
		synctest.Wait()
		if running != 1 {
			t.Fatalf("%d programs run while a client waits, want one", running)
		}
		seat.Leave()
		synctest.Wait()
		if running != 0 {
			t.Error("the program goes on after the client left")
		}
	})
}

func TestRealPrograms(t *testing.T) {
	for _, tt := range []struct {
		name, command, stdout, err string
	}{
		{"stdout is the answer", "echo 123456; echo touch >&2", "123456\n", ""},
		{"a failure shows what was said last", "echo first >&2; echo no key >&2; exit 3", "", "exit status 3: no key"},
		{"but no digits that might be a code", "echo got 123456 >&2; exit 1", "", "exit status 1: got ······"},
		{"a pipeline", "printf '1234\\n' | sed 's/$/56/'", "123456\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := runShell(t.Context(), tt.command)
			if out != tt.stdout || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("got %q, %v; want %q, %q", out, err, tt.stdout, tt.err)
			}
		})
	}
}

func TestAHungPipelineEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := runShell(ctx, "sleep 1000 | cat")
		done <- err
	}()
	cancel(errors.New("not needed any more"))
	select {
	case err := <-done:
		if err == nil {
			t.Error("a killed program gave no error")
		}
	case <-time.After(10 * time.Second):
		t.Error("the program goes on")
	}
}
