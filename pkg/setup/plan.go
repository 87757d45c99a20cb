package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/profile"
)

// Answers are what a plan is made of, beside what was found.
type Answers struct {
	Origin   Origin
	Identity string // its name
	Serial   string // its device
	Region   string // of the identity, and of profiles that AWS's files do not know; empty: none
	Profiles []Candidate
	// Unfinished are profiles that the config has, whose sections in AWS's files are
	// yet to be taken over.
	Unfinished []Candidate
	Write      string // where they are written; empty: as the config's default
	Command    string // what credential_process starts with
}

// Plan is what is to be changed.
type Plan struct {
	// Identity is the section of a new identity, which comes with its key; nil
	// where the identity is there already.
	Identity *profile.Section
	Profiles []profile.Section
	// Claims are the changes in sections of the user's.
	Claims credfile.Claims
	// Static and Process are what will stand in AWS's files for the profiles.
	// Static ones have placeholders for credentials.
	Static  []credfile.Section
	Process []credfile.Entry
}

// Empty tells whether nothing is left to do.
func (p Plan) Empty() bool {
	return p.Identity == nil && len(p.Profiles) == 0 && len(p.Claims.Credentials) == 0 && len(p.Claims.Config) == 0
}

// Sections are all sections that mfad's config gets.
func (p Plan) Sections() []profile.Section {
	if p.Identity == nil {
		return p.Profiles
	}
	return append([]profile.Section{*p.Identity}, p.Profiles...)
}

// Make plans. Whether mfad's config takes the sections, and AWS's files the
// claims, is for profile and credfile to tell.
func Make(f Found, a Answers) Plan {
	var p Plan
	if a.Origin.Identity == "" {
		p.Identity = &profile.Section{Header: "identity " + a.Identity, Keys: []profile.KV{{Key: "mfa_serial", Value: a.Serial}}}
		if a.Region != "" {
			p.Identity.Keys = append(p.Identity.Keys, profile.KV{Key: "region", Value: a.Region})
		}
		if d := a.Origin.Key.SessionDuration; d != "" {
			p.Identity.Keys = append(p.Identity.Keys, profile.KV{Key: "session_duration", Value: d})
		}
	}
	for _, c := range a.Profiles {
		p.Profiles = append(p.Profiles, inConfig(f, a, c))
		p.claim(f, a, c)
		p.serve(f, a, c)
	}
	for _, c := range a.Unfinished {
		as := a
		as.Write = c.write
		p.claim(f, as, c)
		p.serve(f, as, c)
	}
	if a.Origin.RemoveKey && !a.Origin.Key.Vault {
		p.removeKey(f, a)
	}
	return p
}

// Join makes one plan of those for several keys: all identities, then all profiles.
// Of two claims on one section there is one left.
func Join(plans []Plan) Plan {
	var all Plan
	for _, p := range plans {
		if p.Identity != nil {
			all.Profiles = append(all.Profiles, *p.Identity)
		}
	}
	for _, p := range plans {
		all.Profiles = append(all.Profiles, p.Profiles...)
		all.Claims.Credentials = joinClaims(all.Claims.Credentials, p.Claims.Credentials)
		all.Claims.Config = joinClaims(all.Claims.Config, p.Claims.Config)
		all.Static = append(all.Static, p.Static...)
		all.Process = append(all.Process, p.Process...)
	}
	return all
}

func joinClaims(all, more []credfile.Claim) []credfile.Claim {
	for _, c := range more {
		i := slices.IndexFunc(all, func(have credfile.Claim) bool { return have.Name == c.Name })
		if i < 0 {
			all = append(all, c)
			continue
		}
		have := &all[i]
		have.Disable, have.Own = append(slices.Clip(have.Disable), c.Disable...), have.Own || c.Own
		if have.Key.IsZero() {
			have.Key = c.Key
		}
	}
	return all
}

// LastStep parts the claims in those that can be undone, and those that take a
// long-term key out of its file, which come last.
func (p Plan) LastStep() (before, last credfile.Claims) {
	part := func(claims []credfile.Claim, before, last *[]credfile.Claim) {
		for _, c := range claims {
			if c.Key.IsZero() {
				*before = append(*before, c)
				continue
			}
			if len(c.Disable) > 0 {
				*before = append(*before, credfile.Claim{Name: c.Name, Profile: c.Profile, Disable: c.Disable})
				c.Disable = nil
			}
			*last = append(*last, c)
		}
	}
	part(p.Claims.Credentials, &before.Credentials, &last.Credentials)
	part(p.Claims.Config, &before.Config, &last.Config)
	return before, last
}

