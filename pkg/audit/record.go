// Package audit keeps a log of what mfad did in a user's name: each call to AWS,
// each hand-out of credentials and each console login is one line of JSON. It
// appends, rotates and reads that log, and nothing more: it decides nothing,
// sends nothing anywhere, and never writes a secret, because a [Record] has no
// field for one.
package audit

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/mfad/mfad/pkg/creds"
)

// FileName is the log's name in the state folder. Rotated files have .1 (the
// youngest) to .4 behind it.
const FileName = "audit.jsonl"

// Actions that are not calls to AWS. Calls have the name of AWS's operation,
// such as AssumeRole.
const (
	HandOut = "hand-out" // a program got credentials
	Console = "console"  // a browser got a sign-in link
	Lock    = "lock"     // mfad lock
	Rotate  = "rotate"   // an identity's key was replaced, or was not
	Lost    = "lost"     // records could not be written; Message says how many and why
)

// OK is the outcome of what succeeded.
const OK = "ok"

// Record is one line: a call to AWS, a hand-out of credentials, or a console
// login. What does not apply is the zero value and is left out of the line.
//
// Fields are only ever added. None may hold a secret, and so no text that a
// program printed or AWS sent in full.
type Record struct {
	Time     time.Time  `json:"time"`   // UTC, to the millisecond; zero: when it is appended
	Action   string     `json:"action"` // AWS's name of the call, or one of this package's
	Identity string     `json:"identity,omitempty"`
	Profile  string     `json:"profile,omitempty"`
	RoleARN  string     `json:"role_arn,omitempty"`
	KeyID    string     `json:"access_key_id,omitempty"` // the long-term key that a call of IAM is about
	Way      string     `json:"via,omitempty"`           // session, direct, chain, saml or web_identity
	Asked    int        `json:"asked_seconds,omitempty"` // the lifetime asked for
	Given    int        `json:"given_seconds,omitempty"` // the lifetime of what AWS gave
	Expires  *time.Time `json:"expires,omitempty"`       // when it ends, by AWS's answer
	Outcome  string     `json:"outcome"`                 // OK, or the error's creds.Code
	Message  string     `json:"message,omitempty"`       // the error in words
	Why      string     `json:"why,omitempty"`           // why a code was spent on this call, or how a person allowed or denied a hand-out
	PID      int        `json:"pid,omitempty"`           // hand-outs: the process that asked
	Program  string     `json:"program,omitempty"`       // and what it is
}

// Ended gives r with the outcome of what it is about: OK for nil, else err's
// [creds.Code] and text.
func (r Record) Ended(err error) Record {
	r.Outcome, r.Message = OK, ""
	if err != nil {
		r.Outcome, r.Message = string(creds.CodeOf(err)), err.Error()
	}
	return r
}

// maxLine is the size of the longest line, with the line ends before and after
// it: one endless message must not push hundreds of records out of the log.
const maxLine = 4096

// line encodes r with its line end. Texts that would make it too long are cut.
func (r Record) line(now time.Time) []byte {
	if r.Time.IsZero() {
		r.Time = now
	}
	r.Time = r.Time.UTC().Truncate(time.Millisecond)
	if r.Expires != nil {
		end := r.Expires.UTC().Truncate(time.Millisecond)
		r.Expires = &end
	}
	texts := []*string{&r.Message, &r.Why, &r.Program, &r.Action, &r.Identity, &r.Profile, &r.RoleARN, &r.KeyID, &r.Way, &r.Outcome}
	b := encode(r)
	for limit := maxLine / 2; len(b) >= maxLine && limit > 0; limit /= 2 {
		for _, s := range texts {
			*s = cut(*s, limit)
		}
		b = encode(r)
	}
	return b
}

func encode(r Record) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // people read and grep it
	if err := e.Encode(r); err != nil {
		// Only a year that RFC 3339 cannot write gets here.
		r.Time, r.Expires = time.Time{}, nil
		b.Reset()
		_ = e.Encode(r)
	}
	return b.Bytes()
}

// cut shortens s to at most limit bytes, between two characters.
func cut(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	n := max(limit-len(mark), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}
