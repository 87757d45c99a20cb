//go:build unix && !linux

package cli

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// watchProcess begins to watch a process that lives, by whatever program it runs;
// ended returns when it has ended, also if nobody has waited for it.
func watchProcess(pid int) (ended func(), err error) {
	queue, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(queue)
	event := unix.Kevent_t{Fflags: unix.NOTE_EXIT}
	unix.SetKevent(&event, pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	for {
		if _, err = unix.Kevent(queue, []unix.Kevent_t{event}, nil, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = unix.Close(queue)
		return nil, os.NewSyscallError("kevent", err)
	}
	return func() {
		defer unix.Close(queue)
		for {
			if n, err := unix.Kevent(queue, nil, make([]unix.Kevent_t, 1), nil); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}, nil
}
