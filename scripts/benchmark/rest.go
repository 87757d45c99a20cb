package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	settle = 20 * time.Second // until nothing of earlier work is left to do
	watch  = time.Minute
	glance = 20 * time.Millisecond
)

// measureRest takes what daemons cost while nothing happens. Their reference is the
// minimal Go program while it waits for an answer, in the same minute. Without
// Linux's /proc there are no figures.
func measureRest(ctx context.Context, stages ...*stage) ([]figure, error) {
	if _, err := look(stages[0].daemon.Process.Pid); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	srv, err := serve(stages[0].path("silent.sock"), nil)
	if err != nil {
		return nil, err
	}
	defer srv.close()
	idle := stages[0].command(stages[0].reference, srv.path())
	if err := idle.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = idle.Process.Kill(); _ = idle.Wait() }()
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	theirs, err := restOf(idle.Process.Pid)
	if err != nil {
		return nil, err
	}
	watched := []*rest{theirs}
	for _, s := range stages {
		ours, err := restOf(s.daemon.Process.Pid)
		if err != nil {
			return nil, err
		}
		watched = append(watched, ours)
	}
	begin := time.Now()
	for time.Since(begin) < watch {
		if err := pause(ctx, glance); err != nil {
			return nil, err
		}
		for _, r := range watched {
			if err := r.glance(); err != nil {
				return nil, err
			}
		}
	}
	var figures []figure
	for i, s := range stages {
		figures = append(figures, restFigures(len(s.profiles), watched[i+1], theirs, time.Since(begin))...)
	}
	return figures, nil
}

// restFigures are the lines of one daemon.
func restFigures(profiles int, ours, theirs *rest, watched time.Duration) []figure {
	const waiting = "the minimal Go program, waiting"
	line := func(name string, limit quantity, of func(*rest) quantity) figure {
		a, b := of(ours), of(theirs)
		return figure{name: name, measured: a, against: waiting, reference: b, limit: limit}
	}
	memory := quantity{15, "MiB"}
	if profiles > 10 {
		memory.value = 60
	}
	return []figure{
		line(fmt.Sprintf("daemon at rest, %d profiles: resident memory", profiles), memory, func(r *rest) quantity { return mib(r.before.resident) }),
		line("— processor time, of one core", quantity{0.1, "%"}, func(r *rest) quantity {
			return quantity{100 * (r.after.cpu - r.before.cpu).Seconds() / watched.Seconds(), "%"}
		}),
		line("— wake-ups", quantity{4, "a minute"}, func(r *rest) quantity {
			return quantity{float64(r.wakeups) / watched.Minutes(), "a minute"}
		}),
	}
}

// rest is a process that is watched.
type rest struct {
	pid           int
	before, after usage
	wakeups       int  // stretches in which it ran
	running       bool // the last glance found that it had run
}

func restOf(pid int) (*rest, error) {
	u, err := look(pid)
	return &rest{pid: pid, before: u, after: u}, err
}

func (r *rest) glance() error {
	now, err := look(r.pid)
	ran := now.switches != r.after.switches
	if ran && !r.running {
		r.wakeups++
	}
	r.after, r.running = now, ran
	return err
}

// usage is what a process has used so far.
type usage struct {
	resident int64         // bytes
	cpu      time.Duration // of all threads that live
	switches int64         // of all threads that live
}

// look reads a process's usage from /proc. The time is the scheduler's, to the
// nanosecond: utime and stime count in hundredths of a second, which is too coarse
// for a process at rest.
func look(pid int) (usage, error) {
	var u usage
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return u, err
	}
	u.resident = 1024 * field(string(status), "VmRSS:")
	threads, err := filepath.Glob(filepath.Join(dir, "task", "*"))
	if err != nil {
		return u, err
	}
	for _, t := range threads {
		status, err := os.ReadFile(filepath.Join(t, "status"))
		if err != nil {
			return u, err
		}
		u.switches += field(string(status), "voluntary_ctxt_switches:") + field(string(status), "nonvoluntary_ctxt_switches:")
		times, err := os.ReadFile(filepath.Join(t, "schedstat"))
		if err != nil {
			return u, err
		}
		running, _, _ := strings.Cut(string(times), " ")
		ns, err := strconv.ParseInt(running, 10, 64)
		if err != nil {
			return u, fmt.Errorf("%s/schedstat: %w", t, err)
		}
		u.cpu += time.Duration(ns)
	}
	return u, nil
}

// field gives the number in the line that starts with name; 0 if there is none.
func field(status, name string) int64 {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}
