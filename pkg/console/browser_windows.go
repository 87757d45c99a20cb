package console

import (
	"os/exec"
	"strings"
	"syscall"
)

// shell runs a command line with cmd, which knows no parameters: the address is
// a part of the line, in double quotes. Addresses have neither quotes nor
// percent signs here: both would mean something, and are left out.
func shell(command, url string) *exec.Cmd {
	address := `"` + strings.NewReplacer(`"`, "", "%", "", "\r", "", "\n", "").Replace(url) + `"`
	line := strings.NewReplacer(`"%s"`, address, `%s`, address).Replace(command)
	if line == command {
		line += " " + address
	}
	cmd := exec.Command("cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /s /c "` + line + `"`}
	return cmd
}
