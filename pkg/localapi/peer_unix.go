//go:build linux || darwin

package localapi

import (
	"net"
	"os"
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
	var uid int
	var uidErr error
	if err := raw.Control(func(fd uintptr) { uid, uidErr = peerUID(int(fd)) }); err != nil {
		return false, err
	}
	return uidErr == nil && uid == os.Getuid(), uidErr
}
