// Package keyring keeps a few small named secrets, the long-term keys and one
// random key, where the operating system keeps its passwords or, on machines
// without such a place, in a file under a passphrase. It says in bounded time
// what is wrong: no keyring, a locked one, one that hangs, or no such item. It
// never asks a person anything by itself (only [OS.Unlock] may let the desktop
// ask), never starts a D-Bus bus, and never knows what a secret means.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mfad/mfad/pkg/creds"
)

// MaxValue is the largest secret in bytes that a [Store] takes. Windows keeps
// 2,560 bytes (CRED_MAX_CREDENTIAL_BLOB_SIZE, CREDENTIALW structure,
// https://learn.microsoft.com/windows/win32/api/wincred/ns-wincred-credentialw)
// and macOS's security(1) takes about 3,000 once encoded; the same limit holds
// everywhere so that what works on one system works on all.
const MaxValue = 2500

// MaxName is the longest name of a secret in bytes.
const MaxName = 255

// Store keeps secrets by name. [OS], [File] and [Memory] implement it; each is
// safe for concurrent use.
//
// A name is 1 to [MaxName] bytes of UTF-8 without control characters. A value
// is 1 to [MaxValue] bytes; an empty one is refused, because not every keyring can
// tell it from none. Both refusals are [creds.CodeKeyringFailed]. KWallet and KeePassXC
// keep text alone: what they would change is not kept, which is that failure too, so
// use values that are UTF-8 without NUL.
//
// Failures are a *[creds.Error] with [creds.CodeKeyringLocked] (a person must
// unlock it), [creds.CodeKeyringAbsent] (there is none to be reached),
// [creds.CodeKeyringTimeout] (no answer in time, or ctx ended, which errors.Is
// still tells) or [creds.CodeKeyringFailed] (anything else).
type Store interface {
	// Get gives a secret; [creds.CodeKeyNotFound] where there is none.
	Get(ctx context.Context, name string) (creds.Secret, error)
	// Set adds or replaces a secret and reads it back: a write that was lost on
	// the way is an error. After a timeout the value may be stored or not.
	Set(ctx context.Context, name string, value creds.Secret) error
	// Delete removes a secret and sees that it is gone; [creds.CodeKeyNotFound]
	// where there is none.
	Delete(ctx context.Context, name string) error
}

// The one next step that helps, by what is wrong.
const (
	hintUseFile = "set MFAD_KEYRING=file and run: mfad unlock"
	hintDesktop = "run: mfad unlock (the desktop asks for the keyring's password), or set MFAD_KEYRING=file"
	hintHung    = "answer or close the keyring's window, or set MFAD_KEYRING=file"
	hintFile    = "run: mfad unlock"
)

var (
	errNotFound  = errors.New("no such item in the keyring")
	errWriteLost = errors.New("the keyring took the value but does not hold it")
	errStillHere = errors.New("the keyring said it was deleted but still holds it")

	errNoCollection = errors.New("the keyring service holds no keyring yet")
)

// fail makes the failure of one step; named adds what the step was for.
func fail(code creds.Code, hint string, cause error) *creds.Error {
	return &creds.Error{Code: code, Hint: hint, Err: cause}
}

// named gives err, which came from fail or from a context, the operation that
// the user knows. nil stays nil.
func named(op string, err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*creds.Error](err)
	switch {
	case ok:
		return &creds.Error{Code: e.Code, Op: op, Hint: e.Hint, Err: e.Err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &creds.Error{Code: creds.CodeKeyringTimeout, Op: op, Err: err}
	}
	return &creds.Error{Code: creds.CodeKeyringFailed, Op: op, Err: err}
}

func opRead(name string) string   { return "read " + strconv.Quote(name) + " from the keyring" }
func opStore(name string) string  { return "store " + strconv.Quote(name) + " in the keyring" }
func opDelete(name string) string { return "delete " + strconv.Quote(name) + " from the keyring" }

const opUnlock = "unlock the keyring"

// checkName refuses what some keyring would mangle: D-Bus strings are UTF-8
// without NUL, and macOS's security(1) reads its commands line by line.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the item has no name")
	case len(name) > MaxName:
		return fmt.Errorf("the item's name has %d bytes; a keyring takes %d at most", len(name), MaxName)
	case !utf8.ValidString(name):
		return errors.New("the item's name is not UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("the item's name holds a control character")
	}
	return nil
}

func checkItem(name string, value creds.Secret) error {
	if err := checkName(name); err != nil {
		return err
	}
	n := len(value.Reveal())
	switch {
	case n == 0:
		return errors.New("the value is empty")
	case n > MaxValue:
		return fmt.Errorf("the value has %d bytes; a keyring takes %d at most", n, MaxValue)
	}
	return nil
}
