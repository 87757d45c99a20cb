package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/service"
)

// notRunning is the exit status of a service that does not run, as of systemctl(1).
const notRunning = statusError(3)

func (a *app) serviceStatusCommand(f *serviceFlags) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Tell whether the service is installed and runs", Args: cobra.NoArgs,
		Long: `Tell whether the service is installed, starts at login and runs, and which version it
is. Nothing is started by asking. The exit status is 0 if it runs, and 3 if not.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := a.serviceOptions(*f)
			if err != nil {
				return err
			}
			st, failed := newSupervisor(o).Status(cmd.Context())
			now := a.serviceNow(cmd.Context(), st)
			if a.json {
				if err := a.printJSON(now); err != nil {
					return err
				}
			} else {
				a.printService(now)
			}
			if failed != nil {
				return failed
			}
			if !now.Running {
				return notRunning
			}
			return nil
		},
	}
}

// serviceStatus is the answer of `mfad service status --json`. What is not known, or
// does not apply, is null.
type serviceStatus struct {
	Schema    int     `json:"schema"`
	Installed bool    `json:"installed"`
	Unit      *string `json:"unit"`
	Packaged  bool    `json:"packaged"`
	Strict    bool    `json:"strict"`
	Enabled   bool    `json:"enabled"`
	Running   bool    `json:"running"`
	PID       *int    `json:"pid"`
	Detail    *string `json:"detail"`
	Says      *string `json:"says"`
	Restarts  int     `json:"restarts"`
	Lingers   *bool   `json:"lingers"`
	// Version is that of the daemon that answers, the service's or not.
	Version *string `json:"version"`
	// OtherPID is a daemon's that answers and is not the service's.
	OtherPID *int `json:"other_pid"`
}

// askLimit is how long a daemon may take to tell its version.
const askLimit = 3500 * time.Millisecond

// serviceNow adds what the daemon itself answers.
func (a *app) serviceNow(ctx context.Context, st service.State) serviceStatus {
	known := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	now := serviceStatus{
		Schema: 1, Installed: st.Unit != "", Unit: known(st.Unit), Packaged: st.Packaged, Strict: st.Strict, Enabled: st.Enabled,
		Running: st.Running, Detail: known(st.Detail), Says: known(st.Says), Restarts: st.Restarts, Lingers: st.Lingers,
	}
	if st.PID > 0 {
		now.PID = &st.PID
	}
	c := a.client()
	c.Mismatch = nil // told by the version
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var status localapi.Status
	if c.Do(ctx, "/v1/status", nil, &status) != nil {
		return now
	}
	now.Version = known(status.Daemon.Version)
	switch pid := status.Daemon.PID; {
	case pid == st.PID:
	case st.PID == 0 && now.Installed && !st.Running && st.Detail == "": // the manager does not tell
		now.Running, now.PID = true, &pid
	default:
		now.OtherPID = &pid
	}
	return now
}

// printService writes one line for each thing.
func (a *app) printService(s serviceStatus) {
	line := func(name, format string, args ...any) {
		fmt.Fprintln(a.out, inOneLine(fmt.Sprintf("%-10s ", name)+fmt.Sprintf(format, args...)))
	}
	switch {
	case !s.Installed && s.Detail != nil: // there is something else to do first, which is told
		line("installed", "no%s", because(s.Detail))
	case !s.Installed:
		line("installed", "no; mfad service install")
	default:
		what := *s.Unit
		if s.Packaged {
			what += ", for all users"
		}
		if s.Strict {
			what += ", strict"
		}
		line("installed", "yes (%s)", what)
		line("enabled", "%s", yes(s.Enabled))
	}
	switch {
	case s.Running && s.PID != nil:
		line("running", "yes, process %d", *s.PID)
	case s.Running:
		line("running", "yes")
	default:
		line("running", "no%s", because(s.Detail))
	}
	if s.OtherPID != nil {
		line("daemon", "process %d, which is not the service's", *s.OtherPID)
	}
	if s.Version != nil && *s.Version != version() {
		line("version", "%s, and this command is %s; mfad service restart", *s.Version, version())
	} else if s.Version != nil {
		line("version", "%s", *s.Version)
	}
	if s.Says != nil && s.Running {
		line("status", "%s", *s.Says)
	}
	if s.Restarts > 0 {
		line("restarts", "%d", s.Restarts)
	}
	if s.Lingers != nil && s.Installed {
		if *s.Lingers {
			line("lingers", "yes: it runs without a login")
		} else {
			line("lingers", "no: it ends when you log out")
		}
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// because is a manager's words in brackets, if it has said any.
func because(detail *string) string {
	if detail == nil {
		return ""
	}
	return " (" + strings.TrimSpace(*detail) + ")"
}
