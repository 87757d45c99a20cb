package daemon

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// leaveProgram takes the program itself out of this process's memory: most of it is
// for the start and for logins, and the kernel maps what is needed again from its
// cache. Parts that are not as in the file (a debugger's breakpoints) stay.
func leaveProgram() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	smaps, err := os.ReadFile("/proc/self/smaps") // proc_pid_smaps(5)
	if err != nil {
		return
	}
	var from, to uint64 // of the program's mapping that the lines are about; zero: of another
	for line := range strings.Lines(string(smaps)) {
		f := strings.Fields(line)
		switch {
		case strings.HasSuffix(line, " "+self+"\n") && !strings.Contains(f[1], "w"):
			a, b, _ := strings.Cut(f[0], "-")
			from, _ = strconv.ParseUint(a, 16, 64) // the kernel's own words
			to, _ = strconv.ParseUint(b, 16, 64)
		case !strings.HasSuffix(f[0], ":"):
			from, to = 0, 0
		case f[0] == "Anonymous:" && f[1] == "0" && to > from:
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED)
		}
	}
}
