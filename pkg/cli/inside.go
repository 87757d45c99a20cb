package cli

import (
	"os"
	"path/filepath"
	"strings"
)

const (
	// outerConfig holds, inside `mfad exec`, what AWS_CONFIG_FILE was outside;
	// empty: it was not set.
	outerConfig = "MFAD_AWS_CONFIG_FILE"
	// execPrefix begins the name of the profile of one `mfad exec`, and of the
	// folder of its copy of the AWS config.
	execPrefix = "mfad-exec-"
)

// stepOut gives a process that runs inside `mfad exec` the environment that it
// would have outside: mfad itself, and a daemon that it starts, work with the
// user's files and never with the copy. What the user set inside stays.
func stepOut() {
	outer, inside := os.LookupEnv(outerConfig)
	if !inside {
		return
	}
	if strings.HasPrefix(filepath.Base(filepath.Dir(os.Getenv("AWS_CONFIG_FILE"))), execPrefix) {
		if outer == "" {
			_ = os.Unsetenv("AWS_CONFIG_FILE")
		} else {
			_ = os.Setenv("AWS_CONFIG_FILE", outer)
		}
	}
	if strings.HasPrefix(os.Getenv("AWS_PROFILE"), execPrefix) {
		_ = os.Unsetenv("AWS_PROFILE")
	}
	for _, name := range []string{outerConfig, "MFAD_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} {
		_ = os.Unsetenv(name)
	}
}

// environFromAnywhere is the environment for a process of mfad's own that works in
// another folder than this one: a path in it leads where it leads from here.
func environFromAnywhere() []string {
	env := os.Environ()
	for i, v := range env {
		switch name, path, _ := strings.Cut(v, "="); name {
		case "MFAD_CONFIG", "MFAD_STATE_DIR", "MFAD_SOCKET", "MFAD_KEYRING_PASSPHRASE_FILE",
			"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE":
			env[i] = name + "=" + fromAnywhere(name, path)
		}
	}
	return env
}

// fromAnywhere makes the value of a variable an absolute path, unless it is empty
// or begins with the home folder, as it may in AWS's.
func fromAnywhere(name, path string) string {
	ofHome := strings.HasPrefix(name, "AWS_") && (path == "~" || strings.HasPrefix(path, "~/"))
	if path == "" || ofHome {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil { // the folder at hand was removed
		return path
	}
	return abs
}
