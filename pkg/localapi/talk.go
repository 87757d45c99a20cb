package localapi

import (
	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/mfa"
)

// Talk lets a backend speak to the client's person while a request runs. The
// zero Talk has nobody to speak to.
type Talk struct {
	say func(Message)
}

// CanAsk tells whether there is a stream to ask on.
func (t Talk) CanAsk() bool { return t.say != nil }

// Say passes a desk's event on.
func (t Talk) Say(e mfa.Event) {
	if t.say != nil {
		t.say(Message{Event: string(e.Kind), Question: &e.Question})
	}
}

// Confirm has the client ask its person whether a program may use a profile.
func (t Talk) Confirm(q consent.Question) {
	if t.say != nil {
		t.say(Message{Event: confirmEvent, Confirm: &q})
	}
}

// Note tells the client's person how far a long call has come.
func (t Talk) Note(text string) {
	if t.say != nil {
		t.say(Message{Event: noteEvent, Note: text})
	}
}

const (
	confirmEvent = "confirm"
	noteEvent    = "note"
)
