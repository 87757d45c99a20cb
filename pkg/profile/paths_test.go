package profile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// env gives a getenv over name, value pairs.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestPaths(t *testing.T) {
	for _, tt := range []struct {
		name             string
		env              []string
		home             string
		user, state, run string
	}{
		{"home", nil, "/home/alice",
			"/home/alice/.config/mfad/config.ini", "/home/alice/.local/state/mfad", "/home/alice/.local/state/mfad/mfad.sock"},
		{"XDG", []string{"XDG_CONFIG_HOME", "/c", "XDG_STATE_HOME", "/s", "XDG_RUNTIME_DIR", "/run/user/7"}, "/home/alice",
			"/c/mfad/config.ini", "/s/mfad", "/run/user/7/mfad/mfad.sock"},
		{"relative XDG folders are ignored", []string{"XDG_CONFIG_HOME", "c", "XDG_STATE_HOME", "s", "XDG_RUNTIME_DIR", "r"}, "/home/alice",
			"/home/alice/.config/mfad/config.ini", "/home/alice/.local/state/mfad", "/home/alice/.local/state/mfad/mfad.sock"},
		{"mfad's own win", []string{"XDG_CONFIG_HOME", "/c", "MFAD_CONFIG", "/m/x.ini", "MFAD_STATE_DIR", "/m/state", "MFAD_SOCKET", "/m/s"}, "",
			"/m/x.ini", "/m/state", "/m/s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			user, system, err := Paths(env(tt.env...), tt.home)
			if user != tt.user || system != "/etc/mfad/config.ini" || err != nil {
				t.Errorf("config %q, %q, %v, want %q", user, system, err, tt.user)
			}
			if got, err := StateDir(env(tt.env...), tt.home); got != tt.state || err != nil {
				t.Errorf("state %q, %v, want %q", got, err, tt.state)
			}
			if got, err := Socket(env(tt.env...), tt.home); got != tt.run || err != nil {
				t.Errorf("socket %q, %v, want %q", got, err, tt.run)
			}
		})
	}
}

func TestPathsWithoutAHome(t *testing.T) {
	_, _, err := Paths(env(), "")
	_, stateErr := StateDir(env(), "")
	_, socketErr := Socket(env(), "")
	_, _, awsErr := AWSFiles(env("AWS_CONFIG_FILE", "/x"), "")
	for name, err := range map[string]error{"Paths": err, "StateDir": stateErr, "Socket": socketErr, "AWSFiles": awsErr} {
		if creds.CodeOf(err) != creds.CodeConfig || !strings.HasPrefix(creds.HintOf(err), "set HOME") {
			t.Errorf("%s: got %v with hint %q", name, err, creds.HintOf(err))
		}
	}
	if got, err := Socket(env("XDG_RUNTIME_DIR", "/r"), ""); got != "/r/mfad/mfad.sock" || err != nil {
		t.Errorf("got %q, %v, want the runtime folder to do", got, err)
	}
}

func TestRelativePathsCountFromHere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := Paths(env("MFAD_CONFIG", "x.ini"), ""); got != filepath.Join(here, "x.ini") || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAWSFiles(t *testing.T) {
	for _, tt := range []struct {
		env                 []string
		credentials, config string
	}{
		{nil, "/home/alice/.aws/credentials", "/home/alice/.aws/config"},
		{[]string{"AWS_SHARED_CREDENTIALS_FILE", "/a"}, "/a", "/home/alice/.aws/config"},
		{[]string{"AWS_CONFIG_FILE", "~/b", "AWS_SHARED_CREDENTIALS_FILE", "~"}, "/home/alice", "/home/alice/b"},
	} {
		credentials, config, err := AWSFiles(env(tt.env...), "/home/alice")
		if credentials != tt.credentials || config != tt.config || err != nil {
			t.Errorf("%v: got %q, %q, %v, want %q, %q", tt.env, credentials, config, err, tt.credentials, tt.config)
		}
	}
}

func TestSocketsOfAClient(t *testing.T) {
	home := t.TempDir()
	state := filepath.Join(home, ".local", "state", "mfad")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, SocketPathFile), []byte("/left/mfad.sock\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stateSocket := filepath.Join(state, "mfad.sock")
	for _, tt := range []struct {
		name string
		env  []string
		want []string
	}{
		{"a cleaned environment", nil, []string{stateSocket, "/run/user/7/mfad/mfad.sock", "/left/mfad.sock"}},
		{"a login", []string{"XDG_RUNTIME_DIR", "/run/user/7"}, []string{"/run/user/7/mfad/mfad.sock", stateSocket, "/left/mfad.sock"}},
		{"another runtime folder", []string{"XDG_RUNTIME_DIR", "/r"}, []string{"/r/mfad/mfad.sock", "/run/user/7/mfad/mfad.sock", stateSocket, "/left/mfad.sock"}},
		{"named", []string{"MFAD_SOCKET", "/m", "XDG_RUNTIME_DIR", "/r"}, []string{"/m"}},
		{"named and too long", []string{"MFAD_SOCKET", "/" + strings.Repeat("m", 200)}, nil},
		{"too long ones are left out", []string{"XDG_RUNTIME_DIR", "/" + strings.Repeat("m", 200)}, []string{"/run/user/7/mfad/mfad.sock", stateSocket, "/left/mfad.sock"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sockets(env(tt.env...), home, 7); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestLongSocketIsRefused(t *testing.T) {
	for goos, most := range map[string]int{"linux": 107, "darwin": 103, "windows": 107, "freebsd": 103} {
		if got := longestSocket(goos); got != most {
			t.Errorf("%s: %d, want %d", goos, got, most)
		}
	}
	_, err := Socket(env("MFAD_SOCKET", "/"+strings.Repeat("x", 107)), "")
	if creds.CodeOf(err) != creds.CodeConfig || !strings.Contains(creds.HintOf(err), "MFAD_SOCKET") {
		t.Errorf("got %v with hint %q, want a hint to MFAD_SOCKET", err, creds.HintOf(err))
	}
}
