package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/notify"
)

const (
	// quiet is how long the same failure of the same profile is not told again.
	quiet = 10 * time.Minute
	// gather is how long what comes together is collected for one notification.
	gather = time.Second
	// respite is how long a desktop that failed is left alone.
	respite = time.Minute
	// farewell is how long the desktop may hold up the daemon's end.
	farewell = 500 * time.Millisecond
	// apart is how many identities have a notification of their own for the same
	// kind of trouble; the others share one.
	apart = 3
)

// Desktop shows notifications. It is used by one goroutine at a time.
type Desktop interface {
	Show(ctx context.Context, n notify.Notification, replaces notify.ID) (notify.ID, error)
	Withdraw(ctx context.Context, id notify.ID) error
	// Answers gives what the person does with what is shown; nil: never anything.
	Answers() <-chan notify.Answer
	Close()
}

// matter is what a notification is about; there is one for each. The identity is
// empty where it makes no difference.
type matter struct {
	kind     kind
	identity string
}

// notice is a notification, shown or soon to be.
type notice struct {
	troubles []trouble // one for each profile, in the order in which they came
	due      time.Time // when it is to be shown; zero: it says all that there is
	shown    time.Time // when it last was; zero: never
	id       notify.ID
}

// herald tells a person what programs fail with, on the desktop. Whoever reports
// a failure to it waits for nothing: one goroutine, run, does all that can hang.
type herald struct {
	desktop Desktop
	log     *slog.Logger
	changed func() <-chan struct{}                    // closes when what heals tells may have changed
	heals   func() (mended func(trouble) bool)        // a look at how things stand now
	answer  func(identity string, typed creds.Secret) // a button was pressed, or a code typed; nil: nobody cares
	wake    chan struct{}                             // capacity 1

	mu      sync.Mutex // guards what follows
	told    map[telling]time.Time
	notices map[matter]*notice
	mute    time.Time // until then nothing is taken in: the desktop failed
}

// telling is what is told once in a while only.
type telling struct {
	profile string // empty: whichever
	code    creds.Code
}

func newHerald(desktop Desktop, log *slog.Logger, changed func() <-chan struct{}, heals func() func(trouble) bool) *herald {
	return &herald{desktop: desktop, log: log, changed: changed, heals: heals, wake: make(chan struct{}, 1),
		told: map[telling]time.Time{}, notices: map[matter]*notice{}}
}

// report takes in a trouble of a kind that is told, unless it was a short while ago.
func (h *herald) report(t trouble) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.told, func(k telling, at time.Time) bool { return k.code != creds.CodeLocked && now.Sub(at) >= quiet })
	m := h.matterLocked(t)
	n, key := h.notices[m], telling{t.profile, t.code}
	if m.kind == endsSoon {
		key.profile = "identity " + t.identity + t.text // no profile has a blank in its name
	}
	if m.kind == lockedUp { // once for each lock: whoever locked knows why
		key.profile = ""
	}
	h.supersedeLocked(m, t.profile)
	_, told := h.told[key]
	collecting := n != nil && n.shown.IsZero()
	if now.Before(h.mute) || told && !(collecting && m.kind == lockedUp) {
		return
	}
	h.told[key] = now
	if n == nil {
		n = &notice{}
		h.notices[m] = n
	}
	if i := slices.IndexFunc(n.troubles, func(o trouble) bool { return o.profile == t.profile }); i >= 0 {
		n.troubles[i] = t
	} else {
		n.troubles = append(n.troubles, t)
	}
	if n.due.IsZero() && (n.shown.IsZero() || !n.id.IsZero() || now.Sub(n.shown) >= quiet) { // else it would be shown beside itself
		n.due = now.Add(gather)
	}
	h.nudge()
}

// supersedeLocked takes a profile out of all other notifications: what it failed
// with before is no longer what keeps it from working.
func (h *herald) supersedeLocked(by matter, profile string) {
	for m, n := range h.notices {
		before := len(n.troubles)
		if m.kind != by.kind {
			n.troubles = slices.DeleteFunc(n.troubles, func(t trouble) bool { return t.profile == profile })
		}
		if len(n.troubles) == 0 {
			n.due = time.Time{}
		}
		if len(n.troubles) < before {
			h.nudge()
		}
	}
}

func (h *herald) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *herald) matterLocked(t trouble) matter {
	m := matter{t.kind(), t.identity}
	if m.kind == keyringTrouble || m.kind == lockedUp {
		return matter{kind: m.kind}
	}
	if h.notices[m] != nil {
		return m
	}
	others := 0
	for o := range h.notices {
		if o.kind == m.kind {
			others++
		}
	}
	if others >= apart {
		m.identity = ""
	}
	return m
}

// run shows what is due and takes back what is mended, until ctx ends.
func (h *herald) run(ctx context.Context) {
	defer h.leave(ctx)
	for {
		changed := h.changed() // taken before the look: a change during it must not be lost
		h.takeBack(ctx)
		next := h.show(ctx)
		var later <-chan time.Time
		switch {
		case next.IsZero() && h.idle():
			changed = nil
		case !next.IsZero():
			later = time.After(time.Until(next))
		}
		select {
		case <-changed:
		case <-later:
		case a := <-h.desktop.Answers():
			h.answered(a)
		case <-h.wake:
		case <-ctx.Done():
			return
		}
	}
}

