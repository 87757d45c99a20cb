package service

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// Systemd is the user's instance of systemd. Make one with [NewSystemd].
type Systemd struct {
	steps
	dirs []string // where units lie; the first is the user's own
}

// NewSystemd gives the service in the systemd instance to which o.Getenv leads.
func NewSystemd(o Options) *Systemd {
	return &Systemd{steps{o}, UnitDirs(o.Getenv, o.Home)}
}

// systemctl names a command of the user's instance.
func systemctl(args ...string) []string { return append([]string{"--user"}, args...) }

// Install writes the units, unless a package brought some that start this very
// program, has them start with the user's session and at the first client, and
// starts them; a service that runs is restarted. [creds.CodeConflict] is a unit that
// somebody changed.
func (s *Systemd) Install(ctx context.Context) error {
	if err := s.Ready(ctx); err != nil {
		return err
	}
	if err := s.masked(creds.CodeConflict); err != nil {
		return err
	}
	enable := "enable"
	if packaged := s.packaged(); packaged != "" {
		s.tell("the package's units in %s are used", filepath.Dir(packaged))
		removed, err := s.removeUnits() // they would win over the package's for ever
		if err != nil {
			return err
		}
		if removed {
			enable = "reenable" // the links lead to what was removed
		}
	} else if err := s.writeUnits(); err != nil {
		return err
	}
	if err := s.writeDropIns(); err != nil {
		return err
	}
	if err := s.command(ctx, "systemctl", systemctl("daemon-reload")...); err != nil {
		return err
	}
	if err := s.yield(ctx); err != nil { // before systemd takes the socket's path
		return err
	}
	if err := s.command(ctx, "systemctl", systemctl(enable, socketUnit, serviceUnit)...); err != nil {
		return err
	}
	return s.act(ctx, "restart", socketUnit, serviceUnit)
}

// Ready tells why the user's instance does not answer; nil if it does.
func (s *Systemd) Ready(ctx context.Context) error {
	_, err := s.ask(ctx, "systemctl", systemctl("show", "--property=Version")...)
	if err == nil {
		return nil
	}
	hint := "log in as this user (su and sudo start no systemd of the user's), or run: loginctl enable-linger " + s.User
	return &creds.Error{Code: creds.CodeInternal, Op: "reach the systemd of this user", Hint: hint, Err: err}
}

// packaged is a service of the whole system's that starts this program; empty where
// there is none, or where a file counts that this user wrote or changed.
func (s *Systemd) packaged() string {
	path, text := find(s.dirs[1:], serviceUnit)
	if path == "" || !same(UnitProgram(string(text), s.Home), s.Program) {
		return ""
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), socketUnit)); err != nil {
		return ""
	}
	for _, name := range units() {
		if there, _, err := look(s.own(name)); err != nil || there == theirs {
			return ""
		}
	}
	return path
}

// same tells whether two paths are one program's.
func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// unit is the service's file that counts; an empty one is masked, and counts.
func (s *Systemd) unit() (path string, text []byte) { return find(s.dirs, serviceUnit) }

// units are the names of all, the socket first.
func units() []string { return []string{socketUnit, serviceUnit} }

// find gives the file of a name in the first folder that has one.
func find(dirs []string, name string) (path string, text []byte) {
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if text, err := os.ReadFile(path); err == nil {
			return path, text
		}
	}
	return "", nil
}

// masked is the error of a unit that somebody masked: a link to /dev/null, or empty
// (systemctl(1), mask). Nil: there is none.
func (s *Systemd) masked(code creds.Code) error {
	for _, name := range units() {
		path, text := find(s.dirs, name)
		if path == "" || len(bytes.TrimSpace(text)) > 0 {
			continue
		}
		hint := "systemctl --user unmask " + socketUnit + " " + serviceUnit
		if filepath.Dir(path) == globalUnits {
			hint = "sudo systemctl --global unmask " + socketUnit + " " + serviceUnit
		}
		return &creds.Error{Code: code, Op: "the service is masked by " + path, Hint: hint}
	}
	return nil
}

func (s *Systemd) own(name string) string { return filepath.Join(s.dirs[0], name) }

func (s *Systemd) writeUnits() error {
	if path, _ := s.unit(); path != "" && filepath.Dir(path) != s.dirs[0] {
		s.tell("%s starts another program; a unit of this user's wins over it", path)
	}
	if _, err := s.write(s.own(serviceUnit), sealUnit(SystemdService(s.Program))); err != nil {
		return err
	}
	_, err := s.write(s.own(socketUnit), sealUnit(SystemdSocket()))
	return err
}

// writeDropIns writes mfad's own. Others of the user's are not touched.
func (s *Systemd) writeDropIns() error {
	if s.Path != "" {
		if _, err := s.write(s.own(filepath.Join(dropInFolder, pathDropIn)), sealUnit(SystemdPath(s.Path))); err != nil {
			return err
		}
	}
	strict := s.own(filepath.Join(dropInFolder, strictDropIn))
	if s.Strict == nil {
		return nil
	}
	if !*s.Strict {
		_, err := s.remove(strict)
		return err
	}
	_, err := s.write(strict, sealUnit(SystemdStrict()))
	return err
}

func sealUnit(text []byte) []byte {
	return seal(text, 0, "# ", "",
		`Written by "mfad service install", which brings it up to date; "mfad service`,
		`uninstall" removes it. Put changes of your own into a drop-in:`,
		"systemctl --user edit mfad.service")
}

// Start starts the service and its socket.
func (s *Systemd) Start(ctx context.Context) error {
	if err := s.masked(creds.CodeConflict); err != nil {
		return err
	}
	return s.act(ctx, "start", socketUnit, serviceUnit)
}

