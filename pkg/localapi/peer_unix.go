//go:build linux || darwin

package localapi

import (
	"errors"
	"net"
	"os"
)

// errNoPeer is the error of a connection without an operating system's peer, as
// in a test.
var errNoPeer = errors.New("the connection is no unix socket")

// peer asks the system for something about the process at the other end.
func peer(c net.Conn, ask func(fd int) (int, error)) (answer int, err error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errNoPeer
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var askErr error
	if err := raw.Control(func(fd uintptr) { answer, askErr = ask(int(fd)) }); err != nil {
		return 0, err
	}
	return answer, askErr
}

// ours tells whether the process at the other end is our own user's. A
// connection without a peer is.
func ours(c net.Conn) (bool, error) {
	uid, err := peer(c, peerUID)
	if errors.Is(err, errNoPeer) {
		return true, nil
	}
	return err == nil && uid == os.Getuid(), err
}
