package watch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLost: a file that goes, or that another one replaces, is missed at once; one
// that is only written is not.
func TestLost(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"removed":  os.Remove,
		"renamed":  func(p string) error { return os.Rename(p, p+".old") },
		"replaced": func(p string) error { return os.Rename(p+".next", p) },
		"folder moved": func(p string) error {
			return os.Rename(filepath.Dir(p), filepath.Dir(p)+".moved")
		},
		"folder removed": func(p string) error { return os.RemoveAll(filepath.Dir(p)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "run", "a.sock")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{path, path + ".next"} {
				if err := os.WriteFile(p, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			lost := Lost(t.Context(), path)
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			select {
			case <-lost:
				t.Fatal("a file that was only written counts as lost")
			case <-time.After(100 * time.Millisecond):
			}
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			select {
			case <-lost:
			case <-time.After(2 * time.Second):
				t.Error("nobody noticed within 2 s")
			}
		})
	}
}

// TestLostEnds: it ends with its context, and is closed at once where there is no
// file.
func TestLostEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	<-Lost(t.Context(), path)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	lost := Lost(ctx, path)
	cancel()
	<-lost
}
