package refresh

import (
	"context"
	"sync"
	"time"
)

// maxFlights bounds the AssumeRole calls in flight at once. STS takes some
// hundred a second from an account; a laptop's connections are the tighter limit.
const maxFlights = 64

// pace bounds the AssumeRole calls in flight by what AWS takes just now, which an
// account's other users have a part in. The bound is halved when AWS says to slow
// down and grows by one for each round of calls that it takes (additive increase,
// multiplicative decrease: RFC 5681). Calls start in the order in which they came.
type pace struct {
	mu      sync.Mutex
	limit   float64
	flying  int
	waiting []chan struct{} // each closed when its call may start
	slowed  time.Time       // when limit was last halved
	resting bool            // nothing starts: AWS says to slow down to one call after another
}

func newPace() *pace { return &pace{limit: maxFlights} }

// take waits until a call may start, or ctx ends. Leave is to be called when it has
// been answered.
func (p *pace) take(ctx context.Context) (leave func(throttled bool)) {
	turn := make(chan struct{})
	p.mu.Lock()
	p.waiting = append(p.waiting, turn)
	p.admitLocked()
	p.mu.Unlock()
	select {
	case <-turn:
	case <-ctx.Done(): // the engine's end, and that of all who wait
	}
	began := time.Now()
	return func(throttled bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.flying--
		if throttled {
			p.slowLocked(began)
		} else {
			p.limit = min(p.limit+1/p.limit, maxFlights)
		}
		p.admitLocked()
	}
}

func (p *pace) admitLocked() {
	for !p.resting && len(p.waiting) > 0 && p.flying < int(p.limit) {
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
		p.flying++
	}
}

// slowLocked takes in that a call that began then was refused. Those that were in
// the air at the last halving tell nothing new.
func (p *pace) slowLocked(began time.Time) {
	if !began.After(p.slowed) {
		return
	}
	p.slowed = time.Now()
	p.limit = max(1, p.limit/2)
	if p.limit < 2 && !p.resting {
		p.resting = true
		time.AfterFunc(pauses[0], func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.resting = false
			p.admitLocked()
		})
	}
}
