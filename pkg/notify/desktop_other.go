//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package notify

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Desktop stands for a desktop that mfad does not know how to reach.
type Desktop struct{}

// New gives a Desktop that shows nothing.
func New(func(string) string) *Desktop { return &Desktop{} }

// Show fails with an error that wraps [errors.ErrUnsupported].
func (*Desktop) Show(context.Context, Notification, ID) (ID, error) {
	return ID{}, fmt.Errorf("notifications on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Withdraw does nothing.
func (*Desktop) Withdraw(context.Context, ID) error { return nil }

// Close does nothing.
func (*Desktop) Close() {}

// Ask fails with an error that wraps [errors.ErrUnsupported].
func (*Desktop) Ask(context.Context, Notification, ...string) (int, error) {
	return Dismissed, fmt.Errorf("notifications on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Answers gives nothing: see [Desktop.Show].
func (*Desktop) Answers() <-chan Answer { return nil }
