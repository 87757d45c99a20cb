// Package setup finds what AWS's two files hold for mfad to take over, long-term
// keys and roles, and turns it and a person's answers into a plan: sections for
// mfad's config, and what becomes of the sections of AWS's files. It opens no
// file, calls nobody, asks nothing and changes nothing; what it plans is shown and
// carried out elsewhere.
package setup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// Suffix ends the name of a section in which aws-mfa keeps a long-term key; what
// stands before it is the profile that its codes are for
// (https://github.com/broamski/aws-mfa, "Credentials file setup").
const Suffix = "-long-term"

// File is one of AWS's files, as read.
type File struct {
	Path string
	Text []byte
}

// Key is a long-term key that stands in AWS's files.
type Key struct {
	Profile     string // the section, as AWS's tools name it
	Path        string
	Line        int // of the section
	InConfig    bool
	Credentials creds.Credentials
	Device      string // the MFA device that is named beside it; empty: none

	// Base is the profile that aws-mfa serves with the key, and Role the role that
	// it assumes for it; empty where the key is not aws-mfa's, or there is no role.
	Base, Role string
}

// Role is a profile of the AWS config file that assumes a role.
type Role struct {
	Profile, ARN   string
	Path           string
	Line           int
	Source, Device string
	Options        []Option // those of mfad's config that it has too, by mfad's names
}

// Option is one key of a profile.
type Option struct{ Key, Value string }

// Problem is something that looks like a key and is none that can be used.
type Problem struct {
	Profile    string
	What, Hint string // What begins with FILE:LINE
}

// Found is what AWS's files hold, in their order.
type Found struct {
	Keys     []Key
	Roles    []Role
	Problems []Problem

	profiles map[string]profileKeys // what is told of each profile, both files together
}

// profileKeys tells which kinds of keys a profile has.
type profileKeys struct {
	static  bool // access keys of any kind
	awsMFA  bool // credentials in aws-mfa's layout
	inCreds bool // a section in the credentials file
}

// Scan reads the two files. What it does not understand it leaves out; whether
// AWS's tools take a file at all is not its concern.
func Scan(credentials, config File) Found {
	f := Found{profiles: map[string]profileKeys{}}
	f.scan(credentials, false)
	f.scan(config, true)
	return f
}

// values are the options of one section.
type values map[string]string

func (f *Found) scan(file File, isConfig bool) {
	ini := inifile.Scan(file.Text)
	for _, s := range ini.Sections {
		name := s.Lines[0].Full
		if isConfig {
			if name = configName(name); name == "" {
				continue
			}
		}
		v := values{}
		for _, l := range s.Lines {
			if _, has := v[l.Name]; l.Kind == inifile.Option && !has {
				v[l.Name] = ini.Value(l)
			}
		}
		line := s.Lines[0].Number
		if v["mfad_profile"] == "" {
			f.key(file, isConfig, name, line, v)
		}
		if isConfig && v["role_arn"] != "" && v["source_profile"] != "" {
			f.Roles = append(f.Roles, Role{
				Profile: name, ARN: v["role_arn"], Path: file.Path, Line: line,
				Source: v["source_profile"], Device: v["mfa_serial"], Options: roleOptions(v),
			})
		}
	}
}

// configName is the name of a section of the AWS config file as a profile, empty
// if it is none.
func configName(header string) string {
	if header == "default" {
		return header
	}
	name, ok := strings.CutPrefix(header, "profile")
	if !ok || strings.TrimLeft(name, " \t") == name {
		return ""
	}
	return strings.Trim(strings.TrimSpace(name), `"'`)
}

// roleOptions are the keys that mean the same in mfad's config.
func roleOptions(v values) []Option {
	var found []Option
	for _, key := range []string{"external_id", "role_session_name"} {
		if v[key] != "" {
			found = append(found, Option{key, v[key]})
		}
	}
	// What mfad and AWS take; AWS's tools read over the rest, or fail with it.
	if n, err := strconv.Atoi(v["duration_seconds"]); err == nil && n >= 900 && n <= 43200 {
		found = append(found, Option{"duration", v["duration_seconds"]})
	}
	return found
}

// key notes the access key of a section, if it has one. AKIA begins a user's
// long-term key, ASIA a temporary one
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes).
func (f *Found) key(file File, isConfig bool, name string, line int, v values) {
	id, secret := v["aws_access_key_id"], v["aws_secret_access_key"]
	_, expires := v["expiration"]
	had := f.profiles[name]
	has := id != "" || secret != ""
	f.profiles[name] = profileKeys{
		static: had.static || has, awsMFA: had.awsMFA || !isConfig && id != "" && expires, inCreds: had.inCreds || !isConfig,
	}
	base, isLongTerm := strings.CutSuffix(name, Suffix)
	isLongTerm = isLongTerm && base != "" && !isConfig
	problem := func(what, hint string) {
		f.Problems = append(f.Problems, Problem{name, fmt.Sprintf("%s:%d: [%s] %s", file.Path, line, name, what), hint})
	}
	temporary := strings.HasPrefix(id, "ASIA") || v["aws_session_token"] != ""
	switch {
	case !has:
		if isLongTerm {
			problem("holds no key", "put the access key there, or give it with --key -")
		}
	case temporary && (isLongTerm || v["aws_session_token"] == ""):
		problem("holds a temporary key (ASIA...), not the user's long-term key (AKIA...)", "make one in the console: IAM, Users, Security credentials, Create access key")
	case temporary:
	case id == "":
		problem("holds a secret access key without its id", "add aws_access_key_id there, or give the key with --key -")
	case secret == "":
		problem("holds an access key id without its secret", "add aws_secret_access_key there, or give the key with --key -")
	case strings.HasPrefix(id, "AKIA"):
		k := Key{Profile: name, Path: file.Path, Line: line, InConfig: isConfig,
			Credentials: creds.Credentials{AccessKeyID: id, SecretAccessKey: creds.NewSecret(secret)}, Device: v["mfa_serial"]}
		if device := v["aws_mfa_device"]; device != "" {
			k.Device = device
		}
		if isLongTerm {
			k.Base, k.Role = base, v["assume_role"]
		}
		if !slices.ContainsFunc(f.Keys, func(o Key) bool { return o.Profile == name }) { // the credentials file wins
			f.Keys = append(f.Keys, k)
		}
	}
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
