package setup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/profile"
)

// Home is the section of the credentials file in which AWS's tools look for an
// identity's key.
type Home struct {
	Identity, Section string
	// KeyID is that of the long-term key that stands there, whosever it is; empty:
	// none does.
	KeyID string
	// Dead tells that this key was replaced and deleted.
	Dead bool
	// Guessed tells that nothing but its name says that the section is the identity's.
	Guessed bool
}

// Leaving is what it takes to use profiles of mfad's without it.
type Leaving struct {
	Profiles []string // those that can, each before the ones that it is chained to
	Names    []string // these in AWS's files
	Config   []credfile.Plain
	Homes    []Home
	// Left are profiles that cannot, which stay mfad's, and what AWS's tools have no
	// word for.
	Left []Problem
}

// Leave plans for all profiles of the config. What was found is what AWS's files
// hold without mfad: lines that were out of use are back, and mfad's own are gone.
// The ids of keys that are known to be deleted are dead.
func (f Found) Leave(c *profile.Config, dead map[string]bool) Leaving {
	var l Leaving
	for _, name := range c.ProfileNames() {
		p := c.Profiles[name]
		if what, hint := stays(p, c); what != "" {
			l.Left = append(l.Left, Problem{Profile: name, What: what, Hint: hint})
			continue
		}
		l.Profiles, l.Names = append(l.Profiles, name), append(l.Names, p.Section)
	}
	for _, name := range c.IdentityNames() {
		if id := c.Identities[name]; id.Type == profile.TypeKey {
			l.Homes = append(l.Homes, f.home(id, c, l.Profiles, dead))
		}
	}
	for _, name := range l.Profiles {
		p := c.Profiles[name]
		plain, moved := f.plain(p, c, l)
		if len(plain.Keys) > 0 {
			l.Config = append(l.Config, plain)
		}
		if moved.from != "" {
			l.Left = append(l.Left, Problem{Profile: name, What: "without mfad its source_profile = " + moved.from + " has no credentials; " + moved.to + " takes its place",
				Hint: "change it back once [" + moved.from + "] has some again"})
		}
		if lost := wordless(p); lost != "" {
			l.Left = append(l.Left, Problem{Profile: name, What: "AWS's tools have no word for its " + lost, Hint: "give that by hand: aws sts assume-role"})
		}
		if h := homeOf(l.Homes, p.Identity); p.RoleARN == "" && p.Section != h.Section {
			l.Left = append(l.Left, Problem{Profile: name, What: "it is the MFA session itself, for which AWS's tools have no profile",
				Hint: "use " + h.Section + ", or run: aws sts get-session-token --profile " + h.Section})
		}
	}
	// A source is needed until what is chained to it is gone.
	slices.SortStableFunc(l.Profiles, func(a, b string) int { return depth(c.Profiles[b]) - depth(c.Profiles[a]) })
	return l
}

func depth(p *profile.Profile) (n int) {
	for ; p.Source != nil; p = p.Source {
		n++
	}
	return n
}

// stays tells why a profile cannot do without mfad.
func stays(p *profile.Profile, c *profile.Config) (what, hint string) {
	root := p
	for root.Source != nil {
		root = root.Source
	}
	switch id := c.Identities[p.Identity]; {
	case p.File != c.Path:
		return fmt.Sprintf("it stands in %s:%d", p.File, p.Line), "ask whoever keeps that file"
	case id.Type == profile.TypeSAML:
		return "AWS's tools have no word for SAML", "mfad goes on serving it"
	case id.Type == profile.TypeWebIdentity && (id.WebIdentityTokenFile == "" || root.RoleARN == ""):
		return "AWS's tools take a web identity's token from a file only", "mfad goes on serving it"
	}
	return "", ""
}

// home finds where an identity's key belongs: beside its device, as aws-mfa has
// it; where its roles say that it was; in the place of the session; else under the
// identity's name.
func (f Found) home(id *profile.Identity, c *profile.Config, going []string, dead map[string]bool) Home {
	h := Home{Identity: id.Name}
	taken := func(section string) bool {
		return slices.ContainsFunc(going, func(name string) bool { return c.Profiles[name].Section == section && c.Profiles[name].RoleARN != "" })
	}
	var bySource, bySession string
	for _, name := range going {
		p := c.Profiles[name]
		if p.Identity != id.Name || p.Source != nil {
			continue
		}
		r, isRole := f.role(p.Section)
		if isRole && bySource == "" && (r.Source == p.Section || !taken(r.Source) && !f.hasOtherSource(r.Source)) {
			bySource = r.Source
		}
		if p.RoleARN == "" && bySession == "" {
			bySession = p.Section
		}
	}
	byDevice := slices.IndexFunc(f.sections, func(s section) bool {
		return !s.isConfig && id.MFASerial != "" && s.v["aws_mfa_device"] == id.MFASerial
	})
	switch {
	case byDevice >= 0:
		h.Section = f.sections[byDevice].name
	case bySource != "":
		h.Section = f.longTerm(bySource)
	case bySession != "":
		h.Section = f.longTerm(bySession)
	default:
		h.Section, h.Guessed = id.Name, true
		for taken(h.Section) {
			h.Section += "-key"
		}
	}
	if i := slices.IndexFunc(f.Keys, func(k Key) bool { return k.Profile == h.Section }); i >= 0 {
		h.KeyID = f.Keys[i].Credentials.AccessKeyID
		h.Dead = dead[h.KeyID]
	}
	return h
}

