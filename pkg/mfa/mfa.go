// Package mfa gets token codes: from a client that has a terminal, from whoever
// answers in another way, or from a program of the user's.
//
// A [Desk] keeps at most one question for each identity. Clients that wait for
// the answer sit down at it; the desk picks one of them to ask its person, and
// an answer from anywhere settles it for all. The package sends nothing to AWS
// and keeps no code longer than its delivery takes.
package mfa

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Settings say how an identity's codes may be got.
type Settings struct {
	Serial string
	// Process is a command line for sh -c that prints a code; empty: none.
	Process string
	// Generate gives the device's present code, from a stored seed; nil: there is
	// none. It takes Process's place.
	Generate func(context.Context) (creds.Secret, error)
	// Unattended tells that Process needs no person and may run at any time.
	Unattended bool
	// Methods are tried in this order; see [Terminal], [Process] and [Dialog].
	Methods []Method
}

// hasProgram tells whether codes can come without anybody typing them.
func (s Settings) hasProgram() bool { return s.Process != "" || s.Generate != nil }

// Method is a way to ask.
type Method string

// The ways to ask.
const (
	Terminal Method = "terminal"
	Process  Method = "process"
	Dialog   Method = "dialog"
)

// Question is what a person is told.
type Question struct {
	Identity string `json:"identity"`
	// Direct is the profile whose role the code is for; empty: the MFA session.
	Direct   string    `json:"direct,omitempty"`
	Serial   string    `json:"mfa_serial"`
	Profiles []string  `json:"profiles"` // those that wait, sorted
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason,omitempty"` // why the last code did not do
}

// EventKind says what a waiting client is to do.
type EventKind string

// The events of a [Seat].
const (
	Ask    EventKind = "ask"    // ask the person; an Ask replaces the one before
	Stop   EventKind = "stop"   // stop asking: answered elsewhere, or given up
	Wait   EventKind = "wait"   // a program of the user's gets the code; it may want a touch
	Nobody EventKind = "nobody" // there is nobody left who could answer
)

// Event is one word from the desk to a waiting client.
type Event struct {
	Kind     EventKind
	Question Question
}

// Desk is where questions and answers meet. Make one with [NewDesk].
type Desk struct {
	// Run runs a program that prints a code; NewDesk sets it to run sh -c.
	Run func(ctx context.Context, command string) (stdout string, err error)
	// Step is how long a device shows a code; NewDesk sets it to 30 s, as AWS's
	// virtual devices have it (RFC 6238).
	Step time.Duration

	mu        sync.Mutex
	settings  map[string]Settings
	questions map[string]*question
	steps     map[string]int64 // by device: the step in which it last gave a code
}

// question is one identity's corner of the desk; guarded by Desk.mu.
type question struct {
	turn    int    // counts the calls of Next; only the last one's counts
	open    bool   // somebody is in Next
	sent    bool   // a code is on its way to AWS
	target  string // what the code is wanted for: a profile's role; empty: the session
	since   time.Time
	reason  string
	offers  []*offer
	seats   []*Seat // in order of arrival
	window  *Seat   // of whoever can open a dialog; nil: nobody
	asked   *Seat   // whose person is being asked
	broken  error   // why the program gave no code for this question
	changed chan struct{}
}

// Code is a token code and what is known of it.
type Code struct {
	Code    creds.Secret
	Profile string // whose role it was given for; empty: the identity
	Program bool   // a program printed it
	// Done tells whoever gave it what became of it; nil: nobody waits for that.
	Done func(Outcome)
}

// Outcome is what became of a code.
type Outcome struct {
	// Profile is whose role it was spent on, direct; empty: it started a session,
	// or there is an error.
	Profile string
	Why     string // it was spent on that, in words
	Err     error
}

// offer is a code that somebody gave, until the engine takes it.
type offer struct {
	code    creds.Secret
	profile string
	result  chan Outcome // capacity 1
}

// NewDesk makes a desk without settings.
func NewDesk() *Desk {
	return &Desk{Run: runShell, Step: 30 * time.Second, settings: map[string]Settings{}, questions: map[string]*question{}, steps: map[string]int64{}}
}

// Configure takes the settings of all identities.
func (d *Desk) Configure(settings map[string]Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settings = settings
	for name, q := range d.questions {
		q.broken = nil // the program may be another one
		d.callLocked(name)
	}
}

func (d *Desk) questionLocked(identity string) *question {
	q := d.questions[identity]
	if q == nil {
		q = &question{changed: make(chan struct{})}
		d.questions[identity] = q
	}
	return q
}

