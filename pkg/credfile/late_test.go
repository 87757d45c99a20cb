package credfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

func TestCutOff(t *testing.T) {
	t.Parallel()
	const base = "# mine\n[a]\nx = 1\n\n[b]\ny = 1\nz =\n  n = 1\n"
	for _, tt := range []struct {
		name, base, late string
		cut, loses       bool
	}{
		{"the same", base, base, false, false},
		{"nothing", base, "", true, true},
		{"a beginning", base, "# mine\n[a]\nx = 1\n", true, true},
		{"within a line", base, "# mine\n[a]\nx", true, true},
		{"the last line", base, strings.TrimSuffix(base, "  n = 1\n"), true, true},
		{"a changed beginning", base, "# mine\n[a]\nx = 2\n\n[b]\n", true, true},
		{"within the last value", "[a]\nx = 12\n", "[a]\nx = 1", true, false},
		{"within a new last line", base, base + "[c]\nk = v", true, false},
		{"no end of the last line, as before", strings.TrimSuffix(base, "\n"), strings.TrimSuffix(base, "\n") + "\n[c]\nk = v", false, false},
		{"only the end of the last line is gone", base, strings.TrimSpace(base), false, false},
		{"a changed value", base, strings.Replace(base, "x = 1", "x = 2", 1), false, false},
		{"the last value changed", "[a]\nx = 12\n", "[a]\nx = 3\n", false, false},
		{"a section more", base, base + "[c]\nk = v\n", false, false},
		{"a section less", base, strings.Replace(base, "[a]\nx = 1\n\n", "", 1), false, true},
		{"the last comment", "[a]\nx = 1\n# end\n", "[a]\nx = 2\n", true, true},
		{"one of two comments that are the same", "# -\n[a]\nx = 1\n# -\n", "# -\n[a]\nx = 2\n", true, true},
		{"there was nothing", "", "[a]\n", false, false},
	} {
		if got := cutOff([]byte(tt.base), []byte(tt.late)); got != tt.cut {
			t.Errorf("%s: cut off = %v, want %v", tt.name, got, tt.cut)
		}
		if got := loses([]byte(tt.base), []byte(tt.late)); got != tt.loses {
			t.Errorf("%s: loses = %v, want %v", tt.name, got, tt.loses)
		}
	}
}

const (
	lateBase  = "# mine\n[a]\nx = 1\n\n[b]\ny = 1\n"
	lateWhole = "# mine\n[a]\nx = 2\n\n[b]\ny = 1\n[c]\nz = 1\n"
	lateHalf  = "# mine\n[a]\nx = 2\n\n"
)

// caught gives a file that a process replaced and was killed over, while another
// program, slow, had emptied it and written half.
func caught(t *testing.T, half string) (f *Files, k *second, slow *os.File) {
	t.Helper()
	f = home(t, lateBase, "")
	k = abandon(t, f, lateBase+"\n"+section("prod", 1))
	slow, err := os.OpenFile(k.old, os.O_WRONLY|os.O_TRUNC, 0)
	if err == nil {
		_, err = slow.WriteString(half)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slow.Close() })
	if _, known := openForWriting(slow); !known {
		t.Skip("this system does not tell who writes to a file")
	}
	return f, k, slow
}

func finish(t *testing.T, slow *os.File, rest string) {
	t.Helper()
	if _, err := slow.WriteString(rest); err != nil {
		t.Fatal(err)
	}
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHalfALateWriteIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, half := range []string{"", "# mine\n[a]\nx", lateHalf} {
		t.Run(strings.ReplaceAll(half, "\n", "|"), func(t *testing.T) {
			t.Parallel()
			f, _, slow := caught(t, half)
			began := time.Now()
			if err := f.Recover(t.Context()); err != nil {
				t.Errorf("Recover = %v, want nil", err)
			}
			if took := time.Since(began); took > lateGive/2 {
				t.Errorf("Recover took %v: it waited for the other program", took)
			}
			same(t, "while half is written", content(t, f.Credentials), lateBase+"\n"+section("prod", 1))
			finish(t, slow, strings.TrimPrefix(lateWhole, half))
			if err := f.Flush(t.Context()); err != nil {
				t.Errorf("Flush = %v, want nil", err)
			}
			same(t, "credentials", content(t, f.Credentials), strings.Replace(lateWhole, "[c]\nz = 1\n", "\n"+section("prod", 1)+"[c]\nz = 1\n", 1))
			if left := beside(f.Credentials); left != nil {
				t.Errorf("files left: %q", left)
			}
		})
	}
}

