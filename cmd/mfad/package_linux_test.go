package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// debian is what the clean system has beside its smallest set: what our package
// recommends, and what the test itself looks with.
const debian = "systemd,dbus-user-session,ca-certificates,awscli,man-db"

// cleanDebian gives the folder of a Debian 12 as it was just installed. It is made by
// mmdebstrap, and kept in the cache for a month; nobody writes to it.
func cleanDebian(t *testing.T) string {
	t.Helper()
	needs(t, "packages", "mmdebstrap", "--version")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("SKIP-REAL packages: %v", err)
	}
	root := filepath.Join(cache, "mfad-test", "bookworm-"+runtime.GOARCH)
	if err := os.MkdirAll(filepath.Dir(root), 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(root + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil { // another run makes it
		t.Fatal(err)
	}
	const month = 30 * 24 * time.Hour
	made, err := os.Stat(root + ".made")
	if err == nil && time.Since(made.ModTime()) < month {
		return root
	}
	// In a mount namespace of its own: what it mounts is gone when it is killed, and is
	// never removed as if it were the folder's.
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include="+debian, "bookworm", root+".new")
	if err := os.RemoveAll(root + ".new"); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		if made == nil {
			t.Skipf("SKIP-REAL packages: mmdebstrap: %v\n%s", err, out)
		}
		return root // an old one is better than none
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(root+".new", root); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+".made", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

// enterDebian makes the clean Debian the whole system of a session, whose changes are
// kept in memory, and gives it a user.
const enterDebian = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir="$DEBIAN",upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
for d in proc sys dev; do mount --rbind /$d /mnt/root/$d; done
mkdir -p "/mnt/root$H"; mount --bind "$H" "/mnt/root$H"
cd /mnt/root
pivot_root . mnt
cd /
umount -l /mnt
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
groupadd --gid $U somebody
useradd --uid $U --gid $U --home-dir "$H" --no-create-home somebody
`

// root runs a program of the session's system as root, which must succeed.
func (s *session) root(name string, args ...string) string {
	s.t.Helper()
	cmd := s.command("nsenter", append([]string{"--target", strconv.Itoa(s.pid), "--mount", "--", name}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	r := finish(cmd)
	if r.status != 0 {
		s.t.Fatalf("%s %s: status %d\n%s%s", name, strings.Join(args, " "), r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

// everything lists the system's files, without those that tell of the installation
// itself, and those of the user's.
func (s *session) everything() []string {
	s.t.Helper()
	system := filepath.Join("/proc", strconv.Itoa(s.pid), "root")
	var all []string
	err := filepath.WalkDir(system+"/", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, system)
		if slices.Contains([]string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var/lib/dpkg", "/var/log", "/var/cache"}, name) {
			return filepath.SkipDir
		}
		all = append(all, name)
		return nil
	})
	if err != nil || !slices.Contains(all, "/usr/bin/dpkg") {
		s.t.Fatalf("of the system's files %d are seen, %v", len(all), err)
	}
	return all
}

// debPackage makes the package of a version as it is released.
func debPackage(t *testing.T, version string) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "scripts/package", "-version", version, "-targets", "linux/"+runtime.GOARCH, "-out", out)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "SOURCE_DATE_EPOCH=1795284729")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scripts/package: %v\n%s", err, text)
	}
	made, err := filepath.Glob(filepath.Join(out, "*.deb"))
	if err != nil || len(made) != 1 {
		t.Fatalf("scripts/package made %q, %v", made, err)
	}
	return made[0]
}

// TestDebianPackage from the installation on a clean Debian to the purge: a user has
// the service started, logs in with one code, and the AWS CLI is the role. An upgrade
// has the new program run at once, with the old one's session. The purge leaves what
// is the user's, and nothing else.
func TestDebianPackage(t *testing.T) {
	t.Parallel()
	s := prepareSession(t)
	s.program = "/usr/bin/mfad"
	clean := cleanDebian(t)
	for version, name := range map[string]string{"0.9.0": "first.deb", "0.10.0-rc.1": "second.deb"} {
		text, err := os.ReadFile(debPackage(t, version))
		if err != nil {
			t.Fatal(err)
		}
		s.write("packages/"+name, string(text), 0o644)
	}
	s.begin(enterDebian, "DEBIAN="+clean)
	before := s.everything()

	s.root("dpkg", "--install", s.path("packages", "first.deb"))
	if audit := s.root("dpkg", "--audit"); audit != "" {
		t.Errorf("dpkg is not content: %s", audit)
	}
	if out := s.run([]string{"version"}).stdout; out != "mfad v0.9.0\n" {
		t.Errorf("what was installed is %q", out)
	}
	if page := finish(s.user("man", "mfad")); page.status != 0 || !strings.Contains(page.stdout, "mfad-credential-process(1)") {
		t.Errorf("man: %q, %s", page.stdout, page.stderr)
	}
	if r := s.run([]string{"service", "status"}, 3); !strings.Contains(r.stdout, "enabled    no\nrunning    no") {
		t.Errorf("a package starts nothing by itself: %q", r.stdout)
	}

	if r := s.run([]string{"service", "install"}); !strings.Contains(r.stdout, "the package's units in /usr/lib/systemd/user are used") {
		t.Errorf("service install tells %q", r.stdout)
	}
	old := s.serving(0)
	s.work()
	s.isRole("after the login")

	s.root("sh", "-c", "printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d")
	s.root("dpkg", "--install", s.path("packages", "second.deb"))
	if now := s.serving(0); now != old {
		t.Errorf("the administrator forbids restarts, and process %d runs after %d", now, old)
	}
	s.root("rm", "/usr/sbin/policy-rc.d")
	s.root("dpkg", "--install", s.path("packages", "second.deb"))
	now := s.serving(old)
	if exe, err := os.Readlink("/proc/" + strconv.Itoa(now) + "/exe"); err != nil || exe != s.program {
		t.Errorf("after the upgrade %q runs, %v", exe, err)
	}
	if out := s.run([]string{"service", "status"}).stdout; !strings.Contains(out, "v0.10.0-rc.1") || strings.Contains(out, "v0.9.0") {
		t.Errorf("after the upgrade the service is %q", out)
	}
	s.serves("after the upgrade")
	s.isRole("after the upgrade")

	s.root("dpkg", "--purge", "mfad")
	if !within(5*time.Second, func() bool { return syscall.Kill(now, 0) != nil }) {
		t.Error("the daemon outlives its package")
	}
	after := s.everything()
	for _, path := range after {
		if !slices.Contains(before, path) {
			t.Errorf("the package left %s", path)
		}
	}
	if len(after) < len(before) {
		t.Errorf("the package took %d files with it that were not its own", len(before)-len(after))
	}
	for _, kept := range []string{".config/mfad/config.ini", ".local/state/mfad/sessions", ".aws/credentials"} {
		if _, err := os.Stat(s.path(kept)); err != nil {
			t.Errorf("the user's own is gone: %v", err)
		}
	}
}

// isRole wants the system's AWS CLI to be prod's role, by the credentials file.
func (s *session) isRole(when string) {
	s.t.Helper()
	r := finish(s.user("aws", "sts", "get-caller-identity", "--profile", "prod", "--endpoint-url", s.sim.URL, "--query", "Arn", "--output", "text"))
	if got := strings.TrimSpace(r.stdout); r.status != 0 || !strings.HasPrefix(got, "arn:aws:sts::222222222222:assumed-role/Admin/") {
		s.t.Errorf("%s the AWS CLI is %q: %s", when, got, r.stderr)
	}
}
