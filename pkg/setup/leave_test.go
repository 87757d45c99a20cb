package setup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/setup"
)

// configFile loads mfad's config from text.
func configFile(t *testing.T, text string) *profile.Config {
	t.Helper()
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

const identity = "[identity corp]\nmfa_serial = " + device + "\n\n"

func mine(name string, more ...string) string {
	return "[profile " + name + "]\nidentity = corp\n" + strings.Join(more, "\n") + "\n"
}

const deadKey = "AKIAEXAMPLE000000009"

// TestLeave: what AWS's tools need, after what the user had is back.
func TestLeave(t *testing.T) {
	t.Parallel()
	const arn = "role_arn = " + admin
	for _, tt := range []struct{ name, mfad, credentials, config, want, home, left string }{
		{"a role that mfad alone knew", mine("a", arn), "", "", "a: role_arn source_profile=corp mfa_serial", "corp", ""},
		{"all that the tools know", mine("a", arn, "duration = 2h", "external_id = xy", "role_session_name = me", "region = eu-west-1", "output = json"), "", "",
			"a: role_arn source_profile=corp mfa_serial duration_seconds=7200 external_id=xy role_session_name=me region=eu-west-1 output=json", "corp", ""},
		{"a role that came back", mine("a", arn), key("default"), role("a", "default", "mfa_serial = x"), "a: role_arn source_profile=default mfa_serial", "default!", ""},
		{"without a device before", mine("a", arn), key("default"), role("a", "default"), "a: role_arn source_profile=default", "default!", ""},
		{"the key went", mine("a", arn), "", role("a", "default"), "a: role_arn source_profile=default", "default", ""},
		{"the session in its place", mine("base") + mine("a", arn), "", "", "a: role_arn source_profile=base mfa_serial", "base", ""},
		{"a session beside", mine("base") + mine("a", arn), "", role("a", "default"), "a: role_arn source_profile=default", "default", "base: it is the MFA session itself"},
		{"beside its device", mine("base"), "[x]\naws_mfa_device = " + device + "\n", "", "", "x", "base: it is the MFA session itself"},
		{"a name that a role has", mine("corp-key", arn) + mine("b", arn, "section = corp"), "", "",
			"corp-key: role_arn source_profile=corp-key-key mfa_serial; corp: role_arn source_profile=corp-key-key mfa_serial", "corp-key-key", ""},
		{"a chain", mine("a", arn) + "[profile b]\nsource_profile = a\n" + arn + "\nduration = 1h\n", "", "", "a: role_arn source_profile=corp mfa_serial; b: role_arn source_profile=a", "corp", ""},
		{"what no tool knows", mine("a", arn, "session_tags = k=v", "source_identity = me"), "", "", "a: role_arn source_profile=corp mfa_serial", "corp", "a: AWS's tools have no word for its source_identity, session_tags"},
		{"a key that was rotated away", mine("a", arn), strings.Replace(key("base"), "AKIAEXAMPLE000000001", deadKey, 1), role("a", "base"), "a: role_arn source_profile=base", "base!+", ""},
		{"aws-mfa's key, without its device", mine("corp") + mine("a", arn), key("corp-long-term"), role("a", "corp"), "a: role_arn source_profile=corp-long-term mfa_serial", "corp-long-term!", "corp: it is the MFA session itself"},
		{"a key of that name", mine("a", arn), key("corp"), "", "a: role_arn source_profile=corp mfa_serial", "corp!?", ""},
		{"aws-mfa's default", mine("default") + mine("a", arn), key("default-long-term", "aws_mfa_device = "+device) + "[default]\nassumed_role = False\nexpiration = 2030-01-01 00:00:00\n", role("a", "default"),
			"a: role_arn source_profile=default-long-term mfa_serial", "default-long-term!", "a: without mfad its source_profile = default has no credentials; default-long-term"},
		{"the key of which went", mine("default") + mine("a", arn), "[default-long-term]\naws_mfa_device = " + device + "\n", role("a", "default"),
			"a: role_arn source_profile=default-long-term mfa_serial", "default-long-term", "a: without mfad"},
		{"a source of another program", mine("a", arn), "", role("a", "tool") + "[profile tool]\ncredential_process = /x\n", "a: role_arn source_profile=tool", "corp", ""},
		{"a region that is there", mine("a", arn, "region = eu-west-1"), "", "[profile a]\nregion = x\n", "a: role_arn source_profile=corp mfa_serial", "corp", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := scan(tt.credentials, tt.config).Leave(configFile(t, identity+tt.mfad), map[string]bool{deadKey: true})
			var got []string
			for _, p := range l.Config {
				text := p.Name + ":"
				for _, k := range p.Keys {
					text += " " + k.Name
					if k.Name != "role_arn" && k.Name != "mfa_serial" {
						text += "=" + k.Value
					}
				}
				got = append(got, text)
			}
			if g := strings.Join(got, "; "); g != tt.want {
				t.Errorf("got  %q\nwant %q", g, tt.want)
			}
			if h := l.Homes[0]; h.Section+map[bool]string{true: "!"}[h.KeyID != ""]+map[bool]string{true: "+"}[h.Dead]+map[bool]string{true: "?"}[h.KeyID != "" && h.Guessed] != tt.home {
				t.Errorf("the key's home: got %+v, want %s", h, tt.home)
			}
			left := ""
			for _, p := range l.Left {
				left += p.Profile + ": " + p.What
			}
			if !strings.Contains(left, tt.left) || tt.left == "" && left != "" {
				t.Errorf("left: got %q, want %q", left, tt.left)
			}
		})
	}
}

