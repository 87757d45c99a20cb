package credfile

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mfad/mfad/pkg/creds"
)

const (
	untouchedText = "[a]\nx=1\n"

	// linux/fs.h, FS_IMMUTABLE_FL and FS_APPEND_FL: what chattr(1) sets.
	flagImmutable = 0x10
	flagAppend    = 0x20
)

// inTheWayOf fails unless Apply and Check both tell what is in the way of the
// credentials file, and nothing is left behind.
func inTheWayOf(t *testing.T, f *Files, what string) {
	t.Helper()
	before := regular(f.Credentials)
	_, err := f.Apply(t.Context(), []Section{prod(1)}, nil)
	if creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), f.Credentials+": "+what) || creds.HintOf(err) == "" {
		t.Errorf("Apply = %v (%s, hint %q), want a conflict: %s", err, creds.CodeOf(err), creds.HintOf(err), what)
	}
	if e := f.Check(t.Context(), []Section{prod(1)}, nil)["prod"]; e == nil || err == nil || e.Error() != err.Error() {
		t.Errorf("Check = %v, want %v", e, err)
	}
	if after := regular(f.Credentials); !bytes.Equal(before, after) {
		t.Errorf("the file was %q and is %q", before, after)
	}
	if left := beside(f.Credentials); left != nil {
		t.Errorf("files left: %q", left)
	}
}

// regular reads a file; a named pipe would wait for ever.
func regular(path string) []byte {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	b, _ := os.ReadFile(path)
	return b
}

func TestPlacesThatAreNoFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, what string
		make       func(path string) error
	}{
		{"a named pipe", "not a file that can be replaced", func(path string) error { return unix.Mkfifo(path, 0o600) }},
		{"a folder", "not a file that can be replaced", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"a link to itself", "it cannot be reached: too many levels of symbolic links", func(path string) error { return os.Symlink(filepath.Base(path), path) }},
		{"a circle of links", "it cannot be reached: too many levels of symbolic links", func(path string) error {
			return errors.Join(os.Symlink("other", path), os.Symlink("credentials", filepath.Join(filepath.Dir(path), "other")))
		}},
		{"a file in the place of the folder", "it cannot be reached: not a directory", func(path string) error {
			return errors.Join(os.Remove(filepath.Dir(path)), os.WriteFile(filepath.Dir(path), nil, 0o600))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, "", "")
			if err := tt.make(f.Credentials); err != nil {
				t.Fatal(err)
			}
			inTheWayOf(t, f, tt.what)
		})
	}
}

func TestALinkToAnotherFileSystem(t *testing.T) {
	t.Parallel()
	f := home(t, "", "")
	there, err := os.MkdirTemp("/dev/shm", "credfile")
	if err != nil {
		t.Skip("SKIP-REAL other-file-system: no /dev/shm")
	}
	t.Cleanup(func() { _ = os.RemoveAll(there) })
	if device(t, there) == device(t, filepath.Dir(f.Credentials)) {
		t.Skip("SKIP-REAL other-file-system: /dev/shm is none")
	}
	target := filepath.Join(there, "credentials")
	put(t, target, untouchedText)
	if err := os.Symlink(target, f.Credentials); err != nil {
		t.Fatal(err)
	}
	apply(t, f, []Section{prod(1)})
	if to, err := os.Readlink(f.Credentials); err != nil || to != target {
		t.Errorf("the link leads to %q, %v; want %q", to, err, target)
	}
	same(t, "target", content(t, target), untouchedText+"\n"+section("prod", 1))
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v, want nil", err)
	}
	if left := append(beside(target), beside(f.Credentials)...); left != nil {
		t.Errorf("files left: %q", left)
	}
}

func device(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return uint64(st.Dev)
}

func TestAFileOfAnotherUser(t *testing.T) {
	t.Parallel()
	f := home(t, untouchedText, "")
	if err := os.Chown(f.Credentials, 65534, -1); err != nil {
		t.Skipf("SKIP-REAL chown: %v", err)
	}
	inTheWayOf(t, f, "it belongs to another user (uid 65534)")
}

// chattr sets a flag of a file until the test ends.
func chattr(t *testing.T, path string, flag int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	fd := int(file.Fd())
	was, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, was|flag)
	}
	if err != nil {
		t.Skipf("SKIP-REAL chattr: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, was); err != nil {
			t.Errorf("the flag stays: %v", err)
		}
	})
}

