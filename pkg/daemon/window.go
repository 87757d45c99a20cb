package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/refresh"
)

// Dialogs asks a person for a code in a window of a desktop.
type Dialogs interface {
	// Can tells whether it knows how to, there.
	Can(on mfa.Display) bool
	// Ask opens a window and gives what was typed into it. The end of ctx closes it.
	// An error with [creds.CodeCancelled] is the person's no, [creds.CodeMFABadCode] that
	// no code came of several tries; any other tells that no window could be opened.
	Ask(ctx context.Context, q mfa.Question, on mfa.Display) (creds.Secret, error)
}

// Presence tells whether a person sits at a desktop.
type Presence interface {
	// Watch calls changed with whether the screen is locked, or nobody has touched it
	// for long, now and whenever that changes, until ctx ends. Where no client has told
	// of a desktop yet, on is nil, and changed is not called.
	Watch(ctx context.Context, on mfa.Display, changed func(away bool))
}

const (
	// lastMinutes before its end the session's code is worth a window that nobody
	// waits for.
	lastMinutes = 15 * time.Minute
	// halfMinute is how often the clock is looked at while a question is open, as
	// the engine does.
	halfMinute = 30 * time.Second
)

// rests are how long no window opens for an identity after the person declined,
// once, twice, and so on in a row.
var rests = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// windows is the desk's part that a person sees on the desktop: it opens a window
// where a question is open, nobody has a terminal for it, and somebody is there to
// read it.
type windows struct {
	dialogs  Dialogs
	presence Presence // nil: somebody is always there
	desk     *mfa.Desk
	log      *slog.Logger
	left     func(identity string) time.Duration // of its session's life; zero: it has none
	login    func(ctx context.Context, identity string) error
	changed  func() <-chan struct{} // closes when left, or what is open, may have changed
	wake     chan struct{}          // capacity 1

	mu     sync.Mutex
	life   context.Context // run's; nil before it
	on     mfa.Display     // the last client's; nil: no window can be opened
	away   bool
	looked chan struct{} // closed when away was told of this desktop; nil: it is not
	wanted []string      // identities
	clerks map[string]*clerk
}

// clerk opens the windows of one identity; guarded by windows.mu.
type clerk struct {
	identity string
	seat     *mfa.Seat
	stop     context.CancelFunc
	declined int                // in a row
	rest     time.Time          // no window before
	lived    bool               // a session was seen
	back     bool               // the person came back to find that it had ended
	unask    context.CancelFunc // ends the question that this began; nil: none
}

// seen takes in by which desktop a client can be seen.
func (w *windows) seen(on mfa.Display) {
	if w == nil || on == nil || !w.dialogs.Can(on) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if maps.Equal(on, w.on) {
		return
	}
	w.on = on
	if w.presence != nil {
		w.looked = make(chan struct{})
	}
	w.readyLocked()
	w.nudge()
}

func (w *windows) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// attend has a clerk for each of these identities from now on, and for no other.
func (w *windows) attend(identities []string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = identities
	w.nudge()
}

// hireLocked brings the clerks in line with what is wanted.
func (w *windows) hireLocked(ctx context.Context, working *sync.WaitGroup) {
	for name, k := range w.clerks {
		if !slices.Contains(w.wanted, name) {
			k.stop()
			delete(w.clerks, name)
		}
	}
	for _, name := range w.wanted {
		if w.clerks[name] == nil {
			k := &clerk{identity: name, seat: w.desk.Attend(name)}
			ctx, stop := context.WithCancel(ctx)
			k.stop = stop
			w.clerks[name] = k
			working.Go(func() { w.work(ctx, k) })
		}
	}
}

