package profile

import (
	"fmt"
	"slices"
	"strings"
)

// check holds what concerns more than one key.
func (l *loader) check() {
	for _, name := range l.cfg.identityNames {
		l.checkIdentity(l.cfg.Identities[name])
	}
	for _, name := range l.cfg.profileNames {
		l.checkOrigin(l.cfg.Profiles[name])
	}
	l.resolve()
	sections := map[string]*Profile{}
	for _, name := range l.cfg.profileNames {
		p := l.cfg.Profiles[name]
		l.checkRoleKeys(p)
		l.checkPartitions(p)
		l.checkHandOut(p, sections)
		l.CheckName(p)
	}
}

// at gives where a key of a section stands, or the section's header if the key
// is not set.
func (l *loader) at(kind, name, key string) (file string, line int, set bool) {
	sec := l.sections[(&section{kind: kind, name: name}).title()]
	if v, ok := sec.values[key]; ok {
		return v.file, v.line, true
	}
	return sec.file, sec.line, false
}

func (l *loader) profileProblem(p *Profile, key, hint, format string, args ...any) {
	file, line, _ := l.at(kindProfile, p.Name, key)
	l.add(file, line, fmt.Sprintf(format, args...), hint)
}

func (l *loader) identityProblem(i *Identity, key, hint, format string, args ...any) {
	file, line, _ := l.at(kindIdentity, i.Name, key)
	l.add(file, line, fmt.Sprintf(format, args...), hint)
}

// needs are the keys that a type of identity must have, and may have.
func needs(kind string) (must, may []string) {
	switch kind {
	case TypeSAML:
		return []string{"saml_assertion_process", "principal_arn"}, []string{"type", "region"}
	case TypeWebIdentity:
		return nil, []string{"type", "region", "web_identity_token_file", "web_identity_token_process"}
	}
	return []string{"mfa_serial"}, []string{"mfa_process", "mfa_process_unattended", "region", "session_duration"}
}

func (l *loader) checkIdentity(i *Identity) {
	if _, _, set := l.at(kindIdentity, i.Name, "type"); set && i.Type == TypeKey {
		return // refused already, and nothing else can be judged
	}
	must, may := needs(i.Type)
	for _, key := range must {
		if _, _, set := l.at(kindIdentity, i.Name, key); !set {
			l.identityProblem(i, key, "add the line: "+key+" = "+example(key), "[identity %s] has no %s", i.Name, key)
		}
	}
	for _, key := range keyNames(kindIdentity) {
		if _, _, set := l.at(kindIdentity, i.Name, key); set && !slices.Contains(must, key) && !slices.Contains(may, key) {
			if i.Type == TypeKey {
				l.identityProblem(i, key, "add the line: type = "+typeOf(key), "%s needs a type in [identity %s]", key, i.Name)
				continue
			}
			l.identityProblem(i, key, "remove the line", "%s has no meaning with type = %s", key, i.Type)
		}
	}
	if i.Type == TypeWebIdentity && (i.WebIdentityTokenFile == "") == (i.WebIdentityTokenProcess == "") {
		l.identityProblem(i, "web_identity_token_process", "keep web_identity_token_file or web_identity_token_process",
			"[identity %s] needs exactly one source of its token", i.Name)
	}
	if i.MFAProcessUnattended && i.MFAProcess == "" {
		l.identityProblem(i, "mfa_process_unattended", "add mfa_process, or remove the line",
			"mfa_process_unattended needs mfa_process in [identity %s]", i.Name)
	}
}

// typeOf is the type of identity that a key belongs to.
func typeOf(key string) string {
	if must, _ := needs(TypeSAML); slices.Contains(must, key) {
		return TypeSAML
	}
	return TypeWebIdentity
}

func example(key string) string {
	switch key {
	case "mfa_serial":
		return deviceForm
	case "principal_arn":
		return "arn:aws:iam::111111111111:saml-provider/NAME"
	}
	return "COMMAND"
}

