package awssim

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind int

// What a [Fault] does to a call.
const (
	// Throttle answers Throttling 400 "Rate exceeded"; nothing is done.
	Throttle FaultKind = iota + 1
	// ServerError answers InternalFailure 500, or ServiceUnavailable 503 if
	// Status says so; nothing is done.
	ServerError
	// Refuse answers Status, Code and Message; nothing is done.
	Refuse
	// AccessDenied refuses as an explicit deny does: after signature, parameters
	// and code were checked, so that the code is spent.
	AccessDenied
	// Delay carries the call out after Wait.
	Delay
	// Hang gives no answer until the client goes away, or cuts the connection
	// after Wait if that is set; nothing is done.
	Hang
	// DropBefore cuts the connection; nothing is done.
	DropBefore
	// DropAfter carries the call out, spends its code, and cuts the connection
	// without an answer.
	DropAfter
	// Cut carries the call out and cuts the connection after half of the body,
	// under a Content-Length that promises all of it.
	Cut
	// Garbage answers a proxy's HTML page with Status (200 by default); nothing
	// is done.
	Garbage
	// HangAfter carries the call out, spends its code, and gives no answer until
	// the client goes away, or cuts the connection after Wait if that is set.
	HangAfter
)

var faultNames = [...]string{"", "Throttle", "ServerError", "Refuse", "AccessDenied", "Delay", "Hang", "DropBefore", "DropAfter", "Cut", "Garbage", "HangAfter"}

// String gives the constant's name; "" for the zero kind.
func (k FaultKind) String() string {
	if k < 0 || int(k) >= len(faultNames) {
		return fmt.Sprintf("FaultKind(%d)", int(k))
	}
	return faultNames[k]
}

// Fault is misbehaviour on order. Of several that fit a call, the one injected
// first is used.
type Fault struct {
	// Action is the call it befalls, such as AssumeRole, getSigninToken or
	// login; "" means any.
	Action string
	// Match, if set, must agree too. The Call has what the request claims; it is
	// not answered yet. Match must not call the Sim.
	Match func(Call) bool
	Kind  FaultKind
	// Times is how often it happens; 0 means until it is removed.
	Times int
	// Wait is how long Delay, Hang and HangAfter last.
	Wait time.Duration
	// Status is the HTTP status of ServerError, Refuse (400 by default) and
	// Garbage.
	Status int
	// Code and Message are what Refuse answers.
	Code, Message string
}

// armedFault is a Fault that waits for its calls.
type armedFault struct {
	Fault
	left int
}

// Inject arms a fault until it happened Times times or remove is called.
func (s *Sim) Inject(f Fault) (remove func()) {
	s.lock()
	defer s.mu.Unlock()
	if f.Kind < Throttle || f.Kind > HangAfter {
		panic("awssim: a fault needs a kind, not " + f.Kind.String())
	}
	armed := &armedFault{f, f.Times}
	s.faults = append(s.faults, armed)
	return func() {
		s.lock()
		defer s.mu.Unlock()
		s.disarmLocked(armed)
	}
}

// ClearFaults removes every fault. Calls that hang or wait already go on to.
func (s *Sim) ClearFaults() {
	s.lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Sim) disarmLocked(f *armedFault) {
	s.faults = slices.DeleteFunc(s.faults, func(o *armedFault) bool { return o == f })
}

// takeFaultLocked gives the fault that befalls c; the zero Fault if none does.
func (s *Sim) takeFaultLocked(c Call) Fault {
	for _, f := range s.faults {
		if f.Action != "" && f.Action != c.Action || f.Match != nil && !f.Match(c) {
			continue
		}
		if f.left--; f.left == 0 {
			s.disarmLocked(f)
		}
		return f.Fault
	}
	return Fault{}
}

// answer gives what is answered instead of carrying the call out, if anything.
func (f Fault) answer(service string) (response, bool) {
	refuse := func(status int, code, message string) (response, bool) {
		if service == serviceSignin {
			return signinError(status, message), true
		}
		return refusal(service, &failure{status, code, message}), true
	}
	switch f.Kind {
	case Throttle:
		return refuse(http.StatusBadRequest, "Throttling", "Rate exceeded")
	case ServerError:
		if f.Status == http.StatusServiceUnavailable {
			return refuse(f.Status, "ServiceUnavailable", "Service Unavailable")
		}
		return refuse(http.StatusInternalServerError, "InternalFailure",
			"The request processing has failed because of an unknown error, exception or failure.")
	case Refuse:
		return refuse(cmp.Or(f.Status, http.StatusBadRequest), f.Code, f.Message)
	case Garbage:
		return response{
			status: cmp.Or(f.Status, http.StatusOK), contentType: "text/html", code: f.Kind.String(),
			body: []byte("<html><head><title>Proxy</title></head><body><h1>Sign in to the network</h1></body></html>\n"),
		}, true
	}
	return response{}, false
}

// pause waits for d, or as long as ctx lasts if d is 0.
func pause(ctx context.Context, d time.Duration) {
	if d == 0 {
		<-ctx.Done()
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
