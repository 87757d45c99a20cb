package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// morning is when the pictures begin, so that they do not tell when they were made.
var morning = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// patience is how long anything on the screen may take to come, on a busy machine.
const patience = 40 * time.Second

// account is the user's; the roles are in the other two.
const (
	account = "111111111111"
	prod    = "222222222222"
	dev     = "333333333333"
)

// stage is a home and an AWS for mfad, whose clock goes with that of AWS.
type stage struct {
	ctx    context.Context
	home   string
	out    string // the folder for the pictures
	clock  string // by what number of seconds mfad's is ahead of the machine's
	sim    *awssim.Server
	alice  *awssim.User
	device *awssim.Device
	env    []string
	ends   []func()
}

// newStage gives a home with AWS's files as people have them before mfad.
func newStage(ctx context.Context, out, clock string) (*stage, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	s := &stage{ctx: ctx, home: home, out: out, clock: clock, sim: awssim.Start()}
	s.ends = append(s.ends, s.sim.Close)
	s.sim.CodeStepFactor = 6 // nobody needs to wait half a minute for a code
	s.alice = s.sim.AddUser(account, "alice")
	s.device = s.alice.AddMFA("alice")
	for _, r := range []struct{ account, name string }{{prod, "Admin"}, {dev, "Admin"}} {
		s.sim.AddRole(awssim.Role{Account: r.account, Name: r.name, Principals: []string{s.alice.ARN}, RequireMFA: true})
	}
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR"), "LANG=C.UTF-8", "TZ=UTC",
		"CLOCK_OFFSET_FILE=" + clock, "AWS_ENDPOINT_URL=" + s.sim.URL, "AWS_REGION=eu-west-1", "NO_AT_BRIDGE=1",
		"MFAD_KEYRING=file", "MFAD_KEYRING_PASSPHRASE=not-a-real-passphrase",
	}
	err = errors.Join(
		s.at(morning),
		s.write(".aws/credentials", "[default]\naws_access_key_id = "+s.alice.AccessKeyID+"\naws_secret_access_key = "+s.alice.SecretAccessKey+"\n"),
		s.write(".aws/config", awsConfig),
	)
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

const awsConfig = `[default]
region = eu-west-1

[profile prod]
role_arn = arn:aws:iam::222222222222:role/Admin
source_profile = default
mfa_serial = arn:aws:iam::111111111111:mfa/alice
region = eu-west-1

[profile dev]
role_arn = arn:aws:iam::333333333333:role/Admin
source_profile = default
mfa_serial = arn:aws:iam::111111111111:mfa/alice
region = eu-west-1
`

// at sets mfad's clock, and AWS's.
func (s *stage) at(t time.Time) error {
	ahead := time.Until(t).Round(time.Second)
	s.sim.SetClockOffset(ahead)
	f, err := os.OpenFile(s.clock, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(int64(ahead/time.Second))), 0)
	return err
}

func (s *stage) write(name, content string) error {
	path := filepath.Join(s.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o600)
}

// close ends what was started, the last first.
func (s *stage) close() {
	for i := len(s.ends) - 1; i >= 0; i-- {
		s.ends[i]()
	}
}

func (s *stage) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.ctx, name, args...)
	cmd.Env, cmd.Dir = s.env, s.home
	return cmd
}

// do runs a command to its end and gives what it printed.
func (s *stage) do(name string, args ...string) (string, error) {
	out, err := s.command(name, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), err
}

// begin starts what goes on until the stage closes.
func (s *stage) begin(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	s.ends = append(s.ends, func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return nil
}

func (s *stage) code() (string, error) { return s.device.NextCode(s.ctx) }

// until waits for what another program does.
func (s *stage) until(what string, holds func() bool) error {
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) || s.ctx.Err() != nil {
			return fmt.Errorf("waited in vain until %s", what)
		}
	}
	return nil
}
