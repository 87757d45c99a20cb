package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/service"
)

// below lists what is in a folder of the session's.
func (s *session) below(folder string) []string {
	var all []string
	_ = filepath.WalkDir(filepath.Join("/proc", strconv.Itoa(s.pid), "root", folder), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	return all
}

// TestServiceFromInstallToUninstall: what is installed is told, starts with the first
// client, and goes without a trace; what is the user's stays.
func TestServiceFromInstallToUninstall(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	units, run := s.path(".config", "systemd"), "/run/user/"+strconv.Itoa(s.uid)+"/mfad"
	before := s.below(units)
	if r := s.run([]string{"service", "status"}, 3); !strings.Contains(r.stdout, "installed  no") {
		t.Errorf("before: %q", r.stdout)
	}
	dry := s.run([]string{"service", "install", "--dry-run"}).stdout
	if now := s.below(units); !slices.Equal(now, before) {
		t.Errorf("--dry-run made %q of %q", now, before)
	}
	done := s.run([]string{"service", "install"}).stdout
	for _, line := range []string{"write " + units + "/user/mfad.service\n", "write " + units + "/user/mfad.socket\n",
		"run systemctl --user daemon-reload\n", "run systemctl --user enable mfad.socket mfad.service\n"} {
		if !strings.Contains(dry, line) || !strings.Contains(done, line) {
			t.Errorf("no line %q in %q, or with --dry-run in %q", line, done, dry)
		}
	}
	first := s.serving(0)
	for name, want := range map[string]string{
		"Type": "notify", "NeedDaemonReload": "no", "Restart": "always", "RestartUSec": "5s", "WatchdogUSec": "1min 30s",
		"StartLimitIntervalUSec": "0", "LimitCORE": "0", "UMask": "0077",
	} {
		if got := s.property(name); got != want {
			t.Errorf("systemd has %s=%s, want %s", name, got, want)
		}
	}
	if r := s.run([]string{"service", "status"}); !strings.Contains(r.stdout, "running    yes, process "+strconv.Itoa(first)) || !strings.Contains(r.stdout, "lingers    no") {
		t.Errorf("after: %q", r.stdout)
	}
	if again := s.run([]string{"service", "install"}).stdout; strings.Contains(again, "write ") {
		t.Errorf("a second time it writes:\n%s", again)
	}
	second := s.serving(first)

	s.run([]string{"service", "stop"})
	s.run([]string{"status", "--short"})
	s.env = append(s.env, "MFAD_AUTOSTART=0")
	s.run([]string{"status"}, 3)
	s.env = s.env[:len(s.env)-1]
	s.run([]string{"service", "status"}, 3)
	if got := s.property("ActiveState"); got != "inactive" {
		t.Errorf("what is to start no daemon left the service %s", got)
	}
	s.run([]string{"status"})
	s.serving(second)
	s.run([]string{"service", "stop"})
	if r := s.run([]string{"daemon"}, 1); !strings.Contains(r.stderr, "the service listens at ") || !strings.Contains(r.stderr, "hint: run: mfad service start") {
		t.Errorf("a daemon beside the service's socket says %q", r.stderr)
	}
	third := s.serving(0)
	s.startsNothing(run)
	s.run([]string{"service", "start"})
	third = s.serving(third)

	s.run([]string{"service", "uninstall"})
	if now := s.below(units); !slices.Equal(now, before) {
		t.Errorf("uninstall left %q, want %q", now, before)
	}
	if left := s.below(run); len(left) > 0 {
		t.Errorf("uninstall left %q", left)
	}
	if syscall.Kill(third, 0) == nil {
		t.Error("the daemon outlives the service")
	}
	if log := s.run([]string{"service", "logs", "-n", "1000"}).stdout; strings.Count(log, "msg=\"listening at the service manager's socket\"") != 5 {
		t.Errorf("the log of a machine without a journal: %s", log)
	}
}

// startsNothing looks at a socket at which systemd listens while no daemon has run
// yet, as after a login.
func (s *session) startsNothing(run string) {
	s.t.Helper()
	s.systemctl("stop", "mfad.socket", "mfad.service")
	lock := filepath.Join("/proc", strconv.Itoa(s.pid), "root", run, "mfad.sock.lock")
	if err := os.Remove(lock); err != nil {
		s.t.Fatal(err)
	}
	s.systemctl("start", "mfad.socket")
	if info, err := os.Stat(lock); err != nil || info.Mode() != 0o600 {
		s.t.Fatalf("systemd made no lock of its user's alone: %v, %v", info, err)
	}
	env := s.env
	s.env = append(slices.Clone(env), "MFAD_AUTOSTART=0")
	s.run([]string{"status"}, 3)
	s.env = env
	s.run([]string{"status", "--short"})
	if got := s.property("ActiveState"); got != "inactive" {
		s.t.Errorf("what is to start no daemon left the service %s, right after a login", got)
	}
}

// TestServiceIsStartedAgain after whatever ends it, and never given up; its session
// needs no new code.
func TestServiceIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	s.write(".config/systemd/user/mfad.service.d/quick.conf", "[Service]\nRestartSec=100ms\nWatchdogSec=5s\n", 0o644)
	s.own()
	s.run([]string{"service", "install"})
	s.work()
	pid := s.serving(0)
	if got := s.property("StatusText"); got != "1 of 1 profiles fresh" && !within(5*time.Second, func() bool { return s.property("StatusText") == "1 of 1 profiles fresh" }) {
		t.Errorf("systemd is told %q", got)
	}
	for range 7 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		pid = s.serving(pid)
	}
	s.systemctl("kill", "--signal=TERM", "mfad.service") // by whoever does not know that it is a service
	pid = s.serving(pid)
	s.serves("after seven kills and one that it takes for its end")

	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // it hangs
		t.Fatal(err)
	}
	pid = s.serving(pid)
	s.serves("after the watchdog")
	if n := s.property("NRestarts"); n != "9" {
		t.Errorf("systemd counts %s restarts, want 9", n)
	}
	told := s.property("WatchdogTimestampMonotonic")
	if !within(10*time.Second, func() bool { return s.property("WatchdogTimestampMonotonic") != told }) {
		t.Error("the watchdog is told nothing")
	}
	if now := s.serving(0); now != pid {
		t.Errorf("a daemon that is well was started again: %d, was %d", now, pid)
	}

	s.systemctl("reload", "mfad.service")
	if !within(5*time.Second, func() bool {
		log, _ := os.ReadFile(s.path(".local", "state", "mfad", "daemon.log"))
		return strings.Contains(string(log), "the config was read again")
	}) {
		t.Error("a reload does not read the config")
	}
	if now := s.serving(0); now != pid {
		t.Errorf("a reload made process %d of %d", now, pid)
	}
	s.serves("after a reload")
}

