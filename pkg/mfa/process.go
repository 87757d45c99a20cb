package mfa

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// processTimeout is how long a program may take to print a code: a person may
// have to touch a key.
const processTimeout = 30 * time.Second

// Reserve waits for a step in which an identity's device has given no code yet,
// and takes it: AWS takes one code of a device in a step, and each once.
func (d *Desk) Reserve(ctx context.Context, identity string) error {
	d.mu.Lock()
	serial := d.settings[identity].Serial
	d.mu.Unlock()
	return d.reserve(ctx, serial, false)
}

// reserve waits for a free step, and at least for the next one where wait is set.
func (d *Desk) reserve(ctx context.Context, serial string, wait bool) error {
	for ; ; wait = false {
		d.mu.Lock()
		t := time.Now()
		free := d.stepOf(t) != d.steps[serial] && !wait
		if free { // another identity may have the same device
			d.steps[serial] = d.stepOf(t)
		}
		d.mu.Unlock()
		if free {
			return nil
		}
		if err := sleep(ctx, d.untilNextStep(t)); err != nil {
			return err
		}
	}
}

// runProcess gets a code from the identity's program, or its stored seed.
func (d *Desk) runProcess(ctx context.Context, identity string, set Settings, prev error) (creds.Secret, error) {
	if err := d.reserve(ctx, set.Serial, creds.CodeOf(prev) == creds.CodeMFAUsedCode); err != nil {
		return creds.Secret{}, err
	}
	if set.Generate != nil {
		return d.generate(ctx, identity, set)
	}
	out, err := d.Run(ctx, set.Process)
	if err != nil {
		return creds.Secret{}, &creds.Error{Code: creds.CodeMFAProcess, Op: "mfa_process gave no code",
			Hint: "run it by hand: the command is in the config, at mfa_process", Err: err}
	}
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); CheckCode(line) == nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.noteStepLocked(identity)
			return creds.NewSecret(line), nil
		}
	}
	return creds.Secret{}, &creds.Error{Code: creds.CodeMFAProcess, Op: "mfa_process printed no line of six digits",
		Hint: "run it by hand: the command is in the config, at mfa_process"}
}

// generate gets a code from the stored seed.
func (d *Desk) generate(ctx context.Context, identity string, set Settings) (creds.Secret, error) {
	code, err := set.Generate(ctx)
	if err != nil {
		return creds.Secret{}, &creds.Error{Code: creds.CodeMFAProcess, Op: "the stored seed gave no code", Hint: creds.HintOf(err), Err: err}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noteStepLocked(identity)
	return code, nil
}

// stepOf numbers the steps.
func (d *Desk) stepOf(t time.Time) int64 { return t.UnixNano() / int64(d.Step) }

// untilNextStep is how long the code of t's step still lasts, and a bit, since
// the program's clock may differ from this one.
func (d *Desk) untilNextStep(t time.Time) time.Duration {
	return d.Step - time.Duration(t.UnixNano())%d.Step + 500*time.Millisecond
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// runShell runs a command line as sh -c does and gives its stdout, which may
// hold a secret and is therefore never part of an error. Stderr is.
func runShell(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, processTimeout, errors.New("it took longer than 30 s"))
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ownGroup(cmd)
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if said := lastLine(stderr.String()); said != "" {
			err = errors.New(err.Error() + ": " + said)
		}
		return "", err
	}
	return stdout.String(), nil
}

var digits = regexp.MustCompile(`\d{6,}`)

// lastLine gives the last line that is not blank, cut to a readable length.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	line = digits.ReplaceAllString(line, "······") // it might be the code
	const most = 200
	if len(line) > most {
		line = line[:most] + "..."
	}
	return line
}