// TestALateWriteMayEndLongAfter: the other program stands still for longer than
// mfad watches; it is told once, no edit waits for it, and nothing of it is lost.
func TestALateWriteMayEndLongAfter(t *testing.T) {
	t.Parallel()
	f, k, slow := caught(t, lateHalf)
	var told []error
	f.Late = func(err error) { told = append(told, err) } // Flush waits for the goroutine that calls it
	for n := range 2 {
		began := time.Now()
		apply(t, f, []Section{prod(2 + n)})
		if took := time.Since(began); took > lateGive/2 {
			t.Errorf("Apply took %v: it waited for the other program", took)
		}
		if err := f.Flush(t.Context()); (creds.CodeOf(err) == creds.CodeTimeout) != (n == 0) {
			t.Errorf("Flush after write %d = %v, want that a program has not finished, once", n, err)
		}
		same(t, "while half is written", content(t, f.Credentials), lateBase+"\n"+section("prod", 2+n))
		if _, err := os.Stat(k.old); err != nil {
			t.Fatalf("the second name went: %v", err)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0].Error(), "it has not finished") || creds.HintOf(told[0]) == "" {
		t.Errorf("told %v, want once that it has not finished", told)
	}
	finish(t, slow, strings.TrimPrefix(lateWhole, lateHalf))
	apply(t, f, []Section{prod(4)})
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v, want nil", err)
	}
	same(t, "credentials", content(t, f.Credentials), strings.Replace(lateWhole, "[c]\nz = 1\n", "\n"+section("prod", 4)+"[c]\nz = 1\n", 1))
	if left := beside(f.Credentials); left != nil {
		t.Errorf("files left: %q", left)
	}
}

func TestAProgramThatDiedInItsLateWriteDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, half := range []string{"", "# mine\n[a]\nx", lateHalf} {
		t.Run(strings.ReplaceAll(half, "\n", "|"), func(t *testing.T) {
			t.Parallel()
			f, _, slow := caught(t, half)
			var told []error
			f.Late = func(err error) { told = append(told, err) }
			finish(t, slow, "")
			if err := f.Recover(t.Context()); err != nil {
				t.Errorf("Recover = %v, want nil", err)
			}
			if err := f.Flush(t.Context()); creds.CodeOf(err) != creds.CodeConflict || creds.HintOf(err) != "repeat what that program did" {
				t.Errorf("Flush = %v, want that a write could not be merged", err)
			}
			if len(told) != 1 {
				t.Errorf("told %v, want one failure", told)
			}
			same(t, "credentials", content(t, f.Credentials), lateBase+"\n"+section("prod", 1))
			if left := beside(f.Credentials); left != nil {
				t.Errorf("files left: %q", left)
			}
		})
	}
}

func TestALateDeletionCountsOnceTheFileIsClosed(t *testing.T) {
	t.Parallel()
	f, _, slow := caught(t, "# mine\n[b]\ny = 1\n")
	if err := f.Recover(t.Context()); err != nil {
		t.Errorf("Recover = %v, want nil", err)
	}
	_ = pause(t.Context(), lateQuiet)
	same(t, "while it is open", content(t, f.Credentials), lateBase+"\n"+section("prod", 1))
	finish(t, slow, "")
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v, want nil", err)
	}
	same(t, "credentials", content(t, f.Credentials), "# mine\n[b]\ny = 1\n\n"+section("prod", 1))
}

// TestLateWhileMfadLives is the same without a kill: the program that had the file
// open when it was replaced stops in the middle.
func TestLateWhileMfadLives(t *testing.T) {
	t.Parallel()
	f := home(t, lateBase, "")
	slow, err := os.OpenFile(f.Credentials, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := openForWriting(slow); !known {
		t.Skip("this system does not tell who writes to a file")
	}
	apply(t, f, []Section{prod(1)})
	if err := slow.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.WriteString(lateHalf); err != nil {
		t.Fatal(err)
	}
	if err := f.Flush(t.Context()); creds.CodeOf(err) != creds.CodeTimeout {
		t.Errorf("Flush = %v, want that a program has not finished", err)
	}
	same(t, "while half is written", content(t, f.Credentials), lateBase+"\n"+section("prod", 1))
	finish(t, slow, strings.TrimPrefix(lateWhole, lateHalf))
	if err := f.Recover(t.Context()); err != nil {
		t.Errorf("Recover = %v, want nil", err)
	}
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v, want nil", err)
	}
	same(t, "credentials", content(t, f.Credentials), strings.Replace(lateWhole, "[c]\nz = 1\n", "\n"+section("prod", 1)+"[c]\nz = 1\n", 1))
}

