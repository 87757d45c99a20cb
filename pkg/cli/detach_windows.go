package cli

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach has a process outlive the console it was started from.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}

// terminate ends a process, which cannot be asked to here. What it holds lies in its
// folder.
func terminate(p *os.Process) error { return p.Kill() }

// killCommand ends a process.
func killCommand(pid int) string { return "taskkill /PID " + strconv.Itoa(pid) + " /F" }

// closeInherited has nothing to do: no process gets more handles than it is to.
func closeInherited(int) {}

// hasTerminal: a hangup ends a process here in any case.
func hasTerminal() bool { return true }

// holdSocket has nothing to do: no service manager opens sockets here.
func holdSocket(string) (release func(), err error) { return func() {}, nil }

// unheld: no socket is a service manager's.
func unheld(string) bool { return false }
