package setup_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/setup"
)

// short is a section of credentials as aws-mfa writes it.
func short(name string, more ...string) string {
	return "[" + name + "]\nassumed_role = False\naws_access_key_id = ASIAEXAMPLE000000001\naws_secret_access_key = not-one\naws_session_token = nor-this\nexpiration = 2026-01-01 00:00:00\n" + strings.Join(more, "\n") + "\n"
}

// TestAWSMFA: by which names aws-mfa knows a key's profile.
func TestAWSMFA(t *testing.T) {
	t.Parallel()
	const marked = "aws_mfa_device = " + device
	for _, tt := range []struct {
		name, credentials string
		suffixes          setup.Suffixes
		want              string // SECTION>PROFILE for each key that is aws-mfa's
		problem           string
	}{
		{"aws-mfa's default", key("a-long-term"), setup.Suffixes{}, "a-long-term>a", ""},
		{"a key of nobody's", key("a"), setup.Suffixes{}, "", ""},
		{"a key like another tool's", key("a", "mfa_serial = "+device), setup.Suffixes{}, "", ""},
		{"told suffixes", key("a-lt"), setup.Suffixes{Long: "lt", Short: "st"}, "a-lt>a-st", ""},
		{"only one told", key("a-long-term"), setup.Suffixes{Short: "st"}, "a-long-term>a-st", ""},
		{"none, in any case", key("a", marked), setup.Suffixes{Long: "None", Short: "st"}, "a>a-st", ""},
		{"none, where only credentials tell", key("a") + key("b") + short("a-st"), setup.Suffixes{Long: "none", Short: "st"}, "a>a-st", ""},
		{"told, and not so named", key("a-long-term", marked), setup.Suffixes{Long: "lt"}, "", "names its device as aws-mfa does"},
		{"found: a longer name", key("a-lt", marked) + short("a"), setup.Suffixes{}, "a-lt>a", ""},
		{"found: the longest", key("a-b-lt", marked) + short("a") + short("a-b"), setup.Suffixes{}, "a-b-lt>a-b", ""},
		{"found: a shorter name", key("a", marked) + short("a-mfa"), setup.Suffixes{}, "a>a-mfa", ""},
		{"found: the same stem", key("a-lt", marked) + short("a-st"), setup.Suffixes{}, "a-lt>a-st", ""},
		{"not found: two of them", key("a", marked) + short("a-x") + short("a-y"), setup.Suffixes{}, "", "/c:1: [a] names its device"},
		{"not found: none", key("a", marked), setup.Suffixes{}, "", "/c:1: [a] names its device"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := scan(tt.credentials, "").AWSMFA(tt.suffixes)
			var got []string
			for _, k := range f.Keys {
				if k.Base != "" {
					got = append(got, k.Profile+">"+k.Base)
				}
			}
			if g := strings.Join(got, " "); g != tt.want {
				t.Errorf("got %q, want %q", g, tt.want)
			}
			problem := ""
			for _, p := range f.Problems {
				problem += p.What
			}
			if !strings.Contains(problem, tt.problem) || tt.problem == "" && problem != "" {
				t.Errorf("problems: got %q, want %q", problem, tt.problem)
			}
		})
	}
}

func TestSuffixesCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		suffixes setup.Suffixes
		ok       bool
	}{
		{setup.Suffixes{}, true}, {setup.Suffixes{Long: "none"}, false}, {setup.Suffixes{Long: "x", Short: "x"}, false},
		{setup.Suffixes{Short: "long-term"}, false}, {setup.Suffixes{Long: "none", Short: "mfa"}, true},
	} {
		if err := tt.suffixes.Check(); (err == nil) != tt.ok || err != nil && creds.CodeOf(err) != creds.CodeUsage {
			t.Errorf("%+v: got %v, want ok %v", tt.suffixes, err, tt.ok)
		}
	}
}

