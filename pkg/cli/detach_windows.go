package cli

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach has a process outlive the console it was started from.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}

// closeInherited has nothing to do: no process gets more handles than it is to.
func closeInherited(int) {}
