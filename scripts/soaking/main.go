// Command soaking runs mfad, the binary, for a bounded time against the simulated
// AWS, with fifty profiles whose credentials live 20 s. Meanwhile AWS fails in
// every way it can, the daemon is killed and stopped, another program writes the
// credentials file in place, and readers look at that file all the time.
//
// Which mishaps come, and when, is drawn from a seed, which is printed. What was
// counted is in a table at the end; the exit status is 1 if a figure is over its
// limit.
// It never touches the files of whoever runs it, and reaches nothing but the
// loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/mfad/mfad/scripts/building"
)

// shortest is the time below which there is nothing to be seen.
const shortest = 40 * time.Second

// errOver tells that the soak was carried out and something was found.
var errOver = errors.New("mfad did not keep what it promises")

func main() {
	length := flag.Duration("for", 10*time.Minute, "how long")
	seed := flag.Uint64("seed", 0, "draw the mishaps from `N`; 0 picks one")
	keep := flag.Bool("keep", false, "keep the folder if something was found")
	device := flag.String("code", "", "print the code of the device at `SOCKET`, and end: what mfa_process runs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *device != "" {
		err = printCode(ctx, os.Stdout, *device)
	} else {
		if *seed == 0 {
			*seed = rand.Uint64N(1e9) + 1
		}
		err = soak(ctx, *length, *seed, *keep)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1)
	}
}

// soak is one whole run.
func soak(ctx context.Context, length time.Duration, seed uint64, keep bool) (err error) {
	if length < shortest {
		return fmt.Errorf("-for %v is too short: at least %v", length, shortest)
	}
	dir, err := os.MkdirTemp("", "mfad-soak-")
	if err != nil {
		return err
	}
	defer func() {
		if keep && err != nil {
			tell("kept " + dir)
			return
		}
		_ = os.RemoveAll(dir)
	}()
	tell("build mfad")
	mfad := filepath.Join(dir, "mfad")
	if err := building.Build(ctx, mfad, "./cmd/mfad"); err != nil {
		return err
	}
	s, err := newStage(ctx, mfad, filepath.Join(dir, "home"))
	if err != nil {
		return err
	}
	defer s.close()
	tell(fmt.Sprintf("soak for %v, seed %d", length, seed))
	r, err := run(ctx, s, length, seed)
	if err != nil {
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	if err := r.write(os.Stdout); err != nil {
		return err
	}
	if len(r.violations()) > 0 {
		return fmt.Errorf("seed %d: %w", seed, errOver)
	}
	return nil
}

// run has everybody at work on the stage until the time is up.
func run(ctx context.Context, s *stage, length time.Duration, seed uint64) (r *report, err error) {
	end := time.Now().Add(length)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	r = &report{length: length, seed: seed}
	f := &foreigner{stage: s}
	u := &census{stage: s}
	m := &mishaps{stage: s, random: rand.New(rand.NewPCG(seed, 0)), lastKill: end.Add(-length / 2), last: end.Add(-settle)}
	var readers [readerCount]reader
	var all sync.WaitGroup
	all.Go(func() { f.run(ctx) })
	all.Go(func() { u.run(ctx) })
	for i := range readers {
		readers[i] = reader{stage: s, foreign: f, expires: map[string]time.Time{}, seen: map[string]time.Time{}}
		all.Go(func() { readers[i].run(ctx) })
	}
	mishap := m.run(ctx)
	if mishap != nil {
		cancel()
	}
	all.Wait()
	if mishap != nil {
		return nil, mishap
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
		return nil, cause
	}
	r.mishaps, r.foreign, r.census = m.count, f.figures, u.figures()
	for i := range readers {
		r.reads.add(readers[i].figures)
		r.reads.add(readers[i].mismatches())
	}
	r.codes = spent(s.sim.Calls("GetSessionToken"), s.kills)
	ctx = context.WithoutCancel(ctx) // it has ended
	if r.fresh, err = s.fresh(ctx); err != nil {
		return nil, err
	}
	r.open, err = s.rest(ctx)
	return r, err
}

func tell(what string) { fmt.Fprintln(os.Stderr, "--- "+what) }
