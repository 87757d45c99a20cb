package daemon

import (
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

// glance is the last picture: shells ask for it before each prompt, and of a thousand
// profiles it costs more than the rest of the answer.
type glance struct {
	mu      sync.Mutex // guards the rest
	picture localapi.Status
	changed <-chan struct{} // nil: there was none yet
	until   time.Time       // from then on time alone may have changed it
}

// glanceLimit is how long a picture is good at most, as timers are in which nothing
// is to be missed.
const glanceLimit = 30 * time.Second

// Glance implements [localapi.Backend].
func (d *Daemon) Glance() localapi.Status {
	g := &d.glance
	g.mu.Lock()
	defer g.mu.Unlock()
	now := d.clock.Now()
	if g.changed != nil && now.Before(g.until) && g.until.Sub(now) <= glanceLimit {
		select {
		case <-g.changed:
		default:
			return g.picture
		}
	}
	g.picture, g.changed = d.picture()
	g.until = firstEnd(g.picture, now)
	return g.picture
}

// firstEnd is when the first credentials of a picture run out after now, or the limit
// if that comes first.
func firstEnd(st localapi.Status, now time.Time) time.Time {
	first := now.Add(glanceLimit)
	see := func(end *time.Time) {
		if end == nil {
			return
		}
		after := end.Add(time.Second) // it is told without its fraction
		if after.After(now) && after.Before(first) {
			first = after
		}
	}
	for _, i := range st.Identities {
		see(i.SessionExpires)
	}
	for _, p := range st.Profiles {
		see(p.Expires)
	}
	return first
}
