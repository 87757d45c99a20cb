package main

import (
	endian "encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gopkg.in/ini.v1"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/localapi"
)

// readsTheClock are the lines of the standard library by which time.Now gets the
// wall clock.
const readsTheClock = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"

// skewed builds mfad, once, upon a package time whose wall clock a test sets.
// Nothing else is different, and the monotonic clock is the machine's.
var skewed = sync.OnceValues(func() (path string, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	library, dir := filepath.Join(strings.TrimSpace(string(root)), "src", "time"), filepath.Dir(binary)
	source, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		return "", err
	}
	before, after, found := strings.Cut(string(source), readsTheClock)
	if !found {
		return "", fmt.Errorf("%s does not read the clock by the lines\n%s: see how this version of Go does, and adapt readsTheClock",
			filepath.Join(library, "time.go"), readsTheClock)
	}
	changed := filepath.Join(dir, "time.go")
	if err := os.WriteFile(changed, []byte(before+readsTheClock+"\tsec += wrongSeconds()\n"+after), 0o600); err != nil {
		return "", err
	}
	added, err := filepath.Abs(filepath.Join("testdata", "clock", "offset.go"))
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(library, "time.go"):   changed,
		filepath.Join(library, "offset.go"): added,
	}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "mfad-skewed")
	build := exec.Command("go", "build", "-trimpath", "-overlay", list, "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// traveller is a machine whose clock is not the test's.
type traveller struct {
	*machine
	mfad   string        // built by skewed
	passed time.Duration // true time is ahead of the test's by this; AWS has it
	wrong  time.Duration // the machine's clock is ahead of true time by this
}

// newTraveller gives a machine where prod and ro are fresh through the session
// and its clock is right. Its AWS does not run faster than life. More is what else
// the daemon finds in its environment.
func newTraveller(t *testing.T, more ...string) *traveller {
	t.Helper()
	path, err := skewed()
	if err != nil {
		t.Fatalf("build mfad with a clock that can be set: %v", err)
	}
	m := &traveller{machine: newMachine(t, 1), mfad: path}
	m.env = append(m.env, "CLOCK_OFFSET_FILE="+m.path("clock"))
	m.env = append(m.env, more...)
	m.tick()
	m.boot()
	m.addAlice()
	m.addProfile("prod", "Admin", "--mfa", "session")
	m.addProfile("ro", "ReadOnly", "--mfa", "session")
	m.login()
	return m
}

// tick sets the machine's clock and AWS's.
func (m *traveller) tick() {
	m.t.Helper()
	f, err := os.OpenFile(m.path("clock"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	seconds := int64((m.passed + m.wrong) / time.Second)
	if _, err := f.WriteAt(endian.NativeEndian.AppendUint64(nil, uint64(seconds)), 0); err != nil {
		m.t.Fatal(err)
	}
	m.sim.SetClockOffset(m.passed)
}

// boot starts the daemon.
func (m *traveller) boot() {
	m.t.Helper()
	if r := m.run("status"); r.status != 0 {
		m.t.Fatalf("start the daemon: status %d, %s", r.status, r.stderr)
	}
}

// run runs a command by the machine's clock.
func (m *traveller) run(args ...string) result { return finish(m.command(m.mfad, args...)) }

// setClock sets the machine's clock ahead of true time, or behind it.
func (m *traveller) setClock(wrong time.Duration) {
	m.t.Helper()
	m.wrong = wrong
	m.tick()
}

// suspend is a sleep of the machine: the daemon stands still, and so does its
// monotonic clock.
func (m *traveller) suspend(d time.Duration) {
	m.t.Helper()
	m.frozen(func() {
		m.passed += d
		m.tick()
	})
}

// frozen does something while the daemon stands still.
func (m *traveller) frozen(do func()) {
	m.t.Helper()
	pid := m.daemon()
	m.signal(syscall.SIGSTOP)
	defer m.signal(syscall.SIGCONT)
	stopped := func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err == nil && strings.Contains(string(stat), ") T ")
	}
	m.until("the daemon stands still", 10*time.Second, stopped)
	do()
}

// until waits for what comes true by itself.
func (m *traveller) until(what string, limit time.Duration, is func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("it did not come about in %v that %s", limit, what)
		}
	}
}

// granted is how long a key that AWS gave out lives on, by AWS's clock.
func (m *traveller) granted(accessKeyID string) time.Duration {
	m.t.Helper()
	for _, c := range m.sim.Calls() {
		if c.IssuedAccessKeyID == accessKeyID {
			return c.Expires.Sub(m.sim.Now())
		}
	}
	m.t.Fatalf("AWS gave out no key %q", accessKeyID)
	return 0
}

