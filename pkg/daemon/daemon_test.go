package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
	"github.com/mfad/mfad/pkg/state"
)

func TestTheExpirationThatToolsAreTold(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		left    time.Duration
		purpose string
		want    time.Duration
	}{
		{"a minute early", time.Hour, localapi.ForProcess, 59 * time.Minute},
		{"also where no purpose is given", time.Hour, "", 59 * time.Minute},
		{"just above two minutes", 121 * time.Second, localapi.ForProcess, 61 * time.Second},
		{"the true one where two minutes are left", 2 * time.Minute, localapi.ForProcess, 2 * time.Minute},
		{"and below", 3 * time.Second, localapi.ForProcess, 3 * time.Second},
		{"the true one for a shell", time.Hour, localapi.ForExport, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := time.Parse(time.RFC3339, process(creds.Credentials{Expires: now.Add(tt.left)}, tt.purpose, now).Expiration)
			if err != nil || got.Sub(now) != tt.want {
				t.Errorf("told %v ahead (%v), want %v", got.Sub(now), err, tt.want)
			}
		})
	}
}

func TestSessionNames(t *testing.T) {
	d := &Daemon{held: map[string]held{
		"corp":  {user: "arn:aws:iam::111111111111:user/eng/alice@example.com"},
		"odd":   {user: "arn:aws:iam::111111111111:user/Ünï"},
		"short": {user: "arn:aws:iam::111111111111:user/x"},
		"long":  {user: "arn:aws:iam::111111111111:user/" + string(make([]byte, 80))},
	}}
	for identity, want := range map[string]string{"corp": "alice@example.com", "odd": "-n-", "short": "x_", "unverified": "unverified"} {
		if got := d.sessionName(identity); got != want {
			t.Errorf("%s: %q, want %q", identity, got, want)
		}
	}
	if got := d.sessionName("long"); len(got) != 64 {
		t.Errorf("a long name has %d characters, want 64", len(got))
	}
}