// TestAWSMFAsProfile: what the profile gives before is what it gives after.
func TestAWSMFAsProfile(t *testing.T) {
	t.Parallel()
	other := "arn:aws:iam::222222222222:role/Other"
	for _, tt := range []struct{ name, credentials, config, want, rival string }{
		{"the session", key("a-long-term") + short("a"), "", "a", ""},
		{"the wanted role, direct", key("a-long-term", "assume_role = "+admin), "", "a " + admin + " direct", ""},
		{"the role of the credentials", key("a-long-term") + strings.Replace(short("a", "assumed_role_arn = "+admin), "False", "True", 1), "", "a " + admin + " direct", ""},
		{"the wanted one before that", key("a-long-term", "assume_role = "+other) + strings.Replace(short("a", "assumed_role_arn = "+admin), "False", "True", 1), "", "a " + other + " direct", ""},
		{"the role of former credentials", key("a-long-term") + short("a", "assumed_role_arn = "+admin), "", "a", ""},
		{"a role that is assumed with the credentials beside it", key("a-long-term") + short("a"), role("a", "a"), "a " + admin + " ", ""},
		{"a role that is assumed otherwise", key("a-long-term") + short("a"), role("a", "default"), "", "/f:1: a role, assumed with default"},
		{"a role, and a role", key("a-long-term", "assume_role = "+other) + short("a"), role("a", "a"), "", "/f:1: a role, assumed with a"},
		{"another long-term key", key("a-long-term") + key("a"), "", "", "/c:5: another long-term key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := scan(tt.credentials, tt.config).AWSMFA(setup.Suffixes{})
			k, _ := f.Key("a-long-term")
			got := ""
			for _, c := range f.Candidates(setup.Origin{Key: k, Device: []string{device}}, configOf(nil)) {
				if got += c.Profile; c.RoleARN != "" {
					got += " " + c.RoleARN + " " + c.Mode
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if rival := f.Rival(k); rival != tt.rival {
				t.Errorf("rival: got %q, want %q", rival, tt.rival)
			}
		})
	}
}

// TestForksDuration: forks of aws-mfa say how long a session lives; what STS does
// not take is left out.
func TestForksDuration(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{"aws_mfa_duration = 3600": "3600", "mfa_duration = 900": "900", "aws_mfa_duration = 60": "", "aws_mfa_duration = 12h": "", "": ""} {
		f := scan(key("a-long-term", line), "")
		p := setup.Make(f, setup.Answers{Origin: setup.Origin{Key: f.Keys[0]}, Identity: "a", Serial: device})
		got := ""
		for _, kv := range p.Identity.Keys {
			if kv.Key == "session_duration" {
				got = kv.Value
			}
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// TestVault: a profile has what it includes, else what [default] has, as aws-vault
// reads it.
func TestVault(t *testing.T) {
	t.Parallel()
	const base = "[default]\nmfa_serial = " + device + "\nregion = eu-west-1\n"
	for _, tt := range []struct{ name, config, want string }{
		{"a key alone", "", "base*"},
		{"a key's profile", base + "[profile base]\noutput = json\n", "base*"},
		{"a role of it", "[profile a]\nrole_arn = " + admin + "\nsource_profile = base\nregion = x\n", "base* a"},
		{"a role of its own key", "[profile base]\nrole_arn = " + admin + "\n", "base"},
		{"which goes before a source", "[profile base]\nrole_arn = " + admin + "\nsource_profile = other\n", "base"},
		{"a region that is inherited", base + "[profile a]\nrole_arn = " + admin + "\nsource_profile = base\n", "base* a@eu-west-1"},
		{"what is included", "[profile all]\nsource_profile = base\nexternal_id = e\nregion = r\n[profile a]\nrole_arn = " + admin + "\ninclude_profile = all\n", "base* a:e@r"},
		{"by its old name", "[profile all]\nsource_profile = base\n[profile a]\nrole_arn = " + admin + "\nparent_profile = all\n", "base* a"},
		{"instead of [default]", base + "[profile all]\nsource_profile = base\n[profile a]\nrole_arn = " + admin + "\ninclude_profile = all\n", "base* a@eu-west-1"},
		{"in a circle", "[profile a]\nrole_arn = " + admin + "\ninclude_profile = b\n[profile b]\ninclude_profile = a\n", "base*"},
		{"a chain", role("a", "base") + role("b", "a"), "base* a b<a"},
		{"of somebody else's", role("a", "other"), "base*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := scan("", tt.config).Vault([]string{"base"})
			var got []string
			for _, c := range f.Candidates(setup.Origin{Key: f.Keys[0]}, configOf(nil)) {
				text := c.Profile
				if c.RoleARN == "" {
					text += "*"
				}
				for _, o := range c.Options {
					text += ":" + o.Value
				}
				if c.Source != "" {
					text += "<" + c.Source
				}
				if c.Region != "" {
					text += "@" + c.Region
				}
				got = append(got, text)
			}
			if g := strings.Join(got, " "); g != tt.want {
				t.Errorf("got %q, want %q", g, tt.want)
			}
		})
	}
	if f := scan("", base).Vault([]string{"base"}); f.Keys[0].Device != device {
		t.Errorf("the device of [default]: got %q", f.Keys[0].Device)
	}
}

// TestRefused: what no key and code can stand for is told, with its line.
func TestRefused(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"credential_source = Ec2InstanceMetadata\nrole_arn = x":   "credential_source",
		"sso_session = x\nsso_role_name = y":                      "IAM Identity Center",
		"sso_start_url = x":                                       "IAM Identity Center",
		"web_identity_token_file = x\nrole_arn = y":               "federated",
		"credential_process = /x":                                 "another program",
		"credential_process = /x\nmfad_keys = credential_process": "",
		"login_session = x":                                       "aws login",
		"role_arn = x":                                            "without a source_profile",
		"role_arn = x\nsource_profile = y":                        "",
		"region = x":                                              "",
		"# mfad: role_arn = x\nregion = x":                        "",
		"s3 =\n  credential_source = nothing":                     "",
	} {
		got := scan("", "\n[profile a]\n"+config+"\n").Refused()
		switch {
		case want == "" && len(got) == 0:
		case want == "" || len(got) != 1 || !strings.HasPrefix(got[0].What, "/f:2: ") || !strings.Contains(got[0].What, want) || got[0].Hint == "":
			t.Errorf("%q: got %+v, want %q", config, got, want)
		}
	}
	if got := scan("[a]\nrole_arn = x\nsource_profile = y\n", "").Refused(); len(got) != 1 || !strings.HasPrefix(got[0].What, "/c:1: role_arn stands in the credentials file") {
		t.Errorf("a role in the credentials file: got %+v", got)
	}
}

func TestUnsourced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, credentials, config, want string }{
		{"its own key", key("x"), role("x", "x"), "its own section"},
		{"half a key", "[s]\naws_access_key_id = AKIAEXAMPLE000000001\n", role("x", "s"), "no key that can be used"},
		{"no kind of key", "", role("x", "s") + "[profile s]\nsso_session = y\n", "no profile with a long-term key"},
		{"temporary credentials", short("s"), role("x", "s"), "temporary credentials"},
		{"nothing at all", "", role("x", "s"), "in neither file"},
		{"a section without a key", "", role("x", "s") + "[profile s]\nregion = y\n", "holds no key"},
		{"a role that is left out too", "", role("x", "s") + role("s", "gone"), "left out too"},
		{"two claim it", key("x-long-term") + key("default"), role("x", "default"), "another key claims it too: /c:1"},
	} {
		f := scan(tt.credentials, tt.config)
		if what, hint := f.Unsourced(f.Roles[0]); !strings.Contains(what, tt.want) || hint == "" {
			t.Errorf("%s: got %q (%q), want %q", tt.name, what, hint, tt.want)
		}
	}
}