// hands has a tool ask for a profile's credentials, where nobody can be asked for
// a code. Whatever it gets has to live at AWS, and its end is told a minute before
// AWS's, unless that is near.
func (m *traveller) hands(profile string) (left time.Duration, status int) {
	m.t.Helper()
	r := m.run("credential-process", "--profile", profile, "--timeout", "10s")
	if r.status != 0 {
		if r.stdout != "" || !strings.Contains(r.stderr, "hint: ") {
			m.t.Errorf("credential-process: status %d, stdout %q, stderr %q; want a hint and no more", r.status, redact(r.stdout), r.stderr)
		}
		return 0, r.status
	}
	return m.lives(r.stdout), 0
}

// lives checks what a tool was handed, and gives how long AWS takes it.
func (m *traveller) lives(stdout string) time.Duration {
	m.t.Helper()
	var p localapi.Process
	if err := json.Unmarshal([]byte(stdout), &p); err != nil {
		m.t.Fatalf("credential-process: %v", err)
	}
	told, err := time.Parse(time.RFC3339, p.Expiration)
	if err != nil {
		m.t.Fatalf("Expiration: %v", err)
	}
	left := m.granted(p.AccessKeyID)
	if early := m.sim.Now().Add(left).Sub(told); early < 0 || early > time.Minute+time.Second || left > 3*time.Minute && early < time.Minute-time.Second {
		m.t.Errorf("Expiration is told %v before AWS's, want a minute", early)
	}
	if left <= 0 {
		m.t.Errorf("a tool gets credentials that ran out at AWS %v ago", -left)
	}
	return left
}

// cost checks how many codes AWS took so far.
func (m *machine) cost(want int) {
	m.t.Helper()
	n := 0
	for _, c := range m.sim.Calls() {
		if c.TokenCode && c.OK() {
			n++
		}
	}
	if n != want {
		m.t.Errorf("AWS took %d codes, want %d", n, want)
	}
}

// inFile gives the keys that stand in the credentials file, by section.
func (m *traveller) inFile() map[string]string {
	m.t.Helper()
	f, err := ini.Load(m.path(".aws", "credentials"))
	if err != nil {
		m.t.Fatal(err)
	}
	keys := map[string]string{}
	for _, name := range []string{"prod", "ro"} {
		keys[name] = f.Section(name).Key("aws_access_key_id").String()
	}
	return keys
}

// TestASuspendIsNoticed by the daemon itself: programs read the file without
// asking anybody.
func TestASuspendIsNoticed(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	m.suspend(2 * time.Hour)
	m.until("the file is fresh", 35*time.Second, func() bool {
		keys := m.inFile()
		return m.granted(keys["prod"]) > 50*time.Minute && m.granted(keys["ro"]) > 50*time.Minute
	})
	m.cost(1)
}

// TestASuspendIsNoticedByARequest: the first tool after waking gets new
// credentials, and so does the file, without a code.
func TestASuspendIsNoticedByARequest(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	for _, asleep := range []time.Duration{2 * time.Hour, 13 * time.Hour} {
		m.suspend(asleep)
		if left, status := m.hands("prod"); status != 0 || left < 50*time.Minute {
			t.Errorf("after %v: status %d, credentials for %v; want an hour", asleep, status, left)
		}
		for _, name := range []string{"prod", "ro"} {
			m.comesTo(name, "fresh", 10*time.Second, fresh)
		}
		m.until("the file is fresh", 10*time.Second, func() bool {
			keys := m.inFile()
			return m.granted(keys["prod"]) > 50*time.Minute && m.granted(keys["ro"]) > 50*time.Minute
		})
	}
	m.cost(1)
}

// TestASuspendBeyondADirectRole: what came with a code of its own ran out, and the
// session serves.
func TestASuspendBeyondADirectRole(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	m.maximum("Admin", 12*time.Hour)
	if out := m.mfadWith(m.code()+"\n", "login", "prod", "--code", "-"); !strings.Contains(out, "direct") {
		t.Fatalf("login prod: %q; want direct", out)
	}
	if left, _ := m.hands("prod"); left < 11*time.Hour {
		t.Errorf("direct credentials live for %v, want 12h", left)
	}
	m.suspend(13 * time.Hour)
	if left, status := m.hands("prod"); status != 0 || left < 50*time.Minute {
		t.Errorf("status %d, credentials for %v; want an hour", status, left)
	}
	m.cost(2)
}

