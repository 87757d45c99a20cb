package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/localapi"
)

// profileStatus is a profile's part of `mfad status --json`.
func (m *machine) profileStatus(name string) localapi.ProfileStatus {
	m.t.Helper()
	var st localapi.Status
	if err := json.Unmarshal([]byte(m.mfad("status", "--json")), &st); err != nil {
		m.t.Fatal(err)
	}
	i := slices.IndexFunc(st.Profiles, func(p localapi.ProfileStatus) bool { return p.Name == name })
	if i < 0 {
		m.t.Fatalf("there is no profile %s", name)
	}
	return st.Profiles[i]
}

// comesTo waits until a profile's status is as hoped.
func (m *machine) comesTo(name, what string, limit time.Duration, hoped func(localapi.ProfileStatus) bool) {
	m.t.Helper()
	var p localapi.ProfileStatus
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if p = m.profileStatus(name); hoped(p) {
			return
		}
	}
	m.t.Errorf("%s does not come to be %s: %+v", name, what, p)
}

func fresh(p localapi.ProfileStatus) bool { return p.State == "fresh" }

// TestAWSMisbehaves: whatever AWS does to the calls that carry no code, old
// credentials serve on, nobody is asked for another code, and all is fresh when it
// is over.
func TestAWSMisbehaves(t *testing.T) {
	t.Parallel()
	for _, kind := range []awssim.FaultKind{awssim.Throttle, awssim.ServerError, awssim.Hang, awssim.DropBefore, awssim.DropAfter, awssim.Cut, awssim.Garbage} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 240) // an hour is 15 s
			m.addAlice()
			m.addProfile("prod", "Admin")
			m.login()
			m.sim.Inject(awssim.Fault{Action: "AssumeRole", Kind: kind, Wait: time.Second})
			m.comesTo("prod", "failing and served", 14*time.Second, func(p localapi.ProfileStatus) bool { return p.Usable && p.State == "failing" })
			if out := m.mfad("credential-process", "--profile", "prod"); !strings.Contains(out, "ASIA") {
				t.Errorf("while AWS misbehaves a tool gets %q", out)
			}
			m.sim.ClearFaults()
			m.comesTo("prod", "fresh", 20*time.Second, fresh)
			if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
				t.Errorf("%d codes were sent, want one", n)
			}
		})
	}
}

// TestACodeThatIsLost: AWS took the code, and its answer did not come. It is not
// sent again, and the next one works.
func TestACodeThatIsLost(t *testing.T) {
	t.Parallel()
	for _, kind := range []awssim.FaultKind{awssim.DropAfter, awssim.Cut, awssim.Garbage} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 1)
			m.addAlice()
			m.addProfile("prod", "Admin")
			m.sim.Inject(awssim.Fault{Action: "GetSessionToken", Kind: kind, Times: 1})
			code := m.code()
			for _, want := range []int{6, 5} { // not reached; then: this code was used
				cmd := m.command(binary, "login", "--code", "-")
				cmd.Stdin = strings.NewReader(code + "\n")
				if r := finish(cmd); r.status != want {
					t.Errorf("status %d, want %d: %s", r.status, want, r.stderr)
				}
			}
			if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
				t.Errorf("the code was sent %d times", n)
			}
			m.login()
			m.comesTo("prod", "fresh", 5*time.Second, fresh)
		})
	}
}

// small mounts a tiny file system at a folder of the machine's.
func (m *machine) small(name string) (remount func(flags uintptr)) {
	m.t.Helper()
	dir := m.path(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		m.t.Skipf("nobody may mount on this machine: %v", err)
	}
	m.t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return func(flags uintptr) {
		m.t.Helper()
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|flags, "size=64k,mode=0700"); err != nil {
			m.t.Fatal(err)
		}
	}
}

// TestAFullDisk: what stands in the file stays, whole, and mfad writes again when
// there is room.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 60)
	m.small(".aws")
	const mine = "# mine\n[default]\nregion = eu-west-1\n"
	path := m.write(".aws/credentials", mine, 0o600)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !within(5*time.Second, func() bool { left, _ := filepath.Glob(m.path(".aws", ".mfad-credentials-*")); return len(left) == 0 }) {
		t.Fatal("the replaced file stays") // its end would make room
	}
	// All but the block that the file has.
	if err := os.WriteFile(m.path(".aws", "ballast"), make([]byte, 128<<10), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	r := finish(m.command(binary, "refresh"))
	now, err := os.ReadFile(path)
	if err != nil || string(now) != string(before) {
		t.Errorf("on a full disk the file became %q instead of %q, %v (refresh: status %d, %s)", redact(string(now)), redact(string(before)), err, r.status, r.stderr)
	}
	if out := m.mfad("credential-process", "--profile", "prod"); !strings.Contains(out, "ASIA") {
		t.Errorf("with a full disk a tool gets %q", out)
	}
	if err := os.Remove(m.path(".aws", "ballast")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err == nil && string(b) != string(before) && strings.HasPrefix(string(b), mine) && strings.Contains(string(b), "mfad_profile = prod") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("mfad did not write again: %q, %v", redact(string(b)), err)
		}
	}
	m.comesTo("prod", "fresh", 10*time.Second, fresh)
	left := []string{"?"}
	for deadline := time.Now().Add(5 * time.Second); len(left) > 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		left, _ = filepath.Glob(m.path(".aws", ".mfad-*")) // some stay for a moment after a write
	}
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestAReadOnlyFolder is a conflict that is told, and heals by itself.
func TestAReadOnlyFolder(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 240)
	remount := m.small(".aws")
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	remount(unix.MS_RDONLY)
	finish(m.command(binary, "refresh"))
	m.comesTo("prod", "in conflict and served", 10*time.Second, func(p localapi.ProfileStatus) bool { return p.State == "conflict" && p.Usable })
	if out := m.mfad("credential-process", "--profile", "prod"); !strings.Contains(out, "ASIA") {
		t.Errorf("with a read-only folder a tool gets %q", out)
	}
	remount(0)
	m.comesTo("prod", "fresh", 20*time.Second, fresh)
}

// TestNoNotifications: with the system's inotify instances used up, edits are
// found by looking.
func TestNoNotifications(t *testing.T) {
	t.Parallel()
	var used []int
	defer func() {
		for _, fd := range used {
			unix.Close(fd)
		}
	}()
	for {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			break
		}
		if used = append(used, fd); len(used) > 100_000 {
			t.Skip("this system gives any number of inotify instances")
		}
	}
	m := newMachine(t, 1)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	config := m.path(".config", "mfad", "config.ini")
	b, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	edited := append(b, "\n[profile more]\nidentity = corp\nrole_arn = arn:aws:iam::222222222222:role/ReadOnly\n"...)
	if err := os.WriteFile(config, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(m.mfad("status"), "more "); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the edit was not noticed")
		}
	}
}

// TestStoppedForAWhile: a daemon that was stopped for longer than its credentials
// live, as on a laptop that slept, is fresh again soon after, without a code.
func TestStoppedForAWhile(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 720) // an hour is 5 s
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	m.signal(syscall.SIGSTOP)
	time.Sleep(7 * time.Second) // the stop is what is tested
	m.signal(syscall.SIGCONT)
	m.comesTo("prod", "fresh", 10*time.Second, fresh)
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes were sent, want one", n)
	}
}
