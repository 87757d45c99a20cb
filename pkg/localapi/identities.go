package localapi

import "time"

// IdentityRequest is the body of POST /v1/identities/add.
type IdentityRequest struct {
	Name            string `json:"name"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	MFASerial       string `json:"mfa_serial,omitempty"`
	Region          string `json:"region,omitempty"`
	NoVerify        bool   `json:"no_verify,omitempty"`
	// Again takes a key that the identity has already, if it is this one.
	Again bool `json:"again,omitempty"`
}

// IdentityAnswer tells what was added, or which devices there are to choose
// from: then nothing was added yet.
type IdentityAnswer struct {
	UserARN   string   `json:"user_arn,omitempty"`
	MFASerial string   `json:"mfa_serial,omitempty"`
	Devices   []string `json:"devices,omitempty"`
	Skipped   []string `json:"skipped,omitempty"` // FIDO devices, which the API does not take
}

// TOTPRequest is the body of POST /v1/identities/totp.
type TOTPRequest struct {
	Name string `json:"name"`
	// Seed is the virtual device's, as AWS shows it or as an otpauth address.
	Seed string `json:"seed,omitempty"`
	// Remove takes the stored seed away.
	Remove   bool `json:"remove,omitempty"`
	NoVerify bool `json:"no_verify,omitempty"` // do not try a code of it with AWS
}

// RotateRequest is the body of POST /v1/identities/rotate.
type RotateRequest struct {
	Name string `json:"name"`
	// DryRun tells what there is and changes nothing. It needs a session as well.
	DryRun bool `json:"dry_run,omitempty"`
	// KeepOld leaves the old key inactive instead of deleting it.
	KeepOld bool `json:"keep_old,omitempty"`
	// DeleteInactive deletes the user's other key first, if it is inactive.
	DeleteInactive bool   `json:"delete_inactive,omitempty"`
	Code           string `json:"code,omitempty"` // starts a session where none lives; empty: asked for
	CanAsk         bool   `json:"can_ask,omitempty"`
	// TimeoutSeconds bounds the wait for a code; 0 means 5 minutes.
	TimeoutSeconds float64 `json:"timeout_seconds,omitempty"`
}

// What became of a rotation's old key.
const (
	OldActive   = "active"   // nothing was changed
	OldInactive = "inactive" // it is kept, or could not be deleted
	OldDeleted  = "deleted"
)

// RotateAnswer is what came of a rotation.
type RotateAnswer struct {
	Name    string `json:"name"`
	UserARN string `json:"user_arn"`
	OldKey  string `json:"old_key"`
	NewKey  string `json:"new_key"` // empty: none was made
	Old     string `json:"old"`     // see [OldActive] and those after it
	// Keys are the user's keys before; with DryRun alone.
	Keys []KeyInfo `json:"keys,omitempty"`
	// Rotation is the one that would be finished; with DryRun alone. Nil: none is open.
	Rotation *RotationStatus `json:"rotation,omitempty"`
	Note     string          `json:"note,omitempty"` // what the user may want to know
	// Error is what a person has to do now that the new key is in use: delete the
	// old one, or log in. Null: all is done.
	Error *Error `json:"error"`
}

// KeyInfo is one of a user's long-term keys.
type KeyInfo struct {
	ID      string     `json:"id"`
	InUse   bool       `json:"in_use"` // by the identity
	Active  bool       `json:"active"`
	Created *time.Time `json:"created"`
	// LastUsed is when AWS last saw it; null: never, or AWS does not tell.
	LastUsed *time.Time `json:"last_used"`
	Service  string     `json:"last_used_service,omitempty"`
	Region   string     `json:"last_used_region,omitempty"`
	// Elsewhere tells that something other than mfad uses it.
	Elsewhere bool `json:"elsewhere"`
}

// Steps of a rotation that is not over, as a [RotationStatus] has them.
const (
	RotationCreating = "creating" // a new key was asked for, and mfad holds none
	RotationCreated  = "created"  // both keys are stored, the old one is in use
	RotationSwitched = "switched" // the new one is in use, the old one is still there
	RotationUndoing  = "undoing"  // the old one is in use, the new one is to be deleted
)

// RotationStatus is a rotation that was begun and is not over.
type RotationStatus struct {
	Step  string `json:"step"`
	Other string `json:"other_key"` // the user's key that is not in use; empty: not known
	// KeepOld tells that the old key is to be left inactive instead of deleted.
	KeepOld bool `json:"keep_old,omitempty"`
	// Running tells that it goes on now; else it does with the next session.
	Running bool   `json:"running"`
	Error   *Error `json:"error"` // of the last try
}