// TestASuspendBeyondTheSession: nothing is handed out, nothing is tried in vain,
// and one code makes all fresh.
func TestASuspendBeyondTheSession(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	calls := len(m.sim.Calls("AssumeRole", "GetSessionToken"))
	m.suspend(40 * time.Hour)
	if _, status := m.hands("prod"); status != 4 {
		t.Errorf("with nobody to ask: status %d, want 4", status)
	}
	for _, name := range []string{"prod", "ro"} {
		if p := m.profileStatus(name); p.State != "mfa_required" || p.Usable {
			t.Errorf("%s is %s, usable %v; want mfa_required", name, p.State, p.Usable)
		}
	}
	if n := len(m.sim.Calls("AssumeRole", "GetSessionToken")) - calls; n != 0 {
		t.Errorf("%d calls for roles with a session that has ended", n)
	}
	p := m.sitDown("credential-process", "--profile", "prod")
	p.waitsFor(asks)
	p.types(m.code() + "\n")
	if status := p.ends(); status != 0 {
		t.Fatalf("after a code: status %d, %q", status, p.sees())
	}
	if left := m.lives(p.stdout.String()); left < 50*time.Minute {
		t.Errorf("after a code: credentials for %v, want an hour", left)
	}
	for _, name := range []string{"prod", "ro"} {
		m.comesTo(name, "fresh", 10*time.Second, fresh)
	}
	if n := strings.Count(p.sees(), asks); n != 1 {
		t.Errorf("the person was asked %d times: %q", n, p.sees())
	}
	m.cost(2)
}

// TestASuspendDuringACall: the answer that lay there for two hours is of no use,
// and who waits gets another.
func TestASuspendDuringACall(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	m.suspend(2 * time.Hour)
	m.sim.Inject(awssim.Fault{Action: "AssumeRole", Kind: awssim.Delay, Wait: time.Second, Times: 2})
	before := len(m.sim.Calls("AssumeRole"))
	waits := make(chan result, 1)
	go func() { waits <- m.run("credential-process", "--profile", "prod", "--timeout", "40s") }()
	m.until("AWS is asked", 10*time.Second, func() bool { return len(m.sim.Calls("AssumeRole")) == before+2 })
	m.frozen(func() {
		m.until("AWS has answered", 10*time.Second, func() bool {
			for _, c := range m.sim.Calls("AssumeRole") {
				if !c.OK() {
					return false
				}
			}
			return true
		})
		m.passed += 2 * time.Hour
		m.tick()
	})
	r := <-waits
	if r.status != 0 {
		t.Fatalf("status %d, %s", r.status, r.stderr)
	}
	if left := m.lives(r.stdout); left < 50*time.Minute {
		t.Errorf("credentials for %v, want an hour", left)
	}
	for _, name := range []string{"prod", "ro"} {
		m.comesTo(name, "fresh", 10*time.Second, fresh)
	}
	m.cost(1)
}

// TestATimeNamespace: the daemon as it is shipped does not mind that its
// monotonic and boot clocks are others than its clients'.
func TestATimeNamespace(t *testing.T) {
	t.Parallel()
	apart := []string{"--time", "--boottime", "3600", "--monotonic", "3600", "--fork"}
	needs(t, "time namespace", "unshare", append(apart, "true")...)
	m := newMachine(t, 240) // an hour is 15 s
	inside := func(args ...string) result {
		return finish(m.command("unshare", append(append(apart, binary), args...)...))
	}
	if r := inside("status"); r.status != 0 {
		t.Fatalf("start the daemon: status %d, %s", r.status, r.stderr)
	}
	mine, _ := os.Readlink("/proc/self/ns/time")
	if its, err := os.Readlink("/proc/" + strconv.Itoa(m.daemon()) + "/ns/time"); err != nil || its == mine {
		t.Fatalf("the daemon is in the time namespace %q, as is this test (%v)", its, err)
	}
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	p := m.profileStatus("prod")
	if p.State != "fresh" || p.Expires == nil || p.NextRefresh == nil {
		t.Fatalf("prod is %+v; want it fresh", p)
	}
	if left := time.Until(*p.Expires); left < 0 || left > 15*time.Second {
		t.Errorf("by the status prod lives for %v, want 15 s", left)
	}
	if due := p.Expires.Sub(*p.NextRefresh); due < 5*time.Second || due > 10*time.Second {
		t.Errorf("by the status prod is due %v before its end, want half of 15 s", due)
	}
	first := len(m.sim.Calls("AssumeRole"))
	for deadline := time.Now().Add(20 * time.Second); len(m.sim.Calls("AssumeRole")) == first; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("prod is not refreshed")
		}
	}
	if out := m.mfad("credential-process", "--profile", "prod"); !strings.Contains(out, "ASIA") {
		t.Errorf("a tool outside gets %q", out)
	}
	if r := inside("credential-process", "--profile", "prod"); r.status != 0 || !strings.Contains(r.stdout, "ASIA") {
		t.Errorf("a tool inside: status %d, %s", r.status, r.stderr)
	}
	m.cost(1)
}
