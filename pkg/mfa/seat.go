package mfa

import "slices"

// Seat is a client that waits for an identity's code, or who opens dialogs.
type Seat struct {
	desk     *Desk
	identity string
	profile  string
	canAsk   bool
	eager    bool
	ready    Readiness // of who opens dialogs
	events   chan Event
}

// Readiness is when whoever opens dialogs would open one.
type Readiness int

// From never to always.
const (
	Away       Readiness = iota // never: nobody sits there, or has just declined
	ForClients                  // where a client waits
	Always                      // also where the daemon wants the code by itself
)

// Attend is the seat of whoever opens dialogs for an identity's question; there is
// one for each. It does not count as waiting. It begins [Away].
func (d *Desk) Attend(identity string) *Seat {
	s := &Seat{desk: d, identity: identity, events: make(chan Event, 1)}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.questionLocked(identity).window = s
	return s
}

// Ready tells when this seat would open a dialog from now on. One that is open and
// is not to be any more is told to stop.
func (s *Seat) Ready(when Readiness) {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	if s.ready != when {
		s.ready = when
		s.desk.callLocked(s.identity)
	}
}

// Sit has a client wait for an identity's code, for the sake of a profile (empty:
// of the identity's session). CanAsk tells that it has a person at a terminal that it may
// speak on. An eager client was started to give a code, and is asked first.
func (d *Desk) Sit(identity, profile string, canAsk, eager bool) *Seat {
	s := &Seat{desk: d, identity: identity, profile: profile, canAsk: canAsk, eager: eager, events: make(chan Event, 1)}
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.questionLocked(identity)
	q.seats = append(q.seats, s)
	d.callLocked(identity)
	return s
}

// Events gives the desk's words. Only the newest is kept.
func (s *Seat) Events() <-chan Event { return s.events }

// Leave gives the seat up; another client is asked instead.
func (s *Seat) Leave() {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	q := s.desk.questionLocked(s.identity)
	q.seats = slices.DeleteFunc(q.seats, func(x *Seat) bool { return x == s })
	if q.asked == s {
		q.asked = nil
	}
	if q.window == s {
		q.window = nil
	}
	if len(q.seats) == 0 {
		q.broken = nil // who comes next may have repaired the program
	}
	s.desk.callLocked(s.identity)
}

// tell replaces whatever the client has not read yet.
func (s *Seat) tell(e Event) {
	select {
	case <-s.events:
	default:
	}
	s.events <- e
}

// callLocked tells the seats how an open question is to be answered now: the one
// that is picked asks its person, one that was asked before stops. It wakes Next.
func (d *Desk) callLocked(identity string) {
	q := d.questionLocked(identity)
	defer q.wakeLocked()
	if !q.open || len(q.offers) > 0 {
		return
	}
	method := d.methodLocked(identity)
	pick := q.pick(method)
	switch {
	case method == Process:
		for _, s := range q.seats {
			if s.eager {
				s.tell(Event{Kind: Wait, Question: d.textLocked(identity, q)})
			}
		}
	case method == "":
		for _, s := range q.seats {
			s.tell(Event{Kind: Nobody, Question: d.textLocked(identity, q)})
		}
	}
	if pick == q.asked {
		return
	}
	if q.asked != nil {
		q.asked.tell(Event{Kind: Stop})
	}
	if q.asked = pick; pick != nil {
		pick.tell(Event{Kind: Ask, Question: d.textLocked(identity, q)})
	}
}

// pick is the seat whose person is to be asked: whoever came last to give a code
// for what it is wanted for, else to give any, else whoever waits longest.
func (q *question) pick(method Method) *Seat {
	if method == Dialog {
		return q.window
	}
	var pick *Seat
	best := -1
	for _, s := range q.seats {
		rank := 0
		if s.eager {
			rank = 1
			if s.profile == q.target {
				rank = 2
			}
		}
		if method == Terminal && s.canAsk && (rank > best || rank == best && s.eager) {
			pick, best = s, rank
		}
	}
	return pick
}

// methodLocked is the first way to ask that is open just now; empty: none.
func (d *Desk) methodLocked(identity string) Method {
	q, set := d.questionLocked(identity), d.settings[identity]
	for _, m := range set.Methods {
		switch m {
		case Terminal:
			if slices.ContainsFunc(q.seats, func(s *Seat) bool { return s.canAsk }) {
				return m
			}
		case Process:
			if set.hasProgram() && q.broken == nil && (set.Unattended || len(q.seats) > 0) {
				return m
			}
		case Dialog:
			if q.window != nil && (q.window.ready == Always || q.window.ready == ForClients && len(q.seats) > 0) {
				return m
			}
		}
	}
	return ""
}
