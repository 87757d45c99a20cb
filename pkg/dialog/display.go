package dialog

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/mfad/mfad/pkg/mfa"
)

const busVariable = "DBUS_SESSION_BUS_ADDRESS"

// noBus is an address at which there is never a bus. A program without any
// address would start one of its own, which outlives it.
const noBus = "unix:path=/dev/null"

// bus is the session bus's address, "" if there is none: in the runtime folder, if
// nothing else is said.
func bus(d mfa.Display) string {
	if a := d[busVariable]; a != "" && !strings.HasPrefix(a, "autolaunch:") {
		return a
	}
	path := filepath.Join(d["XDG_RUNTIME_DIR"], "bus")
	if _, err := os.Stat(path); err != nil || !filepath.IsAbs(path) || strings.ContainsAny(path, ",;%") {
		return ""
	}
	return "unix:path=" + path
}

// environment is all that a program on this desktop gets. Texts are UTF-8, which a
// program refuses in another locale.
func environment(d mfa.Display, path, home string) []string {
	env := []string{"PATH=" + path, "HOME=" + home}
	for _, name := range mfa.DisplayVariables() {
		v := d[name]
		switch name {
		case busVariable:
			if v = bus(d); v == "" {
				v = noBus
			}
		case "LANG", "LC_ALL":
			if !speaksUTF8(d) {
				v = "C.UTF-8"
			}
		}
		if v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// speaksUTF8 looks at what counts for characters; LC_ALL wins.
func speaksUTF8(d mfa.Display) bool {
	locale := d["LC_ALL"]
	if locale == "" {
		locale = d["LANG"]
	}
	locale = strings.ToLower(locale)
	return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
}
