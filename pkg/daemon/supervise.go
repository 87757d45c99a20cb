package daemon

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

// Supervisor is the service manager that started this daemon and starts it again
// when it fails.
type Supervisor interface {
	// Tell passes assignments on, as sd_notify(3) names them.
	Tell(assignments ...string)
	// Watchdog is within which time WATCHDOG=1 is to be told again; 0: never.
	Watchdog() time.Duration
}

// tellSupervisor tells the supervisor, if there is one.
func (d *Daemon) tellSupervisor(assignments ...string) {
	if d.Supervisor != nil {
		d.Supervisor.Tell(assignments...)
	}
}

// adopt takes the socket that a service manager opened, and leaves its path in the
// state folder.
func (d *Daemon) adopt(l net.Listener) error {
	d.Log.Info("listening at the service manager's socket", "socket", l.Addr().String(), "version", d.Version)
	return d.dir.WriteSocketPath(l.Addr().String())
}

// superviseLimit is the longest time between two looks, as for every timer in which
// a sleep of the machine is not to be lost.
const superviseLimit = 30 * time.Second

// supervised tells the supervisor how the daemon is until ctx ends. That it lives is
// told only after a look at everything, for which each of the daemon's locks has to
// be got: one that hangs says nothing.
func (d *Daemon) supervised(ctx context.Context) {
	said := ""
	for {
		st, changed := d.picture()
		text := inWords(st)
		var news []string
		if text != said {
			said, news = text, append(news, "STATUS="+text)
		}
		var again <-chan time.Time
		if limit := d.Supervisor.Watchdog(); limit > 0 {
			news, again = append(news, "WATCHDOG=1"), time.After(untilLook(time.Now(), limit/2))
		}
		if news != nil {
			d.tellSupervisor(news...)
		}
		select {
		case <-changed:
		case <-again:
			continue
		case <-ctx.Done():
			d.tellSupervisor("STOPPING=1")
			return
		}
		select {
		case <-time.After(time.Second): // changes come in crowds
		case <-ctx.Done():
		}
	}
}

// untilLook is the time to the next look: at a full half minute, at which the
// daemon wakes up in any case, or as soon as it must be.
func untilLook(now time.Time, must time.Duration) time.Duration {
	return min(now.Truncate(superviseLimit).Add(superviseLimit).Sub(now.Round(0)), must)
}

// reloads brings everything in line with the config whenever a person asks for it by
// a signal.
func (d *Daemon) reloads(ctx context.Context) {
	for {
		select {
		case <-d.Hangups:
		case <-ctx.Done():
			return
		}
		d.tellSupervisor("RELOADING=1")
		if err := d.Reload(ctx); err != nil {
			d.Log.Error("the config is not in force", "error", err)
		} else {
			d.Log.Info("the config was read again")
		}
		d.tellSupervisor("READY=1")
	}
}

// inWords is a picture in one line, what needs a person first.
func inWords(st localapi.Status) string {
	switch {
	case st.Daemon.ConfigError != nil:
		return "the config is not in force: " + inOneLine(*st.Daemon.ConfigError)
	case st.Daemon.Locked:
		return "locked, until: mfad unlock"
	case st.Daemon.Keyring.Error != nil && st.Daemon.Keyring.Error.Hint != "":
		return "the keyring: " + inOneLine(st.Daemon.Keyring.Error.Message) + "; " + inOneLine(st.Daemon.Keyring.Error.Hint)
	case len(st.Profiles) == 0:
		return "no profile is configured yet"
	}
	var wanting []string
	for _, id := range st.Identities {
		if id.State == "mfa_required" {
			wanting = append(wanting, id.Name)
		}
	}
	fresh := 0
	for _, p := range st.Profiles {
		if p.State == "fresh" {
			fresh++
		}
	}
	text := fmt.Sprintf("%d of %d profiles fresh", fresh, len(st.Profiles))
	if len(wanting) > 0 {
		text += "; a code is needed: mfad login " + wanting[0]
	}
	return text
}

// inOneLine keeps a text from being taken for more than one assignment.
func inOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
