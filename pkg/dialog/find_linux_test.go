package dialog

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

func TestWhichProgramIsTaken(t *testing.T) {
	all := []string{"zenity", "kdialog", "pinentry-gnome3", "pinentry-gtk-2", "pinentry-qt", "pinentry"}
	x := mfa.Display{"DISPLAY": ":0"}
	kde := mfa.Display{"WAYLAND_DISPLAY": "wayland-0", "XDG_CURRENT_DESKTOP": "KDE"}
	bus := mfa.Display{"DISPLAY": ":0", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1/bus"}
	for name, tt := range map[string]struct {
		installed []string
		on        mfa.Display
		want      string
	}{
		"GTK's first":                        {all, x, "zenity"},
		"KDE's on KDE":                       {all, kde, "kdialog"},
		"KDE's other":                        {all[2:], kde, "pinentry-qt"},
		"another desktop's, if nothing else": {[]string{"kdialog", "pinentry"}, x, "kdialog"},
		"GNOME's with a bus":                 {all[2:], bus, "pinentry-gnome3"},
		"not GNOME's without one":            {all[2:], x, "pinentry-gtk-2"},
		"any, on X":                          {[]string{"pinentry-curses", "pinentry-tty", "pinentry"}, x, "pinentry"},
		"not any, on Wayland alone":          {[]string{"pinentry"}, kde, ""},
		"no terminal's":                      {[]string{"pinentry-curses", "pinentry-tty"}, x, ""},
		"none without a display":             {all, mfa.Display{"XDG_RUNTIME_DIR": "/run/user/1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, p := range tt.installed {
				if err := os.WriteFile(filepath.Join(dir, p), nil, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "not-executable"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := Find(func(n string) string { return map[string]string{"PATH": "relative::" + dir}[n] }, tt.on)
			if tt.want == "" {
				if creds.CodeOf(err) != creds.CodeMFAProcess || creds.HintOf(err) == "" {
					t.Errorf("Find = %v, %v; want none, and what to do", d, err)
				}
				return
			}
			if err != nil || d.Name() != tt.want {
				t.Errorf("Find = %v, %v; want %s", d, err, tt.want)
			}
		})
	}
}

func TestTheEnvironmentOfAProgram(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		on   mfa.Display
		want []string
	}{
		"as it is": {
			mfa.Display{"DISPLAY": ":0", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/b", "LANG": "de_DE.UTF-8"},
			[]string{"DISPLAY=:0", "DBUS_SESSION_BUS_ADDRESS=unix:path=/b", "LANG=de_DE.UTF-8"},
		},
		"the bus in the runtime folder": {
			mfa.Display{"DISPLAY": ":0", "XDG_RUNTIME_DIR": dir, "LC_ALL": "en_US.utf8"},
			[]string{"DISPLAY=:0", "XDG_RUNTIME_DIR=" + dir, "DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir + "/bus", "LC_ALL=en_US.utf8"},
		},
		"no bus, so that none is started; and texts are UTF-8": {
			mfa.Display{"DISPLAY": ":0", "LANG": "C", "DBUS_SESSION_BUS_ADDRESS": "autolaunch:"},
			[]string{"DISPLAY=:0", "DBUS_SESSION_BUS_ADDRESS=" + noBus, "LANG=C.UTF-8", "LC_ALL=C.UTF-8"},
		},
	} {
		got := environment(tt.on, "/bin", "/home/a")
		if want := append([]string{"PATH=/bin", "HOME=/home/a"}, tt.want...); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
