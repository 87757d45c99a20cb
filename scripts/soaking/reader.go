package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"gopkg.in/ini.v1"
)

// Ten readers look a hundred thousand times in ten minutes.
const (
	readerCount = 10
	readEvery   = time.Second / 20
)

// What mfad may take, once nothing is in its way, to have fresh credentials in the
// file: a pause between tries, the calls, one write. Before a new session there is
// also the wait for a code that was not used, and a pause that is longer.
const (
	grace        = 8 * time.Second
	sessionGrace = codeStep + 20*time.Second
)

// readFigures are what readers saw.
type readFigures struct {
	reads, torn, stale int
	excused            int // expired, but mfad had no chance
	where              []string
}

func (f *readFigures) add(o readFigures) {
	f.reads += o.reads
	f.torn += o.torn
	f.stale += o.stale
	f.excused += o.excused
	f.where = append(f.where, o.where...)
}

// reader reads the credentials file as a tool does, again and again.
type reader struct {
	stage   *stage
	foreign *foreigner
	expires map[string]time.Time // by section, as last seen
	seen    map[string]time.Time // by access key ID: the expiry that stood beside it
	figures readFigures
}

func (r *reader) run(ctx context.Context) {
	for pause(ctx.Done(), readEvery) {
		r.read()
	}
}

// read takes one look. All that is wrong with a file counts once.
func (r *reader) read() {
	r.stage.writing.RLock()
	b, err := os.ReadFile(r.stage.credentials())
	r.stage.writing.RUnlock()
	t := r.stage.sim.Now()
	r.figures.reads++
	if err != nil {
		r.torn(t, err.Error())
		return
	}
	if what := tornForeign(string(b)); what != "" {
		r.torn(t, what)
		return
	}
	file, err := ini.LoadSources(ini.LoadOptions{AllowPythonMultilineValues: true, SpaceBeforeInlineComment: true}, b)
	if err != nil {
		r.torn(t, err.Error())
		return
	}
	stale, excused := "", false
	for _, name := range r.stage.profiles {
		switch what, old := r.look(file, name, t); {
		case what != "":
			r.torn(t, what)
			return
		case old && r.hadChance(name, t):
			stale = name
		case old:
			excused = true
		}
	}
	switch {
	case stale != "":
		r.figures.stale++
		r.note(t, "%s has been expired for %v", stale, t.Sub(r.expires[stale]).Round(time.Millisecond))
	case excused:
		r.figures.excused++
	}
}

// look checks one section; expired tells that it is of no use any more. A section
// that is not there is expired if it was to be by now, else torn.
func (r *reader) look(file *ini.File, name string, t time.Time) (torn string, expired bool) {
	section, err := file.GetSection(name)
	if err != nil || !section.HasKey("aws_access_key_id") {
		if known := r.expires[name]; !known.IsZero() && known.After(t) {
			return "section " + name + " is not there", false
		}
		return "", true
	}
	values := make(map[string]string)
	for _, key := range []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "x_security_token_expires", "mfad_profile"} {
		if values[key] = section.Key(key).String(); values[key] == "" {
			return "section " + name + " has no " + key, false
		}
	}
	at, err := time.Parse(time.RFC3339, values["x_security_token_expires"])
	if err != nil || values["mfad_profile"] != name {
		return "section " + name + " is not what mfad writes", false
	}
	r.expires[name] = at
	r.seen[values["aws_access_key_id"]] = at
	return "", !at.After(t)
}

// hadChance tells whether mfad could have replaced what is expired: since half its
// life was over the daemon ran, AWS answered and a session lived, for grace
// without a break. Where no session lives, it could have if it has not even tried
// a code for sessionGrace while it ran.
func (r *reader) hadChance(name string, t time.Time) bool {
	s := r.stage
	from := r.expires[name].Add(-roleLife / 2)
	sessions := s.sessionSpans()
	calm := intersect(s.running.within(from, t), s.aws.within(from, t))
	if longest(intersect(calm, sessions)) >= grace {
		return true
	}
	lives := len(sessions) > 0 && sessions[len(sessions)-1].to.After(t)
	return !lives && t.Sub(s.lastTry()) > sessionGrace && s.running.calmFor(t) > sessionGrace
}

func (r *reader) torn(t time.Time, what string) {
	r.figures.torn++
	r.note(t, "torn: %s", what)
}

// note keeps the first few.
func (r *reader) note(t time.Time, format string, args ...any) {
	if len(r.figures.where) < 5 {
		r.figures.where = append(r.figures.where, stamp(t)+": "+fmt.Sprintf(format, args...))
	}
}

// mismatches counts the keys that stood beside another expiry than AWS gave them,
// or that AWS never gave, as torn.
func (r *reader) mismatches() (f readFigures) {
	truth := make(map[string]time.Time)
	for _, c := range r.stage.sim.Calls("AssumeRole") {
		truth[c.IssuedAccessKeyID] = c.Expires
	}
	for id, at := range r.seen {
		if off := truth[id].Sub(at).Abs(); off >= time.Second {
			f.torn++
			f.where = append(f.where, fmt.Sprintf("key %s stood beside an expiry that is not its own", id))
		}
	}
	return f
}
