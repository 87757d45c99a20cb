package mfa

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mfad/mfad/pkg/creds"
)

// DisplayVariables are the variables that lead to a person's desktop, or to its
// language.
func DisplayVariables() []string {
	return []string{
		"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
		"XDG_CURRENT_DESKTOP", "XDG_SESSION_ID", "LANG", "LC_ALL",
	}
}

// longestVariable is what one of them may have, in bytes.
const longestVariable = 1024

// Display is the desktop that a window opens on: those variables of a program on it
// that lead there, by name. It goes from a client to the daemon, which a service
// manager started and which has none of its own. The zero Display is no desktop.
type Display map[string]string

// DisplayOf gives the desktop that an environment leads to. What [Display.Check]
// would refuse is left out.
func DisplayOf(getenv func(string) string) Display {
	d := Display{}
	for _, name := range DisplayVariables() {
		if v := getenv(name); v != "" && checkVariable(name, v) == nil {
			d[name] = v
		}
	}
	return d
}

// Check refuses, with [creds.CodeUsage], what is not a Display of [DisplayOf]'s:
// another variable, control characters, an address of a D-Bus bus that would have
// a program started, or more than 1024 bytes.
func (d Display) Check() error {
	for name, v := range d {
		if err := checkVariable(name, v); err != nil {
			return &creds.Error{Code: creds.CodeUsage, Op: "the client's desktop", Err: err}
		}
	}
	return nil
}

func checkVariable(name, value string) error {
	switch {
	case !slices.Contains(DisplayVariables(), name):
		return fmt.Errorf("the variable %.40q does not lead to one", name)
	case len(value) > longestVariable:
		return fmt.Errorf("%s is longer than %d bytes", name, longestVariable)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("%s has control characters", name)
	case name == "DBUS_SESSION_BUS_ADDRESS" && strings.Contains(value, "unixexec:"):
		return fmt.Errorf("%s names a program", name)
	}
	return nil
}

// Graphical tells whether there is a display to open windows on.
func (d Display) Graphical() bool { return d["DISPLAY"] != "" || d["WAYLAND_DISPLAY"] != "" }
