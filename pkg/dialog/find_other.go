//go:build !unix

package dialog

import (
	"runtime"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// Find fails with [creds.CodeMFAProcess]: no program is known here.
func Find(func(string) string, mfa.Display) (*Dialog, error) {
	return nil, &creds.Error{Code: creds.CodeMFAProcess, Op: "mfad knows no dialogs on " + runtime.GOOS,
		Hint: "run: mfad login, which asks in the terminal"}
}
