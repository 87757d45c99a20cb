package plan

import (
	"strings"
	"testing"
	"time"
)

// now is a moment of the tests, and at a time from it.
var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return now.Add(d) }

// told is what GetRole said.
func told(d time.Duration) Known { return Known{}.Told(d, "GetRole", now) }

// Identities of the tests.
var (
	bare      = Identity{Name: "corp"}
	living    = Identity{Name: "corp", Session: true}
	robot     = Identity{Name: "corp", Unattended: true}
	robotLive = Identity{Name: "corp", Unattended: true, Session: true}
)

// TestChoose is the planner's table: what a code in hand is spent on.
func TestChoose(t *testing.T) {
	wanted := robotLive
	wanted.Wanted = "the session ends soon"
	role := Role{Profile: "prod", Mode: Direct}
	with := func(edit func(*Role)) Role { r := role; edit(&r); return r }
	knows := func(d time.Duration) Role { return with(func(r *Role) { r.Known = told(d) }) }
	const session = "session"
	for _, tt := range []struct {
		name  string
		id    Identity
		roles []Role
		code  Code
		want  string // a profile, session, or nothing
		ask   time.Duration
	}{
		{"given for the identity", bare, []Role{knows(12 * time.Hour)}, Code{}, session, 0},
		{"given for the identity while a session lives", living, nil, Code{}, session, 0},
		{"given for a profile", bare, []Role{knows(12 * time.Hour)}, Code{Profile: "prod"}, "prod", 12 * time.Hour},
		{"whatever its mode", bare, []Role{with(func(r *Role) { r.Mode, r.Known = Session, told(4*time.Hour) })}, Code{Profile: "prod"}, "prod", 4 * time.Hour},
		{"also for an hour", bare, []Role{knows(time.Hour)}, Code{Profile: "prod"}, "prod", time.Hour},
		{"to the second", bare, []Role{knows(19801 * time.Second)}, Code{Profile: "prod"}, "prod", 19801 * time.Second},
		{"for a profile of which nothing is known", bare, []Role{role}, Code{Profile: "prod"}, session, 0},
		{"unless a session lives, which could not tell", living, []Role{role}, Code{Profile: "prod"}, "prod", 12 * time.Hour},
		{"or its duration is given", bare, []Role{with(func(r *Role) { r.Duration = 2 * time.Hour })}, Code{Profile: "prod"}, "prod", 2 * time.Hour},
		{"or it is for a console", bare, []Role{with(func(r *Role) { r.Console = true })}, Code{Profile: "prod"}, "prod", time.Hour},
		{"never more than the role allows", bare, []Role{with(func(r *Role) { r.Duration, r.Known = 12*time.Hour, told(4*time.Hour) })}, Code{Profile: "prod"}, "prod", 4 * time.Hour},
		{"for a profile that lives on the session", living, nil, Code{Profile: "base"}, session, 0},

		{"a program's: the session first", wanted, []Role{knows(12 * time.Hour)}, Code{Program: true}, session, 0},
		{"a program's: then a role that is due", robotLive, []Role{knows(12 * time.Hour)}, Code{Program: true}, "prod", 12 * time.Hour},
		{"a program's, with mfa = auto", robotLive, []Role{with(func(r *Role) { r.Mode, r.Known = Auto, told(12*time.Hour) })}, Code{Program: true}, "prod", 12 * time.Hour},
		{"a program's: no role that allows an hour only", robotLive, []Role{knows(time.Hour)}, Code{Program: true}, "", 0},
		{"a program's: none whose duration is an hour", robotLive, []Role{with(func(r *Role) { r.Duration, r.Known = time.Hour, told(12*time.Hour) })}, Code{Program: true}, "", 0},
		{"a program's: none with mfa = session", robotLive, []Role{with(func(r *Role) { r.Mode, r.Known = Session, told(12*time.Hour) })}, Code{Program: true}, "", 0},
		{"a program's: none that will be known in a moment", robotLive, []Role{with(func(r *Role) { r.Lookup = true })}, Code{Program: true}, "", 0},
		{"a program's: one that cannot be looked up", robotLive, []Role{role}, Code{Program: true}, "prod", 12 * time.Hour},
		{"a program's: none that rests", robotLive, []Role{with(func(r *Role) { r.Known, r.Rests = told(12*time.Hour), at(time.Minute) })}, Code{Program: true}, "", 0},
		{"a program's: what was asked for goes first", robotLive, []Role{
			with(func(r *Role) { r.Profile, r.Known = "due", told(12*time.Hour) }),
			with(func(r *Role) {
				r.Profile, r.Mode, r.Known, r.Asked = "asked", Session, told(2*time.Hour), at(-time.Second)
			}),
			with(func(r *Role) { r.Profile, r.Known, r.Asked = "after", told(12*time.Hour), now }),
		}, Code{Program: true}, "asked", 2 * time.Hour},
		{"a program's: who came for the session first has it first", func() Identity { id := robotLive; id.Asked = at(-time.Minute); return id }(), []Role{
			with(func(r *Role) { r.Profile, r.Known, r.Asked = "asked", told(12*time.Hour), now }),
		}, Code{Program: true}, session, 0},
		{"a program's: who came for a role before that has it before", func() Identity { id := robotLive; id.Asked = now; return id }(), []Role{
			with(func(r *Role) { r.Profile, r.Known, r.Asked = "asked", told(12*time.Hour), at(-time.Minute) }),
		}, Code{Program: true}, "asked", 12 * time.Hour},
		{"a program's: a session that is only due waits for them", wanted, []Role{
			with(func(r *Role) { r.Profile, r.Known, r.Asked = "asked", told(12*time.Hour), now }),
		}, Code{Program: true}, "asked", 12 * time.Hour},
		{"a program's: what a program waits for, before what is due", robotLive, []Role{
			with(func(r *Role) { r.Profile, r.Known = "due", told(12*time.Hour) }),
			with(func(r *Role) {
				r.Profile, r.Known, r.Waits, r.Expires = "waits", told(2*time.Hour), true, at(time.Hour)
			}),
		}, Code{Program: true}, "waits", 2 * time.Hour},
		{"a program's: what ends first", robotLive, []Role{
			with(func(r *Role) { r.Profile, r.Known, r.Expires = "later", told(12*time.Hour), at(time.Hour) }),
			with(func(r *Role) { r.Profile, r.Known, r.Expires = "sooner", told(12*time.Hour), at(time.Minute) }),
		}, Code{Program: true}, "sooner", 12 * time.Hour},
		{"a program's: what has nothing, by name", robotLive, []Role{
			with(func(r *Role) { r.Profile, r.Known = "b", told(12*time.Hour) }),
			with(func(r *Role) { r.Profile, r.Known = "a", told(12*time.Hour) }),
		}, Code{Program: true}, "a", 12 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, ok := Choose(tt.id, tt.roles, tt.code, now)
			got := s.Profile
			if ok && got == "" {
				got = session
			}
			if got != tt.want || s.Duration != tt.ask {
				t.Errorf("spent on %q for %v, want %q for %v", got, s.Duration, tt.want, tt.ask)
			}
			if ok && s.Why == "" {
				t.Error("no reason is given")
			}
		})
	}
}

