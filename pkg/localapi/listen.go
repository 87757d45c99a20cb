package localapi

import (
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/mfad/mfad/pkg/creds"
)

// Listen makes the socket, 0600 in a folder that is 0700. A socket that a dead
// daemon left is replaced; one that answers is an error. The caller holds the
// daemon's lock, so that two daemons cannot both find a socket dead.
func Listen(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	fail := func(err error) error {
		return &creds.Error{Code: creds.CodeInternal, Op: "open the socket", Hint: "set MFAD_SOCKET to a path in a folder of your own", Err: err}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fail(err)
	}
	if err := ownFolder(dir); err != nil {
		return nil, fail(err)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, fail(errors.New(path + " is there and is no socket"))
		}
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return nil, fail(errors.New("another program answers at " + path))
		}
		if err := os.Remove(path); err != nil {
			return nil, fail(err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fail(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fail(err)
	}
	return l, nil
}

// sameUser drops connections of other users before a byte is read.
type sameUser struct{ net.Listener }

// Accept gives the next connection of our own user.
func (l sameUser) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if ok, err := ours(c); err == nil && ok {
			return c, nil
		}
		c.Close()
	}
}
