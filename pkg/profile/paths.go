package profile

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

const (
	systemConfig = "/etc/mfad/config.ini"
	socketFile   = "mfad.sock"

	// SocketPathFile is the file in the state folder in which the daemon leaves
	// the path of its socket, for clients with another environment.
	SocketPathFile = "socket"
)

// Paths gives the user's config file and the system-wide one below it:
// MFAD_CONFIG, else mfad/config.ini in XDG_CONFIG_HOME, else in ~/.config.
// Neither has to exist. A relative XDG folder is ignored, as the XDG Base
// Directory Specification asks. The error is a [creds.Error] with
// [creds.CodeConfig]: no home folder is known.
func Paths(getenv func(string) string, home string) (user, system string, err error) {
	user, err = locate(getenv("MFAD_CONFIG"), getenv("XDG_CONFIG_HOME"), home, ".config", "config.ini")
	return user, systemConfig, err
}

// StateDir gives the folder for what mfad remembers: MFAD_STATE_DIR, else mfad
// in XDG_STATE_HOME, else in ~/.local/state. The error is that of [Paths].
func StateDir(getenv func(string) string, home string) (string, error) {
	return locate(getenv("MFAD_STATE_DIR"), getenv("XDG_STATE_HOME"), home, filepath.Join(".local", "state"), "")
}

// AWSFiles gives the shared credentials file and the AWS config file, as the
// AWS CLI finds them: AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, else
// those in ~/.aws (AWS SDKs and Tools Reference Guide, "Shared config and
// credentials files"). [Defaults] may name others, which win. The error is that
// of [Paths].
func AWSFiles(getenv func(string) string, home string) (credentials, config string, err error) {
	one := func(env, name string) (string, error) {
		if path := getenv(env); path != "" {
			if rest, ok := strings.CutPrefix(path, "~"); ok && home != "" && (rest == "" || os.IsPathSeparator(rest[0])) {
				path = home + rest
			}
			return absolute(path)
		}
		if home == "" {
			return "", homeless(env)
		}
		return filepath.Join(home, ".aws", name), nil
	}
	if credentials, err = one("AWS_SHARED_CREDENTIALS_FILE", "credentials"); err != nil {
		return "", "", err
	}
	if config, err = one("AWS_CONFIG_FILE", "config"); err != nil {
		return "", "", err
	}
	return credentials, config, nil
}

// locate gives what names a path whole, else mfad/name in the XDG folder, else
// in fallback below home.
func locate(own, xdg, home, fallback, name string) (string, error) {
	switch {
	case own != "":
		return absolute(own)
	case filepath.IsAbs(xdg):
		return filepath.Join(xdg, "mfad", name), nil
	case home == "":
		return "", homeless("MFAD_CONFIG and MFAD_STATE_DIR")
	}
	return filepath.Join(home, fallback, "mfad", name), nil
}

func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", &creds.Error{Code: creds.CodeConfig, Op: "find " + path, Hint: "use an absolute path", Err: err}
	}
	return abs, nil
}

func homeless(env string) error {
	return &creds.Error{
		Code: creds.CodeConfig,
		Op:   "no home folder is known",
		Hint: "set HOME, or " + env,
	}
}

// Socket gives the path at which the daemon listens: MFAD_SOCKET, else
// mfad/mfad.sock in XDG_RUNTIME_DIR, else mfad.sock in the state folder. The
// error is that of [Paths], or a [creds.Error] with [creds.CodeConfig] for a
// path that is too long for a socket.
func Socket(getenv func(string) string, home string) (string, error) {
	path, err := firstSocket(getenv, home)
	if err != nil {
		return "", err
	}
	return path, CheckSocket(path)
}

func firstSocket(getenv func(string) string, home string) (string, error) {
	if own := getenv("MFAD_SOCKET"); own != "" {
		return absolute(own)
	}
	if run := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		return filepath.Join(run, "mfad", socketFile), nil
	}
	state, err := StateDir(getenv, home)
	return filepath.Join(state, socketFile), err
}

// RuntimeDir gives the folder for what mfad needs only while it runs: mfad in
// XDG_RUNTIME_DIR, else the state folder. The error is that of [Paths].
func RuntimeDir(getenv func(string) string, home string) (string, error) {
	if run := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		return filepath.Join(run, "mfad"), nil
	}
	return StateDir(getenv, home)
}

// CheckSocket refuses a path that does not fit into a socket's address, 108
// bytes on Linux and Windows and 104 elsewhere, one of them for the final NUL.
// The error is a [creds.Error] with [creds.CodeConfig].
func CheckSocket(path string) error {
	if most := longestSocket(runtime.GOOS); len(path) > most {
		return &creds.Error{
			Code: creds.CodeConfig,
			Op:   fmt.Sprintf("the path of the socket has %d bytes, %d are possible: %s", len(path), most, path),
			Hint: "set MFAD_SOCKET to a shorter path in a folder of your own",
		}
	}
	return nil
}

func longestSocket(goos string) int {
	if goos == "linux" || goos == "windows" {
		return 107
	}
	return 103
}

// Sockets gives the paths at which a client looks for the daemon, in order.
// MFAD_SOCKET, where it is set, is the only one: who names a daemon does not
// want to talk to another. Else it is the daemon's first choice, the runtime
// folder that systemd makes for uid, the state folder, and what the daemon left
// in [SocketPathFile]: cron, ssh and a cleaned environment lack the variables
// that the daemon had. Paths too long for a socket are left out; the list may
// be empty.
func Sockets(getenv func(string) string, home string, uid int) []string {
	var paths []string
	add := func(path string) {
		if filepath.IsAbs(path) && CheckSocket(path) == nil && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	if path, err := firstSocket(getenv, home); err == nil {
		add(path)
	}
	if getenv("MFAD_SOCKET") != "" {
		return paths
	}
	if uid >= 0 {
		add(filepath.Join("/run/user", strconv.Itoa(uid), "mfad", socketFile))
	}
	if state, err := StateDir(getenv, home); err == nil {
		add(filepath.Join(state, socketFile))
		if left, err := os.ReadFile(filepath.Join(state, SocketPathFile)); err == nil {
			add(strings.TrimRight(string(left), "\r\n"))
		}
	}
	return paths
}
