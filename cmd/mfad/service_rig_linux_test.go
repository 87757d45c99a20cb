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
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// session is a machine whose user is another than root, with a systemd of the user's
// own: a real one, in a mount namespace in which /run is empty. There is no journal
// and no logind.
type session struct {
	*machine
	uid     int
	pid     int // systemd's
	program string
}

// sessions counts them: each has a user of its own, since systemd and the kernel
// keep accounts by user.
var sessions atomic.Int32

// begin is the start of a user's systemd. It wants /run/systemd/system to be there,
// and a cgroup of its own, version 1, 2 or both.
const begin = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/systemd/unit-root /run/systemd/incoming /run/systemd/propagate /run/lock /run/user/$U
chown $U:$U /run/user/$U; chmod 700 /run/user/$U
[ -z "$PACKAGED" ] || { mount -t tmpfs tmpfs /usr/local/lib; mkdir -p /usr/local/lib/systemd/user; cp "$PACKAGED"/* /usr/local/lib/systemd/user; }
for c in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
	[ -e $c/cgroup.procs ] || continue
	d=$c/mfad-test-$U; mkdir -p $d; chown $U:$U $d
	for f in cgroup.procs tasks cgroup.subtree_control; do [ ! -e $d/$f ] || chown $U:$U $d/$f; done
	echo $$ >$d/cgroup.procs
done
exec setpriv --reuid=$U --regid=$U --clear-groups env -i PATH=/usr/bin:/bin HOME="$H" XDG_RUNTIME_DIR=/run/user/$U "$SYSTEMD" --user --log-target=console >"$H/systemd.log" 2>&1
`

// newSession starts one. Packaged units, by their names, are those of the system.
func newSession(t *testing.T, packaged map[string]string) *session {
	t.Helper()
	s := prepareSession(t)
	s.program = s.path(".local", "bin", "mfad")
	s.put(s.program)
	units := ""
	for name, text := range packaged {
		units = filepath.Dir(s.write("packaged/"+name, strings.ReplaceAll(text, "PROGRAM", s.program), 0o644))
	}
	s.begin("", "PACKAGED="+units)
	return s
}

// prepareSession gives one that is still to be started, with a config and a keyring.
func prepareSession(t *testing.T) *session {
	t.Helper()
	for _, program := range []string{"systemctl", "unshare", "nsenter", "setpriv"} {
		needs(t, "systemd", program)
	}
	needs(t, "systemd", userManager, "--version")
	if os.Getuid() != 0 {
		t.Skip("SKIP-REAL systemd: only root can give a test a user and a /run of its own")
	}
	s := &session{machine: newMachine(t, 1), uid: 47100 + int(sessions.Add(1))}
	s.write("passphrase", "not-a-real-passphrase\n", 0o600)
	s.write(".config/mfad/config.ini", "[defaults]\nendpoint_url = "+s.sim.URL+"\nkeyring = file\n", 0o600)
	s.write(".config/systemd/user/mfad.service.d/mine.conf", "[Service]\nLoadCredential=mfad-keyring-passphrase:%h/passphrase\n", 0o644)
	return s
}

// userManager is systemd.
const userManager = "/usr/lib/systemd/systemd"

// begin starts the user's systemd, after a script of the test's own.
func (s *session) begin(enter string, env ...string) {
	s.t.Helper()
	s.own()
	s.env = []string{"PATH=" + filepath.Dir(s.program) + ":/usr/bin:/bin", "HOME=" + s.home, "LANG=C.UTF-8", "USER=somebody",
		fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", s.uid)}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", enter+begin)
	cmd.Env = append(append(os.Environ(), fmt.Sprintf("U=%d", s.uid), "H="+s.home, "SYSTEMD="+userManager), env...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		s.t.Skipf("SKIP-REAL systemd: %v", err)
	}
	s.pid = cmd.Process.Pid
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	s.t.Cleanup(func() {
		s.clear()
		<-ended
	})
	private := fmt.Sprintf("/proc/%d/root/run/user/%d/systemd/private", s.pid, s.uid)
	if !within(10*time.Second, func() bool { _, err := os.Stat(private); return err == nil || gone(ended) }) || gone(ended) {
		log, _ := os.ReadFile(s.path("systemd.log"))
		s.t.Skipf("SKIP-REAL systemd: it does not run here: %s%s", said.String(), log)
	}
}

func gone(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// put installs mfad at a path, as a package manager does: the new file takes the old
// one's place.
func (s *session) put(path string) {
	s.t.Helper()
	text, err := os.ReadFile(binary)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.writeProgram(path+".new", string(text), 0o755)
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

// own gives the home to its user.
func (s *session) own() {
	s.t.Helper()
	err := filepath.WalkDir(s.home, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, s.uid, s.uid)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// clear ends all that the session started, and removes its cgroups.
func (s *session) clear() {
	var groups []string
	for _, root := range []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		_ = filepath.WalkDir(fmt.Sprintf("%s/mfad-test-%d", root, s.uid), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
	}
	slices.Reverse(groups) // what is inside goes first
	empty := within(10*time.Second, func() bool {
		left := 0
		for _, g := range groups {
			procs, _ := os.ReadFile(filepath.Join(g, "cgroup.procs"))
			for _, f := range strings.Fields(string(procs)) {
				if pid, err := strconv.Atoi(f); err == nil && pid > 1 {
					left++
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		return left == 0
	})
	if !empty {
		s.t.Error("processes of the session do not end")
	}
	for _, g := range groups {
		if err := os.Remove(g); err != nil && !os.IsNotExist(err) {
			s.t.Errorf("a cgroup is left: %v", err)
		}
	}
}

// inside are nsenter's arguments for a program of the session's user.
func (s *session) inside(name string, args ...string) []string {
	return append([]string{"--target", strconv.Itoa(s.pid), "--mount", "--", "setpriv", "--reuid=" + strconv.Itoa(s.uid),
		"--regid=" + strconv.Itoa(s.uid), "--clear-groups", name}, args...)
}

// user prepares a program of the session's user.
func (s *session) user(name string, args ...string) *exec.Cmd {
	cmd := s.command("nsenter", s.inside(name, args...)...)
	cmd.Env = s.env
	return cmd
}

// run runs mfad, which must end with one of the statuses; 0 where none is given.
func (s *session) run(args []string, status ...int) result {
	s.t.Helper()
	return s.runWith("", args, status...)
}

func (s *session) runWith(stdin string, args []string, status ...int) result {
	s.t.Helper()
	cmd := s.user(s.program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	r := finish(cmd)
	if !slices.Contains(append(status, 0)[:max(len(status), 1)], r.status) {
		log, _ := os.ReadFile(s.path(".local", "state", "mfad", "daemon.log"))
		s.t.Fatalf("mfad %s: status %d\n%s%s\nthe log:\n%s", strings.Join(args, " "), r.status, r.stdout, r.stderr, log)
	}
	return r
}

// systemctl runs a command of the user's systemd, which must succeed.
func (s *session) systemctl(args ...string) string {
	s.t.Helper()
	r := finish(s.user("systemctl", append([]string{"--user"}, args...)...))
	if r.status != 0 {
		s.t.Fatalf("systemctl %s: status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

// property is one of the service's.
func (s *session) property(name string) string {
	s.t.Helper()
	return strings.TrimSpace(s.systemctl("show", "mfad.service", "--property="+name, "--value"))
}

// serving waits until the service runs, in another process than before, and gives
// its number.
func (s *session) serving(before int) int {
	s.t.Helper()
	pid := 0
	if !within(20*time.Second, func() bool {
		pid, _ = strconv.Atoi(s.property("MainPID"))
		return pid > 0 && pid != before && s.property("ActiveState") == "active"
	}) {
		log, _ := os.ReadFile(s.path("systemd.log"))
		s.t.Fatalf("the service does not come back after process %d: %s\n%s", before, s.property("SubState"), log)
	}
	return pid
}

// work has alice's session started through the service, with profile prod.
func (s *session) work() {
	s.t.Helper()
	s.runWith(s.alice.AccessKeyID+"\n"+s.alice.SecretAccessKey+"\n", []string{"identity", "add", "corp", "--stdin"})
	s.run([]string{"profile", "add", "prod", "--identity", "corp", "--role-arn", "arn:aws:iam::222222222222:role/Admin", "--region", "us-east-1"})
	for range 3 { // a slow machine may miss the short step of the simulated device
		r := s.runWith(s.code()+"\n", []string{"login", "--code", "-"}, 0, 5)
		if r.status == 0 {
			return
		}
	}
	s.t.Fatal("AWS takes no code")
}

// serves wants prod's credentials, which cost one code in all.
func (s *session) serves(when string) {
	s.t.Helper()
	if out := s.run([]string{"credential-process", "--profile", "prod"}).stdout; !strings.Contains(out, "ASIA") {
		s.t.Errorf("%s a tool gets %q", when, redact(out))
	}
	if n := len(s.sim.Calls("GetSessionToken")); n != 1 {
		s.t.Errorf("%s: %d codes were sent, want one", when, n)
	}
}
