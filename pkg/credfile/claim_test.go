package credfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// inTheWay are the keys that keep tools from using what mfad writes.
func inTheWay() []string {
	return []string{"role_arn", "source_profile", "mfa_serial", "credential_source", "duration_seconds"}
}

func claimed() Claim { return Claim{Name: "prod", Profile: "prod", Disable: inTheWay()} }

// TestClaimConfig: lines become comments where they stand, and come back so.
func TestClaimConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before, want string }{
		{"no file", "", ""},
		{"another section", "[profile dev]\nrole_arn = a\n", "[profile dev]\nrole_arn = a\n"},
		{"in their places", "# top\n[profile prod]\nregion = x\nrole_arn = a\n# mine\nsource_profile = b\noutput = json\n\n[profile dev]\nrole_arn = a\n",
			"# top\n[profile prod]\nregion = x\n# mfad: role_arn = a\n# mine\n# mfad: source_profile = b\noutput = json\n\n[profile dev]\nrole_arn = a\n"},
		{"spellings", "[profile prod]\nRole_ARN:a ; b\n\tmfa_serial=x\n", "[profile prod]\n# mfad: Role_ARN:a ; b\n# mfad: \tmfa_serial=x\n"},
		{"windows' line ends", "[profile prod]\r\nrole_arn = a\r\nregion = x\r\n", "[profile prod]\r\n# mfad: role_arn = a\r\nregion = x\r\n"},
		{"no newline at the end", "[profile prod]\nrole_arn = a", "[profile prod]\n# mfad: role_arn = a"},
		{"a wrapped value", "[profile prod]\nrole_arn = a\n  b\nregion = x\n", "[profile prod]\n# mfad: role_arn = a\n# mfad:   b\nregion = x\n"},
		{"a key below its own", "[profile prod]\n role_arn = a\n  role_arn = b\n mfa_serial = c\n", "[profile prod]\n# mfad:  role_arn = a\n# mfad:   role_arn = b\n# mfad:  mfa_serial = c\n"},
		{"a nested block beside", "[profile prod]\ns3 =\n  region = y\nrole_arn = a\n", "[profile prod]\ns3 =\n  region = y\n# mfad: role_arn = a\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, "", tt.before)
			p, err := f.Preview(t.Context(), Claims{Config: []Claim{claimed()}}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the preview", string(p.Config.New), tt.want)
			if tt.before != "" {
				same(t, "the file after a preview", content(t, f.Config), tt.before)
			}
			if err := f.Claim(t.Context(), Claims{Config: []Claim{claimed()}}); err != nil {
				t.Fatal(err)
			}
			if tt.before != "" {
				same(t, "the file", content(t, f.Config), tt.want)
			}
			if restored, err := f.Restore(t.Context(), []string{"dev"}); restored || err != nil {
				t.Errorf("Restore of another profile = %v, %v", restored, err)
			}
			if restored, err := f.Restore(t.Context(), []string{"prod"}); restored != (tt.before != tt.want) || err != nil {
				t.Errorf("Restore = %v, %v", restored, err)
			}
			if tt.before != "" {
				same(t, "the file restored", content(t, f.Config), tt.before)
			}
		})
	}
}