// TestDue: when a role wants a code by itself.
func TestDue(t *testing.T) {
	long := Role{Profile: "prod", Mode: Direct, Known: told(12 * time.Hour)}
	with := func(edit func(*Role)) Role { r := long; edit(&r); return r }
	direct := func(edit func(*Role)) Role {
		return with(func(r *Role) {
			r.Direct, r.Lifetime, r.Expires = at(12*time.Hour), 12*time.Hour, at(12*time.Hour)
			if edit != nil {
				edit(r)
			}
		})
	}
	const never = time.Duration(-1)
	for _, tt := range []struct {
		name string
		id   Identity
		role Role
		want time.Duration // from now; 0: at once
	}{
		{"a person, all has lapsed: nobody is asked", bare, long, never},
		{"a person, served through the session", living, with(func(r *Role) { r.Expires = at(time.Hour) }), 0},
		{"a person, half an hour before the end", living, direct(nil), 11*time.Hour + 30*time.Minute},
		{"a person, refresh_before", living, direct(func(r *Role) { r.Before = 2 * time.Hour }), 10 * time.Hour},
		{"never more than half the lifetime", living, direct(func(r *Role) { r.Before = 8 * time.Hour }), 6 * time.Hour},
		{"a short life", living, direct(func(r *Role) { r.Direct, r.Lifetime = at(40*time.Minute), 40*time.Minute }), 20 * time.Minute},
		{"a program, at half the lifetime", robotLive, direct(nil), 6 * time.Hour},
		{"a program, without anything", robot, long, 0},
		{"not before its rest is over", robotLive, with(func(r *Role) { r.Rests = at(time.Hour) }), time.Hour},
		{"auto, a person", living, with(func(r *Role) { r.Mode = Auto }), never},
		{"auto, a program", robotLive, with(func(r *Role) { r.Mode = Auto }), 0},
		{"session, a program", robotLive, with(func(r *Role) { r.Mode = Session }), never},
		{"an hour gains nothing", living, with(func(r *Role) { r.Known = told(time.Hour) }), never},
		{"unless the MFA must be young", living, with(func(r *Role) { r.Known, r.Young = told(time.Hour), true }), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			due, ok := Due(tt.id, tt.role, now)
			got := never
			if ok {
				got = max(0, due.Sub(now))
			}
			if got != tt.want {
				t.Errorf("due after %v (-1ns: never), want %v", got, tt.want)
			}
		})
	}
}

