package service

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// SocketLock is the file beside a socket that a service manager opened, which the
// daemon keeps locked for as long as it answers there; the unit of the socket makes
// it. Connecting would start the daemon; a client that must not do that looks at the
// lock first.
func SocketLock(socket string) string { return socket + ".lock" }

// Handed is what a service manager handed to this process. The zero value: nothing,
// somebody else started it.
type Handed struct {
	// Supervised: a service manager starts this process again when it fails.
	Supervised bool
	// Listener is the socket that it opened; nil: none.
	Listener net.Listener
	// Notifier tells it how this process is; nil: it does not want to know.
	Notifier *Notifier
}

// variables are what a service manager says to one process alone: what that
// process starts must not take it for its own (sd_notify(3), sd_listen_fds(3)).
var variables = [...]string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}

// IsHanded tells whether an environment variable is for the process alone that a
// service manager started.
func IsHanded(variable string) bool {
	for _, v := range variables {
		if v == variable {
			return true
		}
	}
	return false
}

// Receive takes what the service manager handed to this process, and removes it
// from the environment. It is for the start of a process. Descriptors that are no
// stream sockets of the file system are closed; the error is that of one which
// cannot be used.
func Receive() (Handed, error) {
	env := map[string]string{}
	for _, v := range variables {
		env[v] = os.Getenv(v)
		_ = os.Unsetenv(v)
	}
	pid := strconv.Itoa(os.Getpid())
	if started := os.Getenv("SYSTEMD_EXEC_PID"); started != "" && started != pid {
		env["NOTIFY_SOCKET"] = "" // a parent's, which let it leak (systemd.exec(5), "Environment Variables Set")
	}
	h := Handed{Supervised: env["NOTIFY_SOCKET"] != "" || os.Getenv("XPC_SERVICE_NAME") == Name} // launchd's
	if env["NOTIFY_SOCKET"] != "" {
		h.Notifier = &Notifier{socket: env["NOTIFY_SOCKET"]}
		if usec, err := strconv.ParseInt(env["WATCHDOG_USEC"], 10, 64); err == nil && (env["WATCHDOG_PID"] == "" || env["WATCHDOG_PID"] == pid) {
			h.Notifier.watchdog = time.Duration(usec) * time.Microsecond
		}
	}
	n, err := strconv.Atoi(env["LISTEN_FDS"])
	if err != nil || n <= 0 || env["LISTEN_PID"] != pid {
		return h, nil
	}
	var errs error
	for fd := firstDescriptor; fd < firstDescriptor+n; fd++ {
		l, err := receive(fd)
		errs = errors.Join(errs, err)
		switch {
		case l == nil:
		case h.Listener == nil:
			h.Listener = l
		default:
			_ = l.Close() // one is enough
		}
	}
	return h, errs
}

// firstDescriptor is SD_LISTEN_FDS_START.
const firstDescriptor = 3

// receive makes a listener of a descriptor.
func receive(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "LISTEN_FDS")
	if f == nil {
		return nil, nil
	}
	defer f.Close() // the listener has a copy, which closes on exec
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	if a, ok := l.Addr().(*net.UnixAddr); !ok || a.Net != "unix" || strings.HasPrefix(a.Name, "@") {
		_ = l.Close()
		return nil, nil
	}
	return l, nil
}

// Notifier tells systemd how a service is (sd_notify(3)). Nil is fine, and tells
// nobody.
type Notifier struct {
	socket   string // a path, or an abstract name after a @
	watchdog time.Duration
}

// Watchdog is within which time WATCHDOG=1 must be told again; 0: never.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// Tell passes assignments on, such as READY=1, in one message. A reload is stamped
// as systemd wants it. Nobody can do anything about one that is lost.
func (n *Notifier) Tell(assignments ...string) {
	if n == nil {
		return
	}
	for _, a := range assignments {
		if a == "RELOADING=1" {
			assignments = append(assignments, "MONOTONIC_USEC="+strconv.FormatInt(monotonic().Microseconds(), 10))
			break
		}
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"}) // which knows what @ means
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // systemd reads at once, or does not live
	_, _ = c.Write([]byte(strings.Join(assignments, "\n")))
}