// longTerm is the section of the long-term key behind a profile: aws-mfa's, if there
// is one and the profile has no key of its own.
func (f Found) longTerm(name string) string {
	if f.profiles[name].static {
		return name
	}
	if k, ok := f.Key(name); ok {
		return k.Profile
	}
	if slices.ContainsFunc(f.sections, func(s section) bool { return !s.isConfig && s.name == name+Suffix }) {
		return name + Suffix
	}
	return name
}

// gives tells whether AWS's tools get credentials by a source_profile, once the keys
// are in their homes.
func (f Found) gives(source string, c *profile.Config, l Leaving) bool {
	return f.profiles[source].static ||
		slices.ContainsFunc(l.Homes, func(h Home) bool { return h.Section == source }) ||
		slices.ContainsFunc(l.Profiles, func(name string) bool { return c.Profiles[name].Section == source && c.Profiles[name].RoleARN != "" }) ||
		f.hasOtherSource(source)
}

// hasOtherSource tells whether a profile gets credentials without a key of its own.
func (f Found) hasOtherSource(name string) bool {
	return slices.ContainsFunc(f.sections, func(s section) bool {
		return s.name == name && slices.ContainsFunc(otherSources[:], func(key string) bool { return s.v[key] != "" })
	})
}

// otherSources are the keys by which a profile gets credentials without a long-term
// key of its own (AWS CLI User Guide, "Configuration and credential file settings").
var otherSources = [...]string{"role_arn", "credential_process", "credential_source", "web_identity_token_file", "sso_session", "sso_start_url", "login_session"}

func homeOf(homes []Home, identity string) Home {
	i := slices.IndexFunc(homes, func(h Home) bool { return h.Identity == identity })
	if i < 0 {
		return Home{}
	}
	return homes[i]
}

// plain is a profile in the words of the AWS CLI (AWS CLI User Guide,
// "Configuration and credential file settings"). What came back of the user's own
// stays: there is no need to know better.
func (f Found) plain(p *profile.Profile, c *profile.Config, l Leaving) (plain credfile.Plain, moved struct{ from, to string }) {
	plain.Name = p.Section
	add := func(key, value string) {
		if value != "" {
			plain.Keys = append(plain.Keys, credfile.Key{Name: key, Value: value})
		}
	}
	add("role_arn", p.RoleARN)
	if p.RoleARN != "" {
		r, isBack := f.role(p.Section)
		source := homeOf(l.Homes, p.Identity).Section
		if p.Source != nil && p.Source.RoleARN != "" {
			source = p.Source.Section
		}
		id := c.Identities[p.Identity]
		switch {
		case id.Type == profile.TypeWebIdentity && p.Source == nil:
			add("web_identity_token_file", id.WebIdentityTokenFile)
		case isBack && f.gives(r.Source, c, l):
			add("source_profile", r.Source)
		default:
			add("source_profile", source)
			if isBack {
				moved.from, moved.to = r.Source, source
			}
		}
		if p.Source == nil && id.Type == profile.TypeKey && (!isBack || r.Device != "" || moved.from != "") {
			add("mfa_serial", id.MFASerial)
		}
		if p.Duration > 0 && p.Source == nil { // AWS allows a chained role one hour, whatever is asked for
			add("duration_seconds", strconv.Itoa(int(p.Duration/time.Second)))
		}
		add("external_id", p.ExternalID)
		add("role_session_name", p.RoleSessionName)
	}
	i := slices.IndexFunc(f.sections, func(s section) bool { return s.isConfig && s.name == p.Section })
	for _, o := range []Option{{"region", p.Region}, {"output", p.Output}} {
		if i < 0 || f.sections[i].v[o.Key] == "" {
			add(o.Key, o.Value)
		}
	}
	return plain, moved
}

// wordless names what the profile has and the AWS CLI's config does not know.
func wordless(p *profile.Profile) string {
	var found []string
	for _, o := range []struct {
		key string
		set bool
	}{
		{"source_identity", p.SourceIdentity != ""}, {"session_tags", len(p.SessionTags) > 0},
		{"policy", p.PolicyFile != ""}, {"policy_arns", len(p.PolicyARNs) > 0},
	} {
		if o.set {
			found = append(found, o.key)
		}
	}
	return strings.Join(found, ", ")
}
