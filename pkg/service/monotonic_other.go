//go:build !linux

package service

import "time"

// monotonic is for systemd alone.
func monotonic() time.Duration { return 0 }
