package daemon

import (
	"context"

	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/dialog"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/notify"
)

// Dialog implements [Confirms].
func (s screen) Dialog(ctx context.Context, q consent.Question, on mfa.Display) (bool, error) {
	d, err := dialog.Find(s.getenv, on)
	if err != nil {
		return false, err
	}
	return d.Confirm(ctx, dialog.Prompt{Title: q.Title(), Text: q.Text()})
}

// Notification implements [Confirms]. What the daemon was started with counts before
// what a client told.
func (s screen) Notification(ctx context.Context, q consent.Question, on mfa.Display) (bool, error) {
	desktop := notify.New(func(name string) string { return first(s.getenv(name), on[name]) })
	pressed, err := desktop.Ask(ctx, notify.Notification{Title: q.Title(), Body: q.Note()}, "Allow", "Deny")
	return err == nil && pressed == 0, err
}
