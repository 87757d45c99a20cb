package cli

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mfad/mfad/pkg/doctor"
)

// errNoCommand: a unit that was written by hand, or for something else.
var errNoCommand = errors.New("it names no program to start")

// lookUnits reads the files by which a service manager starts the daemon, without
// asking the manager: of several of one name the first counts
// (https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html,
// "Unit File Load Path").
func (a *app) lookUnits() []doctor.Unit {
	for _, path := range a.unitPaths() {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		u := doctor.Unit{Path: path}
		if strings.HasSuffix(path, ".plist") {
			u.Command = plistCommand(text)
		} else {
			u.Command = unitCommand(string(text), a.home)
		}
		if u.Command == "" {
			u.Err = errNoCommand
			return []doctor.Unit{u}
		}
		found, err := exec.LookPath(u.Command)
		u.Gone = err != nil
		u.Same = err == nil && sameProgram(found)
		return []doctor.Unit{u}
	}
	return nil
}

// unitPaths are where such a file may lie, the first that counts first.
func (a *app) unitPaths() []string {
	if runtime.GOOS == "darwin" {
		return []string{filepath.Join(a.home, "Library", "LaunchAgents", "mfad.plist"), "/Library/LaunchAgents/mfad.plist"}
	}
	config := a.getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(a.home, ".config")
	}
	data := a.getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(a.home, ".local", "share")
	}
	var paths []string
	for _, dir := range []string{config, "/etc", data, "/usr/local/lib", "/usr/lib"} {
		paths = append(paths, filepath.Join(dir, "systemd", "user", "mfad.service"))
	}
	return paths
}

// unitCommand is the program of a unit's last ExecStart line. Before it may stand
// signs that change how it is started.
func unitCommand(text, home string) string {
	command := ""
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=")
		if !ok {
			continue
		}
		value = strings.TrimLeft(value, "@-:+!| ")
		if quoted, ok := strings.CutPrefix(value, `"`); ok {
			command, _, _ = strings.Cut(quoted, `"`)
		} else {
			command, _, _ = strings.Cut(value, " ")
		}
	}
	return strings.ReplaceAll(command, "%h", home)
}

// plistCommand is the first of an agent's ProgramArguments, or its Program.
func plistCommand(text []byte) string {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict = false
	key := ""
	for {
		token, err := d.Token()
		if err != nil { // io.EOF, or a file that is none
			return ""
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		var value string
		switch start.Name.Local {
		case "key", "string":
			if err := d.DecodeElement(&value, &start); err != nil && err != io.EOF {
				return ""
			}
		}
		switch {
		case start.Name.Local == "key":
			key = value
		case start.Name.Local == "string" && (key == "ProgramArguments" || key == "Program"):
			return value
		}
	}
}

// sameProgram tells whether path is this very program.
func sameProgram(path string) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	mine, err := os.Stat(self)
	if err != nil {
		return false
	}
	other, err := os.Stat(path)
	return err == nil && os.SameFile(mine, other)
}
