package credfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// abandon gives the credentials file of f a second name, as a process does that
// is then killed, and puts next in its place; "" leaves the file there.
func abandon(t *testing.T, f *Files, next string) *second {
	t.Helper()
	if !keepsReplaced {
		t.Skip("no second names on this system")
	}
	s, err := lookOnce(f.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	k, err := keepSecond(s.real, s.real, s.info, s.data)
	if err != nil || k == nil {
		t.Fatalf("keepSecond = %v, %v; want a second name", k, err)
	}
	if next != "" {
		temp := filepath.Join(t.TempDir(), "new")
		put(t, temp, next)
		if err := os.Rename(temp, f.Credentials); err != nil {
			t.Fatal(err)
		}
	}
	k.release()
	return k
}

func TestMfadsOwnSecondNameIsNoHardLink(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	abandon(t, f, "")
	if e := f.Check(t.Context(), []Section{prod(1)}, nil); len(e) > 0 {
		t.Errorf("Check = %v, want nothing", e)
	}
	if err := os.Link(f.Credentials, filepath.Join(t.TempDir(), "theirs")); err != nil {
		t.Fatal(err)
	}
	e := f.Check(t.Context(), []Section{prod(1)}, nil)["prod"]
	if e == nil || !strings.Contains(e.Error(), "it has 2 names") {
		t.Errorf("Check with another hard link = %v, want a conflict about 2 names", e)
	}
}

func TestASecondNameOfALivingProcessStays(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	k := abandon(t, f, "[a]\nx=2\n")
	if mine, err := k.claim(); !mine || err != nil {
		t.Fatalf("claim = %v, %v; want true", mine, err)
	}
	apply(t, f, []Section{prod(1)})
	if _, err := os.Stat(k.old); err != nil {
		t.Errorf("the second name went: %v", err)
	}
	k.release()
	if err := f.Recover(t.Context()); err != nil {
		t.Errorf("Recover = %v, want nil", err)
	}
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v, want nil", err)
	}
	if left := beside(f.Credentials); left != nil {
		t.Errorf("files left: %q", left)
	}
	same(t, "credentials", content(t, f.Credentials), "[a]\nx=2\n\n"+section("prod", 1))
}

func TestALateWriteThatCannotBeReadIsTold(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	k := abandon(t, f, "[a]\nx=2\n")
	put(t, k.old, "half a line\n")
	apply(t, f, []Section{prod(1)})
	if err := f.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "what another program wrote at the same time") {
		t.Errorf("Flush = %v, want that a write could not be merged", err)
	}
	same(t, "credentials", content(t, f.Credentials), "[a]\nx=2\n\n"+section("prod", 1))
	if left := beside(f.Credentials); left != nil {
		t.Errorf("files left: %q", left)
	}
}

func TestALateWriteWaitsForAFileThatIsRefused(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	k := abandon(t, f, "junk\n")
	put(t, k.old, "[a]\nx=1\n[b]\ny=1\n")
	if err := f.Recover(t.Context()); err == nil {
		t.Error("Recover = nil, want that the file is refused")
	}
	put(t, f.Credentials, "[a]\nx=2\n")
	if err := f.Recover(t.Context()); err != nil {
		t.Errorf("Recover = %v, want nil", err)
	}
	same(t, "credentials", content(t, f.Credentials), "[a]\nx=2\n[b]\ny=1\n")
}

func TestOnlyMfadsNamesAreItsOwn(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	dir := filepath.Dir(f.Credentials)
	theirs := []string{"credentials.old", ".mfad-credentials-x.old", ".mfad-credentials-1-2.old", ".mfad-credentials-1.bak", ".mfad-config-1.base"}
	own := []string{".mfad-credentials-1.old", ".mfad-credentials-2.base"} // each without its other half
	for _, name := range append(theirs, own...) {
		put(t, filepath.Join(dir, name), "secret")
	}
	apply(t, f, []Section{prod(1)})
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v, want nil", err)
	}
	for _, name := range theirs {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("somebody else's file went: %v", err)
		}
	}
	if left := beside(f.Credentials); left != nil {
		t.Errorf("files left: %q", left)
	}
}
