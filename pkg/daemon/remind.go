package daemon

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
)

// reminders are how long before a session's end a person is told that its successor
// wants a code, if nobody waits for it. All goes on until then, so nothing more is
// done about it than that, but in the last minutes.
var reminders = [...]time.Duration{30 * time.Minute, lastMinutes, 5 * time.Minute}

// remind tells of questions that the engine asks by its own doing, until ctx ends.
func (d *Daemon) remind(ctx context.Context) {
	for {
		changed := d.statusChanged()
		open := d.desk.Questions()
		for identity, q := range open {
			d.remindOf(identity, q)
		}
		var later <-chan time.Time
		if len(open) > 0 {
			now := time.Now()
			later = time.After(now.Truncate(halfMinute).Add(halfMinute).Sub(now))
		}
		select {
		case <-changed:
		case <-later:
		case <-ctx.Done():
			return
		}
	}
}

// remindOf reports one question. The herald tells the same once in a while only, so
// that each reminder is told once.
func (d *Daemon) remindOf(identity string, q mfa.Question) {
	c := d.conf()
	session, lives := d.engine.Session(identity)
	if !lives || len(q.Profiles) > 0 || c.Identities[identity] == nil || !d.mayNotify() {
		return
	}
	left, which := session.Expires.Sub(d.clock.Now()), ""
	for i, before := range reminders {
		if left <= before {
			which = strconv.Itoa(i)
		}
	}
	if which == "" {
		return
	}
	d.herald.report(trouble{identity: identity, code: creds.CodeMFARequired, ends: session.Expires, text: which, hint: "run: mfad login " + identity})
}

// mayNotify tells whether the config lets notifications be shown.
func (d *Daemon) mayNotify() bool {
	prompt := d.conf().Defaults.Prompt
	return prompt == nil || slices.Contains(prompt, "notification")
}

// answered takes in what a person did with a notification: without a code, it is to
// be asked for in a window.
func (d *Daemon) answered(identity string, typed creds.Secret) {
	if typed.IsZero() {
		d.windows.press(identity)
		return
	}
	g := gift{identity: identity, profile: d.desk.Questions()[identity].Direct, code: typed.Reveal(), timeout: loginDefault}
	ctx, cancel := context.WithTimeout(context.Background(), loginDefault)
	defer cancel()
	if _, err := d.give(ctx, g, localapi.Talk{}); err != nil {
		d.herald.report(trouble{profile: first(g.profile, d.firstOf(identity)), identity: identity, program: "mfad",
			code: creds.CodeOf(err), text: err.Error(), hint: creds.HintOf(err)})
	}
}

// firstOf is the first profile of an identity's, empty if it has none.
func (d *Daemon) firstOf(identity string) string {
	c := d.conf()
	for _, name := range c.ProfileNames() {
		if c.Profiles[name].Identity == identity {
			return name
		}
	}
	return ""
}
