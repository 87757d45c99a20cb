// Package localapi is mfad's local API, version 1: its wire types, its client,
// and a server over a [Backend]. It is HTTP/1.1 with JSON over a unix socket
// that only the socket owner's uid may use. The package holds no credentials
// and decides nothing about them; docs/api.md describes it for users of curl.
//
// Fields and events are only ever added. A client ignores what it does not
// know; the server refuses what it does not know.
package localapi

import (
	"time"

	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// VersionHeader carries each side's version, so that a client can tell its
// person that the daemon is another one.
const VersionHeader = "Mfad-Version"

// Host is the Host that clients send.
const Host = "mfad"

// Purposes of a [CredentialsRequest].
const (
	// ForProcess is credential_process: see [Process] for its Expiration.
	ForProcess = "process"
	// ForExport hands out the true expiry.
	ForExport = "export"
)

// CredentialsRequest is the body of POST /v1/credentials.
type CredentialsRequest struct {
	Profile string `json:"profile"`
	For     string `json:"for,omitempty"` // a purpose; empty: ForProcess
	// Cached asks for what is there: nothing is fetched, nobody is asked.
	Cached bool `json:"cached,omitempty"`
	// NoPrompt has nobody asked for a code.
	NoPrompt bool `json:"no_prompt,omitempty"`
	// TimeoutSeconds bounds the wait; 0 means 50.
	TimeoutSeconds float64 `json:"timeout_seconds,omitempty"`
	// CanAsk tells that the client has a person at a terminal. It takes effect
	// where the answer is streamed.
	CanAsk bool `json:"can_ask,omitempty"`
	// Command is the absolute path of the program that `mfad exec` is about to become:
	// where a person has to allow the hand-out, it is that program's, for its whole run.
	Command string `json:"command,omitempty"`
	// Grant is an earlier answer's, of the same profile: a person has allowed it.
	Grant string `json:"grant,omitempty"`
}

// Process is AWS's credential_process answer
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html).
// Its secrets are plain strings: this is where they leave mfad.
type Process struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string `json:",omitempty"`
	Expiration      string `json:",omitempty"` // RFC 3339, UTC
	// Grant is a secret that stands for a person's yes in later requests of the same
	// run. It is empty but where a Command was named, of a profile with confirm.
	Grant string `json:"MfadGrant,omitempty"`
}

// ConfirmRequest is the body of POST /v1/confirm: a person's answer to a question of
// the event "confirm".
type ConfirmRequest struct {
	ID    string `json:"id"`
	Allow bool   `json:"allow"`
}

// LoginRequest is the body of POST /v1/login.
type LoginRequest struct {
	// Target is an identity, whose session is started, or a profile, whose role is
	// assumed direct. Empty: the only identity.
	Target string `json:"target,omitempty"`
	Code   string `json:"code,omitempty"` // empty: asked for
	CanAsk bool   `json:"can_ask,omitempty"`
	// TimeoutSeconds bounds the wait for a code; 0 means 5 minutes.
	TimeoutSeconds float64 `json:"timeout_seconds,omitempty"`
}

// Outcome is what came of a login or a refresh.
type Outcome struct {
	Identity       string           `json:"identity,omitempty"`
	SessionExpires *time.Time       `json:"session_expires"`
	Note           string           `json:"note,omitempty"` // what the user may want to know
	Profiles       []ProfileOutcome `json:"profiles"`
}

// ProfileOutcome is a profile's part of an [Outcome].
type ProfileOutcome struct {
	Name    string     `json:"name"`
	State   string     `json:"state"`
	Via     *string    `json:"via"`
	Expires *time.Time `json:"expires"`
	Error   *Error     `json:"error"`
	Warning *Error     `json:"warning"`
}

// RefreshRequest is the body of POST /v1/refresh.
type RefreshRequest struct {
	Profiles []string `json:"profiles,omitempty"` // empty: all
}

// ConsoleRequest is the body of POST /v1/console.
type ConsoleRequest struct {
	Profile string `json:"profile"`
	// DurationSeconds is how long the console session is to last, 15 minutes to 12
	// hours; 0: as long as the credentials at hand.
	DurationSeconds int    `json:"duration_seconds,omitempty"`
	Destination     string `json:"destination,omitempty"` // a console URL or a service's short name
	Region          string `json:"region,omitempty"`      // empty: the profile's
	Code            string `json:"code,omitempty"`        // empty: asked for, where one is needed
	CanAsk          bool   `json:"can_ask,omitempty"`
	// TimeoutSeconds bounds the wait for a code; 0 means 5 minutes.
	TimeoutSeconds float64 `json:"timeout_seconds,omitempty"`
}

// ConsoleAnswer is the login form for a browser. SigninToken is a secret, good
// for 15 minutes.
type ConsoleAnswer struct {
	Endpoint    string    `json:"endpoint"`
	Destination string    `json:"destination"`
	SigninToken string    `json:"signin_token"`
	Principal   string    `json:"principal"`
	Expires     time.Time `json:"expires"` // of the console session
	Note        string    `json:"note,omitempty"`
}

// RoleRequest is the body of POST /v1/role.
type RoleRequest struct {
	Profile string `json:"profile"`
	// SetMaxSeconds raises or lowers the role's MaxSessionDuration; 0: no change.
	SetMaxSeconds int `json:"set_max_seconds,omitempty"`
	// Learn forgets what was learned of the role, and looks again.
	Learn  bool `json:"learn,omitempty"`
	CanAsk bool `json:"can_ask,omitempty"`
}

