package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// report is all that a soak found.
type report struct {
	length  time.Duration
	seed    uint64
	mishaps mishapFigures
	foreign foreignFigures
	reads   readFigures
	codes   codeFigures
	census  censusFigures
	fresh   int // profiles, at the end
	open    int // descriptors, after the end
}

// What counts as flat: the collector's whims, and what a daemon at rest has open.
const (
	moreMemory      = 8 << 10  // KiB
	mostMemory      = 96 << 10 // KiB, with fifty calls at once
	mostDescriptors = 20       // at rest

	// lifeToJudge is how many seconds the last daemon must have lived for its growth to
	// be told from its start.
	lifeToJudge = 150
)

// line is a row of the table; limit is the most allowed, -1 for a figure that is
// only told.
type line struct {
	name       string
	got, limit int
	note       string
}

func (l line) over() bool { return l.limit >= 0 && l.got > l.limit }

func (r *report) lines() []line {
	c := r.census
	memory := moreMemory
	if c.life < lifeToJudge {
		memory = -1
	}
	return []line{
		{"faults of AWS", r.mishaps.faults, -1, ""},
		{"kill -9 and restart", r.mishaps.kills, -1, ""},
		{"stopped for a second", r.mishaps.stops, -1, ""},
		{"reads", r.reads.reads, -1, ""},
		{"torn reads", r.reads.torn, 0, ""},
		{"stale reads", r.reads.stale, 0, fmt.Sprintf("expired although mfad had %v for it", grace)},
		{"reads without a chance", r.reads.excused, -1, "expired during a fault too long for what was left"},
		{"writes in place by others", r.foreign.writes, -1, ""},
		{"lost writes of others", r.foreign.lost, 0, ""},
		{"sessions", r.codes.sessions, -1, fmt.Sprintf("each lives %v, due after half of it", sessionLife)},
		{"codes that met a fault", r.codes.faulted, -1, ""},
		{"sessions lost to a kill", r.codes.lost, -1, fmt.Sprintf("within %v of AWS's answer", unsaved)},
		{"codes refused", r.codes.refused, 0, ""},
		{"extra codes", r.codes.extra, 0, ""},
		{"profiles not fresh at the end", profiles - r.fresh, 0, ""},
		{"peak memory, KiB", c.peak.resident, mostMemory, "all daemons"},
		{"memory kept, KiB", c.later - c.earlier, memory,
			fmt.Sprintf("%d to %d, the last daemon in %d s", c.earlier, c.later, c.life)},
		{"peak descriptors", c.peak.descriptors, -1, "all daemons"},
		{"descriptors at rest", r.open, mostDescriptors, "locked, when connections have been closed"},
	}
}

// violations names the lines over their limits.
func (r *report) violations() (over []string) {
	for _, l := range r.lines() {
		if l.over() {
			over = append(over, l.name)
		}
	}
	return over
}

func (r *report) write(w io.Writer) error {
	fmt.Fprintf(w, "%d profiles, %v, seed %d\n\n", profiles, r.length, r.seed)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tcount\tlimit\t\t")
	for _, l := range r.lines() {
		limit, verdict := "", ""
		if l.limit >= 0 {
			limit, verdict = fmt.Sprint(l.limit), "ok"
		}
		if l.over() {
			verdict = "OVER"
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", l.name, l.got, limit, verdict, l.note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, where := range [][]string{r.reads.where, r.foreign.where, r.codes.where} {
		for _, what := range where[:min(len(where), 20)] {
			fmt.Fprintln(w, what)
		}
	}
	return nil
}
