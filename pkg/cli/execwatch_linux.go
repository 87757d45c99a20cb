package cli

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// watchProcess begins to watch a process that lives, by whatever program it runs;
// ended returns when it has ended, also if nobody has waited for it.
func watchProcess(pid int) (ended func(), err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, err
	} else if err != nil { // Linux before 5.3, or a sandbox
		return pollProcess(pid)
	}
	return func() {
		defer unix.Close(fd)
		for {
			if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}, nil
}

// pollProcess is watchProcess where the kernel does not tell.
func pollProcess(pid int) (ended func(), err error) {
	started, ok := lives(pid)
	if !ok {
		return nil, unix.ESRCH
	}
	return func() {
		for now, ok := started, true; ok && now == started; now, ok = lives(pid) {
			time.Sleep(200 * time.Millisecond)
		}
	}, nil
}

// lives tells when a process was started, in ticks, if it has not ended
// (proc_pid_stat(5)).
func lives(pid int) (started string, ok bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the name before may hold anything
	if len(f) < 20 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return "", false
	}
	return string(f[19]), true
}
