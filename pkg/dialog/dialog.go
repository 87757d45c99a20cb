// Package dialog asks a person for a token code, or for a yes, in a window: with
// zenity, kdialog, a graphical pinentry, or AppleScript's own dialog, whichever is there.
// It opens one window at a time, closes it when its answer is no longer wanted,
// and leaves nothing running behind. It decides nothing about when to ask, sends
// nothing to AWS, logs nothing, and never puts a code, or what a program printed,
// into an error.
package dialog

import (
	"context"
	"errors"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// quick is Dialog's.
const quick = 10 * time.Second

// tries is how many windows one [Dialog.Ask] opens for a person who mistypes.
const tries = 3

// Dialog is a program that asks in a window, and the desktop that the window
// opens on. Make one with [Find]. It keeps no state: it may ask many times, also
// at once.
type Dialog struct {
	path    string
	program program
	env     []string
	quick   time.Duration // how long everything may take that no person is needed for
}

// program is a kind of program that can ask.
type program struct {
	name string
	// ask opens one window and gives what the person wrote. Its errors are
	// errDeclined, the context's, or say what is wrong with the program.
	ask func(ctx context.Context, d *Dialog, p Prompt) (creds.Secret, error)
	// confirm opens one window with two buttons; nil is the person's yes. Its errors are
	// as those of ask.
	confirm func(ctx context.Context, d *Dialog, p Prompt) error
}

// The buttons of a question for a yes.
const (
	allowLabel = "Allow"
	denyLabel  = "Deny"
)

// errDeclined is a person's no.
var errDeclined = errors.New("declined")

// Name is the program's, such as zenity.
func (d *Dialog) Name() string { return d.program.name }

// Ask opens a window and waits for a code as long as ctx allows: an open window
// has no other end than the person's. What is not six digits is asked for again,
// three windows in all; blanks are left out, since apps show a code as two groups.
//
// The error is a [creds.Error] with [creds.CodeCancelled] if the person declined,
// [creds.CodeMFABadCode] if none of the answers was a code, [creds.CodeMFAProcess]
// if the program opened no window or broke off, or ctx's cause if ctx ended; the
// window is closed by then.
func (d *Dialog) Ask(ctx context.Context, p Prompt) (creds.Secret, error) {
	var bad error
	for range tries {
		answer, err := d.program.ask(ctx, d, p)
		if err != nil {
			return creds.Secret{}, d.failure(ctx, err)
		}
		var code string
		if code, bad = mfa.ParseCode(answer.Reveal()); bad == nil {
			return creds.NewSecret(code), nil
		}
		p.Reason = bad.Error()
	}
	return creds.Secret{}, bad
}

// Confirm opens a window and waits for a yes or a no as long as ctx allows. To close the
// window is a no, and so is the Return key, but in kdialog and GNOME's pinentry: a window
// that opens by itself may get keys that are meant for another.
//
// The error is a [creds.Error] with [creds.CodeMFAProcess] if the program opened no
// window or broke off, or ctx's cause if ctx ended; the window is closed by then.
func (d *Dialog) Confirm(ctx context.Context, p Prompt) (allowed bool, err error) {
	switch err := d.program.confirm(ctx, d, p); {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.Is(err, errDeclined):
		return false, nil
	case err != nil:
		return false, &creds.Error{Code: creds.CodeMFAProcess, Op: d.program.name + " gave no answer",
			Hint: "run it again in a terminal, which asks there", Err: err}
	}
	return true, nil
}

// failure tells a person's no from a program's failure, and both from the end of
// ctx, which has the program fail too.
func (d *Dialog) failure(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errDeclined):
		return &creds.Error{Code: creds.CodeCancelled, Op: "the dialog was closed without a code", Hint: "run: mfad login"}
	}
	return &creds.Error{Code: creds.CodeMFAProcess, Op: d.program.name + " gave no code",
		Hint: "run: mfad login, which asks in the terminal", Err: err}
}
