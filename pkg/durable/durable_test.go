package durable

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestReadersSeeWholeFiles reads all the while that a file is replaced.
func TestReadersSeeWholeFiles(t *testing.T) {
	dir := t.TempDir()
	path, temp := filepath.Join(dir, "file"), filepath.Join(dir, "file.tmp")
	old, young := bytes.Repeat([]byte("a"), 1<<16), bytes.Repeat([]byte("b"), 1<<17)
	if err := Replace(path, temp, old); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, old) && !bytes.Equal(b, young) {
				t.Errorf("a reader saw %d bytes that are neither file (%v)", len(b), err)
				return
			}
		}
	})
	for i := range 50 {
		data := old
		if i%2 == 0 {
			data = young
		}
		if err := Replace(path, temp, data); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	reader.Wait()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestADeadProcessesLeftoverIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path, temp := filepath.Join(dir, "file"), filepath.Join(dir, "file.tmp")
	if err := os.WriteFile(temp, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, temp, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(temp); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there (%v)", err)
	}
}

func TestAFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "folder") // a folder with something in it cannot be replaced
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, "temp")
	if err := Replace(path, temp, []byte("x")); err == nil {
		t.Error("a folder was replaced")
	}
	if _, err := os.Stat(temp); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there (%v)", err)
	}
}

func TestALockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second := open(), open()
	defer second.Close()
	if ok, err := TryLock(first); !ok || err != nil {
		t.Fatalf("the first got %v, %v", ok, err)
	}
	if ok, err := TryLock(second); ok || err != nil {
		t.Errorf("the second got %v, %v; want to be told no", ok, err)
	}
	first.Close()
	if ok, err := TryLock(second); !ok || err != nil {
		t.Errorf("after the first was closed: %v, %v", ok, err)
	}
}
