package main

import (
	"sync"
	"time"
)

// span is a stretch of time.
type span struct{ from, to time.Time }

func (s span) length() time.Duration { return s.to.Sub(s.from) }

// weather remembers when nothing was in mfad's way. The zero weather is disturbed
// from the start: its first clear begins the first calm stretch.
type weather struct {
	mu    sync.Mutex
	calm  []span    // ended
	since time.Time // zero: disturbed
}

// disturb ends the calm.
func (w *weather) disturb() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.since.IsZero() {
		w.calm = append(w.calm, span{w.since, time.Now()})
		w.since = time.Time{}
	}
}

// clear begins a calm.
func (w *weather) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		w.since = time.Now()
	}
}

// calmFor tells how long nothing has happened at t; 0 while something does.
func (w *weather) calmFor(t time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		return 0
	}
	return t.Sub(w.since)
}

// within gives the calm stretches between from and to, oldest first.
func (w *weather) within(from, to time.Time) []span {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.calm
	if !w.since.IsZero() {
		all = append(all[:len(all):len(all)], span{w.since, to})
	}
	return intersect(all, []span{{from, to}})
}

// intersect gives what lies in both; each list is in order and does not overlap
// itself.
func intersect(a, b []span) []span {
	var both []span
	for len(a) > 0 && len(b) > 0 {
		s := span{later(a[0].from, b[0].from), earlier(a[0].to, b[0].to)}
		if s.length() > 0 {
			both = append(both, s)
		}
		if a[0].to.Before(b[0].to) {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// longest is the longest span's length.
func longest(spans []span) (most time.Duration) {
	for _, s := range spans {
		most = max(most, s.length())
	}
	return most
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// pause waits for d; false if done came first.
func pause(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}
