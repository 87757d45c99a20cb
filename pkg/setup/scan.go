// Package setup finds what AWS's two files hold for mfad to take over, long-term
// keys and roles, and turns it and a person's answers into a plan: sections for
// mfad's config, and what becomes of the sections of AWS's files. It opens no
// file, calls nobody, asks nothing and changes nothing; what it plans is shown and
// carried out elsewhere.
package setup

import (
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
	// Vault tells that aws-vault keeps the key, under Profile, and no file does. The
	// key itself may be zero then.
	Vault bool

	// Base is the profile that aws-mfa serves with the key, and Role the role that
	// it assumes for it; empty where the key is not aws-mfa's, or there is no role.
	Base, Role string
	// SessionDuration is how long forks of aws-mfa have a session live, in seconds as
	// STS takes them; empty: not said.
	SessionDuration string

	wanted string // the role that stands beside it, whether or not it is aws-mfa's
	marked bool   // a device stands beside it in aws-mfa's own word
}

// Role is a profile of the AWS config file that assumes a role.
type Role struct {
	Profile, ARN   string
	Path           string
	Line           int
	Source, Device string
	Options        []Option // those of mfad's config that it has too, by mfad's names
	Region         string   // that its own section does not say, and another that it includes does
}

// Option is one key of a profile.
type Option struct{ Key, Value string }

// Problem is something that looks like a key and is none that can be used.
type Problem struct {
	Profile    string
	What, Hint string // What begins with FILE:LINE
	Device     string // that stands beside it in aws-mfa's own word; empty: none
}

// Found is what AWS's files hold, in their order.
type Found struct {
	Keys     []Key
	Roles    []Role
	Problems []Problem

	profiles map[string]profileKeys // what is told of each profile, both files together
	sections []section
}

// profileKeys tells which kinds of keys a profile has.
type profileKeys struct {
	static  bool   // access keys of any kind
	awsMFA  bool   // credentials in aws-mfa's layout
	assumed string // the role that those are of; empty: none, or not told
	where   string // the section in the credentials file, as FILE:LINE
}

// section is a profile's section without its secrets.
type section struct {
	name, path string
	line       int
	isConfig   bool
	v          values
	vault      []string // the words of its credential_process, where that is aws-vault
}

// Scan reads the two files. What it does not understand it leaves out; whether
// AWS's tools take a file at all is not its concern.
func Scan(credentials, config File) Found {
	f := Found{profiles: map[string]profileKeys{}}
	f.scan(credentials, false)
	f.scan(config, true)
	f.Keys = f.paired(f.Keys, bySuffix)
	return f
}

// values are the options of one section.
type values map[string]string

// open gives the values that are no secrets, as far as this package looks at them.
func (v values) open() values {
	kept := values{}
	for key, value := range v {
		switch key {
		case "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token":
			kept[key] = "****" // that it is there counts
		case "credential_process", "web_identity_token_process":
			kept[key] = "****"
		default:
			kept[key] = value
		}
	}
	return kept
}

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
		f.sections = append(f.sections, section{name, file.Path, line, isConfig, v.open(), vaultWords(v["credential_process"])})
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
func roleOptions(v values, more ...string) []Option {
	var found []Option
	for _, key := range append([]string{"external_id", "role_session_name"}, more...) {
		if v[key] != "" {
			found = append(found, Option{key, v[key]})
		}
	}
	// What mfad and AWS take; AWS's tools read over the rest, or fail with it.
	if seconds(v["duration_seconds"], 900, 43200) {
		found = append(found, Option{"duration", v["duration_seconds"]})
	}
	return found
}

// IsSessionName tells whether AWS takes a role session's name (AWS STS API Reference,
// AssumeRole, RoleSessionName).
func IsSessionName(name string) bool {
	const others = "_+=,.@-"
	return len(name) >= 2 && len(name) <= 64 && strings.IndexFunc(name, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune(others, c)
	}) < 0
}

// seconds tells whether text is a number of seconds that STS takes.
func seconds(text string, least, most int) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= least && n <= most
}
