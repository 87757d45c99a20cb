package plan

import "time"

// Known is what was learned of a role. The zero Known is a role of which nothing
// is known.
type Known struct {
	// Maximum is the role's MaxSessionDuration, to the second where Exact; else
	// the longest that AWS granted. Zero: nothing was granted or looked up.
	Maximum time.Duration
	Exact   bool
	// Refused is the shortest that AWS refused; zero: nothing.
	Refused   time.Duration
	RefusedAt time.Time
	// How says how Maximum was learned, for people, and Learned when.
	How     string
	Learned time.Time
	// LookedSession and LookedRole are when GetRole was last asked, with the MFA
	// session and as the role itself, whatever the answer was.
	LookedSession, LookedRole time.Time
	// MaxAge is how old an MFA may be for the role's trust policy
	// (aws:MultiFactorAuthAge), as learned from refusals; zero: nothing was learned.
	MaxAge time.Duration
	// AgeTried is when MaxAge was last put to the test: refused to an older MFA.
	// Until it was, and once a day, an older one is tried all the same.
	AgeTried time.Time
}

// Daily is how often AWS is asked again for what it said before.
const Daily = 24 * time.Hour

// steps are the durations tried where the maximum cannot be looked up: AWS
// allows a maximum of one to twelve hours
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html).
var steps = [...]time.Duration{12 * time.Hour, 8 * time.Hour, 4 * time.Hour, 2 * time.Hour, time.Hour}

// Known tells whether it is known for how long the role can be assumed.
func (k Known) Known() bool { return k.Maximum > 0 || k.Refused > 0 }

// below gives the longest step that is shorter than d.
func below(d time.Duration) time.Duration {
	for _, s := range steps {
		if s < d {
			return s
		}
	}
	return Hour
}

// Ask is the longest that AWS may grant, as far as is known: what to ask for.
// Probe allows a step more than that once a day, which AWS may refuse: roles are
// raised sometimes.
func (k Known) Ask(t time.Time, probe bool) time.Duration {
	switch {
	case k.Exact:
		return k.Maximum
	case k.Refused == 0:
		return steps[0]
	}
	most := max(k.Maximum, below(k.Refused))
	if probe && t.Sub(k.RefusedAt) >= Daily {
		return above(most)
	}
	return most
}

// above gives the shortest step that is longer than d, or the longest.
func above(d time.Duration) time.Duration {
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i] > d {
			return steps[i]
		}
	}
	return steps[0]
}

// Safe tells whether AWS can be expected to grant d.
func (k Known) Safe(d time.Duration) bool { return d <= Hour || k.Maximum >= d }

// Granted takes in that AWS granted d to a call that asked for it.
func (k Known) Granted(d time.Duration, t time.Time) Known {
	if k.Exact || d <= k.Maximum {
		return k
	}
	k.Maximum, k.How, k.Learned = d, "AWS granted it", t
	k.Exact = d == steps[0]
	if k.Refused <= d {
		k.Refused, k.RefusedAt = 0, time.Time{}
	}
	return k
}

// Denied takes in that AWS refused d for its length. What was known to be longer
// is wrong by now, and is looked up again.
func (k Known) Denied(d time.Duration, t time.Time) Known {
	if k.Maximum >= d {
		k.Maximum, k.Exact, k.How, k.Learned = 0, false, "", time.Time{}
		k.LookedSession, k.LookedRole = time.Time{}, time.Time{}
	}
	if k.Refused == 0 || d < k.Refused {
		k.Refused = d
	}
	k.RefusedAt = t
	return k
}

// Told takes in what GetRole said.
func (k Known) Told(d time.Duration, how string, t time.Time) Known {
	k.Maximum, k.Exact, k.How, k.Learned = d, true, how, t
	k.Refused, k.RefusedAt = 0, time.Time{}
	return k
}

// String says what is known of the maximum.
func (k Known) String() string {
	switch {
	case k.Exact:
		return "the role allows " + Short(k.Maximum) + " (" + k.How + ")"
	case k.Maximum > 0:
		return "the role allows at least " + Short(k.Maximum) + " (" + k.How + ")"
	case k.Refused > 0:
		return "the role allows less than " + Short(k.Refused) + " (AWS refused that)"
	}
	return "how long the role allows is not known yet"
}

// Short writes a duration as people do: 12h, 1h30m, 45m.
func Short(d time.Duration) string {
	s := d.Round(time.Second).String()
	if d >= time.Minute && d%time.Minute == 0 {
		s = s[:len(s)-len("0s")]
	}
	if d >= time.Hour && d%time.Hour == 0 {
		s = s[:len(s)-len("0m")]
	}
	return s
}
