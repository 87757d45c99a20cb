//go:build unix

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/state"
)

// TestMain makes the test binary answer to the name mfad, as the real Main with
// a keyring in a plain file, so that a script can restart the daemon.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mfad": func() {
		a := processApp()
		a.codeStep = 30 * time.Second / codeStepFactor
		a.keyring = &plainKeyring{path: os.Getenv("TEST_KEYRING")}
		os.Exit(a.main())
	}})
}

// plainKeyring is a keyring for throw-away secrets: a JSON file.
type plainKeyring struct {
	path string
	mu   sync.Mutex // guards the file
}

func (k *plainKeyring) edit(f func(map[string]string) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	items := map[string]string{}
	b, err := os.ReadFile(k.path)
	if err == nil {
		err = json.Unmarshal(b, &items)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return &creds.Error{Code: creds.CodeKeyringLocked, Op: "the test's keyring is locked", Hint: "run: mfad unlock"}
	}
	if err := f(items); err != nil {
		return err
	}
	if b, err = json.Marshal(items); err != nil {
		return err
	}
	return os.WriteFile(k.path, b, 0o600)
}

func (k *plainKeyring) Get(_ context.Context, name string) (s creds.Secret, err error) {
	err = k.edit(func(items map[string]string) error {
		if items[name] == "" {
			return &creds.Error{Code: creds.CodeKeyNotFound, Op: "no " + name}
		}
		s = creds.NewSecret(items[name])
		return nil
	})
	return s, err
}

func (k *plainKeyring) Set(_ context.Context, name string, s creds.Secret) error {
	return k.edit(func(items map[string]string) error { items[name] = s.Reveal(); return nil })
}

func (k *plainKeyring) Delete(_ context.Context, name string) error {
	return k.edit(func(items map[string]string) error { delete(items, name); return nil })
}

// codeStepFactor has codes come every 5 s: each works once.
const codeStepFactor = 6

// aws is a script's simulated AWS: alice, and the roles Admin, ReadOnly and DB.
type aws struct {
	sim    *awssim.Server
	alice  *awssim.User
	device *awssim.Device
	codes  []string // that the script read from the device
}

const account = "111111111111"

func startAWS() *aws {
	sim := awssim.Start()
	sim.CodeStepFactor = codeStepFactor
	a := &aws{sim: sim, alice: sim.AddUser(account, "alice")}
	a.device = a.alice.AddMFA("alice")
	for _, name := range []string{"Admin", "ReadOnly"} {
		sim.AddRole(awssim.Role{Account: "222222222222", Name: name, Principals: []string{a.alice.ARN}, RequireMFA: true})
	}
	sim.AddRole(awssim.Role{Account: "333333333333", Name: "DB", Principals: []string{"arn:aws:iam::222222222222:role/Admin"}})
	sim.AddRole(awssim.Role{Account: "222222222222", Name: "Deploy", Principals: []string{"arn:aws:iam::" + account + ":oidc-provider/ci.example.com"}})
	sim.AddRole(awssim.Role{Account: "222222222222", Name: "Browser", Principals: []string{"arn:aws:iam::" + account + ":saml-provider/Corp"}})
	sim.AddRole(awssim.Role{Account: "333333333333", Name: "CI", Principals: []string{"arn:aws:iam::222222222222:role/Deploy"}})
	return a
}

func TestScripts(t *testing.T) {
	commands := arrangeCommands()
	maps.Copy(commands, map[string]func(*testscript.TestScript, bool, []string){
		"code": cmdCode, "exits": cmdExits, "awscalls": cmdCalls, "fault": cmdFault, "killdaemon": cmdKill,
		"eventually": cmdEventually, "mode": cmdMode, "deleterole": cmdDeleteRole, "device": cmdDevice, "webidentity": cmdWebIdentity,
		"skew": cmdSkew,
	})
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			a := startAWS()
			env.Values["aws"] = a
			home := filepath.Join(env.WorkDir, "home")
			state := filepath.Join(home, ".local", "state", "mfad")
			env.Defer(func() {
				killDaemon(state)
				a.sim.Close()
			})
			for name, value := range map[string]string{
				"HOME": home, "XDG_RUNTIME_DIR": filepath.Join(env.WorkDir, "run"), "STATE": state,
				"CREDENTIALS": filepath.Join(home, ".aws", "credentials"), "AWSCONFIG": filepath.Join(home, ".aws", "config"),
				"CONFIG": filepath.Join(home, ".config", "mfad", "config.ini"), "TEST_KEYRING": filepath.Join(env.WorkDir, "keyring.json"),
				"AWS_ENDPOINT_URL": a.sim.URL, "MFAD_SIGNIN_URL": a.sim.URL + "/federation", "AWS_EC2_METADATA_DISABLED": "true",
				"AWS_ACCESS_KEY_ID": a.alice.AccessKeyID, "AWS_SECRET_ACCESS_KEY": a.alice.SecretAccessKey,
			} {
				env.Setenv(name, value)
			}
			return os.MkdirAll(filepath.Join(env.WorkDir, "run"), 0o700)
		},
		Cmds: commands,
	})
}

