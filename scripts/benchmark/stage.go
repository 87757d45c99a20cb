package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/localapi"
)

const (
	// codeStep divides the 30 s of a code, so that a round need not wait for one.
	codeStep   = 30
	account    = "111111111111"
	identity   = "bench"
	passphrase = "not a secret"
)

// stage is a daemon, a real process, with a home and an AWS of its own.
type stage struct {
	programs
	dir       string
	profiles  []string
	roundTrip time.Duration // how long the simulated AWS takes over each call
	sim       *awssim.Server
	user      *awssim.User
	device    *awssim.Device
	client    *localapi.Client
	daemon    *exec.Cmd
	log       *os.File
}

// newStage starts a daemon with so many profiles, each of a role of its own, and
// gives it a key. No code was given yet.
func newStage(ctx context.Context, p programs, dir string, profiles int, roundTrip time.Duration) (*stage, error) {
	s := &stage{programs: p, dir: dir, roundTrip: roundTrip, sim: awssim.Start()}
	s.sim.CodeStepFactor = codeStep
	s.sim.Inject(awssim.Fault{Kind: awssim.Delay, Wait: roundTrip})
	s.user = s.sim.AddUser(account, "alice")
	s.device = s.user.AddMFA("alice")
	for i := range profiles {
		name := fmt.Sprintf("role%03d", i)
		s.profiles = append(s.profiles, name)
		s.sim.AddRole(awssim.Role{Account: account, Name: name, Principals: []string{account}, RequireMFA: true})
	}
	if err := s.start(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("start a daemon: %w", err)
	}
	return s, nil
}

// path is a path below the stage's home.
func (s *stage) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

func (s *stage) credentials() string { return s.path(".aws", "credentials") }

// codeFile is where the identity's program finds a code.
func (s *stage) codeFile() string { return s.path("code") }

func (s *stage) socket() string { return s.path("run", "mfad", "mfad.sock") }

// config is mfad's config. The identity's program waits for a code as a person
// with a key to touch would.
func (s *stage) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[identity %s]\nmfa_serial = %s\n", identity, s.device.Serial)
	fmt.Fprintf(&b, "mfa_process = while [ -d '%s' ] && ! cat '%s' 2>/dev/null; do sleep 0.01; done\n", s.dir, s.codeFile())
	for _, name := range s.profiles {
		fmt.Fprintf(&b, "\n[profile %s]\nidentity = %s\nrole_arn = arn:aws:iam::%s:role/%s\n", name, identity, account, name)
	}
	return b.String()
}

// environment is all that a process on the stage gets to see.
func (s *stage) environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "XDG_RUNTIME_DIR=" + s.path("run"),
		"MFAD_AUTOSTART=0", "MFAD_KEYRING=file", "MFAD_KEYRING_PASSPHRASE=" + passphrase,
		"AWS_ENDPOINT_URL=" + s.sim.URL,
	}
}

func (s *stage) start(ctx context.Context) error {
	config := s.path(".config", "mfad", "config.ini")
	for _, dir := range []string{filepath.Dir(config), s.path("run"), s.path(".aws")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	err := errors.Join(
		os.WriteFile(config, []byte(s.config()), 0o600),
		// Hardly anybody's file has nothing but mfad's in it.
		os.WriteFile(s.credentials(), []byte("[default]\nregion = eu-west-1\n"), 0o600),
	)
	if err != nil {
		return err
	}
	if s.log, err = os.Create(s.path("daemon.log")); err != nil {
		return err
	}
	if err := s.launch(ctx); err != nil {
		return err
	}
	key := localapi.IdentityRequest{
		Name: identity, AccessKeyID: s.user.AccessKeyID, SecretAccessKey: s.user.SecretAccessKey, MFASerial: s.device.Serial,
	}
	return s.client.Do(ctx, "/v1/identities/add", key, nil)
}

// launch runs the daemon until it answers.
func (s *stage) launch(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.mfad, "daemon")
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environment(), s.log, s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.daemon = cmd
	s.client = &localapi.Client{Sockets: []string{s.socket()}}
	_, err := s.await(ctx, func(localapi.Status) bool { return true })
	return err
}

// patience is how long anything on a stage may take.
const patience = 20 * time.Second

// await asks for the status until it is as hoped.
func (s *stage) await(ctx context.Context, hoped func(localapi.Status) bool) (localapi.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var st localapi.Status
		err := s.client.Do(ctx, "/v1/status", nil, &st)
		if err == nil && hoped(st) {
			return st, nil
		}
		if pauseErr := pause(ctx, 10*time.Millisecond); pauseErr != nil {
			return st, fmt.Errorf("%w; the daemon said: %s", errors.Join(pauseErr, err), s.said())
		}
	}
}

// said gives the daemon's log.
func (s *stage) said() string {
	b, _ := os.ReadFile(s.path("daemon.log"))
	return string(b)
}

// login gives a code and tells when, and when all profiles were fresh and written.
func (s *stage) login(ctx context.Context) (begin, end time.Time, err error) {
	code, err := s.device.NextCode(ctx)
	if err != nil {
		return begin, end, err
	}
	var out localapi.Outcome
	begin = time.Now()
	err = s.client.Do(ctx, "/v1/login", localapi.LoginRequest{Target: identity, Code: code}, &out)
	end = time.Now()
	for _, p := range out.Profiles {
		if err == nil && p.State != "fresh" {
			err = fmt.Errorf("profile %s is %s after a login; the daemon said: %s", p.Name, p.State, s.said())
		}
	}
	return begin, end, err
}

// forget has the daemon drop everything that a code gave it.
func (s *stage) forget(ctx context.Context) error {
	if err := s.client.Do(ctx, "/v1/lock", struct{}{}, nil); err != nil {
		return err
	}
	return s.client.Do(ctx, "/v1/unlock", localapi.UnlockRequest{Passphrase: passphrase}, nil)
}

// restart is forget with a new daemon: one runs a device's program once in the
// device's 30 s, and the codes of this device come faster.
func (s *stage) restart(ctx context.Context) error {
	s.stop()
	if err := s.launch(ctx); err != nil {
		return err
	}
	return s.forget(ctx)
}

// stop ends the daemon.
func (s *stage) stop() {
	if s.daemon != nil {
		if s.daemon.Process.Signal(os.Interrupt) != nil {
			_ = s.daemon.Process.Kill()
		}
		overdue := time.AfterFunc(patience, func() { _ = s.daemon.Process.Kill() })
		_ = s.daemon.Wait()
		overdue.Stop()
		s.daemon = nil
	}
}

// close ends the daemon and its AWS.
func (s *stage) close() {
	s.stop()
	if s.log != nil {
		_ = s.log.Close()
	}
	s.sim.Close()
}

// pause waits for d; the error is ctx's.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
