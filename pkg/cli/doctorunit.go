package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mfad/mfad/pkg/doctor"
	"github.com/mfad/mfad/pkg/service"
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
			u.Command = service.AgentProgram(text)
		} else {
			u.Command = service.UnitProgram(string(text), a.home)
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
		return service.AgentPaths(a.home)
	}
	var paths []string
	for _, dir := range service.UnitDirs(a.getenv, a.home) {
		paths = append(paths, filepath.Join(dir, service.Name+".service"))
	}
	return paths
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
