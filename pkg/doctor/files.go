package doctor

import (
	"fmt"
	"strings"

	"github.com/mfad/mfad/pkg/credfile"
)

// checkFiles tells whether AWS's tools read the two files at all.
func checkFiles(p Picture) []Finding {
	var found []Finding
	if s := p.Daemon.Status; s != nil && s.Daemon.FilesError != nil {
		found = append(found, failure("aws_files", Fault, "AWS's files", s.Daemon.FilesError.Err(), "mfad status"))
	}
	for _, v := range []credfile.View{p.Credentials, p.AWSConfig} {
		if v.Err != nil {
			found = append(found, failure("aws_files", Fault, "AWS's files", v.Err, "correct that line"))
		}
	}
	if found == nil && (p.Credentials.Exists || p.AWSConfig.Exists) {
		found = one(Finding{Check: "aws_files", Level: OK, What: "AWS's tools read the credentials file and the config file"})
	}
	return found
}

// section is what the two files say of one profile.
type section struct {
	name        string
	credentials *credfile.ProfileView
	config      *credfile.ProfileView
}

// sections gives what the files say, by profile, in their order.
func (p Picture) sections() []*section {
	var all []*section
	known := map[string]*section{}
	get := func(name string) *section {
		if known[name] == nil {
			known[name] = &section{name: name}
			all = append(all, known[name])
		}
		return known[name]
	}
	for i := range p.Credentials.Profiles {
		get(p.Credentials.Profiles[i].Name).credentials = &p.Credentials.Profiles[i]
	}
	for i := range p.AWSConfig.Profiles {
		get(p.AWSConfig.Profiles[i].Name).config = &p.AWSConfig.Profiles[i]
	}
	return all
}

// spot is where a key stands.
type spot struct{ place, value string }

// key finds a key of a profile, in the credentials file first, as botocore does.
// The place is FILE:LINE.
func (s *section) key(p Picture, name string) (spot, bool) {
	for _, in := range []struct {
		view *credfile.ProfileView
		path string
	}{{s.credentials, p.Credentials.Path}, {s.config, p.AWSConfig.Path}} {
		if in.view == nil {
			continue
		}
		if k, ok := in.view.Key(name); ok {
			return spot{fmt.Sprintf("%s:%d", in.path, k.Line), k.Value}, true
		}
	}
	return spot{}, false
}

// prefixed finds the first key that begins so.
func (s *section) prefixed(p Picture, prefix string) (name string, at spot, ok bool) {
	for _, v := range []*credfile.ProfileView{s.credentials, s.config} {
		if v == nil {
			continue
		}
		for _, k := range v.Keys {
			if strings.HasPrefix(k.Name, prefix) {
				at, ok = s.key(p, k.Name)
				return k.Name, at, ok
			}
		}
	}
	return "", spot{}, false
}

// checkSections looks at the sections that are not mfad's profiles: what stands
// in the way of those is a conflict of theirs. They are the user's, so most of
// what is wrong with them is told and no failure of mfad's.
func checkSections(p Picture) []Finding {
	if p.Profile != "" {
		return nil
	}
	ours := map[string]bool{}
	for _, mine := range p.profiles() {
		ours[mine.Section] = true
	}
	var found []Finding
	all := p.sections()
	names := map[string]bool{}
	for _, s := range all {
		names[s.name] = true
	}
	for _, s := range all {
		if _, managed := s.key(p, "mfad_profile"); managed || ours[s.name] {
			continue
		}
		found = append(found, checkStatic(p, s)...)
		found = append(found, checkRole(p, s, names)...)
	}
	return append(found, checkLongTerm(p, all)...)
}

// checkStatic tells what wins over keys, and over what keys win. The order is that
// of botocore's credential chain and the Go SDK's shared config.
func checkStatic(p Picture, s *section) []Finding {
	keys, static := s.key(p, "aws_access_key_id")
	if !static {
		return nil
	}
	var found []Finding
	say := func(level Level, why, fix string) {
		found = append(found, Finding{Check: "sections", Level: level, What: "the AWS profile " + s.name, Why: why, Fix: fix})
	}
	if process, ok := s.key(p, "credential_process"); ok {
		level := Hint
		if strings.Contains(process.value, " credential-process --profile ") {
			level = Fault
		}
		say(level, fmt.Sprintf("the key in %s wins over the credential_process in %s, even when it has run out", keys.place, process.place),
			"delete the key's lines there, or the credential_process")
	}
	if sso, at, ok := s.prefixed(p, "sso_"); ok {
		say(Hint, fmt.Sprintf("%s in %s wins over the key in %s for the AWS CLI, and the key for the AWS SDKs", sso, at.place, keys.place), "delete one of the two")
	}
	if web, ok := s.key(p, "web_identity_token_file"); ok {
		say(Hint, fmt.Sprintf("web_identity_token_file in %s wins over the key in %s for the AWS CLI", web.place, keys.place), "delete one of the two")
	}
	if role, ok := s.key(p, "role_arn"); ok {
		if source, has := s.key(p, "source_profile"); !has || source.value != s.name {
			say(Hint, fmt.Sprintf("role_arn in %s wins over the key in %s", role.place, keys.place), "delete one of the two, or give them two profiles")
		}
	}
	return found
}

// checkRole looks at a role of the user's own.
func checkRole(p Picture, s *section, names map[string]bool) []Finding {
	var found []Finding
	what := "the AWS profile " + s.name
	_, role := s.key(p, "role_arn")
	if serial, ok := s.key(p, "mfa_serial"); ok && role {
		why := "mfa_serial beside role_arn (" + serial.place + ") breaks every Go program, Terraform too: they cannot ask for a code"
		if strings.Contains(serial.value, ":u2f/") {
			why += "; and the device is a FIDO key, which AWS takes in the console only"
		}
		found = append(found, Finding{Check: "sections", Level: Hint, What: what, Why: why, Fix: "mfad setup"})
	}
	source, ok := s.key(p, "source_profile")
	if ok && !names[source.value] {
		found = append(found, Finding{Check: "sections", Level: Fault, What: what,
			Why: fmt.Sprintf("source_profile in %s names %s, and there is no such profile", source.place, source.value), Fix: "correct the name, or add that profile"})
	}
	return found
}

// checkLongTerm tells which long-term keys lie on the disk in clear. AKIA begins a
// user's (IAM User Guide, "IAM identifiers").
func checkLongTerm(p Picture, all []*section) []Finding {
	var where []string
	first := ""
	for _, s := range all {
		id, ok := s.key(p, "aws_access_key_id")
		if !ok || !strings.HasPrefix(id.value, "AKIA") {
			continue
		}
		if first == "" {
			first = s.name
		}
		where = append(where, fmt.Sprintf("%s in %s", Mask(id.value), id.place))
	}
	if where == nil {
		return nil
	}
	const most = 5
	if more := len(where) - most; more > 0 {
		where = append(where[:most], fmt.Sprintf("and %d more", more))
	}
	return one(Finding{Check: "long_term_keys", Level: Hint, What: "long-term keys in clear", Why: strings.Join(where, ", "),
		Fix: "mfad setup --from " + shellWord(first) + " --remove-keys"})
}
