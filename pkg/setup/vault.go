package setup

import (
	"slices"
	"strings"
)

// Vault is what was found as aws-vault understands the AWS config file, for the
// keys that it keeps under these names: a profile has what the one has that it
// includes (include_profile, formerly parent_profile), or else [default]; and one
// whose own key aws-vault keeps needs no source_profile
// (https://github.com/99designs/aws-vault, USAGE.md, "Config"). Its Keys are those
// that aws-vault keeps, without the keys themselves.
func (f Found) Vault(names []string) Found {
	v := f
	v.Keys, v.Roles = nil, nil
	for _, name := range names {
		v.Keys = append(v.Keys, Key{Profile: name, Vault: true, Device: f.included(name, "mfa_serial", nil)})
	}
	for _, s := range f.sections {
		if !s.isConfig {
			continue
		}
		r := Role{Profile: s.name, ARN: f.included(s.name, "role_arn", nil), Path: s.path, Line: s.line,
			Source: f.included(s.name, "source_profile", nil), Device: f.included(s.name, "mfa_serial", nil)}
		if slices.Contains(names, s.name) {
			r.Source = s.name
		}
		if r.ARN == "" || r.Source == "" {
			continue
		}
		all := values{}
		tags := []string{"source_identity", "session_tags", "transitive_session_tags"} // AWS's tools know none of them
		for _, key := range append([]string{"external_id", "role_session_name", "duration_seconds"}, tags...) {
			all[key] = f.included(s.name, key, nil)
		}
		r.Options = roleOptions(all, tags...)
		if s.v["region"] == "" {
			r.Region = f.included(s.name, "region", nil)
		}
		v.Roles = append(v.Roles, r)
	}
	return v
}

// vaultWords are the words of a command that runs aws-vault; nil for another. It may
// stand within a shell's line.
func vaultWords(command string) []string {
	if !strings.Contains(command, "aws-vault") {
		return nil
	}
	return strings.FieldsFunc(command, func(c rune) bool { return strings.ContainsRune(" \t\"'=;&|", c) })
}

// vaultNeeds tells whether a section's credential_process has aws-vault open this
// key: it names it, or a role that the key is behind. One that names nothing that is
// known may need any key.
func (f Found) vaultNeeds(s section, key string) bool {
	known := false
	for _, word := range s.vault {
		for range f.Roles { // which may be in a circle
			r, isRole := f.role(word)
			if !isRole || r.Source == word || word == key {
				break
			}
			word, known = r.Source, true
		}
		if word == key {
			return true
		}
		known = known || slices.ContainsFunc(f.Keys, func(k Key) bool { return k.Profile == word })
	}
	return s.vault != nil && !known
}

// included is the value of a key as aws-vault looks for it; seen are the profiles
// that it was looked for in.
func (f Found) included(name, key string, seen []string) string {
	next := "default"
	if i := slices.IndexFunc(f.sections, func(s section) bool { return s.isConfig && s.name == name }); i >= 0 {
		v := f.sections[i].v
		if v[key] != "" {
			return v[key]
		}
		for _, by := range []string{"include_profile", "parent_profile"} {
			if v[by] != "" {
				next = v[by]
				break
			}
		}
	}
	if next == name || slices.Contains(seen, next) {
		return ""
	}
	return f.included(next, key, append(seen, name))
}