// Stop stops the service. The socket stays, and the next client starts the service
// again.
func (s *Systemd) Stop(ctx context.Context) error {
	if err := s.act(ctx, "stop", serviceUnit); err != nil {
		return err
	}
	s.tell("the next command that needs it starts it again; for good: mfad service uninstall")
	return nil
}

// Restart restarts the service, with its files and its program as they are now.
func (s *Systemd) Restart(ctx context.Context) error {
	if path, _ := s.unit(); path == "" {
		return notInstalled()
	}
	if err := s.masked(creds.CodeConflict); err != nil {
		return err
	}
	if err := s.command(ctx, "systemctl", systemctl("daemon-reload")...); err != nil { // a package may have brought new units
		return err
	}
	return s.act(ctx, "restart", serviceUnit)
}

// act has systemd start or stop units, and waits for it.
func (s *Systemd) act(ctx context.Context, verb string, units ...string) error {
	if path, _ := s.unit(); path == "" && !s.DryRun {
		return notInstalled()
	}
	err := s.command(ctx, "systemctl", systemctl(append([]string{verb}, units...)...)...)
	if err != nil {
		return &creds.Error{Code: creds.CodeInternal, Op: verb + " the service", Hint: "run: mfad service logs", Err: err}
	}
	return nil
}

// Status tells what is known. Where systemd cannot be reached, that is the files,
// and the error says why. [creds.CodeDaemonDown] is a service that is masked.
func (s *Systemd) Status(ctx context.Context) (State, error) {
	var st State
	path, text := s.unit()
	st.Unit, st.Packaged = path, path != "" && filepath.Dir(path) != s.dirs[0]
	if path != "" && len(bytes.TrimSpace(text)) == 0 {
		st.Unit, st.Detail = "", "masked by "+path
	}
	_, err := os.Stat(s.own(filepath.Join(dropInFolder, strictDropIn)))
	st.Strict = err == nil
	if s.User != "" {
		_, err := os.Stat(filepath.Join(lingerFolder, s.User))
		if lingers := err == nil; lingers || errors.Is(err, fs.ErrNotExist) {
			st.Lingers = &lingers
		}
	}
	st.Enabled = Enabled(s.dirs)
	if err := s.masked(creds.CodeDaemonDown); err != nil {
		return st, err
	}
	if st.Unit == "" {
		return st, nil
	}
	out, err := s.ask(ctx, "systemctl", systemctl("show", serviceUnit,
		"--property=ActiveState,SubState,MainPID,NRestarts,StatusText")...)
	if err != nil {
		return st, err
	}
	told := properties(out)
	st.Running = told["ActiveState"] == "active" || told["ActiveState"] == "reloading"
	st.Detail = told["ActiveState"] + " (" + told["SubState"] + ")"
	st.Says = told["StatusText"]
	st.PID, _ = strconv.Atoi(told["MainPID"])
	st.Restarts, _ = strconv.Atoi(told["NRestarts"])
	return st, nil
}

// Environment is what the user's systemd gives each service; nil where it does not
// answer. Values that need quotes in a shell have them.
func (s *Systemd) Environment(ctx context.Context) map[string]string {
	out, err := s.ask(ctx, "systemctl", systemctl("show-environment")...)
	if err != nil {
		return nil
	}
	return properties(out)
}

// lingerFolder has a file for each user whose systemd runs without a login
// (loginctl(1), enable-linger). It is looked at so that no loginctl is needed.
const lingerFolder = "/var/lib/systemd/linger"

// properties reads what `systemctl show` prints.
func properties(out string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			all[name] = value
		}
	}
	return all
}

// Enabled tells whether systemd starts the service or its socket by itself, by the
// links in the user's own folder and in the system's (systemctl(1), enable). dirs
// are those of [UnitDirs].
func Enabled(dirs []string) bool {
	for _, dir := range dirs {
		for _, unit := range units() {
			if found, _ := filepath.Glob(filepath.Join(dir, "*.wants", unit)); len(found) > 0 {
				return true
			}
		}
	}
	return false
}

// Starts is the command by which a client has the service started, and waits for
// it; nil where none is enabled, or no systemd of the user's runs.
func Starts(getenv func(string) string, home string) []string {
	run := getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(run) {
		return nil
	}
	// systemctl(1) talks to the manager at a socket that is there while it runs.
	if _, err := os.Stat(filepath.Join(run, "systemd", "private")); err != nil || !Enabled(UnitDirs(getenv, home)) {
		return nil
	}
	return append([]string{"systemctl"}, systemctl("start", socketUnit, serviceUnit)...)
}

// Log is the command that shows what the service's daemon said, the last lines of
// it, and with follow what it goes on to say. file is where the daemon writes where
// there is no journal.
func (s *Systemd) Log(file string, lines int, follow bool) []string {
	if _, err := os.Stat(journalSocket); err != nil {
		return tail(file, lines, follow)
	}
	args := []string{"journalctl", "--user", "--unit=" + serviceUnit, "--lines=" + strconv.Itoa(lines)}
	if follow {
		return append(args, "--follow")
	}
	return append(args, "--no-pager")
}

// journalSocket is where programs send what is for the journal
// (systemd-journald.service(8)).
const journalSocket = "/run/systemd/journal/socket"

// tail is the command that shows a file's end.
func tail(file string, lines int, follow bool) []string {
	args := []string{"tail", "-n", strconv.Itoa(lines)}
	if follow {
		args = append(args, "-F") // also when a new file takes its place
	}
	return append(args, file)
}
