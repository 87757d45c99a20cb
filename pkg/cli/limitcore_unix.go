//go:build unix

package cli

import "golang.org/x/sys/unix"

// limitCore has no core dumped. Who may ask for more later is left alone.
func limitCore() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit) // to lower it is always allowed
	}
}
