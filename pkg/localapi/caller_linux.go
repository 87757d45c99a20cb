package localapi

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// What is known of a process lies in its folder below /proc, as proc(5) has it.

func procPath(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// maxArguments is how much of a command line is looked at, in bytes.
const maxArguments = 4 << 10

// readProc gives the beginning of a file of a process's, nil where there is none. It
// leaves out what os does to wait for slow files: every answer to a program that
// asks for credentials waits for it.
func readProc(pid int, name string) []byte {
	fd, err := unix.Open(procPath(pid, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	b := make([]byte, maxArguments)
	n, err := unix.Read(fd, b)
	if err != nil {
		return nil
	}
	return b[:n]
}

// ownProgram is the file that this process runs; the zero one where the system does
// not tell.
var ownProgram = sync.OnceValue(func() (s unix.Stat_t) {
	_ = unix.Stat("/proc/self/exe", &s)
	return s
})

// isMfad tells whether a process runs the program that this one does, or one of
// mfad's name: another version.
func isMfad(pid int) bool {
	var theirs unix.Stat_t
	own := ownProgram()
	if unix.Stat(procPath(pid, "exe"), &theirs) == nil && theirs.Ino == own.Ino && theirs.Dev == own.Dev {
		return true
	}
	return executable(pid) == "mfad"
}

// parentOf gives a process's parent, 0 where there is none to be seen.
func parentOf(pid int) int {
	stat := readProc(pid, "stat")
	// The name, in brackets, may hold blanks and brackets itself.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1]) // no number is no parent
	return parent
}

// executable gives the base name of what a process runs, "" where it is gone.
func executable(pid int) string {
	path, err := os.Readlink(procPath(pid, "exe"))
	if err == nil {
		return filepath.Base(strings.TrimSuffix(path, " (deleted)"))
	}
	// A process that is closed to us, as ssh-agent is, still shows its name.
	return strings.TrimSuffix(string(readProc(pid, "comm")), "\n")
}

// arguments gives the beginning of a process's command line without its name.
func arguments(pid int) []string {
	line := strings.TrimSuffix(string(readProc(pid, "cmdline")), "\x00")
	return strings.Split(line, "\x00")[1:]
}

// runsOneCommand tells whether a process is a shell that was started with -c.
func runsOneCommand(pid int) bool {
	name := executable(pid)
	if !isShell(name) {
		return false
	}
	args := arguments(pid)
	if name == "busybox" && len(args) > 0 && isShell(args[0]) { // busybox sh -c
		args = args[1:]
	}
	_, command := script(args)
	return command
}

// programOf names what a process runs.
func programOf(pid int) string {
	name := executable(pid)
	if !isInterpreter(name) {
		return name
	}
	if file := scriptFile(pid); file != "" {
		return name + " " + filepath.Base(file)
	}
	return name
}

// script gives an interpreter's first argument that is no flag, and whether a
// command stands in its place: -c, also among others as in -lc.
func script(args []string) (path string, command bool) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--" && i+1 < len(args):
			return args[i+1], false
		case len(arg) < 2 || arg[0] != '-' && arg[0] != '+':
			return arg, false
		case arg[1] == '-': // a long flag
		case strings.Contains(arg, "c"):
			return "", true
		case strings.HasSuffix(arg, "o"): // bash -eo pipefail
			i++
		}
	}
	return "", false
}
