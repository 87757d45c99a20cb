package console

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/cli/browser"
)

// Browser gives the function that opens an address, for [Login.Open].
//
// A command is a command line of the user's, such as `firefox -P work`, which
// the system's shell reads: quotes, variables and ~ work. The address follows as
// one more argument, or stands where %s does; no shell reads it. The empty
// command means BROWSER of the environment, in its usual form: such commands
// with a colon between (a semicolon on Windows), of which the first that works
// is taken. If that is empty too, the system's own way to open an address is.
//
// The function returns when the program ends, which for some browsers is when
// their last window is closed. What the program says to stdout is dropped:
// stdout is for mfad's answer. Its errors name the program, never the address.
func Browser(command string, getenv func(string) string) func(url string) error {
	commands := []string{command}
	if strings.TrimSpace(command) == "" {
		commands = strings.Split(getenv("BROWSER"), string(os.PathListSeparator))
	}
	commands = slices.DeleteFunc(commands, func(c string) bool { return strings.TrimSpace(c) == "" })
	if len(commands) == 0 {
		return openSystem
	}
	return func(url string) error { return runFirst(commands, url) }
}

// openSystem keeps the program's output away: nil is the null device, where
// another writer would be a pipe that breaks when mfad ends before the browser.
func openSystem(url string) error {
	browser.Stdout, browser.Stderr = nil, nil
	if err := browser.OpenURL(url); err != nil {
		return fmt.Errorf("start the system's browser: %v", reason(err))
	}
	return nil
}

// runFirst tries the commands until one works; the error is the last one's.
func runFirst(commands []string, url string) (err error) {
	for _, command := range commands {
		if err = run(command, url); err == nil {
			return nil
		}
	}
	return err
}

// run starts a program and waits for it. What the user gave may be the path of
// a program as it is, spaces included, as in "/Applications/Google Chrome.app".
func run(command, url string) error {
	command = strings.TrimSpace(command)
	cmd := shell(command, url)
	if path, err := exec.LookPath(command); err == nil {
		cmd = exec.Command(path, url)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %q: %v", command, reason(err))
	}
	return nil
}

// reason keeps what a person can act on of an error of os/exec.
func reason(err error) error {
	var exit *exec.ExitError
	var missing *exec.Error
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 127:
		return errors.New("command not found")
	case errors.As(err, &exit):
		return errors.New(exit.String())
	case errors.As(err, &missing):
		return missing.Err
	}
	return err
}
