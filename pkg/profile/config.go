// Package profile reads, checks and edits mfad's own config, and knows where
// mfad's files lie. A config is loaded whole or refused with every error at
// once, each with file and line; what Load returns needs no further checking.
// The package never calls AWS, never reads the AWS files and never holds a
// secret: keys are in the keyring, and the config only names them.
package profile

import (
	"slices"
	"strconv"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Config is a checked config: the user's file over the system-wide one.
//
// It is not changed after [Load] and may be shared.
type Config struct {
	Path       string // the user's file; it may not exist
	System     string // the system-wide file; empty if none was asked for
	Defaults   Defaults
	Identities map[string]*Identity // by name; never nil
	Profiles   map[string]*Profile  // by name; never nil

	identityNames, profileNames []string
	policyFiles                 []string
}

// Defaults are the keys of [defaults]. What is empty or nil was not set: the
// daemon's environment decides, then what AWS's tools do.
type Defaults struct {
	Region string
	// SessionDuration is the lifetime asked for with GetSessionToken, 15 minutes
	// to 36 hours, 36 hours where the config says nothing.
	SessionDuration time.Duration
	Keyring         string // auto, os or file; empty: MFAD_KEYRING, else auto
	// Prompt lists ways to ask for a code, in order: terminal, dialog,
	// notification, process. Nil means auto: whatever is there.
	Prompt []string

	// The endpoints are https, or http to this machine.
	EndpointURL, EndpointURLSTS, EndpointURLIAM, SigninURL string

	CABundle            string // absolute
	UseFIPS             *bool
	UseDualStack        *bool
	HTTPSProxy, NoProxy string // may hold a password: not for logs
	CredentialsFile     string // the AWS files, absolute
	ConfigFile          string
	Command             string // what credential_process starts with instead of the path of mfad
}

// The kinds of identities. The first has a long-term key in the keyring.
const (
	TypeKey         = ""
	TypeSAML        = "saml"
	TypeWebIdentity = "web_identity"
)

// Identity is one [identity NAME]: who signs, and with which MFA device.
type Identity struct {
	Name string
	File string // where its header stands
	Line int
	Type string // TypeKey, TypeSAML or TypeWebIdentity

	// MFASerial is the device's ARN or hardware serial. Always set for TypeKey.
	MFASerial string
	// MFAProcess is a command for sh -c that prints a code; empty if none.
	MFAProcess string
	// MFAProcessUnattended allows MFAProcess to run whenever a code is useful.
	MFAProcessUnattended bool

	Region string // its own, else that of [defaults], else empty
	// SessionDuration is its own, else that of [defaults], else 36 hours.
	SessionDuration time.Duration

	SAMLProcess             string // TypeSAML: a command that prints the assertion
	PrincipalARN            string // TypeSAML: the saml-provider in IAM
	WebIdentityTokenFile    string // TypeWebIdentity: absolute; or
	WebIdentityTokenProcess string // a command that prints the token
}

// The ways from a code to a role.
const (
	MFAAuto    = "auto"
	MFASession = "session"
	MFADirect  = "direct"
)

// Where a profile's credentials are written.
const (
	WriteCredentials = "credentials" // the shared credentials file
	WriteProcess     = "process"     // credential_process in the AWS config file
	WriteNone        = "none"
)

// RefreshBefore says how long before their end credentials are replaced: a
// share of the lifetime or a fixed time. The zero value means that the config
// does not say.
type RefreshBefore struct {
	Percent  int           // 1 to 50, or 0
	Duration time.Duration // more than 0, or 0
}

// Tag is one session tag.
type Tag struct{ Key, Value string }

// Profile is one [profile NAME].
type Profile struct {
	Name string
	File string // where its header stands
	Line int

	// Identity signs for this profile; for a chained profile it is the identity
	// at the root of the chain. Never empty.
	Identity      string
	SourceProfile string   // empty unless chained
	Source        *Profile // the profile of that name; nil unless chained
	RoleARN       string   // empty: the MFA session itself

	MFA string // MFAAuto, MFASession or MFADirect
	// Duration is what to ask AWS for, 15 minutes to 12 hours; 0 means the
	// longest that AWS allows.
	Duration      time.Duration
	RefreshBefore RefreshBefore
	// MFAMaxAge is how old an MFA may be for the role's trust policy
	// (aws:MultiFactorAuthAge); 0 if the config does not say.
	MFAMaxAge time.Duration

	Write   string // WriteCredentials, WriteProcess or WriteNone
	Section string // in the AWS files; never empty
	Confirm bool   // ask a person before each hand-out

	// What STS is told with AssumeRole; see its API reference.
	RoleSessionName       string // empty: derived from the IAM user's name
	ExternalID            string
	SourceIdentity        string
	SessionTags           []Tag
	TransitiveSessionTags []string
	PolicyARNs            []string
	PolicyFile            string // absolute; empty if none
	Policy                string // the text of PolicyFile when the config was loaded

	Region, Output string // to be written to the AWS config; empty if not set
}

// IdentityNames gives the names in the order of the files, the user's first.
func (c *Config) IdentityNames() []string { return slices.Clone(c.identityNames) }

// ProfileNames gives the names in the order of the files, the user's first.
func (c *Config) ProfileNames() []string { return slices.Clone(c.profileNames) }

// Files gives every file that decides what the config is, present or not: both
// config files and all policy files. These are the ones to watch.
func (c *Config) Files() []string {
	files := []string{c.Path}
	if c.System != "" {
		files = append(files, c.System)
	}
	return append(files, c.policyFiles...)
}

// Identity gives the identity of that name, or a [creds.Error] with
// [creds.CodeUsage] whose hint names the nearest one.
func (c *Config) Identity(name string) (*Identity, error) {
	if i := c.Identities[name]; i != nil {
		return i, nil
	}
	return nil, &creds.Error{
		Code: creds.CodeUsage,
		Op:   "no identity " + strconv.Quote(name) + " in " + c.Path,
		Hint: orElse(nearestHint(name, c.identityNames), "run: mfad identity add NAME"),
	}
}

// Profile gives the profile of that name, or a [creds.Error] with
// [creds.CodeUnknownProfile] whose hint names the nearest one.
func (c *Config) Profile(name string) (*Profile, error) {
	if p := c.Profiles[name]; p != nil {
		return p, nil
	}
	return nil, &creds.Error{
		Code: creds.CodeUnknownProfile,
		Op:   "no profile " + strconv.Quote(name) + " in " + c.Path,
		Hint: orElse(nearestHint(name, c.profileNames), "run: mfad setup"),
	}
}

// Region is where calls for p go: its own region, else its identity's, else
// that of [defaults], else [DefaultRegion] of the ARNs at hand. Never empty.
func (c *Config) Region(p *Profile) string {
	if p.Region != "" {
		return p.Region
	}
	arn := p.RoleARN
	if i := c.Identities[p.Identity]; i != nil {
		if i.Region != "" {
			return i.Region
		}
		arn = orElse(arn, orElse(i.MFASerial, i.PrincipalARN))
	}
	return orElse(c.Defaults.Region, DefaultRegion(arn))
}

// orElse gives the first that is not empty.
func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
