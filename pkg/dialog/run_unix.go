//go:build unix

package dialog

import (
	"os/exec"
	"syscall"
)

// alone gives a program a session of its own: it has no terminal to ask on, and
// whatever it starts ends with it.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// sweep ends what is left of a program that was waited for.
func sweep(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
