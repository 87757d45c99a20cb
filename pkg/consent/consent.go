// Package consent keeps what a person allowed: that a program may use a profile. A
// yes counts for some minutes, a no for some seconds, and whoever asks for the same
// meanwhile shares the question that is open. The package opens no window, speaks
// on no terminal, and hands nothing out: how a person is asked is the caller's.
package consent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

const (
	// YesLasts is how long a yes counts.
	YesLasts = 5 * time.Minute
	// NoLasts is how long a no does: a program that tries again at once is not to
	// have window upon window opened.
	NoLasts = 10 * time.Second
)

// Key is what an answer counts for.
type Key struct {
	Profile string
	// Program is the same text for all runs of a program, and for no other; empty:
	// it cannot be told from others, so nothing is remembered or shared.
	Program string
}

// Question is what a person is told. Its texts have nothing in them that does not
// print.
type Question struct {
	ID      string `json:"id"` // 128 random bits, in hex: who knows them may answer
	Profile string `json:"profile"`
	Program string `json:"program"`       // as people know it; empty: it cannot be told
	PID     int    `json:"pid,omitempty"` // 0: it cannot be told
	// Path is the program's file, where that is known.
	Path string `json:"path,omitempty"`
	// By is the program that had `mfad exec` start it, and so Run is set.
	By  string `json:"by,omitempty"`
	Run bool   `json:"run,omitempty"` // the answer counts as long as the program runs
}

// Verdict is a person's answer.
type Verdict struct {
	Allowed bool
	By      string    // the [Way]'s name
	At      time.Time // when it was given
}

// Way is a way to ask.
type Way struct {
	Name string
	// Ask asks until ctx ends. An error tells that nobody could be asked so; the next
	// way is tried then. Nil: on the terminal of a client that waits.
	Ask func(ctx context.Context, q Question) (allowed bool, err error)
}

// Request is a program that wants to use a profile.
type Request struct {
	Key      Key
	Question Question // without its ID
	Ways     []Way    // in order; where a question is open already, those of that one
	// Terminal has the client ask its person; the answer comes by [Desk.Answer]. It is
	// called within [Desk.Ask]. Nil: the client has no terminal.
	Terminal func(Question)
}

// ErrNobody is the error where nobody can be asked.
var ErrNobody = errors.New("there is nobody to ask")

// Desk keeps answers and open questions. Make one with [NewDesk]; its methods may
// be called concurrently.
type Desk struct {
	mu      sync.Mutex // guards all below, and the questions
	answers map[Key]Verdict
	open    []*question
}

// NewDesk makes a desk that remembers nothing.
func NewDesk() *Desk { return &Desk{answers: map[Key]Verdict{}} }

// question is one that is open; guarded by Desk.mu.
type question struct {
	Request
	seats  []*seat       // who waits, in order of arrival
	left   chan struct{} // gets one when a seat is given up; capacity 1
	answer chan bool     // from a terminal; capacity 1
	stop   context.CancelFunc
	over   chan struct{} // closed at the end; from then on what follows is fixed
	result Verdict
	err    error
}

// seat is one client that waits.
type seat struct {
	terminal bool
	ask      chan struct{} // gets one when its person is to be asked; capacity 1
}

// Remembered gives the answer that still counts for a key, if there is one.
func (d *Desk) Remembered(k Key) (Verdict, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rememberedLocked(k)
}

func (d *Desk) rememberedLocked(k Key) (Verdict, bool) {
	v, ok := d.answers[k]
	return v, ok && v.countsAt(time.Now())
}

// countsAt looks at both clocks: the one that stops while the machine sleeps, and
// the one that can be set.
func (v Verdict) countsAt(now time.Time) bool {
	lasts := NoLasts
	if v.Allowed {
		lasts = YesLasts
	}
	return now.Sub(v.At) < lasts && now.Round(0).Sub(v.At.Round(0)).Abs() < lasts
}

// Forget forgets all answers; open questions stay.
func (d *Desk) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.answers)
}

