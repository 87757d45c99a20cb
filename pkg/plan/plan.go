// Package plan decides what a token code is spent on, and why. AWS leaves two
// ways from a code to a role: one code starts an MFA session, through which any
// number of roles is assumed for an hour at a time; or it assumes one role
// directly, for as long as the role allows. The package is pure: it looks at
// values and a moment, and never calls AWS, waits or keeps anything.
package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Mode is a profile's way from a code to its role, as the config says.
type Mode string

// The modes. The zero Mode is Auto.
const (
	Auto    Mode = "auto"    // direct where codes come without a person and the role allows more than an hour
	Session Mode = "session" // through the session
	Direct  Mode = "direct"  // direct, at the role's full length
)

// Spends tells whether codes are spent on roles of that mode without anybody
// asking for it, where codes come unattended or not.
func (m Mode) Spends(unattended bool) bool {
	return m == Direct || m != Session && unattended
}

// Hour is what AWS grants at most for a role that is assumed with temporary
// credentials, those of an MFA session included, whatever the role allows
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining).
const Hour = time.Hour

// Identity is what decides about an identity's codes.
type Identity struct {
	Name string
	// Unattended tells that codes come without a person.
	Unattended bool
	Session    bool // one lives
	// Asked is since when somebody has come to give a code for a session; zero:
	// nobody has.
	Asked time.Time
	// Wanted says why a session is to be started now, by itself or for a program
	// that waits; empty: none is.
	Wanted string
}

// Role is what decides about one profile. Profiles without a role of their own,
// chained and federated ones take no code and are not among them.
type Role struct {
	Profile string
	Mode    Mode
	// Duration is what the config asks for; zero: as much as the role allows.
	Duration time.Duration
	Known    Known
	// Expires is the end of what is served now; zero: nothing is.
	Expires time.Time
	// Direct is the end of living credentials that came direct, and Lifetime
	// what AWS gave them; zero: there are none.
	Direct   time.Time
	Lifetime time.Duration
	// Before is how long before that end a code is due; zero: by the mode's own
	// rule.
	Before time.Duration
	// Asked is since when somebody has come to give a code for this role; zero:
	// nobody has. Waits tells that a program waits for one.
	Asked time.Time
	Waits bool
	// Console tells that it is for a console session, whose length does not depend
	// on the credentials'.
	Console bool
	// Lookup tells that the role's maximum may be known in a moment.
	Lookup bool
	// Rests is until when no code is to be spent on the role unless asked for.
	Rests time.Time
	// Young tells that the role's trust policy wants an MFA younger than some age.
	Young bool
}

// Code is a code in hand.
type Code struct {
	// Profile is what it was given for; empty: the identity.
	Profile string
	// Program tells that a program supplied it, for whatever is best.
	Program bool
}

// Spend is what a code goes to.
type Spend struct {
	Profile  string        // the role; empty: the MFA session
	Duration time.Duration // to be asked for; zero with a session
	Why      string        // in words, for people
	// Prepares is the profile that the next code goes to, where a session is
	// started only to look up how long that may live; else empty.
	Prepares string
}

// Next says what a code would be spent on if one came now by itself, and
// therefore what a person is asked for; ok is false where none is of use. First
// comes what people have come to give a code for, in their order; then the
// session, since it keeps every profile alive; then a role that a program waits
// for; then the due role that ends first.
func Next(id Identity, roles []Role, t time.Time) (s Spend, ok bool) {
	var asked, waits, due []Role
	for _, r := range roles {
		switch at, isDue := Due(id, r, t); {
		case !r.Asked.IsZero():
			asked = append(asked, r)
		case r.Waits:
			waits = append(waits, r)
		case isDue && !at.After(t):
			due = append(due, r)
		}
	}
	for _, rs := range [][]Role{asked, waits, due} {
		slices.SortFunc(rs, func(a, b Role) int {
			return cmp.Or(a.Asked.Compare(b.Asked), a.Expires.Compare(b.Expires), strings.Compare(a.Profile, b.Profile))
		})
	}
	switch {
	case len(asked) > 0 && (id.Asked.IsZero() || asked[0].Asked.Before(id.Asked)):
		return direct(id, asked[0], "it was asked for", t), true
	case !id.Asked.IsZero():
		return Spend{Why: "one session freshens every profile of " + id.Name}, true
	case id.Wanted != "":
		return Spend{Why: id.Wanted}, true
	case len(waits) > 0:
		return direct(id, waits[0], "a program waits for it", t), true
	case len(due) == 0:
		return Spend{}, false
	}
	why := "mfa = direct"
	if due[0].Mode != Direct {
		why = "mfa = auto, and codes come by themselves"
	}
	return direct(id, due[0], why, t), true
}

