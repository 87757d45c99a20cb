//go:build unix

package cli

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// detach has a process outlive the terminal it was started from.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// closeInherited closes what a process that stays was left open by whoever started
// it, but for the first descriptors from 3 up: a shell's lock would stay locked,
// and a pipe would never end. All that this process opens itself closes on exec,
// which tells it apart.
func closeInherited(keep int) {
	last := 1023 // where the system does not list them
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		open, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range open {
			if fd, err := strconv.Atoi(e.Name()); err == nil {
				last = max(last, fd)
			}
		}
		break
	}
	for fd := 3 + keep; fd <= last; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd) // it is nobody's
		}
	}
}
