package watch

import (
	"context"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// run is the state of one call of Run; one goroutine has it all.
type run struct {
	w    *Watcher
	wake chan struct{}

	notify *fsnotify.Watcher // nil: there are no notifications
	faults chan struct{}     // notify lost events
	closed chan struct{}     // nobody reads notify's errors any more
	blind  bool              // a folder can't be watched
	trail  trail
	stale  map[string]bool // folders whose watch may be on something else

	first time.Time   // of the events not yet looked at; zero if there are none
	timer *time.Timer // the next look
	due   time.Time   // when timer fires
	force bool        // the next look reads everything
}

func (r *run) open() {
	open := r.w.Notify
	if open == nil {
		open = fsnotify.NewWatcher
	}
	n, err := open()
	if err != nil {
		return
	}
	r.notify, r.faults, r.closed = n, make(chan struct{}, 1), make(chan struct{})
	// fsnotify may report an error while it holds the lock that Add wants, so
	// the loop, which calls Add, can't be the one that receives it.
	go func(faults, closed chan struct{}) {
		defer close(closed)
		for range n.Errors {
			select {
			case faults <- struct{}{}:
			default:
			}
		}
	}(r.faults, r.closed)
}

func (r *run) close() {
	if r.notify == nil {
		return
	}
	_ = r.notify.Close()
	<-r.closed
	r.notify, r.faults = nil, nil
}

// events gives a nil channel, which never delivers, without notifications.
func (r *run) events() <-chan fsnotify.Event {
	if r.notify == nil {
		return nil
	}
	return r.notify.Events
}

func (r *run) loop(ctx context.Context, changed chan<- []string) {
	r.stale = map[string]bool{}
	r.timer = time.NewTimer(0)
	defer r.timer.Stop()
	every := orElse(r.w.Safety, safety)
	safe := time.NewTimer(untilSafe(every))
	defer safe.Stop()
	r.force = true // something may have happened since Set
	var pending []string
	for {
		var out chan<- []string
		if len(pending) > 0 {
			out = changed
		}
		select {
		case <-ctx.Done():
			return
		case out <- pending:
			r.w.sent(pending)
			pending = nil
			// What is seen now may be newer than what made it pending.
			r.lookWithin(0)
		case <-r.wake:
			r.force = true
			r.lookWithin(0)
		case <-safe.C:
			safe.Reset(untilSafe(every))
			r.reopen()
			r.force = true
			r.lookWithin(0)
		case ev, ok := <-r.events():
			r.event(ev, ok)
		case <-r.faults:
			// Mostly too many events at once: some were lost.
			r.force = true
			r.lookWithin(0)
		case <-r.timer.C:
			pending = r.look()
		}
	}
}

// safety is how often everything is looked at, notified of or not.
const safety = 30 * time.Second

// untilSafe is how long it is to the next look, of which there is one at each
// full multiple of d: whoever keeps to it wakes up together with the others, and
// the machine sleeps longer.
func untilSafe(d time.Duration) time.Duration {
	now := time.Now()
	return now.Truncate(d).Add(d).Sub(now)
}

// look follows what moved and compares.
func (r *run) look() []string {
	r.first, r.due = time.Time{}, time.Time{}
	r.sync()
	changed, again := r.w.look(time.Now(), r.force)
	r.force = false
	if again > 0 {
		r.lookWithin(again)
	}
	if r.notify == nil || r.blind {
		r.lookWithin(orElse(r.w.Poll, time.Second))
	}
	return changed
}

// lookWithin brings the next look forward, never back.
func (r *run) lookWithin(d time.Duration) {
	if due := time.Now().Add(d); r.due.IsZero() || due.Before(r.due) {
		r.due = due
		r.timer.Reset(d)
	}
}

// event waits until it is quiet, but not for ever.
func (r *run) event(ev fsnotify.Event, ok bool) {
	if !ok {
		r.close()
		r.force = true
		r.lookWithin(0)
		return
	}
	if !r.trail.steps[ev.Name] && !r.trail.dirs[ev.Name] {
		return
	}
	if r.trail.dirs[ev.Name] && ev.Op != fsnotify.Chmod {
		r.stale[ev.Name] = true
	}
	now := time.Now()
	if r.first.IsZero() {
		r.first = now
	}
	r.force = true
	quiet := orElse(r.w.Quiet, 75*time.Millisecond)
	latest := r.first.Add(orElse(r.w.Longest, time.Second)).Sub(now)
	r.due = now.Add(min(quiet, max(latest, 0)))
	r.timer.Reset(time.Until(r.due))
}

// reopen tries again to get notifications.
func (r *run) reopen() {
	if r.notify == nil {
		r.open()
	}
}

// sync makes the watches fit the folders as they are now. A folder that had an
// event of its own gets a new watch: the old one may follow a folder that was
// moved away, or be gone with one that was deleted.
func (r *run) sync() {
	// What appears between following a path and watching its folders gives no
	// event, so a new watch asks for another round. The bound is for folders
	// that come and go all the time.
	for range 8 {
		r.trail = trail{steps: map[string]bool{}, dirs: map[string]bool{}}
		for _, p := range r.w.paths() {
			r.trail.follow(p)
		}
		if r.notify == nil || !r.rewatch() {
			return
		}
	}
}

// rewatch tells whether there are new watches.
func (r *run) rewatch() (added bool) {
	watched := r.notify.WatchList()
	for _, dir := range watched {
		if !r.trail.dirs[dir] || r.stale[dir] {
			// An error says that the watch is gone already.
			_ = r.notify.Remove(dir)
		}
	}
	r.blind = false
	for dir := range r.trail.dirs {
		if slices.Contains(watched, dir) && !r.stale[dir] {
			continue
		}
		if err := r.notify.Add(dir); err != nil {
			r.blind = true
			continue
		}
		added = true
	}
	clear(r.stale)
	return added
}