// TestClaimServes: what was in the way is not any more, and when mfad's lines go
// the header stays with the user's.
func TestClaimServes(t *testing.T) {
	t.Parallel()
	const before = "[profile prod]\nrole_arn = a\nsource_profile = b\n\n[profile dev]\nregion = x\n"
	f := home(t, "", before)
	p, err := f.Preview(t.Context(), Claims{Config: []Claim{claimed()}}, nil, []Entry{process()})
	if err != nil || p.Conflicts != nil {
		t.Fatalf("Preview = %v, %v", p.Conflicts, err)
	}
	p, err = f.Preview(t.Context(), Claims{}, nil, []Entry{process()})
	if err != nil || p.Conflicts["prod"] == nil {
		t.Fatalf("Preview without a claim = %v, %v; want a conflict", p.Conflicts, err)
	}
	if err := f.Claim(t.Context(), Claims{Config: []Claim{claimed()}}); err != nil {
		t.Fatal(err)
	}
	if r, err := f.ApplyConfig(t.Context(), []Entry{process()}, nil); err != nil || r.Conflicts != nil {
		t.Fatalf("ApplyConfig = %v, %v", r.Conflicts, err)
	}
	if _, err := f.ApplyConfig(t.Context(), nil, []string{"prod"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Restore(t.Context(), []string{"prod"}); err != nil {
		t.Fatal(err)
	}
	same(t, "the config", content(t, f.Config), before)
}

// TestRestoreKeepsOut: a key that the section has again would make botocore refuse
// the file, and a comment of the user's is no key.
func TestRestoreKeepsOut(t *testing.T) {
	t.Parallel()
	const text = "[profile prod]\n# mfad: role_arn = old\nrole_arn = new\n# mfad: is nice = yes\n# mfad:\n  # mfad: mfa_serial = x\n"
	f := home(t, "", text)
	if restored, err := f.Restore(t.Context(), []string{"prod"}); restored || err != nil {
		t.Errorf("Restore = %v, %v", restored, err)
	}
	same(t, "the config", content(t, f.Config), text)
}

const longTermKey = "[default]\naws_access_key_id = AKIAEXAMPLE000000001\naws_secret_access_key = not-a-secret\n"

func TestClaimCredentials(t *testing.T) {
	t.Parallel()
	key := creds.Credentials{AccessKeyID: "AKIAEXAMPLE000000001", SecretAccessKey: creds.NewSecret("not-a-secret")}
	awsMFA := Claim{Name: "prod", Profile: "prod", Own: true, Disable: []string{"expiration", "assumed_role", "assumed_role_arn"}}
	for _, tt := range []struct {
		name, before string
		claim        Claim
		want         string // empty: a conflict that says
		conflict     string
	}{
		{"the key goes, and its header with it", "# top\n" + longTermKey + "\n[b]\nx = 1\n", Claim{Name: "default", Profile: "default", Key: key}, "# top\n\n[b]\nx = 1\n", ""},
		{"other keys stay", longTermKey + "region = x\n", Claim{Name: "default", Profile: "default", Key: key}, "[default]\nregion = x\n", ""},
		{"and are mfad's to serve", longTermKey + "region = x\n", Claim{Name: "default", Profile: "default", Key: key, Own: true}, "[default]\nmfad_profile = default\nregion = x\n", ""},
		{"another secret", strings.Replace(longTermKey, "not-a", "another", 1), Claim{Name: "default", Profile: "default", Key: key}, "", "another key"},
		{"another id", strings.Replace(longTermKey, "0001\n", "0002\n", 1), Claim{Name: "default", Profile: "default", Key: key}, "", "another key"},
		{"the section is gone", "[b]\nx = 1\n", Claim{Name: "default", Profile: "default", Key: key}, "", "is gone"},
		{"a long-term key is not owned", longTermKey, Claim{Name: "default", Profile: "default", Own: true}, "", "long-term key"},
		{"aws-mfa's section", "[prod]\nassumed_role = False\naws_access_key_id = ASIAEXAMPLE000000001\nexpiration = 2026-01-01 00:00:00\n", awsMFA,
			"[prod]\n# mfad: assumed_role = False\naws_access_key_id = ASIAEXAMPLE000000001\nmfad_profile = prod\n# mfad: expiration = 2026-01-01 00:00:00\n", ""},
		{"somebody else's section", "[prod]\naws_access_key_id = ASIAEXAMPLE000000001\n", awsMFA, "", "did not write"},
		{"another profile's", "[prod]\nmfad_profile = dev\n", awsMFA, "", "belongs to"},
		{"a key below a key", "[prod]\naws_access_key_id = ASIAEXAMPLE000000001\nexpiration = 2026\n  region = x\n", awsMFA, "", "indented"},
		{"a file that botocore refuses", longTermKey + "junk\n", Claim{Name: "default", Profile: "default", Key: key}, "", ":4: neither"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, tt.before, "")
			err := f.Claim(t.Context(), Claims{Credentials: []Claim{tt.claim}})
			if tt.conflict != "" {
				if creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), tt.conflict) {
					t.Errorf("Claim = %v, want a conflict with %q", err, tt.conflict)
				}
				same(t, "the file", content(t, f.Credentials), tt.before)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the file", content(t, f.Credentials), tt.want)
		})
	}
}

// TestClaimTakesNoOtherKeys: only what is known to be in the way.
func TestClaimTakesNoOtherKeys(t *testing.T) {
	t.Parallel()
	f := home(t, "", "[profile prod]\nregion = x\n")
	if err := f.Claim(t.Context(), Claims{Config: []Claim{{Name: "prod", Profile: "prod", Disable: []string{"region"}}}}); creds.CodeOf(err) != creds.CodeInternal {
		t.Errorf("Claim of region = %v, want it refused", err)
	}
}

// TestClaimRoundTrip: whatever a file looks like, to claim its sections and to
// restore them leaves every byte as it was, or refuses.
func TestClaimRoundTrip(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/ini-cases/*.ini")
	if err != nil || len(cases) < 50 {
		t.Fatal(len(cases), err)
	}
	done := 0
	for _, path := range cases {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, extra := range []string{"", "\n[profile prod]\nrole_arn = a\n  b\nmfa_serial=c"} {
			text := append(slices.Clone(src), extra...)
			d := newDocument("config", text, readConfig)
			var claims []Claim
			var names []string
			for name := range d.profiles {
				claims, names = append(claims, Claim{Name: name, Profile: name, Disable: inTheWay()}), append(names, name)
			}
			next, err := planClaims(d, claims, readConfig)
			if err != nil {
				continue
			}
			back, err := planRestore(newDocument("config", next, readConfig), names, readConfig)
			if err != nil || string(back) != string(text) {
				t.Errorf("%s: %q became %q (%v)", path, text, back, err)
			}
			done++
		}
	}
	if done < 20 {
		t.Errorf("only %d files were claimed", done)
	}
}
