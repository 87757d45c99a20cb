package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

// statusWatch shows the status until Ctrl-C, which is how it ends well.
func (a *app) statusWatch(ctx context.Context, names []string) error {
	_, st, err := a.daemonStatus(ctx)
	if err != nil {
		return err
	}
	if err := narrow(&st, names); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &statusWatch{app: a, names: names}
	following := follow(ctx, w.client)
	defer following.end()
	defer cancel()
	if !a.json && a.speaksANSI(a.out) {
		err = w.draw(ctx, following.news)
	} else {
		err = w.print(ctx, following.news)
	}
	if ctx.Err() != nil {
		return statusError(0)
	}
	return err
}

// statusWatch is one run of `mfad status --watch`.
type statusWatch struct {
	app   *app
	names []string

	last   *localapi.Status
	daemon int       // the process that is followed, or was
	gone   time.Time // since when there is none; zero: there is one
	back   time.Time // when the present one was found after another
}

// client makes a client that says nothing by itself: it would spoil the picture.
func (w *statusWatch) client() *localapi.Client {
	c := w.app.client()
	c.Mismatch = nil
	return c
}

// take keeps the news, and tells whether they are a change of daemons.
func (w *statusWatch) take(n news, now time.Time) (changed bool) {
	if n.status == nil {
		if changed = w.gone.IsZero(); changed {
			w.gone = now
		}
		return changed
	}
	pid := n.status.Daemon.PID
	if changed = !w.gone.IsZero() || w.daemon != 0 && w.daemon != pid; changed {
		w.back = now
	}
	w.last, w.daemon, w.gone = n.status, pid, time.Time{}
	return changed
}

// print prints a table, or with --json a line, for each change.
func (w *statusWatch) print(ctx context.Context, all <-chan news) error {
	var before []byte
	for {
		var n news
		select {
		case n = <-all:
		case <-ctx.Done():
			return nil
		}
		if w.take(n, time.Now()) {
			w.app.note("%s", w.connection(time.Now()))
		}
		if n.status == nil {
			continue
		}
		st := *n.status
		if err := narrow(&st, w.names); err != nil {
			w.app.note("%v", err)
			continue
		}
		line, err := json.Marshal(st)
		if err != nil {
			return err
		}
		if bytes.Equal(line, before) {
			continue
		}
		if err := w.printOne(st, line, before == nil); err != nil {
			return err
		}
		before = line
	}
}

func (w *statusWatch) printOne(st localapi.Status, line []byte, first bool) error {
	a := w.app
	var b bytes.Buffer
	if a.json {
		fmt.Fprintf(&b, "%s\n", line)
	} else {
		now := time.Now()
		if !first {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s\n", now.Format(time.RFC3339))
		style := a.statusStyle(w.names)
		style.colour = false
		writeStatus(&b, st, now, style)
	}
	_, err := a.out.Write(b.Bytes())
	return err
}

// connection says what became of the daemon.
func (w *statusWatch) connection(now time.Time) string {
	if !w.gone.IsZero() {
		return "the daemon is gone since " + clock(w.gone, now) + "; waiting for it to come back (mfad daemon)"
	}
	return fmt.Sprintf("the daemon is back, process %d", w.daemon)
}

// stopped is how long nobody looks only after Ctrl-Z: the shell has written since.
const stopped = 10 * lookAgain

// showBack is how long a picture tells that the daemon is back.
const showBack = 5 * time.Second

// draw draws one picture, in place, as it changes.
func (w *statusWatch) draw(ctx context.Context, all <-chan news) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	s := &screen{out: w.app.out, top: true}
	defer s.leave()
	var columns, rows int
	looked, drawn := time.Now(), time.Time{}
	for {
		dirty := false
		select {
		case n := <-all:
			w.take(n, time.Now())
			dirty = true
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		now := time.Now()
		c, r := terminalSize(w.app.out)
		if c == 0 { // a terminal that does not know
			c, r = 80, 24
		}
		switch {
		case rows == 0:
			if err := s.scroll(r); err != nil {
				return err
			}
		case c != columns || r != rows, now.Sub(looked) > stopped:
			s.forget()
			dirty = true
		}
		columns, rows, looked = c, r, now
		if w.last == nil || !dirty && now.Unix() == drawn.Unix() {
			continue
		}
		drawn = now
		if err := s.draw(w.picture(now, columns, rows)); err != nil {
			return err
		}
	}
}

// picture is what fits into the window.
func (w *statusWatch) picture(now time.Time, columns, rows int) []string {
	style := w.app.statusStyle(w.names)
	style.width = max(columns-1, 1)
	st := *w.last
	var b bytes.Buffer
	if !w.gone.IsZero() || !w.back.IsZero() && now.Sub(w.back) < showBack {
		fmt.Fprintf(&b, "%s\n\n", w.connection(now))
	}
	if err := narrow(&st, w.names); err != nil {
		fmt.Fprintln(&b, err)
		return pictureLines(b.String(), columns, rows)
	}
	// Above and below the profiles are the identities, headings, and blank lines.
	const besides = 6
	style.crowd = min(crowd, max(rows-len(st.Identities)-besides, 1))
	writeStatus(&b, st, now, style)
	return pictureLines(b.String(), columns, rows)
}
