package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// python runs a script over a text, with the parsers that are not mfad's.
func python(t *testing.T, script string, text []byte) []byte {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skipf("SKIP-REAL python3: %v", err)
	}
	cmd := exec.Command("python3", "-c", script)
	cmd.Stdin = bytes.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the parser takes no\n%s\n%v", text, err)
	}
	return out
}

// TestLaunchdAgent key by key, as another parser reads it.
func TestLaunchdAgent(t *testing.T) {
	const program, home = `/Users/a & b/"bin"/<mfad>`, "/Users/a & b"
	text := sealAgent(LaunchdAgent(program, home, "/opt/homebrew/bin:/usr/bin"))
	var got map[string]any
	out := python(t, "import plistlib,json,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))", text)
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Label": "mfad", "ProgramArguments": []any{program, "daemon"},
		"RunAtLoad": true, "KeepAlive": map[string]any{"SuccessfulExit": false},
		"StandardOutPath": home + "/Library/Logs/mfad/mfad.log", "StandardErrorPath": home + "/Library/Logs/mfad/mfad.log",
		"WorkingDirectory": "/", "Umask": 63.0,
		"SoftResourceLimits": map[string]any{"Core": 0.0}, "HardResourceLimits": map[string]any{"Core": 0.0},
		"EnvironmentVariables": map[string]any{"PATH": "/opt/homebrew/bin:/usr/bin"},
	}
	for key, value := range want {
		if !reflect.DeepEqual(got[key], value) {
			t.Errorf("%s: got %v, want %v", key, got[key], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got the keys of %v, want those of %v", got, want)
	}
	if got := AgentProgram(text); got != program {
		t.Errorf("mfad reads %q of it, want %q", got, program)
	}
	if got := AgentProgram([]byte("no plist")); got != "" {
		t.Errorf("of no plist it reads %q", got)
	}
}

// TestWindowsTask as another parser reads it.
func TestWindowsTask(t *testing.T) {
	const program = `C:\Program Files\a & b\mfad.exe`
	const script = `import sys,json,xml.etree.ElementTree as E
def read(e): return {c.tag.split('}')[1]: read(c) for c in e} if len(e) else e.text
r=E.fromstring(sys.stdin.buffer.read()); print(json.dumps([r.tag, r.get('version'), read(r)]))`
	var got []any
	if err := json.Unmarshal(python(t, script, WindowsTask(program, `CORP\alice`)), &got); err != nil {
		t.Fatal(err)
	}
	want := []any{"{http://schemas.microsoft.com/windows/2004/02/mit/task}Task", "1.2", map[string]any{
		"RegistrationInfo": map[string]any{"Description": "MFA credential refresh for AWS"},
		"Triggers":         map[string]any{"LogonTrigger": map[string]any{"Enabled": "true", "UserId": `CORP\alice`}},
		"Principals":       map[string]any{"Principal": map[string]any{"UserId": `CORP\alice`, "LogonType": "InteractiveToken", "RunLevel": "LeastPrivilege"}},
		"Settings": map[string]any{
			"MultipleInstancesPolicy": "IgnoreNew", "DisallowStartIfOnBatteries": "false", "StopIfGoingOnBatteries": "false",
			"AllowStartOnDemand": "true", "StartWhenAvailable": "true", "Enabled": "true", "Hidden": "true", "ExecutionTimeLimit": "PT0S",
			"RestartOnFailure": map[string]any{"Interval": "PT1M", "Count": "999"},
		},
		"Actions": map[string]any{"Exec": map[string]any{"Command": program, "Arguments": "daemon --service"}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestDefaultUnitRestrictsNothing: each of these directives would bring
// NoNewPrivileges into a user's service (systemd.exec(5)), or is one that changes
// what a program may do.
func TestDefaultUnitRestrictsNothing(t *testing.T) {
	strict := string(SystemdStrict())
	unit := string(SystemdService("/usr/bin/mfad"))
	for line := range strings.Lines(strict) {
		if name, _, ok := strings.Cut(line, "="); ok && strings.Contains(unit, name) {
			t.Errorf("the default unit has %s", name)
		}
	}
	for _, name := range []string{"Protect", "Private", "MemoryMax", "TasksMax", "RuntimeDirectory", "StateDirectory", "Capability"} {
		if strings.Contains(unit, name) {
			t.Errorf("the default unit has %s", name)
		}
	}
}

func TestUnitProgram(t *testing.T) {
	for text, want := range map[string]string{
		"[Service]\nExecStart=/usr/bin/mfad daemon\n":                       "/usr/bin/mfad",
		"[Service]\nExecStart=-@/usr/bin/mfad daemon\n":                     "/usr/bin/mfad",
		"[Service]\nExecStart=%h/mfad daemon\n":                             "/home/a/mfad",
		"[Service]\nExecStart=\nExecStart=\"/opt/my mfad/mfad\" daemon\n":   "/opt/my mfad/mfad",
		"[Unit]\nDescription=ExecStart=/no\n":                               "",
		"[Service]\r\nExecStart=/usr/bin/mfad daemon\r\nRestart=always\r\n": "/usr/bin/mfad",
	} {
		if got := UnitProgram(text, "/home/a"); got != want {
			t.Errorf("of %q: got %q, want %q", text, got, want)
		}
	}
}

// TestSeal: what was edited is told from what was not, in every format.
func TestSeal(t *testing.T) {
	for name, text := range map[string][]byte{
		"unit": sealUnit(SystemdService("/usr/bin/mfad")), "agent": sealAgent(LaunchdAgent("/usr/bin/mfad", "/Users/a", "")),
	} {
		if !genuine(text) {
			t.Errorf("%s: it does not know its own:\n%s", name, text)
		}
		for i := range text {
			edited := bytes.Clone(text)
			edited[i] ^= 1
			if genuine(edited) {
				t.Errorf("%s: byte %d of it was changed, and it is taken for mfad's", name, i)
			}
		}
		if genuine(text[:len(text)-1]) || genuine(append(bytes.Clone(text), "x=y\n"...)) {
			t.Errorf("%s: a longer or shorter one is taken for mfad's", name)
		}
	}
	if genuine(nil) || genuine([]byte(sealMark)) {
		t.Error("nothing is taken for mfad's")
	}
}

// fake is a service manager that notes what it is told.
type fake struct {
	ran   []string
	fails map[string]int // by command: how often yet
	says  map[string]string
}

func (f *fake) run(_ context.Context, name string, args ...string) (string, error) {
	line := commandLine(name, args)
	f.ran = append(f.ran, line)
	if f.fails[line] > 0 {
		f.fails[line]--
		return "", errors.New("no")
	}
	return f.says[line], nil
}

func (f *fake) options(t *testing.T, out *strings.Builder) Options {
	t.Helper()
	return Options{Program: "/usr/local/bin/mfad", Path: "/usr/bin", Home: t.TempDir(), UID: 501, User: "a", Getenv: func(string) string { return "" },
		Out: out, Run: f.run}
}

const agentTarget = "launchctl print gui/501/mfad"

// TestLaunchd: the agent is written and loaded, tried again while launchd is not
// through with the last one, and goes again.
func TestLaunchd(t *testing.T) {
	var out strings.Builder
	f := &fake{fails: map[string]int{agentTarget: 1}}
	o := f.options(t, &out)
	l := NewLaunchd(o)
	l.pause = 0
	load := "launchctl bootstrap gui/501 " + agentPath(o.Home)
	f.fails[load] = 2
	if err := l.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{agentTarget, "launchctl enable gui/501/mfad", load, load, load}
	if !reflect.DeepEqual(f.ran, want) {
		t.Errorf("it ran  %q\nwant    %q", f.ran, want)
	}
	if _, err := os.Stat(filepath.Dir(launchdLog(o.Home))); err != nil {
		t.Error(err)
	}
	f.says = map[string]string{agentTarget: "gui/501/mfad = {\n\tstate = running\n\truns = 3\n\tpid = 77\n\tjetsam = {\n\t\tstate = other\n\t}\n}\n"}
	st, err := l.Status(t.Context())
	if err != nil || !st.Running || st.PID != 77 || st.Restarts != 2 || !st.Enabled || st.Unit != agentPath(o.Home) {
		t.Errorf("status %+v, %v", st, err)
	}
	f.ran = nil
	if err := errors.Join(l.Restart(t.Context()), l.Stop(t.Context()), l.Uninstall(t.Context())); err != nil {
		t.Fatal(err)
	}
	want = []string{agentTarget, "launchctl kickstart -k gui/501/mfad", "launchctl kill SIGTERM gui/501/mfad", agentTarget, "launchctl bootout gui/501/mfad"}
	if !reflect.DeepEqual(f.ran, want) {
		t.Errorf("it ran  %q\nwant    %q", f.ran, want)
	}
	if _, err := os.Stat(agentPath(o.Home)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the agent stays: %v", err)
	}
	if err := l.Start(t.Context()); creds.CodeOf(err) != creds.CodeUsage || creds.HintOf(err) != "run: mfad service install" {
		t.Errorf("without an agent: %v", err)
	}
}

// TestTaskScheduler: the commands, and that --dry-run runs none.
func TestTaskScheduler(t *testing.T) {
	var out strings.Builder
	const query, end = "schtasks /Query /TN mfad", "schtasks /End /TN mfad"
	f := &fake{fails: map[string]int{query: 1}}
	o := f.options(t, &out)
	o.Yield = func(context.Context) error { f.ran = append(f.ran, "yield"); return nil }
	w := NewTaskScheduler(o)
	if err := errors.Join(w.Install(t.Context()), w.Install(t.Context()), w.Uninstall(t.Context())); err != nil {
		t.Fatal(err)
	}
	for i, line := range f.ran {
		if strings.HasPrefix(line, "schtasks /Create /TN mfad /XML ") {
			f.ran[i] = "create"
		}
	}
	const run = "schtasks /Run /TN mfad"
	want := []string{query, "create", "yield", query, run, // the task's own daemon is ended by its task:
		query, end, "create", "yield", query, run, query, end, "schtasks /Delete /TN mfad /F"}
	if !reflect.DeepEqual(f.ran, want) {
		t.Errorf("it ran  %q\nwant    %q", f.ran, want)
	}
	f.ran, w.DryRun = nil, true
	if err := w.Install(t.Context()); err != nil || !reflect.DeepEqual(f.ran, []string{query, "yield"}) {
		t.Errorf("--dry-run ran %q, %v", f.ran, err)
	}
}

// TestSystemdKeepsWhatIsTheUsers: a unit that was changed is neither overwritten nor
// removed, unless forced.
func TestSystemdKeepsWhatIsTheUsers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no systemd")
	}
	var out strings.Builder
	f := &fake{}
	o := f.options(t, &out)
	o.Diff = func(path string, old, next []byte) string { return "DIFF " + path + "\n" }
	s := NewSystemd(o)
	s.dirs = s.dirs[:1]
	if err := s.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	unit := s.own(serviceUnit)
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	edited := append(text, "Nice=1\n"...)
	if err := os.WriteFile(unit, edited, 0o644); err != nil {
		t.Fatal(err)
	}
	f.ran = nil
	if err := s.Install(t.Context()); creds.CodeOf(err) != creds.CodeConflict || len(f.ran) != 1 {
		t.Errorf("over an edited unit: %v, having run %q", err, f.ran)
	}
	if !strings.Contains(out.String(), "DIFF "+unit) {
		t.Errorf("it does not show the difference: %s", out.String())
	}
	if err := s.Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(unit); err != nil || !bytes.Equal(now, edited) {
		t.Errorf("the edited unit is now %q, %v", now, err)
	}
	if _, err := os.Stat(s.own(filepath.Join(dropInFolder, pathDropIn))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the drop-in for PATH stays: %v", err)
	}
	s.Force = true
	if err := s.Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(s.dirs[0]); len(left) > 0 {
		t.Errorf("with --force there stay %v", left)
	}
	s.Program = "/opt/mfad" // another version's unit is replaced without a question
	if err := os.MkdirAll(s.dirs[0], 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(unit, text, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Force = false
	if err := s.Install(t.Context()); err != nil {
		t.Errorf("over its own unit: %v", err)
	}
}

// TestSystemdThatIsNotThere is told with the next step, before anything is written.
func TestSystemdThatIsNotThere(t *testing.T) {
	var out strings.Builder
	f := &fake{fails: map[string]int{"systemctl --user show --property=Version": 1}}
	o := f.options(t, &out)
	err := NewSystemd(o).Install(t.Context())
	if !strings.Contains(creds.HintOf(err), "loginctl enable-linger a") {
		t.Errorf("the error %v has the hint %q", err, creds.HintOf(err))
	}
	if made, _ := os.ReadDir(o.Home); len(made) > 0 || out.Len() > 0 {
		t.Errorf("it made %v and told %q", made, out.String())
	}
}

// installed gives a service of this user's own in a system without any, whose
// packages would bring theirs to the second folder, and forgets what was run.
func installed(t *testing.T, out *strings.Builder) (*Systemd, *fake) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("it has no systemd")
	}
	f := &fake{}
	o := f.options(t, out)
	o.Program = filepath.Join(o.Home, "mfad")
	run := t.TempDir()
	o.Getenv = shell{"XDG_RUNTIME_DIR": run}.get
	s := NewSystemd(o)
	s.dirs = []string{s.dirs[0], t.TempDir()}
	put(t, o.Program, nil)
	if err := s.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range units() {
		link := filepath.Join(s.dirs[0], "default.target.wants", name)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(s.own(name), link); err != nil {
			t.Fatal(err)
		}
	}
	f.ran = nil
	out.Reset()
	return s, f
}

// shell is an environment.
type shell map[string]string

func (s shell) get(name string) string { return s[name] }

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestUninstallOfWhatIsLeft: a service whose file somebody removed goes on running,
// and its socket listens.
func TestUninstallOfWhatIsLeft(t *testing.T) {
	const asked = "systemctl --user show mfad.service --property=ActiveState"
	var out strings.Builder
	s, f := installed(t, &out)
	if err := os.Remove(s.own(serviceUnit)); err != nil {
		t.Fatal(err)
	}
	lock := SocketLock(filepath.Join(s.Getenv("XDG_RUNTIME_DIR"), "mfad", "mfad.sock"))
	put(t, lock, nil)
	f.says = map[string]string{asked: "ActiveState=active\n"}
	if err := s.Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{asked, "systemctl --user stop mfad.service", "systemctl --user disable --now mfad.socket", "systemctl --user daemon-reload"}
	if !reflect.DeepEqual(f.ran[1:], want) {
		t.Errorf("it ran  %q\nwant    %q", f.ran[1:], want)
	}
	link := filepath.Join(s.dirs[0], "default.target.wants", serviceUnit)
	for _, path := range []string{s.own(socketUnit), link, lock} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(out.String(), "remove "+path+"\n") {
			t.Errorf("%s stays (%v), or is not told: %s", path, err, out.String())
		}
	}
	f.ran = nil
	if err := os.RemoveAll(filepath.Dir(link)); err != nil { // the socket's, which systemctl would have removed
		t.Fatal(err)
	}
	if err := s.Uninstall(t.Context()); err != nil || len(f.ran) != 0 || !strings.HasSuffix(out.String(), "no service is installed\n") {
		t.Errorf("a second time: %v, having run %q", err, f.ran)
	}
}

// TestUnitsOfAPackage win over this user's that mfad wrote, where they start this
// program; not over those that the user changed, nor where they start another.
func TestUnitsOfAPackage(t *testing.T) {
	var out strings.Builder
	s, f := installed(t, &out)
	brought := func(program string) {
		put(t, filepath.Join(s.dirs[1], serviceUnit), SystemdService(program))
		put(t, filepath.Join(s.dirs[1], socketUnit), SystemdSocket())
	}
	brought("/opt/other/mfad")
	if err := s.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	if path, _ := s.unit(); path != s.own(serviceUnit) {
		t.Errorf("with a package's of another program %s counts", path)
	}
	brought(s.Program)
	own := s.own(socketUnit)
	text, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	put(t, own, append(bytes.Clone(text), "Backlog=9\n"...))
	if err := s.Install(t.Context()); creds.CodeOf(err) != creds.CodeConflict {
		t.Errorf("over a socket that was changed: %v", err)
	}
	put(t, own, text)
	f.ran = nil
	if err := s.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	if path, _ := s.unit(); filepath.Dir(path) != s.dirs[1] || !strings.Contains(out.String(), "remove "+own+"\n") {
		t.Errorf("%s counts; it told %s", path, out.String())
	}
	if want := "systemctl --user reenable mfad.socket mfad.service"; !slices.Contains(f.ran, want) {
		t.Errorf("it ran %q, want %q among them", f.ran, want)
	}
}

// TestMaskedService says how it is unmasked, whatever is wanted of it.
func TestMaskedService(t *testing.T) {
	for _, name := range units() {
		var out strings.Builder
		s, f := installed(t, &out)
		if err := os.Remove(s.own(name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(os.DevNull, s.own(name)); err != nil {
			t.Fatal(err)
		}
		s.Force = true
		for verb, do := range map[string]func(context.Context) error{
			"install": s.Install, "start": s.Start, "restart": s.Restart, "uninstall": s.Uninstall,
			"status": func(ctx context.Context) error { _, err := s.Status(ctx); return err },
		} {
			err := do(t.Context())
			if err == nil || !strings.Contains(err.Error(), "masked by "+s.own(name)) || creds.HintOf(err) != "systemctl --user unmask mfad.socket mfad.service" {
				t.Errorf("%s with a masked %s: %v, hint %q", verb, name, err, creds.HintOf(err))
			}
		}
		if len(f.ran) > 1 { // whether systemd is there
			t.Errorf("with a masked %s it ran %q", name, f.ran)
		}
	}
}
