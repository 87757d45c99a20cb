package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// key notes the access key of a section, if it has one. AKIA begins a user's
// long-term key, ASIA a temporary one
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes).
func (f *Found) key(file File, isConfig bool, name string, line int, v values) {
	id, secret := v["aws_access_key_id"], v["aws_secret_access_key"]
	f.know(file, isConfig, name, line, v)
	longTerm := !isConfig && (v["aws_mfa_device"] != "" || strings.TrimSuffix(name, Suffix) != name && name != Suffix)
	temporary := strings.HasPrefix(id, "ASIA") || v["aws_session_token"] != ""
	problem := func(what, hint string) {
		f.Problems = append(f.Problems, Problem{name, fmt.Sprintf("%s:%d: [%s] %s", file.Path, line, name, what), hint, v["aws_mfa_device"]})
	}
	switch {
	case id == "" && secret == "":
		if longTerm {
			problem("holds no key", "put the access key there, or give it with --key -")
		}
	case temporary && (longTerm || v["aws_session_token"] == ""):
		problem("holds a temporary key (ASIA...), not the user's long-term key (AKIA...)", "make one in the console: IAM, Users, Security credentials, Create access key")
	case temporary:
	case id == "":
		problem("holds a secret access key without its id", "add aws_access_key_id there, or give the key with --key -")
	case secret == "":
		problem("holds an access key id without its secret", "add aws_secret_access_key there, or give the key with --key -")
	case strings.HasPrefix(id, "AKIA"):
		if !slices.ContainsFunc(f.Keys, func(o Key) bool { return o.Profile == name }) { // the credentials file wins
			f.Keys = append(f.Keys, newKey(file, isConfig, name, line, v))
		}
	}
}

// know notes which kinds of keys a profile has.
func (f *Found) know(file File, isConfig bool, name string, line int, v values) {
	p := f.profiles[name]
	_, expires := v["expiration"]
	p.static = p.static || v["aws_access_key_id"] != "" || v["aws_secret_access_key"] != ""
	if !isConfig {
		p.where = where(file.Path, line)
		if v["aws_access_key_id"] != "" && expires {
			p.awsMFA = true
			if strings.EqualFold(v["assumed_role"], "true") {
				p.assumed = v["assumed_role_arn"]
			}
		}
	}
	f.profiles[name] = p
}

func newKey(file File, isConfig bool, name string, line int, v values) Key {
	k := Key{Profile: name, Path: file.Path, Line: line, InConfig: isConfig,
		Credentials: creds.Credentials{AccessKeyID: v["aws_access_key_id"], SecretAccessKey: creds.NewSecret(v["aws_secret_access_key"])},
		Device:      v["mfa_serial"], wanted: v["assume_role"]}
	if device := v["aws_mfa_device"]; device != "" {
		k.Device, k.marked = device, true
	}
	for _, name := range []string{"aws_mfa_duration", "mfa_duration"} { // of forks of aws-mfa
		if seconds(v[name], 900, 129600) {
			k.SessionDuration = v[name]
		}
	}
	return k
}

// Key gives the key of a profile, by the section's name or aws-mfa's profile's.
func (f Found) Key(name string) (Key, bool) {
	for _, by := range []func(Key) string{func(k Key) string { return k.Profile }, func(k Key) string { return k.Base }} {
		if i := slices.IndexFunc(f.Keys, func(k Key) bool { return by(k) == name }); i >= 0 && name != "" {
			return f.Keys[i], true
		}
	}
	return Key{}, false
}
