//go:build !windows

package console

import (
	"os/exec"
	"strings"
)

// shell runs a command line with the address as the shell's first parameter:
// the shell never reads what is in it.
func shell(command, url string) *exec.Cmd {
	line := strings.NewReplacer(`"%s"`, `"$1"`, `'%s'`, `"$1"`, `%s`, `"$1"`).Replace(command)
	if line == command {
		line += ` "$1"`
	}
	return exec.Command("/bin/sh", "-c", line, "mfad", url)
}
