//go:build linux || darwin

package localapi

import "net"

// maxShells is how many shells are passed over: sh -c 'bash -lc "mfad ..."'.
const maxShells = 4

// callerAt finds the process behind a connection.
func callerAt(c net.Conn) Caller {
	pid, err := peer(c, peerPID)
	if err != nil || pid <= 0 { // 0: it is in a pid namespace that we do not see
		return Caller{}
	}
	pid = userOf(pid)
	return Caller{PID: pid, Program: printable(programOf(pid))}
}

// userOf gives the process that uses what the process pid asks for.
func userOf(pid int) int {
	if !isMfad(pid) {
		return pid
	}
	for range maxShells + 1 {
		parent := parentOf(pid)
		if parent <= 0 { // gone, or in another namespace: the nearest is what is known
			break
		}
		if pid = parent; !runsOneCommand(pid) {
			break
		}
	}
	return pid
}
