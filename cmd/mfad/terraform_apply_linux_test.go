package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// example is where the example of docs/terraform is ready to be applied.
type example struct {
	cloud *cloud
	dir   string        // has the files, initialised
	turns chan struct{} // at what takes all of a processor
}

// initExample makes a work folder of the example's very files: what points it to the
// test's AWS comes from outside, from the environment and the command line.
func initExample(t *testing.T, c *cloud, m *machine) *example {
	t.Helper()
	x := &example{cloud: c, dir: m.path("example"), turns: make(chan struct{}, 2)}
	copyFiles(t, filepath.Join("..", "..", "docs", "terraform"), x.dir, "*.tf")
	cmd := m.command("terraform", "init", "-input=false", "-no-color", "-backend-config=use_path_style=true")
	cmd.Dir = x.dir
	cmd.Env = append(cmd.Env, "AWS_PROFILE=shop")
	if r := finish(cmd); r.status != 0 {
		t.Fatalf("init: %s%s", r.stdout, r.stderr)
	}
	return x
}

// newShop gives a machine with the example's profile, and the account that it writes
// its log to.
func newShop(t *testing.T, factor int, write string) *machine {
	t.Helper()
	m := newMachine(t, factor)
	m.sim.AddRole(awssim.Role{Account: "333333333333", Name: "Audit", Principals: []string{"arn:aws:iam::222222222222:role/Admin"}})
	m.addAlice()
	m.addProfile("shop", "Admin", "--write", write)
	return m
}

// terraformFor tells Terraform on a machine where AWS is and where providers are.
func (m *machine) terraformFor(c *cloud, plugins string) {
	m.t.Helper()
	rc := m.write("terraformrc", "provider_installation {\n  filesystem_mirror { path = \""+plugins+"\" }\n}\n", 0o600)
	m.env = append(m.env, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE="+rc,
		"AWS_ENDPOINT_URL_S3="+c.url, "AWS_ENDPOINT_URL_SSM="+c.url)
}

// needsAWSProvider skips where Terraform has no provider for AWS at hand, and gives
// the folder of providers. No test fetches one.
func needsAWSProvider(t *testing.T) string {
	t.Helper()
	for _, dirs := range []string{os.Getenv("MFAD_TERRAFORM_PLUGINS"), "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*"} {
		const mirrored = "/registry.terraform.io/hashicorp/aws/5.*/*/terraform-provider-aws*"
		found, _ := filepath.Glob(dirs + mirrored) // a bad pattern finds nothing
		if dirs != "" && len(found) > 0 {
			dir, _, _ := strings.Cut(found[0], "/registry.terraform.io/")
			return dir
		}
	}
	t.Skip("SKIP-REAL terraform-provider-aws: no hashicorp/aws 5 in MFAD_TERRAFORM_PLUGINS nor where Terraform looks")
	return ""
}