// checkOrigin wants exactly one of identity and source_profile, and that it
// exists.
func (l *loader) checkOrigin(p *Profile) {
	switch {
	case p.Identity == "" && p.SourceProfile == "":
		l.profileProblem(p, "identity", "add the line: identity = "+orElse(nearest(p.Name, l.cfg.identityNames), "NAME"),
			"[profile %s] has neither identity nor source_profile", p.Name)
	case p.Identity != "" && p.SourceProfile != "":
		l.profileProblem(p, "source_profile", "remove one of the two lines; a chained profile has the identity of its source_profile",
			"[profile %s] has both identity and source_profile", p.Name)
	case p.SourceProfile != "":
		p.Source = l.cfg.Profiles[p.SourceProfile]
		if p.Source == nil {
			l.profileProblem(p, "source_profile", orElse(nearestHint(p.SourceProfile, l.cfg.profileNames), "run: mfad setup"),
				"source_profile: there is no profile %s", quoted(p.SourceProfile))
		}
		if _, _, set := l.at(kindProfile, p.Name, "role_arn"); !set {
			l.profileProblem(p, "source_profile", "add the line: role_arn = "+roleForm,
				"[profile %s] has a source_profile but no role_arn", p.Name)
		}
	case l.cfg.Identities[p.Identity] == nil:
		l.profileProblem(p, "identity", orElse(nearestHint(p.Identity, l.cfg.identityNames), "run: mfad identity add "+shellWord(p.Identity)),
			"identity: there is no identity %s", quoted(p.Identity))
	}
}

// resolve follows each chain to the identity at its root.
func (l *loader) resolve() {
	done := map[*Profile]bool{}
	for _, name := range l.cfg.profileNames {
		var path []*Profile
		place := map[*Profile]int{}
		p := l.cfg.Profiles[name]
		for p != nil && p.SourceProfile != "" && !done[p] {
			if i, again := place[p]; again {
				l.loop(path[i:])
				break
			}
			place[p] = len(path)
			path = append(path, p)
			p = p.Source
		}
		for _, member := range path {
			done[member] = true
			if p != nil {
				member.Identity = p.Identity
			}
		}
	}
}

// loop reports a loop at the profile that stands first in the files.
func (l *loader) loop(members []*Profile) {
	first := slices.IndexFunc(l.cfg.profileNames, func(n string) bool {
		return slices.Contains(members, l.cfg.Profiles[n])
	})
	start := slices.Index(members, l.cfg.Profiles[l.cfg.profileNames[first]])
	var names []string
	for i := range members {
		names = append(names, members[(start+i)%len(members)].Name)
	}
	names = append(names, names[0])
	l.profileProblem(members[start], "source_profile", "give one of them an identity instead of its source_profile",
		"source_profile goes in a loop: %s", strings.Join(names, " -> "))
}

// root gives the identity that signs for p; nil where it is not known.
func (l *loader) root(p *Profile) *Identity { return l.cfg.Identities[p.Identity] }

// checkRoleKeys refuses keys that the call which makes the credentials does not
// take: GetSessionToken takes a duration and a code alone, AssumeRoleWithSAML
// and AssumeRoleWithWebIdentity get tags and the source identity from the token
// (AWS STS API Reference).
func (l *loader) checkRoleKeys(p *Profile) {
	root := l.root(p)
	_, _, role := l.at(kindProfile, p.Name, "role_arn")
	federated := root != nil && root.Type != TypeKey
	var refused []string
	var why, hint string
	switch {
	case federated && !role && p.SourceProfile == "":
		l.profileProblem(p, "identity", "add the line: role_arn = "+roleForm,
			"[profile %s] needs a role_arn: %s is an identity of type %s", p.Name, root.Name, root.Type)
		return
	case federated && p.SourceProfile == "":
		refused = []string{"mfa", "mfa_max_age", "external_id", "source_identity", "session_tags", "transitive_session_tags"}
		if root.Type == TypeSAML {
			refused = append(refused, "role_session_name")
		}
		why, hint = "is not taken from the config for an identity of type "+root.Type, "remove the line"
	case !role:
		refused = []string{"role_session_name", "external_id", "source_identity", "session_tags", "transitive_session_tags"}
		why, hint = "needs a role_arn", "add the line: role_arn = "+roleForm
		if p.Duration != 0 {
			l.profileProblem(p, "duration", "set session_duration in [identity "+p.Identity+"] instead",
				"duration needs a role_arn: without one the profile lives as long as the MFA session")
		}
	}
	for _, key := range refused {
		if _, _, set := l.at(kindProfile, p.Name, key); set {
			l.profileProblem(p, key, hint, "%s %s", key, why)
		}
	}
	l.checkDirect(p, role, federated)
	l.checkTransitive(p)
}

