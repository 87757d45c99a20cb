package service

import (
	"fmt"
	"path/filepath"
	"strings"
)

// The names of systemd's files.
const (
	serviceUnit  = Name + ".service"
	socketUnit   = Name + ".socket"
	dropInFolder = serviceUnit + ".d"
	strictDropIn = "strict.conf"
	pathDropIn   = "path.conf"
)

// SystemdService is the unit that runs the daemon, program being mfad's path.
//
// Nothing in it changes what a program that the daemon starts may do: a code
// program may be setgid, may compile as it runs, may write where its user may. A
// user's service manager has no privileges, so each directive that needs a seccomp
// filter brings NoNewPrivileges with it (systemd.exec(5),
// https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html);
// those are in [SystemdStrict]. MemoryMax is left out since it would count those
// programs, and the file keyring may need 1 GiB for a moment.
func SystemdService(program string) []byte {
	return fmt.Appendf(nil, `[Unit]
Description=MFA credential refresh for AWS
Documentation=https://github.com/mfad/mfad
Requires=mfad.socket
After=mfad.socket
# However often it ends, it is started again: it holds sessions that cost a code,
# and a unit that was given up would take the socket with it.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=%s daemon
ExecReload=kill -HUP $MAINPID
Restart=always
RestartSec=5s
# It tells twice as often that it lives, together with what it wakes up for anyway.
WatchdogSec=90s
TimeoutStopSec=15s
UMask=0077
LimitCORE=0

[Install]
WantedBy=default.target
`, unitWord(program))
}

// SystemdSocket is the unit of the socket, at which systemd listens while the
// daemon does not run: the first client starts it.
func SystemdSocket() []byte {
	return []byte(`[Unit]
Description=MFA credential refresh for AWS, the local API
Documentation=https://github.com/mfad/mfad

[Socket]
ListenStream=%t/mfad/mfad.sock
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes
# Who must not start the daemon tells by this file, which a daemon keeps locked.
ExecStartPost=/bin/sh -c 'umask 077; : >>"$$0"' %t/mfad/mfad.sock.lock

[Install]
WantedBy=sockets.target
`)
}

// SystemdStrict is a drop-in for the service with what the daemon itself can do
// without, but what it starts may need: setuid and setgid programs gain nothing any
// more, programs that compile as they run (JavaScript, Java, most browsers) do not
// work, nor do sandboxes that make namespaces.
//
// ProtectSystem, ProtectHome, PrivateTmp and the like are not in it: a user's
// service manager passes over them in silence, and with PrivateUsers, which makes
// them work, root's files seem to be nobody's, a config in /etc among them.
func SystemdStrict() []byte {
	return []byte(`[Service]
NoNewPrivileges=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
`)
}

// SystemdPath is a drop-in for the service with the PATH of the shell from which it
// was installed, in which the daemon finds mfa_process and dialogs.
func SystemdPath(path string) []byte {
	return fmt.Appendf(nil, "[Service]\nEnvironment=%s\n", unitWord("PATH="+path))
}

// unitSafe are the characters that mean nothing in a unit (systemd.syntax(7),
// "Quoting"; systemd.unit(5), "Specifiers").
const unitSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@~"

// unitWord makes one word of a unit's line of a text.
func unitWord(text string) string {
	plain := strings.ReplaceAll(text, "%", "%%")
	if strings.Trim(text, unitSafe+"%") == "" && text != "" && !strings.ContainsAny(text, "\n") {
		return plain
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(plain) + `"`
}

// UnitProgram is the program that a unit's last ExecStart line starts, home being
// its user's folder; empty where there is none.
func UnitProgram(text, home string) string {
	program := ""
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart="); ok {
			program = firstWord(strings.TrimLeft(value, "@-:+!| "), home) // signs change how it is started
		}
	}
	return program
}

// firstWord reads one word as [unitWord] writes it, and %h.
func firstWord(line, home string) string {
	quote := byte(0)
	if line != "" && (line[0] == '"' || line[0] == '\'') {
		quote, line = line[0], line[1:]
	}
	var word strings.Builder
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == quote || quote == 0 && (c == ' ' || c == '\t') {
			break
		}
		if i+1 < len(line) && (c == '\\' || c == '%') {
			i++
			switch {
			case c == '%' && line[i] == 'h':
				word.WriteString(home)
			case c == '\\' && line[i] == 'n':
				word.WriteByte('\n')
			case c == '\\' && line[i] == 't':
				word.WriteByte('\t')
			default:
				word.WriteByte(line[i])
			}
			continue
		}
		word.WriteByte(c)
	}
	return word.String()
}

// globalUnits is the system administrator's folder of all users' units.
const globalUnits = "/etc/systemd/user"

// UnitDirs are where systemd's user instance looks for units, the first that counts
// first (systemd.unit(5), "User Unit Search Path"). The first is the user's own.
func UnitDirs(getenv func(string) string, home string) []string {
	folder := func(variable, fallback string) string {
		if dir := getenv(variable); filepath.IsAbs(dir) {
			return dir
		}
		return filepath.Join(home, fallback)
	}
	dirs := []string{filepath.Join(folder("XDG_CONFIG_HOME", ".config"), "systemd", "user"), globalUnits}
	if run := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		dirs = append(dirs, filepath.Join(run, "systemd", "user"))
	}
	return append(dirs, "/run/systemd/user", filepath.Join(folder("XDG_DATA_HOME", ".local/share"), "systemd", "user"),
		"/usr/local/share/systemd/user", "/usr/share/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")
}