func copyFiles(t *testing.T, from, to, pattern string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(from, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("files %s in %s: %v", pattern, from, err)
	}
	for _, path := range found {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(path)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// site is one person's work folder and way, with a workspace.
type site struct {
	t    *testing.T
	m    *machine
	x    *example
	way  string // exec, else AWS_PROFILE
	name string // of the workspace
	dir  string
	// freshen, if set, is run right before a Terraform is started, not before its turn.
	freshen func()
}

func (x *example) site(t *testing.T, m *machine, way, name string) *site {
	t.Helper()
	s := &site{t: t, m: m, x: x, way: way, name: name, dir: m.path("sites", name, way)}
	if err := os.CopyFS(s.dir, os.DirFS(x.dir)); err != nil {
		t.Fatal(err)
	}
	return s
}

// terraform prepares Terraform in one of the ways.
func (s *site) terraform(args ...string) *exec.Cmd {
	words := append([]string{"terraform"}, args...)
	if s.way == "exec" {
		words = append([]string{binary, "exec", "--no-prompt", "shop", "--"}, words...)
	}
	cmd := exec.CommandContext(s.t.Context(), words[0], words[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(s.m.env[:len(s.m.env):len(s.m.env)], "TF_WORKSPACE="+s.name, "GATE="+s.gate(),
		"GOGC=400") // providers are many and large, and collect for a third of their time
	if s.way != "exec" {
		cmd.Env = append(cmd.Env, "AWS_PROFILE=shop")
	}
	return cmd
}

// does runs Terraform to its end, which must be a good one.
func (s *site) does(args ...string) result {
	s.t.Helper()
	s.x.turns <- struct{}{}
	defer func() { <-s.x.turns }()
	if s.freshen != nil {
		s.freshen()
	}
	r := finish(s.terraform(args...))
	if r.status != 0 {
		s.t.Fatalf("terraform %s: status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
	}
	return r
}

func (s *site) gate() string { return s.m.path("gate-" + s.name) }

// applies is how the example is applied.
var applies = []string{"apply", "-auto-approve", "-input=false", "-no-color"}

// waitsAtGate is a migration that takes until the test has what it waits for.
const waitsAtGate = `-var=migration=echo reached >"$GATE"; while [ -e "$GATE" ]; do sleep 0.05; done`

// apply is a Terraform that is under way.
type apply struct {
	*site
	cmd *exec.Cmd
	out transcript
	end chan error
}

// transcript is an output that can be read while it is written.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// begins starts an apply, as a job of a shell, and waits until it is in its migration.
func (s *site) begins(cmd *exec.Cmd) *apply {
	s.t.Helper()
	s.x.turns <- struct{}{}
	defer func() { <-s.x.turns }()
	if s.freshen != nil {
		s.freshen()
	}
	a := &apply{site: s, cmd: cmd, end: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = &a.out, &a.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { a.end <- cmd.Wait() }()
	s.t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // it is gone, as a rule
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(s.gate()); err == nil {
			return a
		}
		select {
		case <-a.end:
			s.t.Fatalf("the apply ended before its migration:\n%s", &a.out)
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the apply does not get to its migration:\n%s", &a.out)
		}
	}
}

// goesOn ends the migration, and gives the apply's status.
func (a *apply) goesOn() int {
	a.t.Helper()
	if err := os.Remove(a.gate()); err != nil {
		a.t.Fatal(err)
	}
	return a.ends()
}

func (a *apply) ends() int {
	a.t.Helper()
	select {
	case <-a.end:
		return a.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		a.t.Fatalf("the apply does not end:\n%s", &a.out)
	}
	return -1
}

// outlivesItsKeys waits until every key has ended that the machine has now.
func (s *site) outlivesItsKeys() {
	s.t.Helper()
	end := s.m.lastEnd().Add(time.Second) // a signature's date has no fractions
	if !within(time.Minute, func() bool { return s.m.sim.Now().After(end) }) {
		s.t.Fatalf("the keys live until %v", end)
	}
}

// has compares what the state has in it, one of several things it may be, whether its
// lock is held, and whether Terraform had to leave the state in the work folder.
func (s *site) has(when, resources string, locked, errored bool) {
	s.t.Helper()
	gotResources, gotLocked := s.x.cloud.state(s.t, s.name)
	_, err := os.Stat(filepath.Join(s.dir, "errored.tfstate"))
	if !slices.Contains(strings.Split(resources, " or "), gotResources) || gotLocked != locked || (err == nil) != errored {
		s.t.Errorf("%s: state has %q, locked: %v, errored.tfstate: %v; want %q, %v, %v",
			when, gotResources, gotLocked, err == nil, resources, locked, errored)
	}
}

var lockID = regexp.MustCompile(`ID:\s+([0-9a-f-]{36})`)

// recovers does by hand what Terraform could not at its end.
func (s *site) recovers(resources string) {
	s.t.Helper()
	r := finish(s.terraform(applies...))
	id := lockID.FindStringSubmatch(r.stdout + r.stderr)
	if r.status == 0 || id == nil {
		s.t.Fatalf("apply beside a lock that was left: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	s.does("force-unlock", "-force", id[1])
	s.does("state", "push", "errored.tfstate")
	if err := os.Remove(filepath.Join(s.dir, "errored.tfstate")); err != nil {
		s.t.Fatal(err)
	}
	s.has("after force-unlock and state push", resources, false, false)
}

// providers counts the provider processes of an apply.
//
// It has one for each provider block.
func (a *apply) providers() (n int) {
	a.t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		a.t.Fatal(err)
	}
	for _, path := range found {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		name, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if strings.Contains(name, "(terraform-prov") && fields[2] == strconv.Itoa(a.cmd.Process.Pid) {
			n++
		}
	}
	return n
}
