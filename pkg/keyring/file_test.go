package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

const testPassphrase = "fake passphrase"

func TestFileIsLockedUntilUnlocked(t *testing.T) {
	f := unlockedFile(t)
	if err := f.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	f.Lock()
	if !f.Locked() {
		t.Error("Locked = false after Lock")
	}
	_, get := f.Get(t.Context(), "a")
	for op, err := range map[string]error{
		"Get": get, "Set": f.Set(t.Context(), "a", creds.NewSecret("w")), "Delete": f.Delete(t.Context(), "a"),
	} {
		if creds.CodeOf(err) != creds.CodeKeyringLocked || creds.HintOf(err) != "run: mfad unlock" {
			t.Errorf("%s = %v, hint %q, want code %q and to run mfad unlock", op, err, creds.HintOf(err), creds.CodeKeyringLocked)
		}
	}

	for _, wrong := range []string{"", "another"} {
		if err := f.Unlock(t.Context(), creds.NewSecret(wrong)); creds.CodeOf(err) != creds.CodeKeyringLocked || !f.Locked() {
			t.Errorf("Unlock(%q) = %v, locked %v, want code %q and locked", wrong, err, f.Locked(), creds.CodeKeyringLocked)
		}
	}
	if err := f.Unlock(t.Context(), creds.NewSecret(testPassphrase)); err != nil {
		t.Fatal(err)
	}
	if err := f.Unlock(t.Context(), creds.NewSecret("another")); err == nil || f.Locked() {
		t.Errorf("a wrong passphrase on an open keyring: %v, locked %v, want an error and still open", err, f.Locked())
	}
	if got, err := f.Get(t.Context(), "a"); err != nil || got.Reveal() != "v" {
		t.Errorf("Get = %q, %v, want the value", got.Reveal(), err)
	}
}

func TestNoFileYet(t *testing.T) {
	f := NewFile(filepath.Join(t.TempDir(), "state", FileName))
	f.cost = 10
	if f.Exists() {
		t.Error("Exists = true for no file")
	}
	if _, err := f.Get(t.Context(), "a"); creds.CodeOf(err) != creds.CodeKeyNotFound {
		t.Errorf("Get = %v, want code %q: nothing was ever stored", err, creds.CodeKeyNotFound)
	}
	if err := f.Set(t.Context(), "a", creds.NewSecret("v")); creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("Set without a passphrase = %v, want code %q", err, creds.CodeKeyringLocked)
	}
	if f.Exists() {
		t.Error("a refused Set made the file")
	}
	if err := f.Unlock(t.Context(), creds.NewSecret(testPassphrase)); err != nil {
		t.Fatal(err)
	}
	if err := f.Set(t.Context(), "a", creds.NewSecret("v")); err != nil || !f.Exists() {
		t.Fatalf("Set = %v, exists %v, want the file made", err, f.Exists())
	}
	if runtime.GOOS == "windows" {
		return // modes mean nothing there
	}
	for path, want := range map[string]os.FileMode{f.Path(): 0o600, filepath.Dir(f.Path()): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", filepath.Base(path), got, want)
		}
	}
}

func TestFileHoldsNothingInClear(t *testing.T) {
	f := unlockedFile(t)
	f.cost = NewFile("").cost
	if err := f.Set(t.Context(), "visible name", creds.NewSecret("visible value")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("visible")) {
		t.Error("the file shows a name or a value")
	}
	if !bytes.HasPrefix(text, []byte("age-encryption.org/v1\n-> scrypt ")) || !bytes.Contains(text[:80], []byte(" 16\n")) {
		t.Errorf("the file starts %q, want an age header with scrypt and work factor 16", text[:60])
	}
}

