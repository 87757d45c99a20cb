package setup

import (
	"slices"

	"github.com/mfad/mfad/pkg/profile"
)

// Origin is the key that profiles are set up for.
type Origin struct {
	Key    Key      // the zero value: the key stands in no file of AWS's
	Device []string // the devices of the user, or the one that was chosen
	// User is the ARN of the key's user; empty: AWS was not asked.
	User string
	// SessionName is what aws-mfa calls the role sessions that it makes with the key;
	// empty: as mfad does.
	SessionName string
	// Identity is the identity in mfad's config whose key it is; empty: a new one.
	Identity string
	// RemoveKey tells that the key goes out of AWS's file.
	RemoveKey bool
}

// Candidate is a profile that mfad can serve.
type Candidate struct {
	Profile string
	RoleARN string // empty: the MFA session itself
	Source  string // the profile that it is chained to; empty: the identity signs
	Mode    string // what the config should say of `mfa`; empty: nothing
	Options []Option
	Region  string // for tools, where AWS's files do not say one; empty: that of the answers
	// Where tells what it comes from, as FILE:LINE; empty: from nowhere.
	Where string

	write string // of one that the config has
}

// Candidates are the profiles of AWS's files that this key serves and that the
// config does not have yet, each after the one that it is chained to.
func (f Found) Candidates(o Origin, have *profile.Config) []Candidate {
	var found []Candidate
	taken := func(name string) bool {
		return have.Profiles[name] != nil || slices.ContainsFunc(found, func(c Candidate) bool { return c.Profile == name })
	}
	if own, ok := f.own(o); ok && !taken(own.Profile) {
		found = append(found, own)
	}
	for more := true; more; { // until no role is left whose source is known
		more = false
		for _, r := range f.Roles {
			if taken(r.Profile) || r.Profile == o.Key.Profile && !o.RemoveKey && !o.Key.Vault || f.otherKey(r.Profile, o) {
				continue
			}
			if source, ok := f.source(r, o, have, found); ok {
				found = append(found, r.candidate(source))
				more = true
			}
		}
	}
	return found
}

func (r Role) candidate(source string) Candidate {
	return Candidate{Profile: r.Profile, RoleARN: r.ARN, Source: source, Options: r.Options, Region: r.Region, Where: where(r.Path, r.Line)}
}

// Unfinished are the profiles that the config has for an identity, and whose
// sections in AWS's files still are what they were before: a run that should take
// them over did not get so far.
func (f Found) Unfinished(identity string, have *profile.Config) []Candidate {
	var found []Candidate
	for _, name := range have.ProfileNames() {
		p := have.Profiles[name]
		if p.Identity != identity || p.Section != name || p.Write == profile.WriteNone {
			continue
		}
		r, isRole := f.role(name)
		if isRole && r.ARN == p.RoleARN || !isRole && f.profiles[name].awsMFA && p.Write == profile.WriteCredentials {
			found = append(found, Candidate{Profile: name, RoleARN: p.RoleARN, Where: where(p.File, p.Line), write: p.Write})
		}
	}
	return found
}

// role finds the role that a profile of AWS's files assumes.
func (f Found) role(profile string) (Role, bool) {
	i := slices.IndexFunc(f.Roles, func(r Role) bool { return r.Profile == profile })
	if i < 0 {
		return Role{}, false
	}
	return f.Roles[i], true
}

// own is the profile that the key's own section becomes: the one that aws-mfa or
// aws-vault served, or the session in the place of a key that goes.
func (f Found) own(o Origin) (Candidate, bool) {
	k := o.Key
	c := Candidate{Profile: k.Base, Where: where(k.Path, k.Line)}
	if k.Base == "" {
		c.Profile = k.Profile
	}
	if c.Profile == "" || k.Base == "" && !o.RemoveKey && !k.Vault || f.otherKey(c.Profile, o) {
		return c, false
	}
	r, isRole := f.role(c.Profile)
	switch {
	case !isRole && k.Role != "":
		c.RoleARN, c.Mode = k.Role, profile.MFADirect // as aws-mfa assumes it
		c.Options = roleOptions(values{"role_session_name": o.SessionName})
	case isRole && k.Base == "":
		return c, false // one of the roles
	case isRole && k.Role == "" && (r.Source == k.Base || r.Source == k.Profile):
		return r.candidate(""), true // AWS's tools assume it with aws-mfa's credentials
	}
	return c, !isRole
}

// Rival is what else claims the profile that a key's own section becomes: a role
// of the AWS config file that is assumed otherwise, or another key. Empty: nothing;
// else it begins with FILE:LINE.
func (f Found) Rival(k Key) string {
	name := k.Base
	if name == "" {
		return ""
	}
	if r, isRole := f.role(name); isRole && (k.Role != "" || r.Source != k.Base && r.Source != k.Profile) {
		return where(r.Path, r.Line) + ": a role, assumed with " + r.Source
	}
	for _, other := range f.Keys {
		if other.Profile != k.Profile && (other.Base == name || other.Profile == name) {
			return where(other.Path, other.Line) + ": another long-term key"
		}
	}
	return ""
}

// otherKey tells whether another long-term key stands under the name, or serves it.
func (f Found) otherKey(name string, o Origin) bool {
	return slices.ContainsFunc(f.Keys, func(k Key) bool {
		return (k.Profile == name || k.Base == name) && k.Profile != o.Key.Profile
	})
}

// source tells what signs for a role: the identity (empty), or the profile that it
// is chained to.
func (f Found) source(r Role, o Origin, have *profile.Config, found []Candidate) (string, bool) {
	chained := func(roleARN string) (string, bool) {
		if roleARN == "" {
			return "", true // the session: the identity itself signs with it
		}
		return r.Source, true
	}
	if r.Source == r.Profile || r.Source == o.Key.Profile {
		return "", o.Key.Profile != "" && r.Source == o.Key.Profile
	}
	if i := slices.IndexFunc(found, func(c Candidate) bool { return c.Profile == r.Source }); i >= 0 {
		if r.Source == o.Key.Base {
			return "", true // with aws-mfa's direct role below it AWS's tools could not have assumed another by MFA
		}
		return chained(found[i].RoleARN)
	}
	if p := have.Profiles[r.Source]; p != nil {
		if o.Identity != p.Identity {
			return "", false
		}
		return chained(p.RoleARN)
	}
	if r.Source == o.Identity && o.Identity != "" {
		return "", true
	}
	// A source that has no key, and is no role: the device tells whose it is.
	known := f.profiles[r.Source].static || slices.ContainsFunc(f.Roles, func(s Role) bool { return s.Profile == r.Source })
	return "", !known && !o.Key.Vault && r.Device != "" && slices.Contains(o.Device, r.Device)
}

// Complete adds to chosen those of all that they are chained to, and gives them in
// the order of all.
func Complete(chosen, all []Candidate) []Candidate {
	want := map[string]bool{}
	for _, c := range chosen {
		want[c.Profile] = true
	}
	for _, c := range slices.Backward(all) { // a source comes before what is chained to it
		if want[c.Profile] && c.Source != "" {
			want[c.Source] = true
		}
	}
	var found []Candidate
	for _, c := range all {
		if want[c.Profile] {
			found = append(found, c)
		}
	}
	return found
}
