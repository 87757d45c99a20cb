package localapi

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// programAt finds the program behind a connection.
func programAt(c net.Conn) Program {
	caller := callerAt(c)
	if caller.PID == 0 {
		return Program{}
	}
	peer, _ := peer(c, peerPID) // it was found just now
	path, id := identify(caller.PID)
	return Program{Caller: caller, Path: PrintablePath(path), ID: id, Peer: peer}
}

// identify gives the file that a process runs, and what it has in common with other
// runs of that.
func identify(pid int) (path, id string) {
	name := executable(pid)
	path, err := os.Readlink(procPath(pid, "exe"))
	switch {
	case name == "" || adopts(pid, name):
		return path, ""
	case err != nil:
		return "", oneProcess(pid, startOf(pid))
	case !isInterpreter(name):
		return path, "file " + path
	}
	script := scriptFile(pid)
	if script == "" {
		return path, oneProcess(pid, startOf(pid))
	}
	return script, "file " + path + "\x00" + script
}

// scriptFile gives the file that an interpreter was started with, "" where there is
// none.
func scriptFile(pid int) string {
	path, command := script(arguments(pid))
	if command || path == "" {
		return ""
	}
	at := path
	if !filepath.IsAbs(path) {
		at = procPath(pid, "cwd/") + path
		cwd, err := os.Readlink(procPath(pid, "cwd"))
		if err != nil {
			return ""
		}
		path = filepath.Join(cwd, path)
	}
	// An argument that names no file may be anything: a command, a password.
	if info, err := os.Stat(at); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// startOf gives when a process was started, in the kernel's own units; "" where it
// is gone (proc_pid_stat(5), starttime).
func startOf(pid int) string {
	stat := readProc(pid, "stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const starttime = 22 - 3 // counted from the state, which is the third
	if len(fields) <= starttime {
		return ""
	}
	return fields[starttime]
}