// wakeLocked tells Next that something changed.
func (q *question) wakeLocked() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// ParseCode reads a token code as people type it: apps show it as two groups, with a
// blank between. The error is that of [CheckCode].
func ParseCode(text string) (code string, err error) {
	code = strings.Join(strings.Fields(text), "")
	return code, CheckCode(code)
}

// CheckCode refuses what cannot be a token code, before anything is sent: the
// code has six digits
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html).
func CheckCode(code string) error {
	ok := len(code) == 6
	for _, c := range []byte(code) {
		ok = ok && c >= '0' && c <= '9'
	}
	if !ok {
		return &creds.Error{Code: creds.CodeMFABadCode, Op: "a token code has exactly six digits; nothing was sent",
			Hint: "read the code again"}
	}
	return nil
}

// Offer gives a code for an identity's question, open or soon to be: for a
// profile's role, or for the session where profile is empty. What becomes of it
// arrives on the channel, once. Withdraw ends the offer.
func (d *Desk) Offer(identity, profile string, code creds.Secret) (result <-chan Outcome, withdraw func(), err error) {
	if err := CheckCode(code.Reveal()); err != nil {
		return nil, nil, err
	}
	o := &offer{code: code, profile: profile, result: make(chan Outcome, 1)}
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.questionLocked(identity)
	q.offers = append(q.offers, o)
	q.wakeLocked()
	return o.result, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		q.offers = slices.DeleteFunc(q.offers, func(x *offer) bool { return x == o })
		d.callLocked(identity) // nobody was asked while it lay there
	}, nil
}

// CanAsk tells whether anybody or anything could answer an identity's question.
func (d *Desk) CanAsk(identity string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.canAskLocked(identity)
}

func (d *Desk) canAskLocked(identity string) bool {
	q, s := d.questionLocked(identity), d.settings[identity]
	if q.sent || len(q.offers) > 0 || s.hasProgram() && slices.Contains(s.Methods, Process) && q.broken == nil {
		return true
	}
	return slices.Contains(s.Methods, Terminal) && slices.ContainsFunc(q.seats, func(s *Seat) bool { return s.canAsk }) ||
		slices.Contains(s.Methods, Dialog) && q.window != nil && q.window.ready > Away
}

// Questions gives the questions that are open and wait for a person.
func (d *Desk) Questions() map[string]Question {
	d.mu.Lock()
	defer d.mu.Unlock()
	open := map[string]Question{}
	for name, q := range d.questions {
		if q.open {
			open[name] = d.textLocked(name, q)
		}
	}
	return open
}

// textLocked is what a person is told.
func (d *Desk) textLocked(identity string, q *question) Question {
	waiting := []string{}
	for _, s := range q.seats {
		if s.profile != "" && !slices.Contains(waiting, s.profile) {
			waiting = append(waiting, s.profile)
		}
	}
	slices.Sort(waiting)
	return Question{Identity: identity, Direct: q.target, Serial: d.settings[identity].Serial, Profiles: waiting, Since: q.since, Reason: q.reason}
}

// Settle tells that no code is wanted for a profile's role (empty: for the
// session) any more: everybody who waits for that is told.
func (d *Desk) Settle(identity, profile string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.questionLocked(identity)
	if err != nil { // it is about other codes than those that still lie here
		err = &creds.Error{Code: creds.CodeCancelled, Op: "the question ended before this code was sent", Err: err}
	}
	q.offers = slices.DeleteFunc(q.offers, func(o *offer) bool {
		if o.profile != profile {
			return false
		}
		o.result <- Outcome{Profile: profile, Err: err}
		return true
	})
	if q.target != profile {
		return
	}
	q.turn++ // a Next that is still at it is out
	q.open, q.sent, q.reason, q.broken, q.since = false, false, "", nil, time.Time{}
	q.wakeLocked()
	q.hushLocked()
}

// hushLocked has whoever is asked stop.
func (q *question) hushLocked() {
	if q.asked != nil {
		q.asked.tell(Event{Kind: Stop})
		q.asked = nil
	}
}

// Retarget tells that the code which a Next waits for is now wanted for another
// profile's role, or for the session. A person who is asked is told.
func (d *Desk) Retarget(identity, profile string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.questionLocked(identity)
	if !q.open || q.target == profile {
		return
	}
	q.target, q.reason = profile, ""
	q.asked = nil // whoever it was is asked anew
	d.callLocked(identity)
}
