package localapi

import (
	"context"
	"net"
	"strconv"
)

// Program is a [Caller] and what tells its program from others. The zero Program is
// nobody that could be found.
type Program struct {
	Caller
	// Path is the program's file, behind an interpreter its script's; empty: not known.
	// It has nothing in it that does not print.
	Path string
	// ID is the same for all runs of one program by this user, and for no other
	// program. An interpreter without a script may run anything, so there it is that
	// one process's. Empty: it cannot be told, as of a process that whoever started it
	// has left alone. For the rights that it may have: see [Caller].
	ID string
	// Peer is the process at the other end of the socket: PID's child where that had
	// mfad started. 0: not known.
	Peer int
}

// ProgramOf is [CallerOf] with all that tells programs apart.
func ProgramOf(ctx context.Context) Program {
	conn, ok := ctx.Value(connKey{}).(net.Conn)
	if !ok {
		return Program{}
	}
	return programAt(conn)
}

// oneProcess is the ID of a process that nothing but itself is known by: numbers are
// given again, but not with the same start.
func oneProcess(pid int, started string) string {
	if started == "" {
		return ""
	}
	return "process " + strconv.Itoa(pid) + " " + started
}

// adopts tells whether a process is the parent of those that have lost theirs: what
// it seems to ask for may be anybody's wish.
func adopts(pid int, name string) bool {
	return pid == 1 || name == "systemd" || name == "init" || name == "launchd"
}

// IsInterpreter tells whether a program of that name is known by what it runs, such
// as a shell or python3.
func IsInterpreter(name string) bool { return isInterpreter(name) }

// Printable brings a text from another process into a form that neither a terminal
// nor a log can be fooled with, of 80 characters at most.
func Printable(name string) string { return printable(name) }

// PrintablePath is Printable for a file's path, of 400 characters at most.
func PrintablePath(path string) string { return printableTo(path, 400) }