// TestServiceUpgrade: the new program runs after a restart, with the old one's
// session.
func TestServiceUpgrade(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	s.run([]string{"service", "install"})
	s.work()
	old := s.serving(0)
	s.put(s.program)
	if r := s.run([]string{"service", "restart"}); strings.Contains(r.stderr, "keyring is locked") {
		t.Errorf("a service that has the passphrase says %q", r.stderr)
	}
	now, err := os.Stat("/proc/" + strconv.Itoa(s.serving(old)) + "/exe")
	if err != nil {
		t.Fatal(err)
	}
	if installed, err := os.Stat(s.program); err != nil || !os.SameFile(now, installed) {
		t.Errorf("the service does not run the program that was installed (%v)", err)
	}
	s.serves("after the upgrade")
	s.run([]string{"service", "stop"})
	s.serves("started by the tool that asks")

	s.write(".config/systemd/user/mfad.service.d/mine.conf", "[Service]\n", 0o644)
	s.own()
	if r := s.run([]string{"service", "restart"}); !strings.Contains(r.stderr, "the keyring is locked again; run: mfad unlock") {
		t.Errorf("a service without the passphrase says %q", r.stderr)
	}
}

// TestServiceTakesOver from a daemon that a command started: where it is installed,
// and where it is started beside one that it does not share a socket with. There is
// no loginctl in this one's PATH.
func TestServiceTakesOver(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	for _, name := range []string{"systemctl", "tail", "sh"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(s.path("bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, s.path("bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		t.Fatal(err)
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{nsenter, setpriv} { // the test's own
		if err := os.Symlink(path, s.path("bin", filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	s.env[0] = "PATH=" + filepath.Dir(s.program) + ":" + s.path("bin")
	s.env = append(s.env, "MFAD_KEYRING_PASSPHRASE_FILE="+s.path("passphrase"))
	s.work()
	stray := s.daemon()
	r := s.run([]string{"service", "install"})
	if !strings.Contains(r.stdout, "end the daemon that runs, process "+strconv.Itoa(stray)+"\n") ||
		!strings.Contains(r.stderr, "does not see MFAD_KEYRING_PASSPHRASE_FILE of this shell") {
		t.Errorf("it tells %q and %q", r.stdout, r.stderr)
	}
	if pid := s.serving(0); pid == stray || s.daemon() != pid {
		t.Errorf("the daemon is %d, the service is %d", s.daemon(), pid)
	}
	s.serves("after the installation")

	s.systemctl("stop", "mfad.socket", "mfad.service")
	env := slices.Clone(s.env)
	s.env = slices.DeleteFunc(s.env, func(v string) bool { return strings.HasPrefix(v, "XDG_RUNTIME_DIR=") }) // as in a cron job
	s.serves("without the service")
	stray = s.daemon()
	s.env = env
	s.run([]string{"service", "start"})
	if pid := s.serving(0); pid == stray || s.daemon() != pid {
		t.Errorf("the daemon is %d, the service is %d", s.daemon(), pid)
	}
	s.serves("beside another daemon")
}

// TestServicePackaged: units that a package brought are enabled, and stay; one of the
// user's wins over them, and is not overwritten.
func TestServicePackaged(t *testing.T) {
	t.Parallel()
	s := newSession(t, map[string]string{
		"mfad.service": string(service.SystemdService("PROGRAM")),
		"mfad.socket":  string(service.SystemdSocket()),
	})
	r := s.run([]string{"service", "install"})
	if !strings.Contains(r.stdout, "the package's units in /usr/local/lib/systemd/user are used") || strings.Contains(r.stdout, "mfad.service\n"+"write") {
		t.Errorf("it tells %q", r.stdout)
	}
	if got := s.property("FragmentPath"); got != "/usr/local/lib/systemd/user/mfad.service" {
		t.Errorf("systemd uses %s", got)
	}
	s.serving(0)
	mine := s.write(".config/systemd/user/mfad.service", "[Service]\nExecStart="+s.program+" daemon\nType=notify\nNice=1\n", 0o644)
	s.own()
	r = s.run([]string{"service", "install"}, 1)
	if text, err := os.ReadFile(mine); err != nil || !strings.Contains(string(text), "Nice=1") || !strings.Contains(r.stdout, "-Nice=1") {
		t.Errorf("the user's unit is now %q, %v; it tells %q", text, err, r.stdout)
	}
	if err := os.Remove(mine); err != nil {
		t.Fatal(err)
	}
	r = s.run([]string{"service", "uninstall"})
	if !strings.Contains(r.stdout, "/usr/local/lib/systemd/user/mfad.service stays") {
		t.Errorf("it tells %q", r.stdout)
	}
	if got := s.property("ActiveState"); got != "inactive" {
		t.Errorf("the service is %s", got)
	}
}

// TestServiceLeavesProgramsAlone: under the unit as it is installed, a code program
// may be setgid and write code that it then runs. Under the stricter one it may not,
// and mfad itself works.
func TestServiceLeavesProgramsAlone(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	helper := s.path("codes")
	build := exec.Command("go", "build", "-o", helper, "./testdata/codes")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const group = 47099
	if err := os.Chown(helper, s.uid, group); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(helper, 0o755|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	s.run([]string{"service", "install"})
	s.work()
	if got := s.codeFrom(helper); got != "group 47099, writes code, handed nothing" {
		t.Errorf("under the unit a code program finds %q", got)
	}

	s.run([]string{"service", "install", "--strict"})
	pid := s.serving(0)
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil || !strings.Contains(string(status), "\nSeccomp:\t2\n") || !strings.Contains(string(status), "\nNoNewPrivs:\t1\n") {
		t.Errorf("under the stricter unit the daemon is not restricted: %v\n%s", err, status)
	}
	if got := s.codeFrom(helper); got != "group "+strconv.Itoa(s.uid)+", may not write code, handed nothing" {
		t.Errorf("under the stricter unit a code program finds %q", got)
	}
	s.run([]string{"refresh"})
	written, err := os.ReadFile(s.path(".aws", "credentials"))
	if err != nil || !strings.Contains(string(written), "mfad_profile = prod") {
		t.Errorf("under the stricter unit the file is %q, %v", redact(string(written)), err)
	}
	if log, _ := os.ReadFile(s.path(".local", "state", "mfad", "daemon.log")); strings.Contains(string(log), "operation not permitted") {
		t.Errorf("under the stricter unit the daemon is refused something:\n%s", log)
	}
	s.run([]string{"service", "install", "--strict=false"})
	if _, err := os.Stat(s.path(".config", "systemd", "user", "mfad.service.d", "strict.conf")); err == nil {
		t.Error("--strict=false leaves the drop-in")
	}
}

// codeFrom has a session started with a code that a program prints, and gives what the
// program found.
func (s *session) codeFrom(program string) string {
	s.t.Helper()
	for try := range 3 { // a slow machine may be late for the short step
		name := fmt.Sprintf("user%d-%d", len(s.sim.Calls("GetSessionToken")), try) // a device's code is asked for once in 30 s
		user := s.sim.AddUser("111111111111", name)
		device := user.AddMFA(name)
		s.runWith(user.AccessKeyID+"\n"+user.SecretAccessKey+"\n", []string{"identity", "add", name, "--stdin"})
		config := s.path(".config", "mfad", "config.ini")
		text, err := os.ReadFile(config)
		if err != nil {
			s.t.Fatal(err)
		}
		section := "[identity " + name + "]\n"
		with := strings.Replace(string(text), section, section+"mfa_process = "+program+" "+s.home+"\n", 1)
		if err := os.WriteFile(config, []byte(with), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.systemctl("reload", "mfad.service")
		code, err := device.NextCode(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		s.write("code", code+"\n", 0o644)
		if r := s.run([]string{"login", name}, 0, 4, 5); r.status == 0 {
			found, err := os.ReadFile(s.path("found"))
			if err != nil {
				s.t.Fatal(err)
			}
			return string(found)
		}
	}
	s.t.Fatal("the program gives no code that AWS takes")
	return ""
}

// TestServiceUnitsAreSound, to systemd's own eyes, with paths of all kinds.
func TestServiceUnitsAreSound(t *testing.T) {
	t.Parallel()
	needs(t, "systemd", "systemd-analyze")
	dir := t.TempDir()
	for i, name := range []string{"mfad", "my mfad", "100% mfad", "$HOME"} {
		folder := filepath.Join(dir, strconv.Itoa(i))
		program := filepath.Join(folder, name)
		files := map[string][]byte{
			name: []byte("#!/bin/sh\n"), "mfad.service": service.SystemdService(program), "mfad.socket": service.SystemdSocket(),
			"mfad.service.d/strict.conf": service.SystemdStrict(), "mfad.service.d/path.conf": service.SystemdPath("/a b:/c%d:" + `/e"f\g:/$h`),
		}
		for name, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(program, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("systemd-analyze", "verify", "--user", "--man=no", filepath.Join(folder, "mfad.service"), filepath.Join(folder, "mfad.socket"))
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+folder)
		if r := finish(cmd); r.status != 0 || r.stderr != "" {
			t.Errorf("%s: status %d, %s", name, r.status, r.stderr)
		}
		if got := service.UnitProgram(string(files["mfad.service"]), "/home/a"); got != program {
			t.Errorf("mfad reads %q of the unit, want %q", got, program)
		}
	}
}

// TestSetupOffersTheService: one more yes, and systemd keeps the daemon running.
func TestSetupOffersTheService(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	s.writeAWS()
	s.own()
	flags := []string{"setup", "--identity", "corp", "--keep-keys", "--profiles", "all", "--mode", "session", "--login", "no"}
	if r := s.run(append(flags, "--dry-run", "--yes", "--service", "yes")); !strings.Contains(r.stdout, "run systemctl --user enable") || !strings.Contains(r.stderr, "nothing was changed") {
		t.Errorf("a dry run says %q, %q", r.stdout, r.stderr)
	}
	p := s.sitsAt("nsenter", s.inside(s.program, flags...)...)
	p.waitsFor("make these changes? [Y/n] ")
	p.types("\n")
	p.waitsFor("choose a passphrase for mfad's keyring: ")
	p.types("not-a-real-passphrase\n")
	p.waitsFor("once more: ")
	p.types("not-a-real-passphrase\n")
	p.waitsFor("install the service? [Y/n] ")
	p.types("\n")
	if status := p.ends(); status != 0 {
		t.Fatalf("status %d, the screen shows %q", status, p.sees())
	}
	s.serving(0)
	r := s.run([]string{"setup", "--yes", "--service", "no"})
	if !strings.Contains(r.stderr, "nothing to do") {
		t.Errorf("a second setup says %q", r.stderr)
	}
	s.run([]string{"service", "uninstall"})
	s.run([]string{"setup", "--yes", "--service", "yes"})
	s.serving(0)
}
