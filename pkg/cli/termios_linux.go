package cli

import "golang.org/x/sys/unix"

const getTermios = unix.TCGETS

func flushTerminal(fd int) { _ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) }
