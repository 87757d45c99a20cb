package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Launchd is macOS' service manager. Make one with [NewLaunchd].
type Launchd struct {
	steps
	pause time.Duration // between attempts to load an agent that is just being unloaded
}

// NewLaunchd gives the agent in the desktop session of o.UID.
func NewLaunchd(o Options) *Launchd { return &Launchd{steps{o}, 500 * time.Millisecond} }

// AgentPaths are where an agent of mfad's may lie, the user's own first.
func AgentPaths(home string) []string {
	return []string{agentPath(home), "/Library/LaunchAgents/" + Name + ".plist"}
}

func agentPath(home string) string {
	return filepath.Join(home, "Library", "LaunchAgents", Name+".plist")
}

// domain is the user's desktop session, to launchctl(1).
func (l *Launchd) domain() string { return "gui/" + strconv.Itoa(l.UID) }
func (l *Launchd) target() string { return l.domain() + "/" + Name }

// Ready is nil: launchd is there wherever macOS is.
func (l *Launchd) Ready(context.Context) error { return nil }

// Install writes the agent, has it start at login, and starts it; one that is loaded
// is loaded anew. [creds.CodeConflict] is an agent that somebody changed.
func (l *Launchd) Install(ctx context.Context) error {
	if _, err := l.write(agentPath(l.Home), sealAgent(LaunchdAgent(l.Program, l.Home, l.Path))); err != nil {
		return err
	}
	logs := filepath.Dir(launchdLog(l.Home))
	if _, err := os.Stat(logs); errors.Is(err, os.ErrNotExist) {
		l.tell("make %s", logs)
		if !l.DryRun {
			if err := os.MkdirAll(logs, 0o700); err != nil {
				return failed("make "+logs, err)
			}
		}
	}
	if l.loaded(ctx) {
		if err := l.command(ctx, "launchctl", "bootout", l.target()); err != nil {
			return err
		}
	}
	if err := l.yield(ctx); err != nil {
		return err
	}
	if err := l.command(ctx, "launchctl", "enable", l.target()); err != nil {
		return err
	}
	return l.bootstrap(ctx)
}

func sealAgent(text []byte) []byte {
	return seal(text, 2, "<!-- ", " -->", // after the declaration and the type, where XML allows comments
		`Written by "mfad service install", which brings it up to date; "mfad service uninstall" removes it.`)
}

// loaded tells whether launchd knows the agent.
func (l *Launchd) loaded(ctx context.Context) bool {
	_, err := l.ask(ctx, "launchctl", "print", l.target())
	return err == nil
}

// bootstrapTries is how often an agent is loaded: launchctl returns from unloading
// before launchd is through with it, and refuses to load it until then.
const bootstrapTries = 10

func (l *Launchd) bootstrap(ctx context.Context) error {
	for try := 1; ; try++ {
		err := l.command(ctx, "launchctl", "bootstrap", l.domain(), agentPath(l.Home))
		if err == nil || try == bootstrapTries {
			return err
		}
		select {
		case <-time.After(l.pause):
		case <-ctx.Done():
			return err
		}
	}
}

// Uninstall stops the agent and removes it. What it wrote to its log stays.
func (l *Launchd) Uninstall(ctx context.Context) error {
	if l.loaded(ctx) {
		if err := l.command(ctx, "launchctl", "bootout", l.target()); err != nil {
			return err
		}
	}
	removed, err := l.remove(agentPath(l.Home))
	if err == nil && !removed {
		l.tell("no agent of mfad's is installed")
	}
	return err
}

// Start starts the agent.
func (l *Launchd) Start(ctx context.Context) error {
	if l.file() == "" {
		return notInstalled()
	}
	if !l.loaded(ctx) {
		return l.bootstrap(ctx) // it runs when it is loaded
	}
	return l.command(ctx, "launchctl", "kickstart", l.target())
}

// Stop ends the daemon, which ends well and so is not started again until the next
// login, or by the next command that needs it.
func (l *Launchd) Stop(ctx context.Context) error {
	if l.file() == "" {
		return notInstalled()
	}
	if err := l.command(ctx, "launchctl", "kill", "SIGTERM", l.target()); err != nil {
		return err
	}
	l.tell("the next command that needs it starts it again; for good: mfad service uninstall")
	return nil
}

// Restart starts the agent anew, with its program as it is now.
func (l *Launchd) Restart(ctx context.Context) error {
	if l.file() == "" {
		return notInstalled()
	}
	if !l.loaded(ctx) {
		return l.bootstrap(ctx)
	}
	return l.command(ctx, "launchctl", "kickstart", "-k", l.target())
}

// file is the agent that is installed; empty: none.
func (l *Launchd) file() string {
	for _, path := range AgentPaths(l.Home) {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// Status tells what is known. The error says why launchd does not tell more of an
// agent that is installed.
func (l *Launchd) Status(ctx context.Context) (State, error) {
	lingers := false // agents end with the session
	st := State{Unit: l.file(), Lingers: &lingers}
	if st.Unit == "" {
		return st, nil
	}
	st.Packaged = st.Unit != agentPath(l.Home)
	out, err := l.ask(ctx, "launchctl", "print", l.target())
	if err != nil {
		st.Detail = "not loaded"
		return st, &creds.Error{Code: creds.CodeInternal, Op: "launchd has not loaded " + st.Unit, Hint: "run: mfad service start", Err: err}
	}
	st.Enabled = true
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		switch {
		case !ok:
		case name == "state" && st.Detail == "":
			st.Detail, st.Running = value, value == "running"
		case name == "pid" && st.PID == 0:
			st.PID, _ = strconv.Atoi(value)
		case name == "runs":
			runs, _ := strconv.Atoi(value)
			st.Restarts = max(runs-1, 0)
		}
	}
	return st, nil
}

// StartsAgent is the command by which a client has the agent started; nil where none
// is installed.
func StartsAgent(home string, uid int) []string {
	l := NewLaunchd(Options{Home: home, UID: uid})
	if l.file() == "" {
		return nil
	}
	return []string{"launchctl", "kickstart", l.target()}
}

// Log is the command that shows what the agent's daemon said.
func (l *Launchd) Log(_ string, lines int, follow bool) []string {
	return tail(launchdLog(l.Home), lines, follow)
}
