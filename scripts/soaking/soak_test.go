package main

import (
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// at is a moment, in seconds from one that does not matter.
func at(seconds float64) time.Time {
	return time.Unix(1_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func TestIntersect(t *testing.T) {
	a := []span{{at(0), at(10)}, {at(20), at(30)}, {at(31), at(32)}}
	b := []span{{at(5), at(22)}, {at(25), at(60)}}
	want := []span{{at(5), at(10)}, {at(20), at(22)}, {at(25), at(30)}, {at(31), at(32)}}
	got := intersect(a, b)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("span %d: got %v, want %v", i, got[i], want[i])
		}
	}
	if l := longest(got); l != 5*time.Second {
		t.Errorf("longest: got %v, want 5s", l)
	}
	if l := longest(intersect(a, nil)); l != 0 {
		t.Errorf("longest of none: got %v, want 0", l)
	}
}

func TestWeather(t *testing.T) {
	var w weather
	from := time.Now()
	if w.calmFor(from) != 0 || w.within(from, from.Add(time.Hour)) != nil {
		t.Error("the zero weather is calm")
	}
	w.clear()
	w.disturb()
	w.disturb() // no second stretch
	w.clear()
	w.clear()
	if n := len(w.calm); n != 1 {
		t.Errorf("got %d ended stretches, want 1", n)
	}
	later := time.Now().Add(time.Minute)
	if calm := w.calmFor(later); calm < time.Minute || calm > 2*time.Minute {
		t.Errorf("calm for %v, want about 1m", calm)
	}
	if got := longest(w.within(later.Add(-10*time.Second), later)); got != 10*time.Second {
		t.Errorf("within the last 10 s: %v of calm", got)
	}
}

func TestTornForeign(t *testing.T) {
	whole := foreignText(7) + "\n[role00]\naws_access_key_id = ASIAEXAMPLE000000001\n"
	if what := tornForeign(whole); what != "" {
		t.Errorf("a whole file: %s", what)
	}
	if n := turnOf(whole); n != 7 {
		t.Errorf("turn: got %d, want 7", n)
	}
	for name, text := range map[string]string{
		"empty":        "",
		"cut":          whole[:len(whole)/3],
		"line ends":    strings.ReplaceAll(whole, "\r\n", "\n"),
		"indentation":  strings.Replace(whole, "  aws_access", "aws_access", 1),
		"a comment":    strings.Replace(whole, "; a remark\n", "", 1),
		"out of order": foreignBlocks[1] + foreignBlocks[0] + foreignBlocks[2] + foreignBlocks[3] + foreignBlocks[4],
		"another key":  strings.Replace(whole, "other = kept\n", "", 1),
		"the turn":     strings.Replace(whole, "turn = 7\n", "", 1),
	} {
		if tornForeign(text) == "" {
			t.Errorf("%s: not noticed", name)
		}
	}
	if n := turnOf(whole + "turn = 8\n"); n != -1 {
		t.Errorf("two lines with a turn: got %d, want -1", n)
	}
}

func TestSpent(t *testing.T) {
	session := func(from float64) awssim.Call {
		return awssim.Call{Time: at(from), Code: "OK", Expires: at(from + 80)}
	}
	faulty := func(from float64, kind awssim.FaultKind) awssim.Call {
		c := session(from)
		c.Fault = kind
		return c
	}
	refused := session(0)
	refused.Code = "AccessDenied"
	for _, c := range []struct {
		name  string
		calls []awssim.Call
		kills []time.Time
		want  codeFigures
	}{
		{"as it should be", []awssim.Call{session(0), session(40), session(80.5)}, nil, codeFigures{sessions: 3}},
		{"too early", []awssim.Call{session(0), session(30)}, nil, codeFigures{sessions: 2, extra: 1}},
		{"the first one met a fault", []awssim.Call{faulty(0, awssim.DropAfter), session(30)}, nil, codeFigures{sessions: 1, faulted: 1}},
		{"a slow answer is one", []awssim.Call{faulty(0, awssim.Delay), session(30)}, nil, codeFigures{sessions: 2, extra: 1}},
		{"killed before it was saved", []awssim.Call{session(0), session(30)}, []time.Time{at(1)}, codeFigures{sessions: 2, lost: 1}},
		{"killed long after", []awssim.Call{session(0), session(30)}, []time.Time{at(10)}, codeFigures{sessions: 2, extra: 1}},
		{"a code that was used", []awssim.Call{refused, session(30)}, nil, codeFigures{sessions: 1, refused: 1}},
	} {
		got := spent(c.calls, c.kills)
		got.where = nil
		if got.sessions != c.want.sessions || got.faulted != c.want.faulted || got.lost != c.want.lost ||
			got.refused != c.want.refused || got.extra != c.want.extra {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestLeast(t *testing.T) {
	if got := least([]sample{{300, 9}, {100, 12}, {200, 7}}); got != 100 {
		t.Errorf("got %v, want 100", got)
	}
}

// TestViolations holds each limit against a figure just over it.
func TestViolations(t *testing.T) {
	clean := report{fresh: profiles, census: censusFigures{life: lifeToJudge}}
	if over := clean.violations(); len(over) != 0 {
		t.Errorf("nothing was found, and over are %q", over)
	}
	for _, spoil := range []func(*report){
		func(r *report) { r.reads.torn = 1 },
		func(r *report) { r.reads.stale = 1 },
		func(r *report) { r.foreign.lost = 1 },
		func(r *report) { r.codes.refused = 1 },
		func(r *report) { r.codes.extra = 1 },
		func(r *report) { r.fresh-- },
		func(r *report) { r.census.peak.resident = mostMemory + 1 },
		func(r *report) { r.census.later = moreMemory + 1 },
		func(r *report) { r.open = mostDescriptors + 1 },
	} {
		r := clean
		spoil(&r)
		if over := r.violations(); len(over) != 1 {
			t.Errorf("%+v: over are %q, want one", r, over)
		}
	}
	young := clean
	young.census = censusFigures{life: lifeToJudge - 1, later: moreMemory + 1}
	if over := young.violations(); len(over) != 0 {
		t.Errorf("a daemon too young to be judged: over are %q", over)
	}
}