func (l *loader) checkDirect(p *Profile, role, federated bool) {
	if p.MFAMaxAge != 0 && p.SourceProfile != "" {
		l.profileProblem(p, "mfa_max_age", "remove the line: a role that asks for an MFA's age cannot be assumed along a chain",
			"mfa_max_age has no meaning with source_profile: the credentials of a role carry no MFA")
	}
	switch {
	case p.MFA != MFADirect:
	case p.SourceProfile != "":
		l.profileProblem(p, "mfa", "remove the line, or give the profile an identity instead of its source_profile",
			"mfa = direct is not possible with source_profile: the code goes to the root of the chain")
	case !role && !federated:
		l.profileProblem(p, "mfa", "remove the line", "mfa = direct needs a role_arn")
	}
}

// checkTransitive wants each key among the tags: AWS hands on tags of this call.
func (l *loader) checkTransitive(p *Profile) {
	for _, key := range p.TransitiveSessionTags {
		if !slices.ContainsFunc(p.SessionTags, func(t Tag) bool { return strings.EqualFold(t.Key, key) }) {
			l.profileProblem(p, "transitive_session_tags", "add it to session_tags, or leave it out",
				"transitive_session_tags: there is no tag %s in session_tags", quoted(key))
		}
	}
}

// checkPartitions compares ARNs: no call crosses from one partition to another
// (AWS General Reference, "Amazon Resource Names").
func (l *loader) checkPartitions(p *Profile) {
	want := ""
	if root := l.root(p); root != nil {
		want = Partition(orElse(root.MFASerial, root.PrincipalARN))
	}
	if got := Partition(p.RoleARN); got != "" && want != "" && got != want {
		l.profileProblem(p, "role_arn", "use a role and an identity of one partition",
			"role_arn is in the partition %s, but the identity %s is in %s", quoted(got), p.Identity, quoted(want))
		return
	}
	want = orElse(Partition(p.RoleARN), want)
	for _, arn := range p.PolicyARNs {
		if got := Partition(arn); want != "" && got != want {
			l.profileProblem(p, "policy_arns", "write arn:"+want+": in front of it",
				"policy_arns: %s is in the partition %s, the role is in %s", quoted(arn), quoted(got), quoted(want))
		}
	}
}

// checkHandOut looks at where the credentials go.
func (l *loader) checkHandOut(p *Profile, sections map[string]*Profile) {
	if p.Confirm && p.Write == WriteCredentials {
		l.profileProblem(p, "confirm", "add the line: write = process",
			"confirm needs write = process or none: nobody is asked when a file is read")
	}
	if p.Write == WriteNone {
		return
	}
	if other := sections[p.Section]; other != nil {
		l.profileProblem(p, "section", "give one of them another section, or write = none",
			"the profiles %s and %s would both write the section %s", other.Name, p.Name, quoted(p.Section))
		return
	}
	sections[p.Section] = p
}

// CheckName keeps `mfad login NAME` unambiguous.
func (l *loader) CheckName(p *Profile) {
	if l.cfg.Identities[p.Name] == nil || p.Identity == p.Name && p.RoleARN == "" {
		return
	}
	l.add(p.File, p.Line, fmt.Sprintf("%s is the name of an identity too", quoted(p.Name)),
		"rename one; only the profile of that identity without a role_arn may share its name")
}
