package localapi

import (
	"os"

	"golang.org/x/sys/unix"
)

// isMfad tells whether a process has the name of this one, or mfad's.
func isMfad(pid int) bool {
	name := programOf(pid)
	return name == "mfad" || name != "" && name == programOf(os.Getpid())
}

// parentOf gives a process's parent, 0 where there is none to be seen.
func parentOf(pid int) int {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0
	}
	return int(p.Eproc.Ppid)
}

// runsOneCommand is false: arguments are not read here. A shell above mfad counts
// as the one that asks, unless it made room for its only command, as most do.
func runsOneCommand(int) bool { return false }

// programOf names what a process runs, in the 16 bytes that the kernel keeps.
func programOf(pid int) string {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(p.Proc.P_comm[:])
}
