//go:build unix && !darwin

package dialog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// standardPath is searched where there is no PATH.
const standardPath = "/usr/local/bin:/usr/bin:/bin"

// order is in which order programs are taken: the desktop's own first, then the
// ones that show what is typed, which is welcome with six digits.
func order(d mfa.Display) []program {
	gnome, gtk, qt, plain := pinentry("pinentry-gnome3"), pinentry("pinentry-gtk-2"), pinentry("pinentry-qt"), pinentry("pinentry")
	all := []program{zenity, gnome, gtk, kdialog, qt, plain}
	if slices.Contains(strings.Split(d["XDG_CURRENT_DESKTOP"], ":"), "KDE") {
		all = []program{kdialog, qt, zenity, gtk, gnome, plain}
	}
	return slices.DeleteFunc(all, func(p program) bool {
		return p.name == gnome.name && bus(d) == "" || // the window is another program's
			p.name == plain.name && d["DISPLAY"] == "" // may be one without windows
	})
}

// Find gives the first program that can ask on a desktop. Of the process's own
// environment PATH and HOME are taken, and handed on; everything else that the
// program gets is in d.
//
// The error is a [creds.Error]: with [creds.CodeMFAProcess] if d has no display,
// or no program is installed; with [creds.CodeUsage] as [mfa.Display.Check]'s.
func Find(getenv func(string) string, d mfa.Display) (*Dialog, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if !d.Graphical() {
		return nil, &creds.Error{Code: creds.CodeMFAProcess, Op: "there is no desktop to open a dialog on",
			Hint: "run: mfad login, which asks in the terminal"}
	}
	path := getenv("PATH")
	if path == "" {
		path = standardPath
	}
	for _, p := range order(d) {
		if file := look(path, p.name); file != "" {
			return &Dialog{path: file, program: p, env: environment(d, path, getenv("HOME")), quick: quick}, nil
		}
	}
	return nil, &creds.Error{Code: creds.CodeMFAProcess, Op: "no program is installed that opens a dialog",
		Hint: "install zenity, kdialog or a graphical pinentry"}
}

// look searches a program the way a shell does, but in no relative folder.
func look(path, name string) string {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}
