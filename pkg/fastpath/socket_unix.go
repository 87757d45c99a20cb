//go:build unix

package fastpath

import "syscall"

// ask sends one request and reads its answer to the end; each step may take so many
// milliseconds. Reached tells that somebody listens there, and answer is nil unless
// it is whole.
func ask(socket, request string, patience int) (answer []byte, reached bool) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, false
	}
	defer syscall.Close(fd)
	syscall.CloseOnExec(fd)
	limit := syscall.NsecToTimeval(int64(patience) * 1e6)
	if syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit) != nil ||
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit) != nil {
		return nil, false
	}
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket}); err != nil {
		return nil, err == syscall.EAGAIN || err == syscall.EINPROGRESS // somebody listens, and too many wait
	}
	if !writeAll(fd, []byte(request)) {
		return nil, true
	}
	buf := make([]byte, 8<<10)
	for {
		n, err := syscall.Read(fd, buf)
		switch {
		case err == syscall.EINTR:
		case err != nil || len(answer) > 1<<20:
			return nil, true
		case n == 0:
			return answer, true
		default:
			answer = append(answer, buf[:n]...)
		}
	}
}

// unheld tells whether a socket is a service manager's at which no daemon answers: it
// keeps a lock beside such a socket (pkg/service, SocketLock). Connecting there would
// start one.
func unheld(socket string) bool {
	fd, err := syscall.Open(socket+".lock", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	return syscall.Flock(fd, syscall.LOCK_SH|syscall.LOCK_NB) == nil
}

func writeAll(fd int, b []byte) bool {
	for len(b) > 0 {
		n, err := syscall.Write(fd, b)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return false
		}
		b = b[n:]
	}
	return true
}

// firstLine gives the beginning of a file up to the end of its first line.
func firstLine(path string) string {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer syscall.Close(fd)
	var buf [256]byte // more than a socket's path can be
	n, _ := syscall.Read(fd, buf[:])
	for i := range max(n, 0) {
		if buf[i] == '\n' || buf[i] == '\r' {
			return string(buf[:i])
		}
	}
	return ""
}

// print ends the program with the answer, or with status 1 where nobody reads it.
func print(answer []byte) {
	if !writeAll(1, answer) {
		syscall.Exit(1)
	}
	syscall.Exit(0)
}
