package mfa

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// told gives the event that waits at a seat.
func told(s *Seat) Event {
	select {
	case e := <-s.Events():
		return e
	default:
		return Event{}
	}
}

// TestWhatACodeIsFor: the person is told what the code is for, also when that
// changes, and a code for something else is taken all the same.
func TestWhatACodeIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		seat := d.Sit("corp", "prod", true, true)
		got := make(chan answer, 1)
		go func() {
			code, err := d.Next(t.Context(), "corp", "prod", nil)
			got <- answer{code, err}
		}()
		synctest.Wait()
		if e := told(seat); e.Kind != Ask || e.Question.Direct != "prod" {
			t.Errorf("told %q for %q, want ask for prod", e.Kind, e.Question.Direct)
		}
		d.Retarget("corp", "")
		synctest.Wait()
		if e := told(seat); e.Kind != Ask || e.Question.Direct != "" {
			t.Errorf("told %q for %q, want ask for the session", e.Kind, e.Question.Direct)
		}
		result, _, err := d.Offer("corp", "other", creds.NewSecret("123456"))
		if err != nil {
			t.Fatal(err)
		}
		a := <-got
		if a.Profile != "other" || a.Program {
			t.Errorf("the code is for %q (a program's: %v), want other", a.Profile, a.Program)
		}
		a.Done(Outcome{Profile: "other", Why: "asked"})
		if r := <-result; r.Profile != "other" || r.Err != nil {
			t.Errorf("the giver was told %+v", r)
		}
	})
}

// TestSettlingOneGoalLeavesTheOthers: a code that waits for another profile is
// not told anything.
func TestSettlingOneGoalLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		session, _, _ := d.Offer("corp", "", creds.NewSecret("111111"))
		role, withdraw, _ := d.Offer("corp", "prod", creds.NewSecret("222222"))
		d.Settle("corp", "", nil)
		if r := <-session; r.Err != nil {
			t.Errorf("the session's giver was told %v, want that it lives", r.Err)
		}
		select {
		case r := <-role:
			t.Errorf("the role's giver was told %+v", r)
		default:
		}
		withdraw()
	})
}

// TestTheRightPersonIsAsked: who came for this role is asked before who came for
// another, whoever came later.
func TestTheRightPersonIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		prod := d.Sit("corp", "prod", true, true)
		session := d.Sit("corp", "", true, true)
		patient := d.Sit("corp", "web", true, false)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() {
			_, err := d.Next(ctx, "corp", "prod", nil)
			over <- err
		}()
		synctest.Wait()
		if heard(prod) != Ask || heard(session) != "" || heard(patient) != "" {
			t.Error("somebody else was asked than who came for the role")
		}
		cancel() // it is not wanted any more
		<-over
		if heard(prod) != Stop {
			t.Error("who was asked was not told to stop")
		}
	})
}

// TestADeviceIsAskedOnceAStep: however many codes are wanted, and for however
// many identities, a program runs once in a step of its device's, and never in
// one in which a person gave a code.
func TestADeviceIsAskedOnceAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDesk()
		start := time.Now()
		var ran []int64
		d.Run = func(context.Context, string) (string, error) {
			ran = append(ran, d.stepOf(time.Now())-d.stepOf(start))
			return fmt.Sprintf("%06d\n", d.stepOf(time.Now())%1_000_000), nil
		}
		same := Settings{Serial: "serial", Process: "totp", Unattended: true, Methods: []Method{Process}}
		d.Configure(map[string]Settings{"corp": same, "also-corp": same})
		if _, _, err := d.Offer("corp", "", creds.NewSecret("654321")); err != nil {
			t.Fatal(err)
		}
		var codes []string
		for i := range 5 {
			identity := []string{"corp", "also-corp"}[i%2]
			c, err := d.Next(t.Context(), identity, "prod", nil)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, c.Code.Reveal())
			if c.Program != (i > 0) {
				t.Errorf("code %d is a program's: %v", i, c.Program)
			}
		}
		if want := []int64{1, 2, 3, 4}; !slices.Equal(ran, want) {
			t.Errorf("the program ran in the steps %v, want %v", ran, want)
		}
		for i, c := range codes {
			if slices.Contains(codes[:i], c) {
				t.Errorf("a code came twice: %s", strings.Join(codes, " "))
			}
		}
	})
}
