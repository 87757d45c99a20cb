package localapi

import "strings"

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
