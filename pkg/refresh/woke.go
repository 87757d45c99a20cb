package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Woke is for the moment after a sleep of the machine: all that is due by the wall clock
// is done now, and what failed for a reason that passes starts over, with the short
// pauses. The network of a machine that wakes up is back some seconds after it, and the
// pauses may have grown while it fell asleep. What AWS refused is not tried any earlier.
// When the engine itself sees that more than a few seconds were slept, which takes it
// half a minute at most, it does the same.
func (e *Engine) Woke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.startOverLocked()
	e.changedLocked()
	e.Nudge()
}

// startOverLocked has what failed for a reason that passes with a sleep tried at once,
// and from then on as if it had failed for the first time.
func (e *Engine) startOverLocked() {
	passes := func(f *failure) {
		code := creds.CodeOf(f.err)
		if code != creds.CodeThrottled && (creds.IsTransient(f.err) || isLocal(f.err)) {
			f.count, f.next = 0, time.Time{}
		}
	}
	for _, id := range e.ids {
		if id.Unattended { // else somebody was asked just now
			passes(&id.fail)
		}
	}
	for _, p := range e.profiles {
		passes(&p.fail)
	}
}