// RoleAnswer is what is known of a profile's role.
type RoleAnswer struct {
	Profile  string   `json:"profile"`
	Identity string   `json:"identity"`
	RoleARN  string   `json:"role_arn"`
	Mode     string   `json:"mfa"`
	Chain    []string `json:"chain"` // the profiles from the root to this one
	// MaxSessionDuration is in seconds; null: not known. Exact tells that it is the
	// role's own, and not only the longest that AWS granted.
	MaxSessionDuration *int       `json:"max_session_duration"`
	Exact              bool       `json:"exact"`
	Maximum            string     `json:"maximum"` // in words
	Learned            *time.Time `json:"learned"`
	MFAMaxAge          *int       `json:"mfa_max_age"` // seconds; null: any age
	Via                *string    `json:"via"`
	Why                string     `json:"why"` // it is served the way it is
	// Trust is what the role's trust policy asks for, in words; null: AWS does not
	// let it be read.
	Trust     []string   `json:"trust"`
	LookError *Error     `json:"look_error"`   // why it cannot be read
	DirectOff *time.Time `json:"direct_off"`   // until when AWS is not asked for it direct
	DirectErr *Error     `json:"direct_error"` // why
	Note      string     `json:"note,omitempty"`
}

// UnlockRequest is the body of POST /v1/unlock.
type UnlockRequest struct {
	Passphrase string `json:"passphrase,omitempty"` // of the file keyring
}

// NameRequest is the body of calls about one thing.
type NameRequest struct {
	Name string `json:"name"`
}

// Error is the body of every answer that is no success.
type Error struct {
	Code    creds.Code `json:"code"`
	Message string     `json:"message"`
	Hint    string     `json:"hint"`
}

// WireError turns err into what clients see; nil for nil.
func WireError(err error) *Error {
	if err == nil {
		return nil
	}
	return &Error{Code: creds.CodeOf(err), Message: err.Error(), Hint: creds.HintOf(err)}
}

// Err turns an answer back into an error; nil for nil.
func (e *Error) Err() error {
	if e == nil {
		return nil
	}
	return &creds.Error{Code: e.Code, Op: e.Message, Hint: e.Hint}
}

// Message is one line of a streamed answer.
type Message struct {
	Event    string            `json:"event"` // ask, confirm, stop, wait, note, result, error, status
	Question *mfa.Question     `json:"question,omitempty"`
	Confirm  *consent.Question `json:"confirm,omitempty"`
	Note     string            `json:"note,omitempty"`
	Error    *Error            `json:"error,omitempty"`
	Status   *Status           `json:"status,omitempty"`
	Result   any               `json:"result,omitempty"`
}

// Status is the answer of GET /v1/status, and `mfad status --json`.
type Status struct {
	Schema     int              `json:"schema"`
	Daemon     DaemonStatus     `json:"daemon"`
	Identities []IdentityStatus `json:"identities"`
	Profiles   []ProfileStatus  `json:"profiles"`
}

// DaemonStatus is the daemon's part of [Status].
type DaemonStatus struct {
	PID         int           `json:"pid"`
	Version     string        `json:"version"`
	Started     time.Time     `json:"started"`
	ConfigError *string       `json:"config_error"` // FILE:LINE: text
	FilesError  *Error        `json:"files_error"`  // the last day's write of another program's that could not be merged
	Config      string        `json:"config"`
	Credentials string        `json:"credentials_file"`
	AWSConfig   string        `json:"config_file"` // AWS's
	Locked      bool          `json:"locked"`
	Keyring     KeyringStatus `json:"keyring"`
}

// KeyringStatus says which keyring is used and what is wrong with it.
type KeyringStatus struct {
	Kind  string `json:"kind"` // os, file or memory
	New   bool   `json:"new"`  // a file keyring that does not exist yet
	Error *Error `json:"error"`
}

// IdentityStatus is an identity's part of [Status].
type IdentityStatus struct {
	Name           string        `json:"name"`
	UserARN        *string       `json:"user_arn"`
	MFASerial      *string       `json:"mfa_serial"`
	HasKey         *bool         `json:"has_key"`     // the keyring holds the identity's key; null: not looked yet, or it needs none
	TOTPStored     bool          `json:"totp_stored"` // the keyring makes its codes
	State          string        `json:"state"`
	SessionExpires *time.Time    `json:"session_expires"`
	SessionSeconds *int          `json:"session_duration_seconds"` // the present session's lifetime
	Prompt         *mfa.Question `json:"prompt"`
	Error          *Error        `json:"error"`
	// KeyCreated is when AWS made the long-term key; null: not known (yet).
	KeyCreated *time.Time `json:"key_created"`
	// Rotation is one that is not over; null: there is none.
	Rotation *RotationStatus `json:"rotation"`
}

// ProfileStatus is a profile's part of [Status].
type ProfileStatus struct {
	Name               string     `json:"name"`
	Identity           string     `json:"identity"`
	RoleARN            *string    `json:"role_arn"`
	SourceProfile      *string    `json:"source_profile"`
	Write              string     `json:"write"`
	Usable             bool       `json:"usable"`
	State              string     `json:"state"`
	Via                *string    `json:"via"`
	Expires            *time.Time `json:"expires"`
	NextRefresh        *time.Time `json:"next_refresh"`
	DurationSeconds    *int       `json:"duration_seconds"`
	MaxSessionDuration *int       `json:"max_session_duration"`
	Error              *Error     `json:"error"`
	// Mode is session, direct or auto, and Why says what comes of it.
	Mode string  `json:"mfa"`
	Why  *string `json:"why"`
	// Warning is what the config asks for in vain, or what stands in AWS's files
	// beside the profile's own section.
	Warning *Error `json:"warning"`
}
