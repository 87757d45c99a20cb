//go:build unix && !linux

package cli

// harden keeps what this process has in memory from the disk: no core is dumped.
func harden() { limitCore() }

// conceal does nothing where a process cannot close itself to others.
func conceal() {}
