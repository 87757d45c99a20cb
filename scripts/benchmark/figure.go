package main

import (
	"slices"
	"strconv"
	"time"
)

// quantity is a number and what it counts. The zero quantity stands for none.
type quantity struct {
	value float64
	unit  string
}

// Units; those of ratios and counts are not written.
const (
	milliseconds = "ms"
	trips        = "round trips"
	times        = "×"
	number       = "#"
)

func ms(d time.Duration) quantity {
	return quantity{float64(d) / float64(time.Millisecond), milliseconds}
}

func mib(bytes int64) quantity { return quantity{float64(bytes) / (1 << 20), "MiB"} }

func count(n int) quantity { return quantity{float64(n), number} }

// worst is the largest of all rounds: what must never happen has no median.
func worst(counts []int) quantity { return count(slices.Max(counts)) }

// String gives three digits, and all of a count.
func (q quantity) String() string {
	digits := 2
	switch {
	case q.unit == "":
		return ""
	case q.unit == number, q.value >= 100, q.value == 0:
		digits = 0
	case q.value >= 10:
		digits = 1
	case q.value < 0.1:
		digits = 3
	}
	text := strconv.FormatFloat(q.value, 'f', digits, 64)
	if q.unit == number || q.unit == times {
		return text
	}
	return text + " " + q.unit
}

// figure is one line of the table.
type figure struct {
	name      string
	measured  quantity
	against   string   // what the reference is; empty: there is none
	reference quantity // as measured in turns with the figure
	ratio     quantity // in times; for figures that vary with the machine
	// limit is of the ratio if its unit is times, else of what was measured.
	limit quantity
}

// verdict is ok or over, and empty without a limit.
func (f figure) verdict() string {
	got := f.measured.value
	if f.limit.unit == times {
		got = f.ratio.value
	}
	switch {
	case f.limit.unit == "":
		return ""
	case got <= f.limit.value:
		return "ok"
	}
	return "over"
}

// median is the middle of the values, or the mean of the two in the middle; zero
// of none.
func median[T time.Duration | float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// pairs are times that were taken in turns: what is measured and its reference.
type pairs struct{ measured, reference []time.Duration }

func (p *pairs) add(measured, reference time.Duration) {
	p.measured = append(p.measured, measured)
	p.reference = append(p.reference, reference)
}

// ratio is the median of the pairs' own ratios: what slows a machine for a while
// slows both halves of a pair.
func (p *pairs) ratio() quantity {
	var ratios []float64
	for i, m := range p.measured {
		ratios = append(ratios, float64(m)/float64(p.reference[i]))
	}
	return quantity{median(ratios), times}
}

// figure is the pairs as a line of the table.
func (p *pairs) figure(name, against string) figure {
	return figure{
		name: name, measured: ms(median(p.measured)),
		against: against, reference: ms(median(p.reference)), ratio: p.ratio(),
	}
}
