//go:build unix

package cli

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/service"
)

// detach has a process outlive the terminal it was started from.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// terminate asks a process to end.
func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// killCommand ends a process that does not do what it is asked.
func killCommand(pid int) string { return "kill -9 " + strconv.Itoa(pid) }

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

// hasTerminal tells whether a terminal belongs to this process, whose end is a
// hangup.
func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	return tty.Close() == nil
}

// holdSocket marks a socket that a service manager opened as one at which a daemon
// answers, until release.
func holdSocket(socket string) (release func(), err error) {
	fail := func(err error) error {
		return &creds.Error{Code: creds.CodeInternal, Op: "lock the socket", Hint: "run: mfad service install", Err: err}
	}
	f, err := os.OpenFile(service.SocketLock(socket), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fail(err)
	}
	// Waited for: clients hold it for the moment of a look, and a daemon that this
	// one follows until it has ended.
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fail(err)
		}
	}
}

// unheld tells whether a socket is a service manager's at which no daemon answers:
// connecting would start one.
func unheld(socket string) bool {
	if _, err := os.Lstat(socket); err != nil {
		return false // nobody listens; the lock stays where a service manager stopped
	}
	f, err := os.Open(service.SocketLock(socket))
	if err != nil {
		return false // it is the daemon's own
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
}
