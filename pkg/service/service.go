// Package service has the system's service manager keep mfad's daemon running:
// systemd's user instance, launchd, or Windows' Task Scheduler. It makes the texts
// that these read, installs them and takes them away again, telling each file that
// it writes and each command that it runs; and it is the daemon's end of what
// systemd hands to a service, its socket and the watchdog. It never runs as another
// user than the one whose daemon it is about, changes nothing for the whole system,
// and holds no secret.
package service

import (
	"context"
	"io"
	"os/exec"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// Name is what the daemon is called to systemd (without the ending .service), to
// launchd and to the Task Scheduler.
const Name = "mfad"

// Flag of `mfad daemon` says that a service manager started it which neither says so
// itself nor keeps what the daemon writes.
const Flag = "service"

// Options say what is installed, for whom, and how that is told.
type Options struct {
	// Program is the absolute path by which the service starts mfad: one that stays
	// over an upgrade.
	Program string
	// Path is the PATH that the service gets, with which it finds mfa_process and
	// dialogs. Empty: the service manager's own.
	Path string
	Home string // absolute
	User string // as the Task Scheduler knows it; elsewhere for what is told
	UID  int    // -1 on Windows
	// Getenv gives the XDG folders and the way to the user's service manager.
	Getenv func(string) string

	// Strict installs the stricter drop-in (systemd), or takes it away; nil leaves
	// what is there.
	Strict *bool
	// Force overwrites and removes also what somebody else wrote or changed.
	Force bool
	// DryRun only tells.
	DryRun bool
	// Out gets a line for each step, and with DryRun also what files would hold.
	Out io.Writer
	// Diff shows what becomes of a file; nil: it is not shown.
	Diff func(path string, old, next []byte) string
	// Yield ends a daemon that does not belong to the service, before the service
	// is started. Nil: there is none.
	Yield func(ctx context.Context) error
	// Run runs a program and gives what it printed on stdout. Nil: it is run.
	Run func(ctx context.Context, name string, args ...string) (string, error)
}

// State is what is known of a service. The zero State: nothing is installed.
type State struct {
	// Unit is the file that counts; empty where none is installed.
	Unit string
	// Packaged: the file is the whole system's and not this user's.
	Packaged bool
	Enabled  bool // it starts by itself
	Running  bool
	PID      int    // of the daemon; 0: it does not run, or the manager does not tell
	Detail   string // the manager's words, such as "active (running)"
	Says     string // the daemon's own words on how it is; empty: none
	Strict   bool
	// Restarts is how often the manager has started it again after a failure.
	Restarts int
	// Lingers tells that it goes on when its user has logged out; nil: not known.
	Lingers *bool
}

// run runs a program for real.
func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		return stdout.String(), &creds.Error{Code: creds.CodeInternal, Op: "run " + commandLine(name, args),
			Hint: "run it by hand to see what is wrong", Err: said(stderr.String(), err)}
	}
	return stdout.String(), nil
}

// said is what a program gave as its reason, else how it ended.
func said(stderr string, err error) error {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return &reason{strings.TrimSuffix(last, "."), err}
	}
	return err
}

// reason is a failed program's last line. The error beneath tells its exit status.
type reason struct {
	text string
	err  error
}

// Error gives the line.
func (r *reason) Error() string { return r.text }

// Unwrap gives how the program ended.
func (r *reason) Unwrap() error { return r.err }

// commandLine is a command as it can be given to a shell.
func commandLine(name string, args []string) string {
	words := []string{name}
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`*?&;<>|()#~") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