// TestJoin: several keys at once, identities first; what takes a key out of its file
// is parted from what can be undone.
func TestJoin(t *testing.T) {
	t.Parallel()
	f := scan(key("a")+key("b"), key("profile c", "role_arn = "+admin, "source_profile = c")+role("x", "a")+role("y", "b"))
	var plans []setup.Plan
	for _, k := range f.Keys {
		o := setup.Origin{Key: k, RemoveKey: true}
		plans = append(plans, setup.Make(f, setup.Answers{Origin: o, Identity: "id-" + k.Profile, Serial: device, Write: "credentials", Profiles: f.Candidates(o, configOf(nil))}))
	}
	all := setup.Join(plans)
	var headers []string
	for _, s := range all.Sections() {
		headers = append(headers, s.Header)
	}
	if want := []string{"identity id-a", "identity id-b", "identity id-c", "profile a", "profile x", "profile b", "profile y", "profile c"}; !slices.Equal(headers, want) {
		t.Errorf("sections: got %q, want %q", headers, want)
	}
	before, last := all.LastStep()
	names := func(claims []credfile.Claim) (found []string) {
		for _, c := range claims {
			found = append(found, c.Name+map[bool]string{true: "!"}[!c.Key.IsZero()]+map[bool]string{true: "#"}[len(c.Disable) > 0])
		}
		return found
	}
	for _, tt := range []struct {
		what      string
		got, want []string
	}{
		{"before, config", names(before.Config), []string{"x#", "y#", "c#"}},
		{"before, credentials", names(before.Credentials), nil},
		{"last, config", names(last.Config), []string{"c!"}},
		{"last, credentials", names(last.Credentials), []string{"a!", "b!"}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}