// work opens and closes one identity's windows, one at a time.
func (w *windows) work(ctx context.Context, k *clerk) {
	defer k.seat.Leave()
	closed := func() {}
	defer func() { closed() }()
	for {
		select {
		case e := <-k.seat.Events():
			closed()
			closed = func() {}
			if e.Kind == mfa.Ask {
				asking, cancel := context.WithCancel(ctx)
				var window sync.WaitGroup
				window.Go(func() { w.ask(asking, k, e.Question) })
				closed = func() {
					cancel()
					window.Wait()
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// ask has one window open until there is a code, and sends that.
func (w *windows) ask(ctx context.Context, k *clerk, q mfa.Question) {
	on, there := w.attended(ctx)
	if !there {
		return
	}
	code, err := w.dialogs.Ask(ctx, q, on)
	switch {
	case ctx.Err() != nil: // it is over, or asked elsewhere
	case err == nil:
		w.send(ctx, k, q, code)
	case creds.CodeOf(err) == creds.CodeCancelled, creds.CodeOf(err) == creds.CodeMFABadCode: // no, or three times no code
		w.decline(k)
	default:
		w.log.Warn("no window can be opened to ask for a code", "error", err)
		w.mu.Lock()
		w.on = nil // until another client tells of a desktop
		w.readyLocked()
		w.mu.Unlock()
	}
}

// attended gives the desktop, once it is known whether somebody sits there; where it
// does not tell, somebody does.
func (w *windows) attended(ctx context.Context) (on mfa.Display, there bool) {
	w.mu.Lock()
	looked := w.looked
	w.mu.Unlock()
	if looked != nil {
		select {
		case <-looked:
		case <-time.After(lookLimit):
		case <-ctx.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.on, !w.away && ctx.Err() == nil
}

// send gives a code for the question that the window was for. What AWS says of a
// wrong one comes as the next question's reason.
func (w *windows) send(ctx context.Context, k *clerk, q mfa.Question, code creds.Secret) {
	result, withdraw, err := w.desk.Offer(k.identity, q.Direct, code)
	if err != nil { // no six digits: the dialog lets none of these through
		w.decline(k)
		return
	}
	select {
	case r := <-result:
		if r.Err == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			k.declined, k.back = 0, false
			w.readyLocked()
		}
	case <-ctx.Done():
		withdraw()
	}
}

// resting tells whether the person has declined to be asked, a short while ago.
func (w *windows) resting(identity string) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.clerks[identity]
	return k != nil && time.Now().Before(k.rest)
}

// decline lets an identity rest: who waits for a code is told that nobody gives one.
func (w *windows) decline(k *clerk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k.rest = time.Now().Round(0).Add(rests[min(k.declined, len(rests)-1)])
	k.declined++
	if k.back {
		k.unask()
	}
	k.back = false
	w.readyLocked()
	w.nudge() // the rest has an end
}

// readyLocked tells the desk for which questions a window would open now.
func (w *windows) readyLocked() {
	now := time.Now().Round(0)
	for _, k := range w.clerks {
		left := w.left(k.identity)
		k.lived = k.lived || left > 0
		switch {
		case w.on == nil, w.away, now.Before(k.rest):
			k.seat.Ready(mfa.Away)
		case k.back, left > 0 && left < lastMinutes:
			k.seat.Ready(mfa.Always)
		default:
			k.seat.Ready(mfa.ForClients)
		}
	}
}

// run looks what is due, and has somebody look who is there, until ctx ends.
func (w *windows) run(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	var watched mfa.Display
	var unwatch context.CancelFunc // nil: nothing is watched yet
	defer func() {
		if unwatch != nil {
			unwatch()
		}
	}()
	for {
		changed := w.changed()
		w.mu.Lock()
		w.life = ctx
		w.hireLocked(ctx, &working)
		w.readyLocked()
		on := w.on
		w.mu.Unlock()
		if w.presence != nil && (unwatch == nil || !maps.Equal(on, watched)) {
			if unwatch != nil {
				unwatch()
			}
			watched = on
			watching, stop := context.WithCancel(ctx)
			unwatch = stop
			working.Go(func() { w.presence.Watch(watching, on, w.look) })
		}
		var later <-chan time.Time
		if len(w.desk.Questions()) > 0 {
			later = time.After(w.pause(time.Now()))
		}
		select {
		case <-changed:
		case <-later:
		case <-w.wake:
		case <-ctx.Done():
			return
		}
	}
}

// pause is how long nothing new is due: to the next full half minute, or the end of
// a rest.
func (w *windows) pause(now time.Time) time.Duration {
	next := now.Truncate(halfMinute).Add(halfMinute)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.clerks {
		if k.rest.After(now) && k.rest.Before(next) {
			next = k.rest
		}
	}
	return next.Sub(now)
}

// look takes in whether the person is there. Who comes back to a session that has
// ended is asked once.
func (w *windows) look(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	came := w.away && !away
	w.away = away
	if w.looked != nil {
		close(w.looked)
		w.looked = nil
	}
	for _, k := range w.clerks {
		if came && k.lived && w.left(k.identity) <= 0 && !k.back {
			w.beginLocked(k)
		}
	}
	w.readyLocked()
}

// press has a window open for whoever asked for one, rest or not.
func (w *windows) press(identity string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.clerks[identity]
	if k == nil || w.on == nil {
		return
	}
	k.declined, k.rest, w.away = 0, time.Time{}, false
	if !k.back {
		w.beginLocked(k)
	}
	w.readyLocked()
}

// beginLocked has a code asked for that nobody waits for.
func (w *windows) beginLocked(k *clerk) {
	ctx, cancel := context.WithTimeout(w.life, lastMinutes)
	k.back, k.unask = true, cancel
	go w.welcome(ctx, k)
}

// welcome asks for a code by the daemon's own doing.
func (w *windows) welcome(ctx context.Context, k *clerk) {
	if err := w.login(ctx, k.identity); err != nil && ctx.Err() == nil {
		w.log.Info("nobody gave a code after the screen was unlocked", "identity", k.identity, "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k.unask()
	k.back = false
	w.readyLocked()
}

// newWindows are the daemon's own.
func (d *Daemon) newWindows() *windows {
	w := &windows{
		dialogs: d.Dialogs, presence: d.Presence, desk: d.desk, log: d.Log, changed: d.statusChanged,
		left: func(identity string) time.Duration {
			if c, lives := d.engine.Session(identity); lives {
				return c.Expires.Sub(d.clock.Now())
			}
			return 0
		},
		login: func(ctx context.Context, identity string) error {
			d.mu.Lock()
			locked := d.locked
			d.mu.Unlock()
			if locked {
				return nil
			}
			return d.engine.Login(ctx, identity, refresh.LoginOptions{})
		},
		wake: make(chan struct{}, 1), clerks: map[string]*clerk{},
	}
	w.seen(mfa.DisplayOf(d.Getenv)) // until a client tells of another
	return w
}
