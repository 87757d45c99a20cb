package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/localapi"
)

// Times on the stage: an hour passes in 20 s. Codes come every 30 s, as in life,
// for mfad runs a device's program once in that time.
const (
	factor      = 180
	roleLife    = time.Hour / factor
	sessionLife = 4 * time.Hour / factor
	codeStep    = 30 * time.Second
	profiles    = 50
)

const (
	account  = "111111111111"
	identity = "soak"
	// patience is how long the daemon may take to start, on a busy machine.
	patience = 30 * time.Second
)

// stage is a daemon, a real process, with a home and an AWS of its own.
type stage struct {
	mfad, self, dir string
	profiles        []string
	sim             *awssim.Server
	user            *awssim.User
	device          *awssim.Device
	client          *localapi.Client
	codes           *codeServer
	log             *os.File

	aws     weather // AWS answers as it should
	running weather // the daemon runs

	// writing is held while the file is written in place: what is torn then is not
	// mfad's doing.
	writing sync.RWMutex

	mu     sync.Mutex // guards what follows
	daemon *exec.Cmd  // nil: there is none
	lives  int        // daemons started so far
	kills  []time.Time
}

// newStage starts the daemon and waits until all profiles are fresh.
func newStage(ctx context.Context, mfad, dir string) (*stage, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &stage{mfad: mfad, self: self, dir: dir, sim: awssim.Start()}
	s.sim.LifetimeFactor = factor
	s.user = s.sim.AddUser(account, "alice")
	s.device = s.user.AddMFA("alice")
	for i := range profiles {
		name := fmt.Sprintf("role%02d", i)
		s.profiles = append(s.profiles, name)
		s.sim.AddRole(awssim.Role{Account: account, Name: name, Principals: []string{account}, RequireMFA: true})
	}
	if err := s.start(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("start a daemon: %w; it said: %s", err, s.said())
	}
	s.aws.clear()
	return s, nil
}

func (s *stage) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

func (s *stage) credentials() string { return s.path(".aws", "credentials") }

// config is mfad's config. Codes are for the session only, so that there is a
// number of them that is enough.
func (s *stage) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[identity %s]\nmfa_serial = %s\nsession_duration = 4h\n", identity, s.device.Serial)
	fmt.Fprintf(&b, "mfa_process = '%s' -code '%s'\nmfa_process_unattended = true\n", s.self, s.path("device.sock"))
	for _, name := range s.profiles {
		fmt.Fprintf(&b, "\n[profile %s]\nidentity = %s\nrole_arn = arn:aws:iam::%s:role/%s\nmfa = session\n", name, identity, account, name)
	}
	return b.String()
}

// environment is all that the daemon gets to see.
func (s *stage) environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "XDG_RUNTIME_DIR=" + s.path("run"),
		"MFAD_AUTOSTART=0", "MFAD_KEYRING=file", "MFAD_KEYRING_PASSPHRASE=not a secret",
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
		os.WriteFile(s.credentials(), []byte(foreignText(0)), 0o600),
	)
	if err != nil {
		return err
	}
	if s.codes, err = serveCodes(s.path("device.sock"), s.device, s.sim.Sim); err != nil {
		return err
	}
	if s.log, err = os.Create(s.path("daemon.log")); err != nil {
		return err
	}
	s.client = &localapi.Client{Sockets: []string{s.path("run", "mfad", "mfad.sock")}}
	if err := s.launch(ctx); err != nil {
		return err
	}
	key := localapi.IdentityRequest{
		Name: identity, AccessKeyID: s.user.AccessKeyID, SecretAccessKey: s.user.SecretAccessKey, MFASerial: s.device.Serial,
	}
	if err := s.client.Do(ctx, "/v1/identities/add", key, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience+codeStep)
	defer cancel()
	for {
		n, err := s.fresh(ctx)
		if err != nil || n == profiles {
			return err
		}
		if !pause(ctx.Done(), 50*time.Millisecond) {
			return fmt.Errorf("%d of %d profiles are fresh: %w", n, profiles, context.Cause(ctx))
		}
	}
}

// launch runs the daemon until it answers.
func (s *stage) launch(ctx context.Context) error {
	cmd := exec.Command(s.mfad, "daemon")
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environment(), s.log, s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.daemon = cmd
	s.lives++
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		_, err := s.fresh(ctx)
		if err == nil {
			s.running.clear()
			return nil
		}
		if !pause(ctx.Done(), 10*time.Millisecond) {
			return fmt.Errorf("the daemon does not answer: %w", errors.Join(context.Cause(ctx), err))
		}
	}
}

// fresh counts the profiles that are, by the daemon's own word.
func (s *stage) fresh(ctx context.Context) (n int, err error) {
	var st localapi.Status
	if err := s.client.Do(ctx, "/v1/status", nil, &st); err != nil {
		return 0, err
	}
	for _, p := range st.Profiles {
		if p.State == "fresh" && p.Usable {
			n++
		}
	}
	return n, nil
}

// restAfter is how long the daemon keeps connections that nobody uses, and some.
const restAfter = 35 * time.Second

// rest has the daemon do nothing, and counts what it has open then.
func (s *stage) rest(ctx context.Context) (descriptors int, err error) {
	if err := s.client.Do(ctx, "/v1/lock", struct{}{}, nil); err != nil {
		return 0, err
	}
	pause(ctx.Done(), restAfter)
	pid, _ := s.process()
	now, err := look(pid)
	return now.descriptors, err
}

// kill ends the daemon as nothing can prepare for.
func (s *stage) kill() error {
	s.running.disturb()
	s.mu.Lock()
	cmd := s.daemon
	s.daemon = nil
	s.kills = append(s.kills, s.sim.Now())
	s.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil {
		return fmt.Errorf("the daemon was gone before it was killed: %w; it said: %s", err, s.said())
	}
	_ = cmd.Wait() // its error is the kill
	return nil
}

// process gives the daemon's process ID and which daemon it is; 0 for none.
func (s *stage) process() (pid, life int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.daemon == nil {
		return 0, s.lives
	}
	return s.daemon.Process.Pid, s.lives
}

// said gives the end of the daemon's log.
func (s *stage) said() string {
	b, _ := os.ReadFile(s.path("daemon.log"))
	return string(b[max(0, len(b)-2000):])
}

func (s *stage) close() {
	_ = s.kill()
	if s.codes != nil {
		s.codes.close()
	}
	if s.log != nil {
		_ = s.log.Close()
	}
	s.sim.Close()
}
