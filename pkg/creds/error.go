package creds

import "errors"

// Code says what kind of failure an [Error] is. Codes are stable: scripts match
// on them in --json and in the local API, and pkg/cli derives the exit status
// from them. docs/errors.md lists each with cause and cure.
type Code string

// What the user wrote or asked for.
const (
	CodeUsage          Code = "usage"           // a flag or argument is wrong
	CodeConfig         Code = "config"          // the config cannot be used; the text names FILE:LINE
	CodeUnknownProfile Code = "unknown_profile" // no such profile in the config
	CodeConflict       Code = "conflict"        // a file of the user's stands in the way; nothing was written
)

// What needs a person.
const (
	CodeMFARequired    Code = "mfa_required"    // only a code helps
	CodeCancelled      Code = "cancelled"       // the person declined, or nobody could allow it
	CodeMFABadCode     Code = "mfa_bad_code"    // not six digits; it was not sent
	CodeMFAUsedCode    Code = "mfa_used_code"   // this code was sent before; it was not sent again
	CodeMFARejected    Code = "mfa_rejected"    // AWS did not take the code
	CodeMFADevice      Code = "mfa_device"      // AWS does not know the device, or it cannot be used for the API
	CodeMFAProcess     Code = "mfa_process"     // the program that should print a code did not
	CodeLocked         Code = "locked"          // after `mfad lock`, until login or unlock
	CodeKeyringLocked  Code = "keyring_locked"  // the keyring is there but locked
	CodeKeyringAbsent  Code = "keyring_absent"  // there is no keyring to be reached
	CodeKeyringTimeout Code = "keyring_timeout" // the keyring did not answer in time
	CodeKeyringFailed  Code = "keyring_failed"  // the keyring failed in another way
	CodeKeyNotFound    Code = "key_not_found"   // the keyring works and does not hold the item
)

// What AWS answered, or did not.
const (
	CodeAccessDenied Code = "access_denied" // AWS refused: policy
	CodeInvalidKey   Code = "invalid_key"   // AWS does not know the key or the session (any more)
	CodeExpired      Code = "expired"       // the credentials that signed have run out
	CodeClockSkew    Code = "clock_skew"    // this machine's clock is too far from AWS's
	CodeDuration     Code = "duration"      // AWS does not grant the duration asked for
	CodeRefused      Code = "refused"       // AWS refused for another reason
	CodeThrottled    Code = "throttled"     // AWS asked to slow down
	CodeUnavailable  Code = "unavailable"   // AWS answered 5xx or something that is no answer
	CodeNetwork      Code = "network"       // AWS was not reached, or not in time
)

// What happened between mfad's own parts.
const (
	CodeDaemonDown  Code = "daemon_down" // the daemon is not running and was not to be started
	CodeInterrupted Code = "interrupted" // the person pressed Ctrl-C
	CodeTimeout     Code = "timeout"     // what was waited for did not come in time
	CodeInternal    Code = "internal"    // a fault of mfad or of this machine: disk, memory, bug
)

// Error is a failure that a person or a script is expected to act on.
//
// Code is stable; Op and Err are for reading and may change between releases.
// Hint, if set, is one command or action, without a final period. No field may
// contain a [Secret]. An error that is no *Error counts as [CodeInternal].
type Error struct {
	Code Code
	Op   string // what mfad was doing, such as `start the MFA session of "corp"`
	Hint string
	Err  error // the cause; may be nil
}

// Error gives Op and cause in one line, without the hint.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Op
	case e.Op == "":
		return e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf gives the code of the first [Error] in err's chain, [CodeInternal] for
// any other error and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// HintOf gives the hint of the first [Error] in err's chain that has one.
func HintOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}

// IsTransient tells whether waiting and asking again can cure err, without
// anybody doing anything: throttling, 5xx, a lost network.
func IsTransient(err error) bool {
	switch CodeOf(err) {
	case CodeThrottled, CodeUnavailable, CodeNetwork:
		return true
	}
	return false
}
