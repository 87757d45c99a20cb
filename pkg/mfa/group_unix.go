//go:build unix

package mfa

import (
	"os/exec"
	"syscall"
)

// ownGroup has the whole pipeline of a shell end with it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