// TestTheSearch follows what is known of a role of each length when it cannot be
// looked up: what is asked for, and what comes out.
func TestTheSearch(t *testing.T) {
	for maximum, want := range map[time.Duration]struct {
		asked []time.Duration
		words string
	}{
		12 * time.Hour:               {[]time.Duration{12 * time.Hour}, "allows 12h"},
		8 * time.Hour:                {[]time.Duration{12 * time.Hour, 8 * time.Hour}, "at least 8h"},
		5*time.Hour + 30*time.Minute: {[]time.Duration{12 * time.Hour, 8 * time.Hour, 4 * time.Hour}, "at least 4h"},
		2 * time.Hour:                {[]time.Duration{12 * time.Hour, 8 * time.Hour, 4 * time.Hour, 2 * time.Hour}, "at least 2h"},
		time.Hour:                    {[]time.Duration{12 * time.Hour, 8 * time.Hour, 4 * time.Hour, 2 * time.Hour, time.Hour}, "at least 1h"},
	} {
		t.Run(Short(maximum), func(t *testing.T) {
			var k Known
			var asked []time.Duration
			for range 6 {
				d := k.Ask(now, true)
				asked = append(asked, d)
				if d <= maximum {
					k = k.Granted(d, now)
					break
				}
				k = k.Denied(d, now)
			}
			if len(asked) != len(want.asked) {
				t.Fatalf("asked for %v, want %v", asked, want.asked)
			}
			for i := range asked {
				if asked[i] != want.asked[i] {
					t.Fatalf("asked for %v, want %v", asked, want.asked)
				}
			}
			if got := k.String(); !strings.Contains(got, want.words) {
				t.Errorf("it is said that %q, want it to hold %q", got, want.words)
			}
			if got := k.Ask(now, true); got != asked[len(asked)-1] {
				t.Errorf("the next time %v is asked for, want what was granted", got)
			}
		})
	}
}

func TestKnown(t *testing.T) {
	later := now.Add(Daily)
	least8 := Known{}.Denied(12*time.Hour, now).Granted(8*time.Hour, now)
	for _, tt := range []struct {
		name  string
		known Known
		t     time.Time
		probe bool
		want  time.Duration
	}{
		{"nothing", Known{}, now, false, 12 * time.Hour},
		{"to the second", told(19801 * time.Second), later, true, 19801 * time.Second},
		{"at least 8h", least8, now, true, 8 * time.Hour},
		{"a day later a step more is tried", least8, later, true, 12 * time.Hour},
		{"but not with a person's code", least8, later, false, 8 * time.Hour},
		{"an hour, a day later", Known{}.Denied(2*time.Hour, now), later, true, 2 * time.Hour},
		{"a raised role is searched for anew", Known{}.Denied(2*time.Hour, now).Granted(2*time.Hour, later), later, true, 12 * time.Hour},
		{"what worked is refused: it shrank", told(12*time.Hour).Denied(12*time.Hour, now), now, false, 8 * time.Hour},
		{"what was granted for a short wish says nothing of more", Known{}.Granted(2*time.Hour, now), now, false, 12 * time.Hour},
	} {
		if got := tt.known.Ask(tt.t, tt.probe); got != tt.want {
			t.Errorf("%s: %v is asked for, want %v", tt.name, got, tt.want)
		}
	}
	if k := told(12*time.Hour).Denied(12*time.Hour, now); k.Exact || !k.LookedSession.IsZero() {
		t.Error("a refusal of what was known does not have it looked up again")
	}
	if k := told(12 * time.Hour); !k.Safe(12*time.Hour) || least8.Safe(12*time.Hour) || !least8.Safe(8*time.Hour) || !(Known{}).Safe(time.Hour) {
		t.Error("Safe is wrong")
	}
}

func TestWant(t *testing.T) {
	for _, tt := range []struct {
		name string
		id   Identity
		role Role
		want bool
	}{
		{"direct, and known for how long", bare, Role{Mode: Direct, Known: told(12 * time.Hour)}, true},
		{"direct, nothing known: the session tells", bare, Role{Mode: Direct}, false},
		{"direct, an hour: the session does as much for 36", bare, Role{Mode: Direct, Known: told(time.Hour)}, false},
		{"auto with a person", bare, Role{Mode: Auto, Known: told(12 * time.Hour)}, false},
		{"a program: the session first", robot, Role{Mode: Direct, Known: told(12 * time.Hour)}, false},
	} {
		if got := Want(tt.id, tt.role, now); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{12 * time.Hour: "12h", 90 * time.Minute: "1h30m", 19801 * time.Second: "5h30m1s", 45 * time.Second: "45s", time.Hour + time.Second: "1h0m1s", 0: "0s"} {
		if got := Short(d); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
}

func TestSpends(t *testing.T) {
	for _, tt := range []struct {
		mode               Mode
		person, unattended bool
	}{{Session, false, false}, {Auto, false, true}, {"", false, true}, {Direct, true, true}} {
		if got := tt.mode.Spends(false); got != tt.person {
			t.Errorf("%q with a person: codes are spent by themselves: %v, want %v", tt.mode, got, tt.person)
		}
		if got := tt.mode.Spends(true); got != tt.unattended {
			t.Errorf("%q with a program: codes are spent by themselves: %v, want %v", tt.mode, got, tt.unattended)
		}
	}
}
