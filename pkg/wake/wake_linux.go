package wake

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pause is what follows news: the host of a virtual machine may set its clock over and
// over. What happens meanwhile is told after it.
const pause = time.Second

// Watch calls jumped each time after the wall clock was set or the machine resumed,
// until ctx ends; within a second it calls it once at most. It calls it from its own
// goroutine and waits for it. Where the kernel has no timer to give it calls nothing, and
// returns when ctx ends all the same.
func Watch(ctx context.Context, jumped func()) {
	if timer, err := newTimer(); err == nil {
		defer timer.Close()
		hangUp := context.AfterFunc(ctx, func() { _ = timer.Close() })
		defer hangUp()
		follow(ctx, timer, jumped)
	}
	<-ctx.Done()
}

// follow tells of jumps until ctx, and with it the timer, ends.
func follow(ctx context.Context, timer *os.File, jumped func()) {
	var expirations [8]byte
	for {
		// It never expires: a read ends when it is cancelled, or closed.
		if _, err := timer.Read(expirations[:]); !errors.Is(err, unix.ECANCELED) {
			return
		}
		if arm(timer) != nil || ctx.Err() != nil {
			return
		}
		jumped()
		rest := time.NewTimer(pause)
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
		rest.Stop()
	}
}

// newTimer gives a timer that can be waited for without a thread.
func newTimer() (*os.File, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	timer := os.NewFile(uintptr(fd), "timerfd")
	if err := arm(timer); err != nil {
		_ = timer.Close()
		return nil, err
	}
	return timer, nil
}

// never is a moment that no clock comes to, and that the kernel's own does not
// overflow at.
const never = 1<<40 - 1

// arm sets the timer to a moment that never comes, and has it cancelled when the clock
// jumps (TFD_TIMER_CANCEL_ON_SET in timerfd_create(2),
// https://man7.org/linux/man-pages/man2/timerfd_create.2.html; the kernel does the same
// on resume).
func arm(timer *os.File) error {
	conn, err := timer.SyscallConn()
	if err != nil {
		return err
	}
	at := unix.ItimerSpec{Value: unix.Timespec{Sec: never}}
	var failed error
	if err := conn.Control(func(fd uintptr) {
		failed = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &at, nil)
	}); err != nil {
		return err
	}
	if errors.Is(failed, unix.ECANCELED) {
		return nil // it jumped meanwhile; the timer is set, and who armed it looks at the clock next
	}
	return failed
}
