//go:build unix && !linux

package cli

import "golang.org/x/sys/unix"

const getTermios = unix.TIOCGETA

func flushTerminal(fd int) { _ = unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, unix.TCIFLUSH) }
