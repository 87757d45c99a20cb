package keyring

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

func TestOpenAuto(t *testing.T) {
	noBus := func(t *testing.T, _ string) { t.Setenv(busVariable, "unix:path=/nonexistent") }
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T, state string)
		want  Kind
	}{
		{"no bus", noBus, KindFile},
		{"used before, and no bus", noBus, KindOS},
		{"used before, and a bus without a service", func(t *testing.T, _ string) { newRig(t, false) }, KindOS},
		{"bus without a service", func(t *testing.T, _ string) { newRig(t, false) }, KindFile},
		{"unlocked", func(t *testing.T, _ string) { startFake(t, newRig(t, false), &fakeSecrets{}) }, KindOS},
		{"locked", func(t *testing.T, _ string) {
			startFake(t, newRig(t, false), &fakeSecrets{}).locked.Store(true)
		}, KindOS},
		{"service without a keyring", func(t *testing.T, _ string) {
			startFake(t, newRig(t, false), &fakeSecrets{}).empty.Store(true)
		}, KindFile},
		{"bus that never answers", func(t *testing.T, _ string) {
			path := filepath.Join(shortFolder(t), "mute")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			t.Setenv(busVariable, "unix:path="+path)
		}, KindOS},
		{"unlocked, but there is a file", func(t *testing.T, state string) {
			startFake(t, newRig(t, false), &fakeSecrets{})
			if err := os.WriteFile(filepath.Join(state, FileName), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, KindFile},
	} {
		t.Run(tt.name, func(t *testing.T) {
			state := t.TempDir()
			tt.setup(t, state)
			system := NewOS()
			system.quick = 500 * time.Millisecond
			for _, kind := range []Kind{KindAuto, ""} {
				k, err := choose(t.Context(), Options{Kind: kind, StateDir: state, Used: strings.HasPrefix(tt.name, "used")}, system)
				if err != nil {
					t.Fatal(err)
				}
				if k.Kind() != tt.want || k.Reason == "" || (k.OS == nil) == (k.File == nil) {
					t.Errorf("kind %q because %q, want %q", k.Kind(), k.Reason, tt.want)
				}
			}
		})
	}
}

func TestOpenAsTold(t *testing.T) {
	t.Setenv(busVariable, "unix:path=/nonexistent")
	state := t.TempDir()
	for _, kind := range []Kind{KindOS, KindFile} {
		k, err := Open(t.Context(), Options{Kind: kind, StateDir: state})
		if err != nil || k.Kind() != kind {
			t.Errorf("Open(%q) = %v, %v", kind, k, err)
		}
	}
	k, err := Open(t.Context(), Options{Kind: KindFile, StateDir: state})
	if err != nil || k.File.Path() != filepath.Join(state, "keyring.age") {
		t.Errorf("file at %v, %v, want keyring.age in the state folder", k.File.Path(), err)
	}
	if _, err := Open(t.Context(), Options{Kind: "gnome", StateDir: state}); creds.CodeOf(err) != creds.CodeConfig || creds.HintOf(err) == "" {
		t.Errorf("unknown kind: %v, want code %q and a hint", err, creds.CodeConfig)
	}
}