func TestASecondSectionWithALongTermKeyIsTheUsers(t *testing.T) {
	t.Parallel()
	theirs := "[theirs]\naws_access_key_id = AKIAEXAMPLE00000001\naws_secret_access_key = x\nmfad_profile = prod\n"
	f := home(t, theirs, "")
	r := apply(t, f, []Section{prod(1)})
	if !r.Written || r.Conflicts != nil {
		t.Errorf("Apply = %+v, want written without conflicts", r)
	}
	if e := r.Left["prod"]; e == nil || e.Code != creds.CodeConflict || !strings.Contains(e.Error(), "credentials:1: [theirs] holds a long-term key") || e.Hint == "" {
		t.Errorf("left %v, want a word about [theirs]", r.Left)
	}
	same(t, "credentials", content(t, f.Credentials), theirs+"\n"+section("prod", 1))
	if e := f.Check(t.Context(), []Section{prod(1)}, nil); len(e) > 0 {
		t.Errorf("Check = %v, want nothing", e)
	}
	if r := apply(t, f, nil, "prod"); r.Conflicts["prod"] == nil || r.Left != nil {
		t.Errorf("removing: %+v, want a conflict", r)
	}
	same(t, "after removing", content(t, f.Credentials), theirs)
}

func TestAnEmptiedSectionNamesItsProfile(t *testing.T) {
	t.Parallel()
	f := home(t, "[shared]\n"+body("old", 1)+"region = x\n", "")
	apply(t, f, []Section{{Name: "shared", Profile: "new"}}, "old")
	same(t, "credentials", content(t, f.Credentials), "[shared]\nmfad_profile = new\nregion = x\n")
	if r := apply(t, f, []Section{{Name: "shared", Profile: "new"}}, "old"); r.Written {
		t.Error("the same again was written, want no write")
	}
	r := apply(t, f, []Section{{Name: "shared", Profile: "a\nb"}}, "new")
	if e := r.Conflicts["a\nb"]; e == nil || e.Code != creds.CodeConfig {
		t.Errorf("a profile name that no file can hold: %v, want code config", e)
	}
}

// TestALinkIntoNowhere: no folder is made where a disk may be missing.
func TestALinkIntoNowhere(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(f *Files, gone string) error{
		"the file": func(f *Files, gone string) error {
			return os.Symlink(filepath.Join(gone, "credentials"), f.Credentials)
		},
		"its folder": func(f *Files, gone string) error {
			return errors.Join(os.Remove(filepath.Dir(f.Credentials)), os.Symlink(gone, filepath.Dir(f.Credentials)))
		},
	} {
		f := home(t, "", "")
		gone := filepath.Join(t.TempDir(), "not-mounted")
		if err := link(f, gone); err != nil {
			t.Skip(err)
		}
		_, err := f.Apply(t.Context(), []Section{prod(1)}, nil)
		if creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), "whose folder is not there") {
			t.Errorf("%s: Apply = %v, want a conflict", name, err)
		}
		if e := f.Check(t.Context(), []Section{prod(1)}, nil)["prod"]; e == nil || err == nil || e.Error() != err.Error() {
			t.Errorf("%s: Check = %v, want %v", name, e, err)
		}
		if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the folder was made: %v", name, err)
		}
	}
}

// TestMergeConfig: a changed copy of the AWS config comes back into the file, beside
// what changed there; one that AWS's tools cannot read changes nothing.
func TestMergeConfig(t *testing.T) {
	t.Parallel()
	base := "[profile a]\nregion = eu-west-1\n"
	now := "# mine\n[profile a]\nregion = eu-west-1\noutput = json\n"
	f := home(t, "", now)
	f.Credentials = ""
	late := "[profile a]\nregion = eu-north-1\n\n[profile new]\nregion = us-east-1\n"
	if err := f.MergeConfig(t.Context(), []byte(base), []byte(late)); err != nil {
		t.Fatal(err)
	}
	want := "# mine\n[profile a]\nregion = eu-north-1\noutput = json\n[profile new]\nregion = us-east-1\n"
	b, err := os.ReadFile(f.Config)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "merged", string(b), want)
	err = f.MergeConfig(t.Context(), []byte(base), []byte("[profile a\nbroken"))
	if creds.CodeOf(err) != creds.CodeConflict {
		t.Errorf("a copy that nobody can read: %v, want a conflict", err)
	}
	if b, err = os.ReadFile(f.Config); err != nil {
		t.Fatal(err)
	}
	same(t, "after a copy that nobody can read", string(b), want)
}