func awsOf(ts *testscript.TestScript) *aws { return ts.Value("aws").(*aws) }

// killDaemon ends the daemon of a state folder as a crash would.
func killDaemon(folder string) {
	b, err := os.ReadFile(filepath.Join(folder, "daemon.lock"))
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 || syscall.Kill(pid, syscall.SIGKILL) != nil {
		return
	}
	for range 1000 { // a process may be a zombie and still hold its files
		if lock, err := state.Dir(folder).Lock(); err == nil {
			_ = lock.Release()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// code [FILE|wrong FILE] writes the device's next code, or one that is wrong,
// into FILE (default: code) and into $CODE.
func cmdCode(ts *testscript.TestScript, _ bool, args []string) {
	a := awsOf(ts)
	code := ""
	if len(args) == 1 && args[0] == "wrong" {
		code = a.device.WrongCode()
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var err error
		code, err = a.device.NextCode(ctx)
		ts.Check(err)
		a.codes = append(a.codes, code)
	}
	ts.Setenv("CODE", code)
	ts.Check(os.WriteFile(ts.MkAbs("code"), []byte(code+"\n"), 0o600))
}

// exits N COMMAND... runs a command, whose output is stdout and stderr's last
// lines, and wants its status.
func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// awscalls ACTION N wants so many calls of an action so far.
func cmdCalls(ts *testscript.TestScript, _ bool, args []string) {
	calls := awsOf(ts).sim.Calls(args[0])
	if strconv.Itoa(len(calls)) != args[1] {
		ts.Fatalf("%d calls of %s, want %s", len(calls), args[0], args[1])
	}
}

// fault ACTION KIND [TIMES] has AWS misbehave; fault clear ends it.
func cmdFault(ts *testscript.TestScript, _ bool, args []string) {
	sim := awsOf(ts).sim
	if args[0] == "clear" {
		sim.ClearFaults()
		return
	}
	f := awssim.Fault{Action: args[0]}
	for k := awssim.Throttle; k <= awssim.Garbage; k++ {
		if k.String() == args[1] {
			f.Kind = k
		}
	}
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		f.Times = n
	}
	sim.Inject(f)
}

func cmdKill(ts *testscript.TestScript, _ bool, _ []string) { killDaemon(ts.Getenv("STATE")) }

// eventually [DURATION] COMMAND... repeats a command until it succeeds, for 10 s
// or the duration at most.
func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	most := 10 * time.Second
	if d, err := time.ParseDuration(args[0]); err == nil {
		most, args = d, args[1:]
	}
	deadline := time.Now().Add(most)
	for {
		err := ts.Exec(args[0], args[1:]...)
		if (err == nil) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v: %v", args, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// mode FILE MODE wants a file's permissions.
func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

func cmdDeleteRole(ts *testscript.TestScript, _ bool, args []string) {
	awsOf(ts).sim.DeleteRole(args[0])
}

// webidentity TOKEN PROVIDER SUBJECT has AWS take a token or an assertion.
func cmdWebIdentity(ts *testscript.TestScript, _ bool, args []string) {
	awsOf(ts).sim.AddIdentity(awssim.Identity{Token: args[0], Provider: args[1], Subject: args[2]})
}

// device NAME | device fido NAME gives alice one more.
func cmdDevice(ts *testscript.TestScript, _ bool, args []string) {
	if slices.Contains(args, "fido") {
		awsOf(ts).alice.AddFIDO(args[1])
		return
	}
	awsOf(ts).alice.AddMFA(args[0])
}
