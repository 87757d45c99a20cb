package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// TestMemory and its like run one suite over every store: what holds for one
// holds for all.
func TestMemory(t *testing.T) { conform(t, new(Memory)) }

func TestFile(t *testing.T) { conform(t, unlockedFile(t)) }

func unlockedFile(t *testing.T) *File {
	t.Helper()
	f := NewFile(filepath.Join(t.TempDir(), "state", FileName))
	f.cost = 10 // 1 MiB and a millisecond
	if err := f.Unlock(t.Context(), creds.NewSecret(testPassphrase)); err != nil {
		t.Fatal(err)
	}
	return f
}

func conform(t *testing.T, s Store) {
	t.Run("values come back byte for byte", func(t *testing.T) { conformRoundTrip(t, s, binary) })
	conformBut(t, s)
}

// conformText is conform for a keyring that keeps text alone.
func conformText(t *testing.T, s Store) {
	t.Run("text comes back byte for byte", func(t *testing.T) { conformRoundTrip(t, s, text) })
	t.Run("what is no text is not lost in silence", func(t *testing.T) {
		for name, value := range binary {
			if err := s.Set(t.Context(), name, creds.NewSecret(value)); creds.CodeOf(err) != creds.CodeKeyringFailed {
				t.Errorf("Set(%.20q) = %v, want code %q", name, err, creds.CodeKeyringFailed)
			}
		}
	})
	conformBut(t, s)
}

func conformBut(t *testing.T, s Store) {
	t.Run("not found", func(t *testing.T) { conformNotFound(t, s) })
	t.Run("overwrite and delete", func(t *testing.T) { conformOverwrite(t, s) })
	t.Run("refused names and values", func(t *testing.T) { conformRefused(t, s) })
	t.Run("concurrent use", func(t *testing.T) { conformConcurrent(t, s) })
	t.Run("context ended", func(t *testing.T) { conformCancelled(t, s) })
}

// Values by name. Those of mfad's own are text.
var (
	text = map[string]string{
		"identity/corp":          `{"AccessKeyId":"AKIAEXAMPLE00000001"}`,
		"key of the sessions":    " leading and trailing blanks ",
		`quotes " ' ` + "` \\ $": "new\nline\r\n",
		"héß–名":                  "ÄÖÜ – 秘密",
		strings.Repeat("n", 255): strings.Repeat("~", MaxValue),
	}
	binary = map[string]string{
		"no UTF-8":               "NUL \x00 and invalid \xff\xfe UTF-8",
		strings.Repeat("b", 255): strings.Repeat("\xf0", MaxValue),
	}
)

func conformRoundTrip(t *testing.T, s Store, more map[string]string) {
	all := maps.Clone(text)
	maps.Copy(all, more)
	for name, value := range all {
		if err := s.Set(t.Context(), name, creds.NewSecret(value)); err != nil {
			t.Errorf("Set(%.20q) = %v, want nil", name, err)
			continue
		}
		got, err := s.Get(t.Context(), name)
		if err != nil || got.Reveal() != value {
			t.Errorf("Get(%.20q) = %.40q, %v, want %.40q", name, got.Reveal(), err, value)
		}
	}
}

func conformNotFound(t *testing.T, s Store) {
	if got, err := s.Get(t.Context(), "absent"); creds.CodeOf(err) != creds.CodeKeyNotFound || !got.IsZero() {
		t.Errorf("Get = %v, want nothing and code %q", err, creds.CodeKeyNotFound)
	}
	if err := s.Delete(t.Context(), "absent"); creds.CodeOf(err) != creds.CodeKeyNotFound {
		t.Errorf("Delete = %v, want code %q", err, creds.CodeKeyNotFound)
	}
}