// TestLeaveFederated: an identity that no key stands for stays mfad's, unless AWS's
// tools know its kind; what is chained to it goes the same way.
func TestLeaveFederated(t *testing.T) {
	t.Parallel()
	chained := "[profile b]\nsource_profile = a\nrole_arn = " + admin + "\n"
	for kind, want := range map[string]string{
		"type = web_identity\nweb_identity_token_file = /token":                                                 "b a",
		"type = web_identity\nweb_identity_token_process = x":                                                   "",
		"type = saml\nsaml_assertion_process = x\nprincipal_arn = arn:aws:iam::111111111111:saml-provider/Corp": "",
	} {
		l := scan("", "").Leave(configFile(t, "[identity corp]\n"+kind+"\n\n"+mine("a", "role_arn = "+admin)+chained), nil)
		if got := strings.Join(l.Profiles, " "); got != want || len(l.Homes) != 0 {
			t.Errorf("%q: got %q and %d homes, want %q and none", kind, got, len(l.Homes), want)
		}
		if want != "" && (len(l.Config) != 2 || l.Config[0].Keys[1].Name != "web_identity_token_file") {
			t.Errorf("%q: got %+v", kind, l.Config)
		}
	}
}

// TestUnfinished: sections that a run did not get to are taken over by the next.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	const arn = "role_arn = " + admin
	for _, tt := range []struct{ name, mfad, credentials, config, want string }{
		{"a role", mine("a", arn), "", role("a", "default"), "config a"},
		{"of another ARN", mine("a", "role_arn = arn:aws:iam::222222222222:role/Other"), "", role("a", "default"), ""},
		{"that is taken over", mine("a", arn), "", "[profile a]\n# mfad: " + arn + "\n", ""},
		{"that nobody wants written", mine("a", arn, "write = none"), "", role("a", "default"), ""},
		{"aws-mfa's credentials", mine("a"), short("a"), "", "credentials a"},
		{"which are mfad's already", mine("a"), short("a", "mfad_profile = a"), "", ""},
		{"another identity's", strings.ReplaceAll(identity, "corp", "two") + strings.ReplaceAll(mine("a", arn), "corp", "two"), "", role("a", "default"), ""},
	} {
		f := scan(tt.credentials, tt.config)
		p := setup.Make(f, setup.Answers{Origin: setup.Origin{Identity: "corp"}, Identity: "corp", Unfinished: f.Unfinished("corp", configFile(t, identity+tt.mfad))})
		got := ""
		for _, c := range p.Claims.Config {
			got += "config " + c.Name
		}
		for _, c := range p.Claims.Credentials {
			got += "credentials " + c.Name
		}
		if got != tt.want || len(p.Profiles) > 0 {
			t.Errorf("%s: got %q and %d sections for the config, want %q and none", tt.name, got, len(p.Profiles), tt.want)
		}
	}
}
