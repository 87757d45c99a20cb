package localapi

import (
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// programAt finds the program behind a connection. Its file is not looked up here, so
// it is known by the one process.
func programAt(c net.Conn) Program {
	caller := callerAt(c)
	if caller.PID == 0 {
		return Program{}
	}
	peer, _ := peer(c, peerPID) // it was found just now
	p := Program{Caller: caller, Peer: peer}
	if k, err := unix.SysctlKinfoProc("kern.proc.pid", caller.PID); err == nil && !adopts(caller.PID, caller.Program) {
		began := k.Proc.P_starttime
		p.ID = oneProcess(caller.PID, strconv.FormatInt(began.Sec, 10)+"."+strconv.Itoa(int(began.Usec)))
	}
	return p
}