func conformOverwrite(t *testing.T, s Store) {
	for _, value := range []string{"first, the longer one", "second"} {
		if err := s.Set(t.Context(), "over", creds.NewSecret(value)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Get(t.Context(), "over"); err != nil || got.Reveal() != "second" {
		t.Errorf("Get = %q, %v, want the second value", got.Reveal(), err)
	}
	if err := s.Set(t.Context(), "beside", creds.NewSecret("stays")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "over"); err != nil {
		t.Errorf("Delete = %v, want nil", err)
	}
	if _, err := s.Get(t.Context(), "over"); creds.CodeOf(err) != creds.CodeKeyNotFound {
		t.Errorf("Get after Delete = %v, want code %q", err, creds.CodeKeyNotFound)
	}
	if got, err := s.Get(t.Context(), "beside"); err != nil || got.Reveal() != "stays" {
		t.Errorf("the item beside it: %q, %v, want it untouched", got.Reveal(), err)
	}
}

func conformRefused(t *testing.T, s Store) {
	const secret = "must-not-show"
	for _, tt := range []struct{ why, name, value string }{
		{"no name", "", secret},
		{"name too long", strings.Repeat("n", MaxName+1), secret},
		{"newline in the name", "a\nb", secret},
		{"NUL in the name", "a\x00b", secret},
		{"name is not UTF-8", "a\xff", secret},
		{"empty value", "a", ""},
		{"value too big", "a", strings.Repeat(secret, MaxValue)[:MaxValue+1]},
	} {
		err := s.Set(t.Context(), tt.name, creds.NewSecret(tt.value))
		if creds.CodeOf(err) != creds.CodeKeyringFailed {
			t.Errorf("%s: Set = %v, want code %q", tt.why, err, creds.CodeKeyringFailed)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the value: %v", tt.why, err)
		}
	}
	err := s.Set(t.Context(), "a", creds.NewSecret(strings.Repeat("x", 3000)))
	if err == nil || !strings.Contains(err.Error(), "3000 bytes") || !strings.Contains(err.Error(), "2500") {
		t.Errorf("Set of 3000 bytes = %v, want both numbers in the text", err)
	}
}

func conformConcurrent(t *testing.T, s Store) {
	var wg sync.WaitGroup
	for i := range 5 {
		name, value := fmt.Sprintf("concurrent %d", i), creds.NewSecret(fmt.Sprintf("value %d", i))
		wg.Go(func() {
			if err := s.Set(t.Context(), name, value); err != nil {
				t.Errorf("Set(%q) = %v", name, err)
			}
			if got, err := s.Get(t.Context(), name); err != nil || !got.Equal(value) {
				t.Errorf("Get(%q) = %q, %v, want %q", name, got.Reveal(), err, value.Reveal())
			}
		})
	}
	wg.Wait()
	for i := range 5 {
		if _, err := s.Get(t.Context(), fmt.Sprintf("concurrent %d", i)); err != nil {
			t.Errorf("after all were written: %v", err)
		}
	}
}

func conformCancelled(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, get := s.Get(ctx, "a")
	for op, err := range map[string]error{
		"Get":    get,
		"Set":    s.Set(ctx, "cancelled", creds.NewSecret("v")),
		"Delete": s.Delete(ctx, "a"),
	} {
		if !errors.Is(err, context.Canceled) || creds.CodeOf(err) != creds.CodeKeyringTimeout {
			t.Errorf("%s = %v, want context canceled with code %q", op, err, creds.CodeKeyringTimeout)
		}
	}
	if _, err := s.Get(t.Context(), "cancelled"); creds.CodeOf(err) != creds.CodeKeyNotFound {
		t.Errorf("a cancelled Set left something: %v", err)
	}
}

// TestStoresPrintNoSecret prints a store in every way that a log could.
func TestStoresPrintNoSecret(t *testing.T) {
	m, f := new(Memory), unlockedFile(t)
	if err := m.Set(t.Context(), "a", creds.NewSecret("must-not-show")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{m, f} {
		fmt.Fprintf(&out, "%v %+v %#v %s", v, v, v, v)
	}
	for _, secret := range []string{"must-not-show", testPassphrase} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("printing a store shows %q: %s", secret, out.String())
		}
	}
}
