package doctor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/profile"
)

// checkDaemon tells whether the daemon answers, and else why it does not run.
func checkDaemon(p Picture) []Finding {
	f := Finding{Check: "daemon", Level: OK, What: "the daemon"}
	d := p.Daemon
	switch {
	case d.Status != nil && d.Status.Daemon.Locked:
		f.Level, f.Why, f.Fix = Hint, "mfad is locked: nothing is fetched, asked for or served", "mfad unlock"
	case d.Status != nil:
		f.What = fmt.Sprintf("the daemon answers (process %d)", d.Status.Daemon.PID)
	case creds.CodeOf(d.Err) != creds.CodeDaemonDown:
		return one(failure("daemon", Fault, "the daemon", d.Err, "mfad daemon"))
	case d.Holder != 0:
		f.Level, f.Why = Fault, fmt.Sprintf("process %d is the daemon, and cannot be reached at its socket", d.Holder)
		f.Fix = fmt.Sprintf("kill %d; mfad status", d.Holder)
	case d.LastWords != "":
		f.Level, f.Why, f.Fix = Fault, "it does not run; the last one ended: "+d.LastWords, orElse(d.LastHint, "mfad daemon")
	case !d.Autostart:
		f.Level, f.Why, f.Fix = Fault, "it does not run, and MFAD_AUTOSTART=0 keeps commands from starting it", "mfad daemon"
	case p.Config != nil && len(p.Config.Identities) == 0:
		f.What = "the daemon does not run, and has nothing to do yet"
	default:
		f.Level, f.Why, f.Fix = Fault, "it does not run: nothing is kept fresh until a command starts it", "mfad status"
	}
	return one(f)
}

// checkVersion compares the daemon with the program that asks.
func checkVersion(p Picture) []Finding {
	if p.Daemon.Status == nil {
		return nil
	}
	d := p.Daemon.Status.Daemon
	var found []Finding
	if d.Version != p.Version {
		found = append(found, Finding{Check: "version", Level: Fault, What: "the daemon's version",
			Why: "the daemon is " + d.Version + ", this command is " + p.Version, Fix: p.restart()})
	} else {
		found = append(found, Finding{Check: "version", Level: OK, What: "the daemon's version is this command's, " + d.Version})
	}
	if d.Config != p.ConfigPath {
		found = append(found, Finding{Check: "config", Level: Fault, What: "the daemon's config",
			Why: "the daemon uses " + d.Config + ", this command " + p.ConfigPath,
			Fix: "unset MFAD_CONFIG and leave --config out, or " + p.restart()})
	}
	return found
}

// restart is the command that has this version run as the daemon.
func (p Picture) restart() string {
	switch {
	case len(p.Units) == 0:
		return fmt.Sprintf("kill %d; mfad status", p.Daemon.Status.Daemon.PID)
	case p.Units[0].Same:
		return "mfad service restart"
	}
	return p.Units[0].install() // a restart would start what it starts now
}

// install is the command that has the service start this program.
func (u Unit) install() string {
	if u.Err != nil {
		return "mfad service install --force" // mfad's own name a program: somebody wrote or changed this one
	}
	return "mfad service install"
}

// checkService looks at the service manager's files.
func checkService(p Picture) []Finding {
	var found []Finding
	for _, u := range p.Units {
		f := Finding{Check: "service", Level: Fault, What: "the service " + u.Path, Fix: u.install()}
		switch {
		case u.Err != nil:
			f.Why = u.Err.Error()
		case u.Gone:
			f.Why = "it starts " + u.Command + ", which is not there"
		case !u.Same:
			f.Level, f.Why = Hint, "it starts "+u.Command+", and this is "+p.Program
		default:
			f = Finding{Check: "service", Level: OK, What: "the service starts this program (" + u.Path + ")"}
		}
		found = append(found, f)
	}
	return found
}

