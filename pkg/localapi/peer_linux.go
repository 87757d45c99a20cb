package localapi

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ours tells whether the process at the other end is our own user's. A
// connection without an operating system's peer, as in a test, is.
func ours(c net.Conn) (bool, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return true, nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return false, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return false, err
	}
	if credErr != nil {
		return false, credErr
	}
	return int(cred.Uid) == os.Getuid(), nil
}
