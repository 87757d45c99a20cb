package setup

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// around is how many unchanged lines a diff shows beside changed ones.
const around = 3

// Diff is what becomes of the file at path, as `diff -u` shows it, with secrets
// masked; empty if nothing does. old is nil where there is no file yet.
func Diff(path string, old, next []byte) string {
	if bytes.Equal(old, next) {
		return ""
	}
	a, b := splitLines(old), splitLines(next)
	maskedA, maskedB := mask(old), mask(next)
	var out strings.Builder
	from := path
	if old == nil {
		from = "/dev/null"
	}
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", from, path)
	steps := script(a, b)
	for i := 0; i < len(steps); {
		if steps[i].kind == ' ' {
			i++
			continue
		}
		first, end := max(i-around, 0), i
		for n := i; n < len(steps) && n-end <= 2*around; n++ {
			if steps[n].kind != ' ' {
				end = n + 1
			}
		}
		i = end
		hunk(&out, steps[first:min(end+around, len(steps))], maskedA, maskedB)
	}
	return out.String()
}

// step is one line of an edit: ' ' for one that stays, '-' and '+'. a and b count
// the lines of both files before it.
type step struct {
	kind byte
	a, b int
}

func hunk(out *strings.Builder, steps []step, a, b []string) {
	var gone, come int
	for _, s := range steps {
		if s.kind != '+' {
			gone++
		}
		if s.kind != '-' {
			come++
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(steps[0].a, gone), span(steps[0].b, come))
	for _, s := range steps {
		text := ""
		if s.kind == '+' {
			text = b[s.b]
		} else {
			text = a[s.a]
		}
		fmt.Fprintf(out, "%c%s\n", s.kind, text)
	}
}

// span counts lines from 1; where there are none it names the line before.
func span(before, n int) string {
	if n == 0 {
		return fmt.Sprintf("%d,0", before)
	}
	return fmt.Sprintf("%d,%d", before+1, n)
}

// script is a shortest edit of a into b (Eugene W. Myers, "An O(ND) Difference
// Algorithm and Its Variations", 1986).
func script(a, b []string) []step {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	x, y := len(a), len(b)
	var back []step // from the end
	for x > head && y > head && a[x-1] == b[y-1] {
		x, y = x-1, y-1
		back = append(back, step{' ', x, y})
	}
	steps := make([]step, 0, len(a)+len(b))
	for i := range head {
		steps = append(steps, step{' ', i, i})
	}
	steps = between(steps, a, b, head, x, head, y)
	for _, s := range slices.Backward(back) {
		steps = append(steps, s)
	}
	return steps
}

// large is from how many lines on a diff is cut at lines that both sides have once,
// such as headers: a shortest one would take the square of the time.
const large = 1000

// between appends the steps from a[x:endX] to b[y:endY].
func between(steps []step, a, b []string, x, endX, y, endY int) []step {
	if endX-x+endY-y > large {
		for _, at := range anchors(a[x:endX], b[y:endY], x, y) {
			steps = shortest(steps, a, b, x, at.a, y, at.b)
			steps = append(steps, at)
			x, y = at.a+1, at.b+1
		}
	}
	return shortest(steps, a, b, x, endX, y, endY)
}

// anchors are lines that a and b have once each, in the same order in both; x and y
// are added to their numbers.
func anchors(a, b []string, x, y int) []step {
	count := map[string]int{}
	for _, line := range a {
		count[line]++
	}
	at := map[string]int{} // in b
	for n, line := range b {
		if _, twice := at[line]; twice {
			count[line] = 2
		}
		at[line] = n
	}
	var found []step
	next := 0
	for n, line := range a {
		// Of lines in another order the first ones count: files are edited in place.
		if m, both := at[line]; both && count[line] == 1 && m >= next {
			found = append(found, step{' ', n + x, m + y})
			next = m + 1
		}
	}
	return found
}

// shortest appends the steps of a shortest edit from a[x:endX] to b[y:endY].
func shortest(steps []step, a, b []string, x, endX, y, endY int) []step {
	switch {
	case x == endX:
		for ; y < endY; y++ {
			steps = append(steps, step{'+', x, y})
		}
	case y == endY:
		for ; x < endX; x++ {
			steps = append(steps, step{'-', x, y})
		}
	default:
		for _, s := range slices.Backward(middle(a[x:endX], b[y:endY])) {
			steps = append(steps, step{s.kind, s.a + x, s.b + y})
		}
	}
	return steps
}

// middle gives the steps from the end.
func middle(a, b []string) []step {
	n, m := len(a), len(b)
	reach := map[int]int{1: 0} // how far in a each diagonal got
	var trace []map[int]int
	for d := 0; d <= n+m; d++ {
		trace = append(trace, maps.Clone(reach))
		for k := -d; k <= d; k += 2 {
			x := reach[k-1] + 1
			if k == -d || k != d && reach[k-1] < reach[k+1] {
				x = reach[k+1]
			}
			y := x - k
			for x < n && y < m && a[x] == b[y] {
				x, y = x+1, y+1
			}
			reach[k] = x
			if x >= n && y >= m {
				return walk(trace, n, m)
			}
		}
	}
	return nil
}

// walk follows the trace back.
func walk(trace []map[int]int, x, y int) []step {
	var back []step
	for d := len(trace) - 1; d >= 0; d-- {
		reach, k := trace[d], x-y
		from := k - 1
		if k == -d || k != d && reach[k-1] < reach[k+1] {
			from = k + 1
		}
		fromX := reach[from]
		fromY := fromX - from
		for x > fromX && y > fromY && x > 0 && y > 0 {
			x, y = x-1, y-1
			back = append(back, step{' ', x, y})
		}
		if d == 0 {
			break
		}
		if x == fromX {
			y--
			back = append(back, step{'+', x, y})
		} else {
			x--
			back = append(back, step{'-', x, y})
		}
	}
	return back
}

func splitLines(src []byte) []string {
	var lines []string
	for l := range bytes.Lines(src) {
		lines = append(lines, string(l))
	}
	return lines
}