// Choose says what a code is spent on; ok is false where it is of no use.
func Choose(id Identity, roles []Role, c Code, t time.Time) (s Spend, ok bool) {
	if c.Program {
		return Next(id, roles, t)
	}
	i := slices.IndexFunc(roles, func(r Role) bool { return r.Profile == c.Profile })
	switch {
	case c.Profile == "":
		return Spend{Why: "the code was given for the identity: one session freshens every profile"}, true
	case i < 0:
		return Spend{Why: "the code was given for " + c.Profile + ", which lives on the session"}, true
	}
	return direct(id, roles[i], "the code was given for this profile", t), true
}

// direct spends a code on a role, unless its maximum could first be learned
// with a session.
func direct(id Identity, r Role, why string, t time.Time) Spend {
	if !id.Session && r.Duration == 0 && !r.Known.Known() && !r.Console {
		return Spend{Prepares: r.Profile, Why: "how long " + r.Profile + " may live is not known yet: the session looks it up, and the next code goes direct"}
	}
	return Spend{Profile: r.Profile, Duration: Ask(id, r, t), Why: why}
}

// Ask is the duration to ask for when a role is assumed direct.
func Ask(id Identity, r Role, t time.Time) time.Duration {
	if r.Console && !r.Known.Safe(r.Known.Ask(t, false)) {
		return Hour // always granted; the console's own length is another matter
	}
	most := r.Known.Ask(t, id.Unattended && r.Asked.IsZero())
	if r.Duration > 0 {
		return min(r.Duration, most)
	}
	return most
}

// attendedLead is how long before the end of direct credentials a person is asked.
const attendedLead = 30 * time.Minute

// Due tells when a code is to be spent on a role without anybody asking for it;
// ok is false where it never is.
func Due(id Identity, r Role, t time.Time) (at time.Time, ok bool) {
	switch {
	case !Worth(id, r, t), r.Lookup && r.Duration == 0 && !r.Known.Exact:
		return time.Time{}, false
	case !r.Direct.IsZero():
		lead := r.Before
		if lead <= 0 && !id.Unattended {
			lead = attendedLead
		}
		if lead <= 0 || lead > r.Lifetime/2 {
			lead = r.Lifetime / 2
		}
		at = r.Direct.Add(-lead)
	case !id.Unattended && !id.Session && r.Expires.IsZero():
		return time.Time{}, false // all has lapsed: nobody is asked until somebody asks
	}
	if r.Rests.After(at) {
		at = r.Rests
	}
	return at, true
}

// Worth tells whether a role is to be assumed direct at all: its mode says so,
// and it gains something over an hour through the session.
func Worth(id Identity, r Role, t time.Time) bool {
	if !r.Mode.Spends(id.Unattended) {
		return false
	}
	most := r.Known.Ask(t, id.Unattended)
	if r.Duration > 0 {
		most = min(most, r.Duration)
	}
	return most > Hour || r.Mode == Direct && r.Young
}

// Want says what a code is to be asked for on behalf of a profile that has
// nothing usable: the profile itself, direct, or (false) the session.
func Want(id Identity, r Role, t time.Time) bool {
	return r.Mode == Direct && !id.Unattended && !r.Rests.After(t) && Worth(id, r, t) && (id.Session || r.Duration > 0 || r.Known.Known())
}

// Reason says in words how a role is served, and what would be longer.
func Reason(id Identity, r Role, t time.Time) string {
	known := r.Known.String()
	switch {
	case !r.Direct.IsZero():
		return "direct, with a code of its own; " + known
	case r.Mode == Session:
		return "mfa = session: an hour at a time, renewed in silence; " + known
	case r.Rests.After(t) && r.Mode == Direct:
		return fmt.Sprintf("through the session until %s, when direct is tried again; %s", r.Rests.Local().Format("Mon 15:04"), known)
	case r.Mode != Direct && !id.Unattended:
		return "mfa = auto, and a person gives the codes: an hour at a time through the session, renewed in silence; " + known
	case !Worth(id, r, t):
		return "through the session: direct would last no longer; " + known
	}
	return "through the session until its own code comes: mfad login " + r.Profile + "; " + known
}
