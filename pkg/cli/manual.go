package cli

// The tables here are those of docs/cli.md, word for word; a test compares them.

// exitStatuses are what a command can end with.
func exitStatuses() [][2]string {
	return [][2]string{
		{"0", "done"},
		{"1", "failed: mfad, this machine, or a file in the way"},
		{"2", "usage or config"},
		{"3", "the daemon is not running and was not to be started"},
		{"4", "a person must act: a code, an unlock"},
		{"5", "AWS refused, a wrong code included"},
		{"6", "AWS was not reached: network, throttling, 5xx"},
		{"130", "interrupted"},
	}
}

// environment are the variables that mfad reads, or sets for the command of `exec`.
func environment() [][2]string {
	return [][2]string{
		{"MFAD_CONFIG", "the config; else $XDG_CONFIG_HOME/mfad/config.ini, ~/.config/mfad/config.ini. /etc/mfad/config.ini counts below it"},
		{"MFAD_STATE_DIR", "the state folder; else $XDG_STATE_HOME/mfad, ~/.local/state/mfad"},
		{"MFAD_SOCKET", "the socket; else $XDG_RUNTIME_DIR/mfad/mfad.sock, else in the state folder"},
		{"MFAD_AUTOSTART=0", "no command starts the daemon"},
		{"MFAD_KEYRING", "auto (default), os, file"},
		{"MFAD_KEYRING_PASSPHRASE_FILE, MFAD_KEYRING_PASSPHRASE", "the file keyring's passphrase, for the daemon; also systemd's credential mfad-keyring-passphrase"},
		{"MFAD_SIGNIN_URL", "replaces the console's federation endpoint, for the daemon; https, or loopback"},
		{"MFAD_PROFILE, MFAD_AWS_CONFIG_FILE", "set by mfad exec for its command: the profile, and what AWS_CONFIG_FILE was"},
		{"BROWSER", "what mfad console opens an address with"},
		{"NO_COLOR, TERM", "no colours where the one is not empty or the other is dumb"},
		{"AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE", "AWS's two files"},
		{"AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL_IAM, AWS_CA_BUNDLE, AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT, HTTPS_PROXY, NO_PROXY", "as in the SDKs. Endpoints are https, or loopback"},
	}
}

// files are where things lie if no variable says otherwise.
func files() [][2]string {
	return [][2]string{
		{"~/.config/mfad/config.ini", "the config"},
		{"/etc/mfad/config.ini", "the system's config; each key of the user's own wins over it"},
		{"~/.local/state/mfad/", "the state folder: sessions (encrypted), audit.jsonl, what was learned of roles, the daemon's lock and log"},
		{"$XDG_RUNTIME_DIR/mfad/mfad.sock", "the daemon's socket"},
		{"~/.aws/credentials, ~/.aws/config", "AWS's files, in which mfad keeps its own sections and leaves all else as it is"},
	}
}