func TestIdentityOf(t *testing.T) {
	one := &profile.Config{}
	load := func(text string) *profile.Config {
		path := filepath.Join(t.TempDir(), "config.ini")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := profile.Load(path, profile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const corp = "[identity corp]\nmfa_serial = arn:aws:iam::111111111111:mfa/alice\n[profile prod]\nidentity = corp\nrole_arn = arn:aws:iam::222222222222:role/Admin\n"
	two := load(corp + "[identity home]\nmfa_serial = arn:aws:iam::333333333333:mfa/alice\n")
	for _, tt := range []struct {
		name, target string
		c            *profile.Config
		identity     string
		code         creds.Code
	}{
		{"none yet", "", one, "", creds.CodeUsage},
		{"the only one", "", load(corp), "corp", ""},
		{"several", "", two, "", creds.CodeUsage},
		{"by name", "home", two, "home", ""},
		{"by a profile of its", "prod", two, "corp", ""},
		{"unknown", "nosuch", two, "", creds.CodeUnknownProfile},
	} {
		t.Run(tt.name, func(t *testing.T) {
			identity, _, err := identityOf(tt.c, tt.target)
			if identity != tt.identity || creds.CodeOf(err) != tt.code {
				t.Errorf("got %q, %v; want %q, %q", identity, err, tt.identity, tt.code)
			}
		})
	}
}

func TestCommandPath(t *testing.T) {
	dir := t.TempDir()
	store, bin := filepath.Join(dir, "store-1.2.3"), filepath.Join(dir, "bin")
	for _, d := range []string{store, bin} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	self := filepath.Join(store, "mfad")
	if err := os.WriteFile(self, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "mfad")); err != nil {
		t.Fatal(err)
	}
	if got, want := CommandPath("/nowhere:"+bin, self), filepath.Join(bin, "mfad"); got != want {
		t.Errorf("got %s, want the name in PATH, %s: the store's is gone after an upgrade", got, want)
	}
	if got := CommandPath("/nowhere:.", self); got != self {
		t.Errorf("got %s, want %s, which PATH does not have", got, self)
	}
}

// TestACodeIsSpentOnce, also by a daemon that was killed after it sent it.
func TestACodeIsSpentOnce(t *testing.T) {
	dir := state.Dir(t.TempDir())
	key, err := state.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	start := func() *store {
		s := &store{log: slog.New(slog.DiscardHandler), dir: dir}
		s.use(state.OpenSessions(dir, key))
		return s
	}
	now := time.Now()
	code, other := creds.NewSecret("123456"), creds.NewSecret("654321")
	s := start()
	if _, err := s.spend("serial", code, now); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*store{"same daemon": s, "after a crash": start()} {
		if _, err := s.spend("serial", code, now.Add(30*time.Second)); creds.CodeOf(err) != creds.CodeMFAUsedCode {
			t.Errorf("%s: %v, want mfa_used_code", name, err)
		}
	}
	if _, err := s.spend("another device", code, now); err != nil {
		t.Errorf("another device's like code: %v", err)
	}
	if _, err := s.spend("serial", code, now.Add(time.Hour)); err != nil {
		t.Errorf("the same digits an hour later: %v", err)
	}
	unspend, err := s.spend("serial", other, now.Add(time.Hour))
	if err != nil {
		t.Fatalf("the next code: %v", err)
	}
	if _, err := s.spend("serial", code, now.Add(time.Hour+30*time.Second)); creds.CodeOf(err) != creds.CodeMFAUsedCode {
		t.Errorf("a code before the last one: %v, want mfa_used_code", err)
	}
	unspend()
	if _, err := start().spend("serial", code, now.Add(time.Hour+30*time.Second)); creds.CodeOf(err) != creds.CodeMFAUsedCode {
		t.Errorf("a code before one that never left, after a crash: %v, want mfa_used_code", err)
	}
	if _, err := s.spend("serial", other, now.Add(time.Hour)); err != nil {
		t.Errorf("a code that never left: %v", err)
	}
	// Two identities on one device: what never left is the first one's.
	third, fourth := creds.NewSecret("333333"), creds.NewSecret("444444")
	unspend, err = s.spend("serial", third, now.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.spend("serial", fourth, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	unspend()
	if _, err := s.spend("serial", fourth, now.Add(2*time.Hour)); creds.CodeOf(err) != creds.CodeMFAUsedCode {
		t.Errorf("the code that AWS took: %v, want mfa_used_code", err)
	}
	if _, err := s.spend("serial", third, now.Add(2*time.Hour)); err != nil {
		t.Errorf("the code that never left: %v", err)
	}
	if _, err := (&store{}).spend("serial", code, now); creds.CodeOf(err) != creds.CodeKeyringLocked {
		t.Errorf("before the keyring is open: %v, want keyring_locked", err)
	}
}

func TestTheStoreGivesBackWhatItKept(t *testing.T) {
	dir := state.Dir(t.TempDir())
	key, err := state.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &store{log: slog.New(slog.DiscardHandler), dir: dir}
	s.use(state.OpenSessions(dir, key))
	c := creds.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: creds.NewSecret("s"), SessionToken: creds.NewSecret("t"),
		Issued: time.Now().UTC().Truncate(time.Second), Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Principal: "arn"}
	kept := refresh.Saved{
		Sessions: map[string]refresh.SavedSession{"corp": {Credentials: c, Fingerprint: " arn:aws:iam::111111111111:mfa/alice"}},
		Profiles: map[string]refresh.SavedProfile{"prod": {Credentials: c, Via: refresh.ViaSession, Fingerprint: "f"}},
	}
	if err := s.keep(kept); err != nil {
		t.Fatal(err)
	}
	again := &store{log: slog.New(slog.DiscardHandler)}
	again.use(state.OpenSessions(dir, key))
	got := again.restored()
	session, prod := got.Sessions["corp"], got.Profiles["prod"]
	if !session.Credentials.Equal(c) || session.Fingerprint != kept.Sessions["corp"].Fingerprint || !session.Credentials.Issued.Equal(c.Issued) {
		t.Errorf("the session came back as %+v", session)
	}
	if !prod.Credentials.Equal(c) || prod.Via != refresh.ViaSession || prod.Fingerprint != "f" {
		t.Errorf("the profile came back as %+v", prod)
	}
}
