package localapi

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// What is known of a process lies in its folder below /proc, as proc(5) has it.

func procPath(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// isMfad tells whether a process runs the program that this one does, or one of
// mfad's name: another version.
func isMfad(pid int) bool {
	theirs, err := os.Stat(procPath(pid, "exe"))
	if err == nil {
		if own, err := os.Stat("/proc/self/exe"); err == nil && os.SameFile(own, theirs) {
			return true
		}
	}
	return executable(pid) == "mfad"
}

// parentOf gives a process's parent, 0 where there is none to be seen.
func parentOf(pid int) int {
	stat, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return 0
	}
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
	name, err := os.ReadFile(procPath(pid, "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(name), "\n")
}

// maxArguments is how much of a command line is looked at, in bytes.
const maxArguments = 4 << 10

// arguments gives the beginning of a process's command line without its name.
func arguments(pid int) []string {
	f, err := os.Open(procPath(pid, "cmdline"))
	if err != nil {
		return nil
	}
	defer f.Close()
	line, err := io.ReadAll(io.LimitReader(f, maxArguments))
	if err != nil {
		return nil
	}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	return args[1:]
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
	path, command := script(arguments(pid))
	if command || path == "" {
		return name
	}
	// An argument that names no file may be anything: a command, a password.
	file := path
	if !filepath.IsAbs(path) {
		file = procPath(pid, "cwd/") + path
	}
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return name
	}
	return name + " " + filepath.Base(path)
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

func isShell(name string) bool {
	switch name {
	case "sh", "bash", "dash", "ash", "busybox", "zsh", "ksh", "ksh93", "mksh", "fish", "tcsh", "csh":
		return true
	}
	return false
}

// isInterpreter tells whether a program is known by what it runs, whatever its
// version: python3.11 is python.
func isInterpreter(name string) bool {
	switch base := strings.TrimRight(name, "0123456789.-"); base {
	case "python", "pypy", "node", "nodejs", "ruby", "perl", "php", "lua", "tclsh", "pwsh", "Rscript":
		return true
	default:
		return isShell(base)
	}
}