// Bereft are the profiles of AWS's files that get their credentials with the key that
// goes, and that mfad will not serve: roles that stand in either file, and what has
// aws-vault open a key of its.
func (f Found) Bereft(a Answers, have *profile.Config) []string {
	if !a.Origin.RemoveKey {
		return nil
	}
	served := func(name string) bool {
		return have.Profiles[name] != nil || slices.ContainsFunc(a.Profiles, func(c Candidate) bool { return c.Profile == name })
	}
	var found []string
	add := func(name string) {
		if !served(name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	k := a.Origin.Key
	for _, r := range f.Roles {
		if r.Source == k.Profile {
			add(r.Profile)
		}
	}
	for _, s := range f.sections {
		// The files are one to AWS's tools: each may have a part of the role.
		byKey := !k.Vault && s.v["source_profile"] == k.Profile && slices.ContainsFunc(f.sections, func(o section) bool { return o.name == s.name && o.v["role_arn"] != "" })
		if byKey || k.Vault && f.vaultNeeds(s, k.Profile) {
			add(s.name)
		}
	}
	return found
}

// inConfig is a profile in mfad's config.
func inConfig(f Found, a Answers, c Candidate) profile.Section {
	s := profile.Section{Header: "profile " + c.Profile}
	add := func(key, value string) {
		if value != "" {
			s.Keys = append(s.Keys, profile.KV{Key: key, Value: value})
		}
	}
	if c.Source != "" {
		add("source_profile", c.Source)
	} else {
		add("identity", a.Identity)
	}
	add("role_arn", c.RoleARN)
	add("mfa", c.Mode)
	for _, o := range c.Options {
		add(o.Key, o.Value)
	}
	if a.Write != profile.WriteCredentials {
		add("write", a.Write)
	}
	if region := newRegion(f, a, c); region != "" {
		add("region", region)
	}
	return s
}

// newRegion is the region for tools, where AWS's files have nothing on the profile.
func newRegion(f Found, a Answers, c Candidate) string {
	if c.Region != "" {
		return c.Region
	}
	if _, known := f.profiles[c.Profile]; known {
		return ""
	}
	return a.Region
}

// claim takes what stands in the way of a profile out of use.
func (p *Plan) claim(f Found, a Answers, c Candidate) {
	if a.Write == profile.WriteNone {
		return
	}
	if _, isRole := f.role(c.Profile); isRole {
		p.Claims.Config = append(p.Claims.Config, credfile.Claim{Name: c.Profile, Profile: c.Profile,
			Disable: []string{"role_arn", "source_profile", "mfa_serial", "credential_source", "duration_seconds"}})
	}
	if f.profiles[c.Profile].awsMFA && c.Profile != a.Origin.Key.Profile && a.Write != profile.WriteProcess {
		// What aws-mfa says of its credentials stays beside them, and is kept up to date.
		p.Claims.Credentials = append(p.Claims.Credentials, credfile.Claim{Name: c.Profile, Profile: c.Profile, Own: true})
	}
}

// serve says what mfad itself will write for a profile.
func (p *Plan) serve(f Found, a Answers, c Candidate) {
	e := credfile.Entry{Name: c.Profile, Profile: c.Profile, Region: newRegion(f, a, c)}
	switch a.Write {
	case profile.WriteNone:
		return
	case profile.WriteProcess:
		e.CredentialProcess = a.Command + " credential-process --profile " + c.Profile
	default:
		p.Static = append(p.Static, credfile.Section{Name: c.Profile, Profile: c.Profile, Credentials: placeholder()})
	}
	if e.CredentialProcess+e.Region != "" {
		p.Process = append(p.Process, e)
	}
}

// placeholder stands for credentials to come. It is shown, never written.
func placeholder() creds.Credentials {
	return creds.Credentials{AccessKeyID: "ASIA****", SecretAccessKey: creds.NewSecret("****"), SessionToken: creds.NewSecret("****")}
}

// removeKey takes the key out of its section, which stays with the profile of that
// name if the user has other keys there.
func (p *Plan) removeKey(f Found, a Answers) {
	k := a.Origin.Key
	served := a.Write != profile.WriteNone && a.Write != profile.WriteProcess &&
		slices.ContainsFunc(a.Profiles, func(c Candidate) bool { return c.Profile == k.Profile })
	claim := credfile.Claim{Name: k.Profile, Profile: k.Profile, Key: k.Credentials, Own: served && !k.InConfig}
	if !k.InConfig {
		p.Claims.Credentials = append(p.Claims.Credentials, claim)
		return
	}
	if i := slices.IndexFunc(p.Claims.Config, func(c credfile.Claim) bool { return c.Name == k.Profile }); i >= 0 {
		p.Claims.Config[i].Key = k.Credentials
		return
	}
	p.Claims.Config = append(p.Claims.Config, claim)
}

// IdentityName proposes a name for the identity of a user: what the key's section
// is called, else the user's own name; never one that means a role.
func (f Found) IdentityName(k Key, userARN string, have *profile.Config) string {
	free := func(name string) bool {
		isRole := slices.ContainsFunc(f.Roles, func(r Role) bool { return r.Profile == name }) || name == k.Base && k.Role != ""
		return !isRole && name != "default" && validName(name) && have.Identities[name] == nil && have.Profiles[name] == nil
	}
	user := userARN[strings.LastIndexByte(userARN, '/')+1:]
	own := k.Profile
	if k.Base != "" {
		own = k.Base
	}
	for _, name := range []string{own, user, user + "-key"} {
		if free(name) {
			return name
		}
	}
	for i := 1; ; i++ {
		if name := fmt.Sprintf("identity%d", i); free(name) {
			return name
		}
	}
}

// validName tells whether mfad's config takes a name.
func validName(name string) bool { return profile.CheckName(name) == nil }

func where(path string, line int) string {
	if path == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", path, line)
}