// answered passes on what a person did with a notification that wants a code. What
// nobody shows any more, and what another program made up, has no notice.
func (h *herald) answered(a notify.Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for m, n := range h.notices {
		if n.id == a.ID && !a.ID.IsZero() && len(n.troubles) > 0 && (m.kind == wantsCode || m.kind == endsSoon) && h.answer != nil {
			go h.answer(n.troubles[0].identity, a.Reply)
		}
	}
}

func (h *herald) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.notices) == 0
}

// takeBack forgets what is mended. A notification goes when the last of its
// troubles does: to change it before would have it pop up again.
func (h *herald) takeBack(ctx context.Context) {
	if h.idle() {
		return
	}
	mended := h.heals()
	var over []notify.ID
	h.mu.Lock()
	for m, n := range h.notices {
		n.troubles = slices.DeleteFunc(n.troubles, mended)
		if len(n.troubles) > 0 {
			continue
		}
		if !n.id.IsZero() {
			over = append(over, n.id)
		}
		delete(h.notices, m)
		if m.kind == lockedUp {
			delete(h.told, telling{code: creds.CodeLocked})
		}
	}
	h.mu.Unlock()
	for _, id := range over {
		if err := h.desktop.Withdraw(ctx, id); err != nil {
			h.log.Debug("a notification cannot be taken back", "error", err)
		}
	}
	if h.idle() {
		h.desktop.Close()
	}
}

// show shows what is due and tells when something is due next, the zero time if
// nothing is.
func (h *herald) show(ctx context.Context) (next time.Time) {
	for {
		h.mu.Lock()
		now, m, n := time.Now(), matter{}, (*notice)(nil)
		next = time.Time{}
		for about, one := range h.notices {
			switch {
			case one.due.IsZero():
			case !now.Before(one.due):
				m, n = about, one
			case next.IsZero() || one.due.Before(next):
				next = one.due
			}
		}
		if n == nil {
			h.mu.Unlock()
			return next
		}
		n.due = time.Time{}
		text, replaces := message(m.kind, n.troubles), n.id
		h.mu.Unlock()
		id, err := h.desktop.Show(ctx, text, replaces)
		h.mu.Lock()
		if err == nil {
			n.id, n.shown = id, time.Now()
		} else {
			h.log.Debug("a notification cannot be shown", "error", err)
			h.despairLocked()
		}
		h.mu.Unlock()
	}
}

// despairLocked gives up on a desktop that failed, for a while: what fails again
// later is told then. What it shows already can still be taken back.
func (h *herald) despairLocked() {
	maps.DeleteFunc(h.notices, func(_ matter, n *notice) bool { return n.shown.IsZero() })
	for _, n := range h.notices {
		n.due = time.Time{}
	}
	clear(h.told)
	h.mute = time.Now().Add(respite)
}

// leave takes everything back: nobody would, once the daemon is gone.
func (h *herald) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	h.mu.Lock()
	shown := slices.Collect(maps.Values(h.notices))
	h.mu.Unlock()
	for _, n := range shown {
		_ = h.desktop.Withdraw(ctx, n.id) // it is only a courtesy
	}
	h.desktop.Close()
}

// tell has a person hear of a failed request whose program has nobody at a
// terminal to show it to. Nobody who wants no questions is bothered either.
func (d *Daemon) tell(ctx context.Context, r localapi.CredentialsRequest, err error) {
	if d.herald == nil || kindOf(creds.CodeOf(err)) == untold || ctx.Err() != nil || r.Cached || r.NoPrompt || r.CanAsk || r.For == localapi.ForExport {
		return
	}
	c := d.conf()
	if !d.mayNotify() {
		return
	}
	if p := c.Profiles[r.Profile]; p != nil && !(kindOf(creds.CodeOf(err)) == wantsCode && d.windows.resting(p.Identity)) {
		d.herald.report(trouble{profile: p.Name, identity: p.Identity, program: first(localapi.CallerOf(ctx).Program, "a program"),
			code: creds.CodeOf(err), text: err.Error(), hint: creds.HintOf(err)})
	}
}

// heals looks at what has been mended since it failed. Behind a lock nothing
// else is worth a word.
func (d *Daemon) heals() func(trouble) bool {
	picture, now, asked := d.engine.Status(), d.clock.Now(), map[string]bool{}
	for identity := range d.desk.Questions() {
		asked[identity] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	locked, config, opened := d.locked, d.config, d.keyring.ready && d.keyring.err == nil
	return func(t trouble) bool {
		p, id := picture.Profiles[t.profile], picture.Identities[t.identity]
		switch k := t.kind(); {
		case k == lockedUp:
			return !locked
		case k == endsSoon:
			return locked || config.Identities[t.identity] == nil || !asked[t.identity]
		case locked || config.Profiles[t.profile] == nil || p.Current.UsableAt(now):
			return true
		case k == keyringTrouble:
			return opened && kindOf(creds.CodeOf(p.Err)) != k && kindOf(creds.CodeOf(id.Err)) != k
		}
		return false
	}
}

// statusChanged gives the channel that closes when what Status shows changes.
func (d *Daemon) statusChanged() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}
