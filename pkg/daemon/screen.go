package daemon

import (
	"context"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/desktop"
	"github.com/mfad/mfad/pkg/dialog"
	"github.com/mfad/mfad/pkg/mfa"
)

// screen is the user's real one.
type screen struct {
	getenv func(string) string
	woke   func() // the machine under it has resumed from a sleep
}

// Can implements [Dialogs].
func (s screen) Can(on mfa.Display) bool {
	_, err := dialog.Find(s.getenv, on)
	return err == nil
}

// Ask implements [Dialogs].
func (s screen) Ask(ctx context.Context, q mfa.Question, on mfa.Display) (creds.Secret, error) {
	d, err := dialog.Find(s.getenv, on)
	if err != nil {
		return creds.Secret{}, err
	}
	return d.Ask(ctx, dialog.For(q, time.Now()))
}

// Watch implements [Presence]. Where nobody tells, somebody is there. As long as it is
// called it listens for the machine's sleep, too: that comes over the same connection.
func (s screen) Watch(ctx context.Context, on mfa.Display, changed func(away bool)) {
	d := desktop.New(func(name string) string { return first(on[name], s.getenv(name)) })
	d.Woke = s.woke
	if on == nil {
		d.Watch(ctx, nil)
		return
	}
	d.Watch(ctx, func(st desktop.State) { changed(st.Known && !st.Attended()) })
}
