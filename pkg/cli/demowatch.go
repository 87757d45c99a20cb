package cli

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
)

// watch draws the profiles until Ctrl-C, and asks for a code whenever a real
// mfad would.
func (d *demo) watch(ctx context.Context) error {
	fmt.Fprintf(d.app.out, "A simulated AWS, in which an hour passes in %v. Point a real AWS CLI at it:\n%s\nCtrl-C ends the demo.\n\n",
		time.Hour/demoWatched, d.commands())
	for ctx.Err() == nil {
		if err := d.ask(ctx); err != nil {
			break
		}
		if err := d.draw(ctx); err != nil {
			break
		}
	}
	if ctx.Err() == nil {
		return nil
	}
	fmt.Fprintln(d.app.out, "\nThe demo is over; nothing is left of it.")
	return statusError(0)
}

// ask has the person type what the phone shows, or press Enter.
func (d *demo) ask(ctx context.Context) error {
	t, err := openTerminal()
	if err != nil {
		return err
	}
	defer t.close()
	for {
		shown, err := d.device.NextCode(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.file, "Your phone shows %s. Type it, or press Enter.\n", shown)
		text, err := t.line(ctx, questionText(mfa.Question{Identity: "demo", Serial: d.device.Serial, Since: time.Now()}))
		if err != nil {
			return err
		}
		if text == "" {
			text = shown
		}
		var out localapi.Outcome
		if err := d.client.Do(ctx, "/v1/login", localapi.LoginRequest{Target: "demo", Code: text}, &out); err == nil {
			fmt.Fprintln(t.file)
			return nil
		} else if ctx.Err() != nil {
			return err
		} else {
			d.app.report(err)
		}
	}
}

// draw redraws the picture in place until a code is needed again.
func (d *demo) draw(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	following := follow(ctx, func() *localapi.Client { return d.client })
	defer following.end()
	defer cancel()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	s := &screen{out: d.app.out}
	var last *localapi.Status
	for {
		select {
		case n := <-following.news:
			if n.status != nil {
				last = n.status
			}
			continue
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if last == nil {
			continue
		}
		columns, rows := terminalSize(d.app.out)
		var body bytes.Buffer
		writeTables(&body, *last, time.Now(), statusStyle{width: max(columns-1, 0), colour: d.app.colours(d.app.out)}, false)
		if err := s.draw(pictureLines(body.String(), columns, rows)); err != nil {
			return err
		}
		if fresh(*last) == 0 && last.Identities[0].State == "mfa_required" {
			fmt.Fprintln(d.app.out, "\nThe session has ended, as it does after 36 hours in life: one code again.")
			return nil
		}
	}
}
