//go:build !(dragonfly || freebsd || linux || netbsd || openbsd)

package keyring

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	zalando "github.com/zalando/go-keyring"

	"github.com/mfad/mfad/pkg/creds"
)

// promptsInCall is true because only a real call makes the system ask here.
const promptsInCall = true

// direct is a keyring that cannot be looked at without a call: macOS's Keychain
// and Windows' Credential Manager.
type direct struct{}

func newSystem() system { return direct{} }

// ready implements system.
func (direct) ready(context.Context, string) error { return nil }

// hangUp implements system: nothing can be taken back here.
func (direct) hangUp() {}

// unlock implements system. Reading an item that is not there makes macOS ask
// for a locked keychain's password.
func (s direct) unlock(context.Context) error {
	switch _, err := zalando.Get(service, "unlock"); {
	case err == nil || errors.Is(err, zalando.ErrNotFound):
		return nil
	case errors.Is(err, zalando.ErrUnsupportedPlatform):
		return fail(creds.CodeKeyringAbsent, hintUseFile, err)
	default:
		return s.classify(err)
	}
}

// Exit statuses of macOS's security(1): the low byte of the OSStatus in
// Security framework's SecBase.h.
const (
	exitInteractionNotAllowed = 36  // errSecInteractionNotAllowed, -25308: locked, and nobody to ask
	exitNoDefaultKeychain     = 37  // errSecNoDefaultKeychain, -25307
	exitNoSuchKeychain        = 50  // errSecNoSuchKeychain, -25294
	exitAuthFailed            = 51  // errSecAuthFailed, -25293
	exitUserCanceled          = 128 // errSecUserCanceled, -128
)

// classify implements system.
func (direct) classify(err error) error {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return fail(creds.CodeKeyringFailed, hintUseFile, err)
	}
	switch exit.ExitCode() {
	case exitInteractionNotAllowed, exitAuthFailed, exitUserCanceled:
		return fail(creds.CodeKeyringLocked, "run: security unlock-keychain", errors.New("the keychain is locked"))
	case exitNoDefaultKeychain, exitNoSuchKeychain:
		return fail(creds.CodeKeyringAbsent, hintUseFile, errors.New("there is no keychain"))
	}
	return fail(creds.CodeKeyringFailed, hintUseFile, fmt.Errorf("security ended with %v", exit))
}