// Ask gives the answer to a request: one that still counts, or a person's. A person
// is asked as long as anybody waits for it. The error is [ErrNobody], or ctx's cause.
func (d *Desk) Ask(ctx context.Context, r Request) (Verdict, error) {
	d.mu.Lock()
	if v, ok := d.rememberedLocked(r.Key); ok {
		d.mu.Unlock()
		return v, nil
	}
	q := d.questionLocked(ctx, r)
	s := &seat{r.Terminal != nil, make(chan struct{}, 1)}
	q.seats = append(q.seats, s)
	d.mu.Unlock()
	for {
		select {
		case <-q.over:
			return q.result, q.err
		case <-s.ask:
			r.Terminal(q.Question)
		case <-ctx.Done():
			d.leave(q, s)
			return Verdict{}, context.Cause(ctx)
		}
	}
}

// questionLocked gives the question that a request is about; its seat is not taken
// yet.
func (d *Desk) questionLocked(ctx context.Context, r Request) *question {
	i := slices.IndexFunc(d.open, func(q *question) bool { return r.Key.Program != "" && q.Key == r.Key })
	if i >= 0 {
		return d.open[i]
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	r.Question.ID = hex.EncodeToString(id[:])
	q := &question{Request: r, left: make(chan struct{}, 1), answer: make(chan bool, 1), over: make(chan struct{})}
	d.open = append(d.open, q)
	ctx, q.stop = context.WithCancel(context.WithoutCancel(ctx)) // whoever comes next may wait longer
	go d.run(ctx, q)
	return q
}

// leave gives a seat up. The last one closes the question, and waits for its end.
func (d *Desk) leave(q *question, s *seat) {
	d.mu.Lock()
	q.seats = slices.DeleteFunc(q.seats, func(x *seat) bool { return x == s })
	last := len(q.seats) == 0
	if last {
		d.closeLocked(q)
	}
	d.mu.Unlock()
	select {
	case q.left <- struct{}{}:
	default:
	}
	if last {
		q.stop()
		<-q.over
	}
}

func (d *Desk) closeLocked(q *question) {
	d.open = slices.DeleteFunc(d.open, func(x *question) bool { return x == q })
}

// run asks by one way after the other.
func (d *Desk) run(ctx context.Context, q *question) {
	defer q.stop()
	defer close(q.over)
	for _, w := range q.Ways {
		ask := w.Ask
		if ask == nil {
			ask = func(ctx context.Context, _ Question) (bool, error) { return d.onTerminal(ctx, q) }
		}
		allowed, err := ask(ctx, q.Question)
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			d.settle(q, Verdict{Allowed: allowed, By: w.Name, At: time.Now()}, nil)
			return
		}
	}
	d.settle(q, Verdict{}, ErrNobody)
}

// settle fixes what whoever waits is told, and remembers an answer.
func (d *Desk) settle(q *question, v Verdict, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q.result, q.err = v, err
	d.closeLocked(q)
	maps.DeleteFunc(d.answers, func(_ Key, v Verdict) bool { return !v.countsAt(time.Now()) })
	if err == nil && q.Key.Program != "" {
		d.answers[q.Key] = v
	}
}

// onTerminal asks on the terminal of whoever waits longest, and on the next one's
// when that client goes away.
func (d *Desk) onTerminal(ctx context.Context, q *question) (bool, error) {
	var asked *seat
	for {
		d.mu.Lock()
		i := slices.IndexFunc(q.seats, func(s *seat) bool { return s.terminal })
		if i >= 0 && q.seats[i] != asked {
			asked = q.seats[i]
			asked.ask <- struct{}{}
		}
		d.mu.Unlock()
		if i < 0 {
			return false, ErrNobody
		}
		select {
		case allowed := <-q.answer:
			return allowed, nil
		case <-q.left:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// Answer gives the answer of the person at a terminal. It is [creds.CodeUsage]
// where no question of that ID is open.
func (d *Desk) Answer(id string, allowed bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, q := range d.open {
		if creds.NewSecret(q.Question.ID).Equal(creds.NewSecret(id)) {
			select {
			case q.answer <- allowed:
			default: // it has one
			}
			return nil
		}
	}
	return &creds.Error{Code: creds.CodeUsage, Op: "the question is over, or never was asked", Hint: "run: mfad audit"}
}
