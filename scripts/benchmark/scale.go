package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

const (
	scaleRounds = 3
	// atOnce is how many AssumeRole calls mfad has in flight at most
	// (pkg/refresh), and the plain loop too.
	atOnce = 64
)

// measureScale compares what one code does to very many profiles with what the
// network alone takes for as many calls, and with a plain loop that makes them.
func (s *stage) measureScale(ctx context.Context) ([]figure, error) {
	ref, err := s.newCaller()
	if err != nil {
		return nil, err
	}
	n := len(s.profiles)
	least := time.Duration(n) * s.roundTrip / atOnce
	var whole, loop pairs
	var dense []int
	for range scaleRounds {
		l, err := s.loginAnew(ctx)
		if err != nil {
			return nil, err
		}
		took := l.end.Sub(l.assumed[0].Time)
		plain, err := ref.loop(ctx, n)
		if err != nil {
			return nil, err
		}
		whole.add(took, least)
		loop.add(took, plain)
		dense = append(dense, mostWithin(time.Second, l.writes))
	}
	calls := fmt.Sprintf("%d calls of %v, %d at once", n, s.roundTrip, atOnce)
	first := whole.figure(fmt.Sprintf("one code: from the first of %d AssumeRole calls until all profiles are fresh and written", n), "calls × latency ÷ concurrency: "+calls)
	first.limit = quantity{1.3, times}
	return []figure{
		first,
		loop.figure("— the same", "a plain loop: "+calls),
		{name: "— writes of the credentials file within a second", measured: worst(dense), limit: count(1)},
	}, nil
}

// mostWithin gives the largest number of moments that lie within one stretch of
// that length.
func mostWithin(length time.Duration, moments []time.Time) int {
	most := 0
	for i := range moments { // oldest first
		n := 0
		for _, m := range moments[i:] {
			if m.Sub(moments[i]) < length {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// loop makes n AssumeRole calls as a simple program would, and nothing else.
func (c *awsCaller) loop(ctx context.Context, n int) (time.Duration, error) {
	code, err := c.device.NextCode(ctx)
	if err != nil {
		return 0, err
	}
	session, err := c.client.StartSession(ctx, c.key, c.device.Serial, creds.NewSecret(code), time.Hour)
	if err != nil {
		return 0, err
	}
	work := make(chan int, n)
	for i := range n {
		work <- i
	}
	close(work)
	errs := make(chan error, n)
	var all sync.WaitGroup
	begin := time.Now()
	for range atOnce {
		all.Go(func() {
			for range work {
				if _, err := c.client.AssumeRole(ctx, session, c.role); err != nil {
					errs <- err
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	select {
	case err := <-errs:
		return 0, err
	default:
		return took, nil
	}
}