func TestDamagedFileIsNotOverwritten(t *testing.T) {
	f := unlockedFile(t)
	if err := f.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	dear := bytes.Replace(good, []byte(" 10\n"), []byte(" 21\n"), 1)
	for name, text := range map[string][]byte{
		"empty":           {},
		"not age":         []byte("[default]\n"),
		"cut header":      good[:40],
		"cut content":     good[:len(good)-5],
		"flipped":         flipped,
		"too dear to try": dear,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(f.Path(), text, 0o600); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, get := f.Get(t.Context(), "a")
			for op, err := range map[string]error{
				"Get": get, "Set": f.Set(t.Context(), "a", creds.NewSecret("w")), "Delete": f.Delete(t.Context(), "a"),
				"Unlock": f.Unlock(t.Context(), creds.NewSecret(testPassphrase)),
			} {
				if creds.CodeOf(err) != creds.CodeKeyringFailed || !strings.Contains(err.Error(), "damaged") {
					t.Errorf("%s = %v, want code %q and the word damaged", op, err, creds.CodeKeyringFailed)
				}
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if now, err := os.ReadFile(f.Path()); err != nil || !bytes.Equal(now, text) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
	if err := os.WriteFile(f.Path(), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Get(t.Context(), "a"); err != nil || got.Reveal() != "v" {
		t.Errorf("Get after the file was put back = %q, %v, want the value", got.Reveal(), err)
	}
}

func TestFileOfAnotherPassphrase(t *testing.T) {
	f := unlockedFile(t)
	if err := f.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	other := NewFile(filepath.Join(t.TempDir(), FileName))
	other.cost = 10
	if err := other.Unlock(t.Context(), creds.NewSecret("other")); err != nil {
		t.Fatal(err)
	}
	if err := other.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other.Path(), f.Path()); err != nil {
		t.Fatal(err)
	}
	if err := f.Set(t.Context(), "a", creds.NewSecret("w")); creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("Set = %v, want code %q", err, creds.CodeKeyringLocked)
	}
}

func TestLeftoverOfAKilledWriter(t *testing.T) {
	f := unlockedFile(t)
	if err := f.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path()+".tmp", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Set(t.Context(), "b", creds.NewSecret("w")); err != nil {
		t.Errorf("Set = %v, want nil", err)
	}
	if _, err := os.Stat(f.Path() + ".tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover is still there: %v", err)
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := NewFile(filepath.Join(blocked, FileName))
	if err := f.Unlock(t.Context(), creds.NewSecret(testPassphrase)); err == nil {
		err = f.Set(t.Context(), "a", creds.NewSecret("v"))
		if creds.CodeOf(err) != creds.CodeKeyringFailed {
			t.Errorf("Set below a file = %v, want code %q", err, creds.CodeKeyringFailed)
		}
	}
}

func TestTwoWritersLoseNothing(t *testing.T) {
	a := unlockedFile(t)
	b := NewFile(a.Path()) // shares nothing with a but the file, as another process
	b.cost = a.cost
	if err := b.Unlock(t.Context(), creds.NewSecret(testPassphrase)); err != nil {
		t.Fatal(err)
	}
	const each = 5 // whoever waits for the other gives up after some seconds
	var wg sync.WaitGroup
	for i, f := range []*File{a, b} {
		wg.Go(func() {
			for n := range each {
				if err := f.Set(t.Context(), fmt.Sprintf("%d/%d", i, n), creds.NewSecret("v")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 2 {
		for n := range each {
			if _, err := a.Get(t.Context(), fmt.Sprintf("%d/%d", i, n)); err != nil {
				t.Errorf("what writer %d wrote was lost: %v", i, err)
			}
		}
	}
}

func TestAnotherProcessHoldsTheFile(t *testing.T) {
	f := unlockedFile(t)
	if err := f.Set(t.Context(), "a", creds.NewSecret("v")); err != nil {
		t.Fatal(err)
	}
	// flock is per open file, so a second opening stands for another process.
	unlock, err := lockFile(t.Context(), f.Path()+".lock")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := f.Set(ctx, "a", creds.NewSecret("w")); creds.CodeOf(err) != creds.CodeKeyringTimeout {
		t.Errorf("Set = %v, want code %q", err, creds.CodeKeyringTimeout)
	}
	if got, err := f.Get(t.Context(), "a"); err != nil || got.Reveal() != "v" {
		t.Errorf("Get meanwhile = %q, %v, want the old value", got.Reveal(), err)
	}
	unlock()
	if err := f.Set(t.Context(), "a", creds.NewSecret("w")); err != nil {
		t.Errorf("Set once it is free = %v, want nil", err)
	}
}
