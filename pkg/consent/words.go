package consent

import (
	"strconv"
	"strings"
	"time"
)

// Line asks in one line, without an end.
func (q Question) Line() string { return "Allow " + q.who() + " to use profile " + q.Profile + "?" }

// who names the program, its process and who started it.
func (q Question) who() string {
	var known []string
	if q.PID > 0 {
		known = append(known, "pid "+strconv.Itoa(q.PID))
	}
	if q.By != "" {
		known = append(known, "started by "+q.By)
	}
	name := q.Name()
	if len(known) > 0 {
		name += " (" + strings.Join(known, ", ") + ")"
	}
	return name
}

// Name is the program's, in words where it has none.
func (q Question) Name() string {
	if q.Program == "" {
		return "a program that cannot be told"
	}
	return q.Program
}

// Title is a window's.
func (q Question) Title() string { return "mfad: allow the use of " + q.Profile + "?" }

// Text is a window's: the question, the program's file, and how long a yes counts.
func (q Question) Text() string {
	text := q.Line()
	if q.Path != "" {
		text += "\n\n" + q.Path
	}
	return text + "\n\n" + q.lasts()
}

func (q Question) lasts() string {
	if q.Run {
		return "A yes counts until the command ends."
	}
	return "A yes counts for " + strconv.Itoa(int(YesLasts/time.Minute)) + " minutes."
}

// Note is what a notification has below its title.
func (q Question) Note() string {
	text := q.who()
	if q.Path != "" {
		text += "\n" + q.Path
	}
	return text + "\n" + q.lasts()
}
