package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

const (
	crowd       = 100
	crowdRounds = 5
	// gather is how long the last of a crowd has to ask the daemon.
	gather = 500 * time.Millisecond
)

// measureCrowd has many commands ask for so many roles while there is nothing to
// give out, lets a code come once all of them wait, and compares the time from
// there with a crowd of reference programs and the two calls that it takes.
func measureCrowd(ctx context.Context, p programs, dir string, roles int) ([]figure, error) {
	s, err := newStage(ctx, p, dir, roles, 80*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ref, err := s.newCaller()
	if err != nil {
		return nil, err
	}
	srv, err := serve(s.path("reference.sock"), []byte("answer\n"))
	if err != nil {
		return nil, err
	}
	defer srv.close()
	var whole pairs
	var unanswered, codes, calls []int
	for range crowdRounds {
		r, err := s.askAll(ctx)
		if err != nil {
			return nil, err
		}
		unanswered = append(unanswered, r.unanswered)
		codes = append(codes, r.codes)
		calls = append(calls, r.calls)
		c, err := ref.once(ctx, s.credentials())
		if err != nil {
			return nil, err
		}
		started, err := together(crowd, func(int) error { return s.command(s.reference, srv.path()).Run() })
		if err != nil {
			return nil, err
		}
		whole.add(r.took, c.session+c.assume+started)
		if err := s.restart(ctx); err != nil {
			return nil, err
		}
	}
	name := fmt.Sprintf("%d commands wait for %d roles", crowd, roles)
	if roles == 1 {
		name = fmt.Sprintf("%d commands wait for one role", crowd)
	}
	first := whole.figure(name+": one code, from its arrival at AWS, to the last answer",
		fmt.Sprintf("GetSessionToken, one AssumeRole, %d minimal Go programs at once", crowd))
	first.limit = quantity{2000, milliseconds}
	return []figure{
		first,
		{name: "— commands without an answer", measured: worst(unanswered), limit: count(0)},
		{name: "— codes sent to AWS", measured: worst(codes), limit: count(1)},
		{name: "— AssumeRole calls", measured: worst(calls), limit: count(roles)},
	}, nil
}

// round is what came of one crowd.
type round struct {
	took                     time.Duration // from the code's arrival at AWS to the last answer
	unanswered, codes, calls int
}

// askAll runs the crowd's commands, all at once, and hands out the code when all of
// them wait for it.
func (s *stage) askAll(ctx context.Context) (round, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	log := len(s.sim.Calls())
	answers := make([]bytes.Buffer, crowd)
	var started sync.WaitGroup
	started.Add(crowd)
	given := make(chan error, 1)
	go func() {
		started.Wait()
		given <- s.giveCode(ctx)
	}()
	_, err := together(crowd, func(i int) error {
		cmd := s.command(s.mfad, "credential-process", "--profile", s.profiles[i%len(s.profiles)])
		cmd.Stdout = &answers[i]
		err := cmd.Start()
		started.Done()
		return errors.Join(err, cmd.Wait())
	})
	end := time.Now()
	if err := errors.Join(err, <-given, os.Remove(s.codeFile())); err != nil {
		return round{}, fmt.Errorf("%w; the daemon said: %s", err, s.said())
	}
	r := round{}
	for i := range answers {
		a := &answers[i]
		if !bytes.HasPrefix(a.Bytes(), []byte(`{"Version":1,`)) {
			r.unanswered++
		}
	}
	for _, c := range s.sim.Calls()[log:] {
		switch c.Action {
		case "GetSessionToken":
			r.codes++
			r.took = end.Sub(c.Time)
		case "AssumeRole":
			r.calls++
		}
	}
	return r, nil
}

// giveCode lets the identity's program have a code once every profile waits.
func (s *stage) giveCode(ctx context.Context) error {
	_, err := s.await(ctx, func(st localapi.Status) bool {
		return len(st.Identities) == 1 && st.Identities[0].Prompt != nil && len(st.Identities[0].Prompt.Profiles) == len(s.profiles)
	})
	if err != nil {
		return fmt.Errorf("not all commands wait for the code: %w", err)
	}
	if err := pause(ctx, gather); err != nil {
		return err
	}
	code, err := s.device.NextCode(ctx)
	if err != nil {
		return err
	}
	return replace(s.codeFile(), []byte(code+"\n"))
}

// together runs f n times at once and gives the time until the last has ended.
func together(n int, f func(i int) error) (time.Duration, error) {
	errs := make([]error, n)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	return time.Since(begin), errors.Join(errs...)
}
