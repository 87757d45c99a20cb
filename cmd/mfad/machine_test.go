//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// binary is mfad as it is shipped, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mfad-bin")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "mfad")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic("build mfad: " + err.Error() + "\n" + string(out))
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// machine is a home, a keyring and an AWS of a test's own, with the real binary.
type machine struct {
	t      *testing.T
	home   string
	sim    *awssim.Server
	alice  *awssim.User
	device *awssim.Device
	env    []string
}

// newMachine gives a machine whose AWS runs faster than life by the factor, with
// keys in a file keyring, unless a real one is started.
func newMachine(t *testing.T, lifetimeFactor int) *machine {
	t.Helper()
	home, err := os.MkdirTemp("", "mfad") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	sim := awssim.Start()
	sim.LifetimeFactor, sim.CodeStepFactor = lifetimeFactor, 6
	m := &machine{t: t, home: home, sim: sim, alice: sim.AddUser("111111111111", "alice")}
	m.device = m.alice.AddMFA("alice")
	for _, name := range []string{"Admin", "ReadOnly"} {
		m.sim.AddRole(awssim.Role{Account: "222222222222", Name: name, Principals: []string{m.alice.ARN}, RequireMFA: true})
	}
	m.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "LANG=C.UTF-8",
		"AWS_ENDPOINT_URL=" + sim.URL, "AWS_ENDPOINT_URL_STS=" + sim.URL, "AWS_EC2_METADATA_DISABLED=true",
		"MFAD_KEYRING=file", "MFAD_KEYRING_PASSPHRASE=not-a-real-passphrase",
	}
	t.Cleanup(func() {
		m.kill(syscall.SIGKILL)
		sim.Close()
		_ = os.RemoveAll(home)
	})
	return m
}

func (m *machine) path(parts ...string) string {
	return filepath.Join(append([]string{m.home}, parts...)...)
}

// command prepares a program in the machine's environment.
func (m *machine) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(m.t.Context(), name, args...)
	cmd.Env, cmd.Dir = m.env, m.home
	return cmd
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	status         int
}

func finish(cmd *exec.Cmd) result {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		r.stderr += err.Error()
	}
	return r
}

// mfad runs a command that must succeed and gives its stdout.
func (m *machine) mfad(args ...string) string {
	m.t.Helper()
	return m.mfadWith("", args...)
}

func (m *machine) mfadWith(stdin string, args ...string) string {
	m.t.Helper()
	cmd := m.command(binary, args...)
	cmd.Stdin = strings.NewReader(stdin)
	r := finish(cmd)
	if r.status != 0 {
		m.t.Fatalf("mfad %s: status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

// addAlice puts alice's key into the keyring.
func (m *machine) addAlice() {
	m.t.Helper()
	m.mfadWith(m.alice.AccessKeyID+"\n"+m.alice.SecretAccessKey+"\n", "identity", "add", "corp", "--stdin")
}

func (m *machine) addProfile(name, role string, more ...string) {
	m.t.Helper()
	m.mfad(append([]string{"profile", "add", name, "--identity", "corp", "--role-arn", "arn:aws:iam::222222222222:role/" + role,
		"--region", "us-east-1"}, more...)...)
}

// login gives one code; where the machine is too slow for the short steps of the
// simulated device the next one, as a person would.
func (m *machine) login() {
	m.t.Helper()
	for range 3 {
		cmd := m.command(binary, "login", "--code", "-")
		cmd.Stdin = strings.NewReader(m.code() + "\n")
		r := finish(cmd)
		if r.status == 0 {
			return
		}
		if !strings.Contains(r.stderr, "AWS did not take the code") {
			m.t.Fatalf("mfad login: status %d\n%s%s", r.status, r.stdout, r.stderr)
		}
	}
	m.t.Fatal("AWS takes no code")
}

func (m *machine) code() string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	code, err := m.device.NextCode(ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	return code
}

// write makes a file below the home.
func (m *machine) write(name, content string, mode os.FileMode) string {
	m.t.Helper()
	path := m.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if mode&0o100 != 0 {
		m.writeProgram(path, content, mode)
	} else if err := os.WriteFile(path, []byte(content), mode); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// writeProgram has another process write: a process that this one starts meanwhile
// would hold the file open for writing for a moment, and nobody could run it then.
func (m *machine) writeProgram(path, content string, mode os.FileMode) {
	m.t.Helper()
	cmd := exec.Command("sh", "-c", `rm -f "$0" && cat >"$0" && chmod "$1" "$0"`, path, fmt.Sprintf("%o", mode.Perm()))
	cmd.Stdin = strings.NewReader(content)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("write %s: %v: %s", path, err, out)
	}
}

// daemon gives the daemon's process, 0 if there is none.
func (m *machine) daemon() int {
	b, err := os.ReadFile(m.path(".local", "state", "mfad", "daemon.lock"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 2 {
		return 0
	}
	return pid
}

func (m *machine) signal(sig syscall.Signal) {
	if pid := m.daemon(); pid != 0 {
		_ = syscall.Kill(pid, sig) // it may be gone already
	}
}

// kill ends the daemon and waits until it is gone.
func (m *machine) kill(sig syscall.Signal) {
	pid := m.daemon()
	if pid == 0 || syscall.Kill(pid, sig) != nil {
		return
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	m.t.Errorf("the daemon does not end on %v", sig)
}

// needs skips a test for which a real program is missing.
func needs(t *testing.T, component, program string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIP-REAL %s: %v", component, err)
	}
	if len(args) > 0 {
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Skipf("SKIP-REAL %s: %v: %s", component, err, bytes.TrimSpace(out))
		}
	}
}

// useGNOMEKeyring starts a bus and a real, unlocked gnome-keyring for the
// machine.
func (m *machine) useGNOMEKeyring() {
	m.t.Helper()
	needs(m.t, "keyring", "dbus-daemon")
	needs(m.t, "keyring", "gnome-keyring-daemon")
	for _, dir := range []string{".local/share/keyrings", ".cache"} {
		if err := os.MkdirAll(m.path(dir), 0o700); err != nil {
			m.t.Fatal(err)
		}
	}
	bus := m.command("dbus-daemon", "--session", "--nofork", "--print-address=1", "--address=unix:path="+m.path("bus"))
	address := m.start(bus)
	m.env = append(m.env, "DBUS_SESSION_BUS_ADDRESS="+address, "MFAD_KEYRING=os")
	// It goes into the background when it is ready, and ends with the bus.
	keyring := m.command("gnome-keyring-daemon", "--unlock", "--components=secrets")
	keyring.Stdin = strings.NewReader("not-a-real-password")
	if err := keyring.Run(); err != nil {
		m.t.Fatalf("gnome-keyring-daemon: %v", err)
	}
}

// start runs a server until the test ends and gives the first line it prints.
func (m *machine) start(cmd *exec.Cmd) string {
	m.t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && line == "" {
		m.t.Fatalf("%s said nothing: %v", cmd.Path, err)
	}
	return strings.TrimSpace(line)
}
