package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// The engine looks at the clock at least this often: timers stand still while a
// machine sleeps, and a stepped clock moves no timer.
const poll = 30 * time.Second

// Margins before an end. Each is at most half of the lifetime at hand.
const (
	sessionLead           = 30 * time.Minute // a person must be asked for the next session
	sessionLeadUnattended = 5 * time.Minute  // the next session's code comes by itself
	lastCall              = 5 * time.Minute  // roles are assumed once more before their session ends
)

// Window says how long before their end credentials are replaced: Fixed, or
// Share of their lifetime where Fixed is zero. It is never more than half the
// lifetime. The zero Window means half of it.
type Window struct {
	Share float64 // 0 to 0.5
	Fixed time.Duration
}

// of gives the window for a lifetime.
func (w Window) of(lifetime time.Duration) time.Duration {
	before := w.Fixed
	if before == 0 {
		before = time.Duration(w.Share * float64(lifetime))
	}
	if before <= 0 {
		before = lifetime / 2
	}
	return min(before, lifetime/2)
}

// renewAt is when an MFA session is due for its successor.
func renewAt(session creds.Credentials, unattended bool) time.Time {
	lead := sessionLead
	if unattended {
		lead = sessionLeadUnattended
	}
	return session.Expires.Add(-min(lead, session.Lifetime()/2))
}

// dueAt is when a profile's credentials are due. The session's end gives one
// more moment: shortly before it everything is fetched once more, so that the
// last credentials outlive the session by their whole lifetime.
func dueAt(w Window, current, session creds.Credentials) time.Time {
	due := current.Expires.Add(-w.of(current.Lifetime()))
	if session.IsZero() {
		return due
	}
	last := session.Expires.Add(-min(lastCall, session.Lifetime()/2))
	if current.Issued.Before(last) && last.Before(due) {
		return last
	}
	return due
}

// fallbackAt is when credentials that came direct need others beside them, from
// the session: half an hour before their end those live longer, and once more
// before the session ends, if they then would.
func fallbackAt(direct, session creds.Credentials) time.Time {
	at := direct.Expires.Add(-min(plan.Hour/2, direct.Lifetime()/2))
	if session.IsZero() {
		return at
	}
	last := session.Expires.Add(-min(lastCall, session.Lifetime()/2))
	if last.Before(at) && direct.Expires.Before(last.Add(plan.Hour)) {
		return last
	}
	return at
}

// together is how far ahead of its time a refresh is taken along with another
// that is due, so that profiles fetched together stay together and cost one write.
func together(c creds.Credentials) time.Duration { return c.Lifetime() / 50 }

// pauses between tries of what waiting can cure. The sum of all is some two
// minutes; from then on a minute apart.
var pauses = [...]time.Duration{
	time.Second,      // 1 s after the first try
	2 * time.Second,  // 3 s
	5 * time.Second,  // 8 s
	10 * time.Second, // 18 s
	20 * time.Second, // 38 s
	30 * time.Second, // 1 min 8 s
	time.Minute,
}

// refusals are the pauses after AWS said no: asking often trips alarms.
var refusals = [...]time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour}

// retryAfter is the pause after the count-th failure in a row (from 1). The
// lifetime of what is being replaced bounds it where credentials live shortly;
// draw (0 to 1) spreads it by up to a fifth either way.
func retryAfter(err error, count int, lifetime time.Duration, draw float64) time.Duration {
	if !creds.IsTransient(err) && !isLocal(err) {
		return refusals[min(count, len(refusals))-1]
	}
	pause := pauses[min(count, len(pauses))-1]
	if lifetime > 0 {
		pause = min(pause, lifetime/8)
	}
	return time.Duration(float64(pause) * (0.8 + 0.4*draw))
}

// isLocal tells whether err came from this machine, where asking again troubles
// nobody: the keyring, the disk, the clock, a program that should print a code.
func isLocal(err error) bool {
	switch creds.CodeOf(err) {
	case creds.CodeKeyringLocked, creds.CodeKeyringAbsent, creds.CodeKeyringTimeout,
		creds.CodeKeyringFailed, creds.CodeTimeout, creds.CodeInternal, creds.CodeMFAProcess, creds.CodeClockSkew:
		return true
	}
	return false
}
