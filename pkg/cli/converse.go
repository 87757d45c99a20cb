package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
)

// converse makes a call for which the daemon may pick this process to ask its
// person for a code, or whether a program may use a profile.
func (a *app) converse(ctx context.Context, c *localapi.Client, path string, body, out any) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	asker := &asker{client: c, give: func(err error) { cancel(err) }}
	var waiting sync.Once
	err := c.Converse(ctx, path, body, out, localapi.Hearing{
		Code: func(e mfa.Event) {
			asker.stop()
			switch e.Kind {
			case mfa.Ask:
				asker.start(ctx, func(ctx context.Context) error { return asker.ask(ctx, e.Question) })
			case mfa.Wait:
				waiting.Do(func() { a.note("mfa_process of %s gets the code (does it want a touch?)", e.Question.Identity) })
			}
		},
		Confirm: func(q consent.Question) {
			asker.stop()
			asker.start(ctx, func(ctx context.Context) error { return asker.confirm(ctx, q) })
		},
		Note: func(text string) { a.note("%s", text) },
	})
	asker.stop()
	return err
}

// asker asks one question at a time on the terminal.
type asker struct {
	client *localapi.Client
	give   func(error) // gives the whole call up
	cancel context.CancelFunc
	asking sync.WaitGroup
}

func (k *asker) start(ctx context.Context, ask func(context.Context) error) {
	ctx, k.cancel = context.WithCancel(ctx)
	k.asking.Go(func() {
		if err := ask(ctx); err != nil && ctx.Err() == nil {
			k.give(err)
		}
	})
}

// stop ends a question that is open and waits for its traces to go.
func (k *asker) stop() {
	if k.cancel != nil {
		k.cancel()
		k.asking.Wait()
	}
}

// ask reads codes until one can be sent, and sends it. What AWS says of it comes
// as the daemon's next word.
func (k *asker) ask(ctx context.Context, q mfa.Question) error {
	t, err := openTerminal()
	if err != nil {
		return &creds.Error{Code: creds.CodeCancelled, Op: "the terminal is gone", Err: err}
	}
	defer t.close()
	if q.Reason != "" {
		fmt.Fprintf(t.file, "mfad: %s\n", q.Reason)
	}
	for {
		text, err := t.line(ctx, questionText(q))
		if err != nil {
			return err
		}
		code, err := mfa.ParseCode(text)
		if err != nil {
			if code != "" {
				fmt.Fprintf(t.file, "mfad: %v\n", err)
			}
			continue
		}
		return k.send(ctx, orElse(q.Direct, q.Identity), code)
	}
}

// confirm asks for a yes; everything else is a no, also an end of input.
func (k *asker) confirm(ctx context.Context, q consent.Question) error {
	t, err := openTerminal()
	if err != nil {
		return &creds.Error{Code: creds.CodeCancelled, Op: "the terminal is gone", Err: err}
	}
	defer t.close()
	answer, err := t.line(ctx, "mfad: "+q.Line()+" [y/N] ")
	if err != nil && !errors.Is(err, errEOF) {
		return err
	}
	yes := strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes")
	return k.client.Do(ctx, "/v1/confirm", localapi.ConfirmRequest{ID: q.ID, Allow: yes}, nil)
}

// send gives a code to the daemon. It does not wait for what else is fetched
// with it: this process may have its answer long before.
func (k *asker) send(ctx context.Context, target, code string) error {
	sent := make(chan error, 1)
	go func() {
		var out localapi.Outcome
		sent <- k.client.Do(context.WithoutCancel(ctx), "/v1/login", localapi.LoginRequest{Target: target, Code: code}, &out)
	}()
	select {
	case err := <-sent:
		if errors.Is(err, localapi.ErrNoDaemon) {
			return err
		}
	case <-ctx.Done():
	}
	return nil
}

// questionText names the device, the identity, what the code is for and who waits.
func questionText(q mfa.Question) string {
	text := "MFA code for " + q.Serial + " (" + q.Identity
	switch n := len(q.Profiles); {
	case q.Direct != "":
		text += ", direct for " + q.Direct
	case n == 1:
		text += ", for profile " + q.Profiles[0]
	case n > 3:
		text += fmt.Sprintf(", for %s and %d more", strings.Join(q.Profiles[:3], ", "), n-3)
	case n > 1:
		text += ", for " + strings.Join(q.Profiles, ", ")
	}
	if waited := time.Since(q.Since).Round(time.Minute); waited >= time.Minute {
		text += ", since " + waited.String()
	}
	return text + "): "
}
