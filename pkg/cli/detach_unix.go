//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// detach has a process outlive the terminal it was started from.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