// checkConfig tells every error of mfad's config.
func checkConfig(p Picture) []Finding {
	const what = "the config"
	if all, ok := errors.AsType[*profile.Errors](p.ConfigErr); ok {
		var found []Finding
		for _, e := range all.List {
			found = append(found, Finding{Check: "config", Level: Fault, What: what, Why: e.String(), Fix: orElse(e.Hint, "correct that line")})
		}
		return found
	}
	if p.ConfigErr != nil {
		return one(failure("config", Fault, what, p.ConfigErr, "see docs/cli.md"))
	}
	if s := p.Daemon.Status; s != nil && s.Daemon.ConfigError != nil {
		return one(Finding{Check: "config", Level: Fault, What: what, Why: "the daemon does not use it: " + *s.Daemon.ConfigError, Fix: "correct that line"})
	}
	if p.Config == nil {
		return nil
	}
	ids, profiles := len(p.Config.IdentityNames()), len(p.Config.ProfileNames())
	if ids == 0 {
		return one(Finding{Check: "config", Level: Hint, What: what, Why: "nothing is configured yet in " + p.ConfigPath, Fix: "mfad setup"})
	}
	identities := "1 identity"
	if ids > 1 {
		identities = fmt.Sprintf("%d identities", ids)
	}
	return one(Finding{Check: "config", Level: OK, What: "the config has " + identities + " and " + count(profiles, "profile")})
}

// checkModes tells what others may read or write.
func checkModes(p Picture) []Finding {
	var found []Finding
	for _, m := range p.Modes {
		if m.Perm&^m.Want == 0 {
			continue
		}
		f := Finding{Check: "modes", Level: Fault, What: m.What,
			Why: fmt.Sprintf("others can get at %s (mode %04o, should be %04o)", m.Path, m.Perm, m.Want),
			Fix: fmt.Sprintf("chmod %04o %s", m.Perm&m.Want, shellWord(m.Path))}
		if m.Lenient && m.Perm&0o022 == 0 {
			f.Level = Hint
		}
		found = append(found, f)
	}
	if found == nil && len(p.Modes) > 0 {
		return one(Finding{Check: "modes", Level: OK, What: fmt.Sprintf("%d files and folders are closed to other users", len(p.Modes))})
	}
	return found
}

// shellWord makes a path safe to be pasted into a shell.
func shellWord(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,@%:", r))
	}) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// checkKeyring tells whether the keyring can be used. A daemon tells what it found
// when it last needed it, which may be long ago.
func checkKeyring(p Picture) []Finding {
	seen := p.Keyring
	if s := p.Daemon.Status; s != nil {
		if err := s.Daemon.Keyring.Error.Err(); err != nil {
			seen.Err = err
		}
		seen.Kind, seen.Looked = s.Daemon.Keyring.Kind, true
	}
	if !seen.Looked {
		return nil
	}
	what := "the keyring (" + orElse(seen.Kind, "not chosen yet") + ")"
	switch {
	case creds.CodeOf(seen.Err) == creds.CodeKeyringAbsent && p.Daemon.Status != nil && p.Daemon.Status.Daemon.Keyring.Error == nil:
		if p.Getenv == nil || p.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
			break // this shell has no way to it, and the daemon has
		}
		return one(failure("keyring", Hint, what, seen.Err, "set MFAD_KEYRING=file"))
	case creds.CodeOf(seen.Err) == creds.CodeKeyringLocked:
		return one(failure("keyring", Fault, what, seen.Err, "mfad unlock"))
	case seen.Err != nil:
		return one(failure("keyring", Fault, what, seen.Err, "set MFAD_KEYRING=file"))
	case p.Daemon.Status == nil && seen.Kind == "file":
		return one(Finding{Check: "keyring", Level: OK, What: what + ": " + seen.Reason + "; its passphrase is needed when the daemon starts"})
	}
	return one(Finding{Check: "keyring", Level: OK, What: what + " can be used"})
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
