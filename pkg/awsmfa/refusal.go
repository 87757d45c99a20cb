package awsmfa

import (
	"errors"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// ErrBadCode is what is said of a code that cannot be one; nothing was sent.
var ErrBadCode error = &creds.Error{Code: creds.CodeMFABadCode, Op: "Token must be six digits"}

// Refused words the failure of a call as aws-mfa does: with boto3's sentence where
// AWS answered with an error code. Action is AWS's name of the call. The code and
// the hint are err's.
func Refused(action string, err error) error {
	return &creds.Error{Code: creds.CodeOf(err), Op: "An error occured while calling assume role: " + sentence(action, err), Hint: creds.HintOf(err)}
}

// sentence is what boto3 makes of an answer. Who the call was for stands outside
// of it, and AWS's own answer, `CODE: words`, is the cause.
func sentence(action string, err error) string {
	code, words, ok := "", "", false
	if e, found := errors.AsType[*creds.Error](err); found && e.Err != nil && e.Code != creds.CodeNetwork {
		code, words, ok = strings.Cut(e.Err.Error(), ": ")
	}
	if creds.CodeOf(err) == creds.CodeMFARejected {
		code, words, ok = "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ", true
	}
	if !ok || code == "" || strings.ContainsFunc(code, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }) {
		return err.Error()
	}
	return "An error occurred (" + code + ") when calling the " + action + " operation: " + words
}
