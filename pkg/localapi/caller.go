package localapi

import (
	"context"
	"net"
	"strings"
	"unicode"
)

// Caller is the process that uses what a request asks for. The zero Caller is
// nobody that could be found: the process is gone, or the system does not tell.
//
// It is for logs and questions, not for decisions about rights: a process of the
// same user can look like any other.
type Caller struct {
	PID int
	// Program is the base name of its executable, such as "terraform"; behind an
	// interpreter's comes that of its script: "python3.11 aws". It has no other
	// argument, at most 80 characters, and none that does not print.
	Program string
}

// CallerOf finds who made the request that ctx is of: the process at the other
// end of the socket, or where that is mfad itself (as credential_process has it
// started) the one that started it, past a shell that only runs the command, as
// in sh -c "mfad credential-process --profile prod".
//
// It is looked up now, so a process that has ended since is not known any more:
// call it before the answer goes out. It never fails; what cannot be found is
// left empty. Any other ctx than that of a request gives the zero Caller.
func CallerOf(ctx context.Context) Caller {
	conn, ok := ctx.Value(connKey{}).(net.Conn)
	if !ok {
		return Caller{}
	}
	return callerAt(conn)
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// withConn keeps the connection for CallerOf.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// maxProgram is the most characters of a program's name.
const maxProgram = 80

// printable brings a name from another process into a form that neither a
// terminal nor a log can be fooled with.
func printable(name string) string { return printableTo(name, maxProgram) }

func printableTo(name string, most int) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar || n == most {
			return -1
		}
		n++
		return r
	}, name)
}