func TestWhatNobodyMayReplace(t *testing.T) {
	t.Parallel()
	for what, flag := range map[string]int{"immutable": flagImmutable, "append-only": flagAppend} {
		t.Run("a file, "+what, func(t *testing.T) {
			t.Parallel()
			f := home(t, untouchedText, "")
			chattr(t, f.Credentials, flag)
			inTheWayOf(t, f, "it has the attribute "+what)
		})
		t.Run("a folder, "+what, func(t *testing.T) {
			t.Parallel()
			f := home(t, untouchedText, "")
			chattr(t, filepath.Dir(f.Credentials), flag)
			inTheWayOf(t, f, "its folder cannot be written")
		})
	}
}

// TestALabelStays needs no SELinux: the kernel keeps the attribute, and checks it
// only where SELinux is on.
func TestALabelStays(t *testing.T) {
	t.Parallel()
	const name, label = "security.selinux", "system_u:object_r:user_home_t:s0\x00"
	f := home(t, untouchedText, "")
	if err := unix.Setxattr(f.Credentials, name, []byte(label), 0); err != nil {
		t.Skipf("SKIP-REAL label: %v", err)
	}
	apply(t, f, []Section{prod(1)})
	if got := string(labels(f.Credentials)[name]); got != label {
		t.Errorf("the label is %q, want %q", got, label)
	}
	same(t, "credentials", content(t, f.Credentials), untouchedText+"\n"+section("prod", 1))
}

// TestMounted is the body of TestMounts, in a process with mounts of its own.
func TestMounted(t *testing.T) {
	dir := os.Getenv("CREDFILE_TEST_MOUNT")
	if dir == "" {
		t.Skip("run by TestMounts")
	}
	bind := func(t *testing.T, from, to string) {
		t.Helper()
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			t.Skipf("SKIP-REAL mount: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) })
	}
	readOnly := func(t *testing.T, path string) {
		t.Helper()
		if err := unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Skipf("SKIP-REAL mount: %v", err)
		}
	}
	t.Run("on the file", func(t *testing.T) {
		f := home(t, untouchedText, "")
		other := filepath.Join(dir, "other")
		put(t, other, "[b]\ny=1\n")
		bind(t, other, f.Credentials)
		inTheWayOf(t, f, "something is mounted on the file itself")
		// What the kernel says to who tries, on one too old to tell before.
		temp := filepath.Join(filepath.Dir(f.Credentials), "new")
		put(t, temp, "x")
		err := irreplaceable("replace", f.Credentials, f.Credentials, os.Rename(temp, f.Credentials))
		if creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), "it cannot be replaced: device or resource busy") {
			t.Errorf("the rename = %v, want a conflict", err)
		}
	})
	t.Run("on the file, read-only", func(t *testing.T) {
		f := home(t, untouchedText, "")
		bind(t, f.Credentials, f.Credentials)
		readOnly(t, f.Credentials)
		inTheWayOf(t, f, "something is mounted on the file itself")
	})
	t.Run("on the folder, read-only", func(t *testing.T) {
		f := home(t, untouchedText, "")
		bind(t, filepath.Dir(f.Credentials), filepath.Dir(f.Credentials))
		readOnly(t, filepath.Dir(f.Credentials))
		inTheWayOf(t, f, "its folder cannot be written")
	})
	t.Run("on the folder", func(t *testing.T) {
		f := home(t, untouchedText, "")
		bind(t, filepath.Dir(f.Credentials), filepath.Dir(f.Credentials))
		apply(t, f, []Section{prod(1)})
		same(t, "credentials", content(t, f.Credentials), untouchedText+"\n"+section("prod", 1))
		if err := f.Flush(t.Context()); err != nil {
			t.Errorf("Flush = %v, want nil", err)
		}
	})
}

func TestMounts(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-REAL mount: only root may mount")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMounted$", "-test.v")
	cmd.Env = append(os.Environ(), "CREDFILE_TEST_MOUNT="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM):
		t.Skipf("SKIP-REAL mount: %v", err)
	case err != nil || !bytes.Contains(out, []byte("--- PASS: TestMounted")):
		t.Errorf("with its own mounts: %v\n%s", err, out)
	case bytes.Contains(out, []byte("SKIP-REAL")):
		t.Skipf("SKIP-REAL mount: %s", out)
	}
}
