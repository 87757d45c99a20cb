package refresh

import (
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// inUse is how long a profile counts as used after a client asked for it.
const inUse = time.Hour

// maxAgeLocked is how old an MFA may be for p's role; zero: any age.
func (e *Engine) maxAgeLocked(p *profile) time.Duration {
	if p.MaxAge > 0 {
		return p.MaxAge
	}
	return e.known[p.Role.ARN].MaxAge
}

// ageMargin is how much earlier than AWS an MFA is taken for too old: AWS counts
// from the moment it took the code, and to the moment a call arrives.
const ageMargin = 5 * time.Second

// agedLocked tells whether the session's MFA is too old for p's role.
func (e *Engine) agedLocked(p *profile, t time.Time) bool {
	id, most := e.ids[p.Identity], e.maxAgeLocked(p)
	if most == 0 {
		return false
	}
	if k := e.known[p.Role.ARN]; p.MaxAge == 0 && t.Sub(k.AgeTried) >= plan.Daily {
		return false // it may not be so: what was learned is put to the test, once a day
	}
	return id != nil && p.Source == "" && p.Role.ARN != "" &&
		!t.Before(id.session.Issued.Add(most-min(ageMargin, most/2)))
}

// youngLocked takes in that p's role was assumed with a session of that age, or
// refused to it. A refusal that a younger session cures tells how old the trust
// policy lets an MFA be.
func (e *Engine) youngLocked(p *profile, age time.Duration, err error) {
	switch {
	case creds.CodeOf(err) == creds.CodeAccessDenied && age < time.Minute:
		p.deniedYoung, p.deniedAt = true, 0 // its age is not what is wrong
	case creds.CodeOf(err) == creds.CodeAccessDenied && !p.deniedYoung:
		if k := e.known[p.Role.ARN]; k.MaxAge > 0 && age >= k.MaxAge {
			k.AgeTried = e.Now()
			e.known[p.Role.ARN] = k
		}
		if p.deniedAt == 0 || age < p.deniedAt {
			p.deniedAt = age
		}
	case err == nil && p.deniedYoung:
		p.deniedYoung = false
	case err == nil && e.known[p.Role.ARN].MaxAge > 0 && age >= e.known[p.Role.ARN].MaxAge:
		k := e.known[p.Role.ARN]
		k.MaxAge, k.AgeTried = 0, time.Time{} // it is not so, or not any more
		e.known[p.Role.ARN], p.deniedAt = k, 0
	case err == nil && p.deniedAt > 0:
		if age < p.deniedAt {
			k := e.known[p.Role.ARN]
			k.MaxAge, k.AgeTried = p.deniedAt.Truncate(time.Second), time.Time{} // to be put to the test once
			e.known[p.Role.ARN] = k
			e.Log.Info("the role wants a young MFA", "profile", p.Name, "younger_than", k.MaxAge)
		}
		p.deniedAt = 0
	}
}

// needFresh is the answer where the session's MFA is too old for a role.
func (e *Engine) needFreshLocked(p *profile, id *identity) error {
	return &creds.Error{
		Code: creds.CodeMFARequired,
		Op: "the role of " + p.Name + " wants an MFA younger than " + plan.Short(e.maxAgeLocked(p)) +
			", and that of the session is older",
		Hint: "run: mfad login " + id.Name,
	}
}
