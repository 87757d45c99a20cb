package state

import (
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// TestAGrantIsForOneProfileAndOneKey, and outlives the daemon that made it.
func TestAGrantIsForOneProfileAndOneKey(t *testing.T) {
	dir := Dir(t.TempDir())
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	g, err := OpenSessions(dir, key).Grant("prod")
	if err != nil {
		t.Fatal(err)
	}
	text := g.Reveal()
	flipped := "0"
	if text[0] == '0' {
		flipped = "1"
	}
	for _, tt := range []struct {
		name         string
		key          creds.Secret
		profile, got string
		want         bool
	}{
		{"itself, after a restart", key, "prod", text, true},
		{"another profile", key, "dev", text, false},
		{"another key", other, "prod", text, false},
		{"another nonce", key, "prod", flipped + text[1:], false},
		{"cut", key, "prod", text[:len(text)-2], false},
		{"longer", key, "prod", text + "00", false},
		{"nothing", key, "prod", "", false},
		{"no hex", key, "prod", "x" + text[1:], false},
		{"a malformed key", creds.NewSecret("short"), "prod", text, false},
	} {
		if got := OpenSessions(dir, tt.key).Granted(tt.profile, creds.NewSecret(tt.got)); got != tt.want {
			t.Errorf("%s: granted %v, want %v", tt.name, got, tt.want)
		}
	}
	if again, err := OpenSessions(dir, key).Grant("prod"); err != nil || again.Equal(g) {
		t.Errorf("a second grant is the first one again (%v)", err)
	}
	if _, err := OpenSessions(dir, creds.NewSecret("short")).Grant("prod"); creds.CodeOf(err) != creds.CodeKeyringFailed {
		t.Errorf("under a malformed key: %v, want keyring_failed", err)
	}
}
