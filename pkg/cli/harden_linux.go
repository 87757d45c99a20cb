package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// harden keeps what this process has in memory from the disk and from the user's other
// processes: no core is dumped, and none of them may read its memory, its environment
// or its descriptors, or attach a debugger to it (prctl(2), PR_SET_DUMPABLE; ptrace(2),
// "Ptrace access mode checking"). Root may. What it starts inherits the limit of cores
// alone. GOTRACEBACK=crash asks for a core, and gets none.
func harden() {
	conceal()
	limitCore()
}

// conceal is harden for a process that becomes another program, which is to be as
// without mfad: a program that is started in a process's place can be read again.
func conceal() {
	// The daemon can no longer see which file this process runs, and knows it by name.
	_ = os.WriteFile("/proc/self/comm", []byte("mfad"), 0) // proc_pid_comm(5); else another name is shown
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)       // cannot fail with these arguments
}
