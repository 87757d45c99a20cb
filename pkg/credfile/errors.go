package credfile

import (
	"errors"
	"fmt"

	"github.com/mfad/mfad/pkg/creds"
)

// conflict is something of the user's that stands in the way at path:line; line
// 0 means the whole file.
func conflict(path string, line int, what, hint string) *creds.Error {
	where := path
	if line > 0 {
		where = fmt.Sprintf("%s:%d", path, line)
	}
	return &creds.Error{Code: creds.CodeConflict, Op: where + ": " + what, Hint: hint}
}

// unwritable is a name or value that an INI file cannot hold so that every tool
// reads it back. It does not show the value, which may be a secret.
func unwritable(what, hint string) *creds.Error {
	return &creds.Error{Code: creds.CodeConfig, Op: what, Hint: hint}
}

// broken is a failure of this machine while doing op.
func broken(op, path string, err error) error {
	return &creds.Error{Code: creds.CodeInternal, Op: op + " " + path, Err: err}
}

// asError keeps a nil *creds.Error a nil error.
func asError(e *creds.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// report notes err for profile unless something was noted before.
func report(found map[string]*creds.Error, profile string, err error) {
	if err == nil || found[profile] != nil {
		return
	}
	e, ok := errors.AsType[*creds.Error](err)
	if !ok {
		e = &creds.Error{Code: creds.CodeOf(err), Op: "check AWS's files", Err: err}
	}
	found[profile] = e
}
