package setup

import (
	"slices"
	"strings"
)

// Refused are the profiles of the AWS config file that assume a role, or get their
// credentials, in a way that no IAM user's key and MFA code can stand for, each
// with the reason.
func (f Found) Refused() []Problem {
	var found []Problem
	for _, s := range f.sections {
		if what, hint := s.refused(); what != "" {
			found = append(found, Problem{Profile: s.name, What: where(s.path, s.line) + ": " + what, Hint: hint})
		}
	}
	return found
}

func (s section) refused() (what, hint string) {
	has := func(key string) bool { return s.v[key] != "" }
	sso := slices.ContainsFunc([]string{"sso_session", "sso_start_url", "sso_account_id", "sso_role_name"}, has)
	switch {
	case !s.isConfig && has("role_arn") && has("source_profile"):
		return "role_arn stands in the credentials file, which mfad does not rewrite for it", "move the lines to [profile " + s.name + "] in the AWS config file"
	case !s.isConfig:
	case has("credential_source"):
		return "credential_source takes the credentials of a machine or a container; there is no key to keep, and no MFA", "leave it as it is"
	case sso:
		return "it signs in with IAM Identity Center, which needs no long-term key", "leave it as it is: aws sso login"
	case has("login_session"):
		return "it signs in with aws login, which needs no long-term key", "leave it as it is"
	case has("web_identity_token_file"):
		return "web_identity_token_file is a federated identity without a key", "write it by hand: [identity NAME] with type = web_identity"
	case has("credential_process") && !strings.Contains(s.v["mfad_keys"], "credential_process"):
		return "credential_process gets its credentials from another program", "import that program's keys, if it is aws-vault; else leave it as it is"
	case has("role_arn") && !has("source_profile"):
		return "role_arn stands without a source_profile", "add the source_profile whose key assumes it"
	}
	return "", ""
}

// Unsourced tells why no key is there for a role that is not served.
func (f Found) Unsourced(r Role) (what, hint string) {
	source := "source_profile = " + r.Source
	if i := slices.IndexFunc(f.Keys, func(k Key) bool {
		return (k.Base == r.Profile || k.Profile == r.Profile) && k.Profile != r.Source && r.Source != r.Profile
	}); i >= 0 {
		return "another key claims it too: " + where(f.Keys[i].Path, f.Keys[i].Line), "rename one of the two sections, then run the command again"
	}
	k, isKey := f.Key(r.Source)
	_, known := f.profiles[r.Source]
	switch {
	case isKey && k.Profile == r.Profile:
		return "its own section holds the long-term key, which AWS's tools and mfad cannot both use", "add --remove-source: the key then leaves the file"
	case slices.ContainsFunc(f.Problems, func(p Problem) bool { return p.Profile == r.Source }):
		return source + " holds no key that can be used", "see what is told of " + r.Source
	case slices.ContainsFunc(f.Refused(), func(p Problem) bool { return p.Profile == r.Source }):
		return source + " is no profile with a long-term key", "leave it as it is"
	case f.profiles[r.Source].static:
		return source + " holds temporary credentials, and no long-term key", "import what those come from"
	case slices.ContainsFunc(f.Roles, func(o Role) bool { return o.Profile == r.Source }):
		return source + " is left out too", "see what is told of " + r.Source
	case !known:
		return source + " is in neither file", "run: mfad import aws-vault, if that keeps the key; else correct the line"
	}
	return source + " holds no key", "run: mfad import aws-vault, if that keeps the key; else put the key there"
}
