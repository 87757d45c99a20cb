package setup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/setup"
)

const (
	userARN = "arn:aws:iam::111111111111:user/team/alice"
	device  = "arn:aws:iam::111111111111:mfa/alice"
	admin   = "arn:aws:iam::222222222222:role/Admin"
)

func key(section string, more ...string) string {
	return "[" + section + "]\naws_access_key_id = AKIAEXAMPLE000000001\naws_secret_access_key = not-a-secret\n" + strings.Join(more, "\n") + "\n"
}

func role(name, source string, more ...string) string {
	return "[profile " + name + "]\nrole_arn = " + admin + "\nsource_profile = " + source + "\n" + strings.Join(more, "\n") + "\n"
}

func scan(credentials, config string) setup.Found {
	return setup.Scan(setup.File{Path: "/c", Text: []byte(credentials)}, setup.File{Path: "/f", Text: []byte(config)})
}

// configOf is mfad's config with these identities, and profiles as NAME=IDENTITY,
// with @ before the name of one that has a role.
func configOf(identities []string, profiles ...string) *profile.Config {
	c := &profile.Config{Identities: map[string]*profile.Identity{}, Profiles: map[string]*profile.Profile{}}
	for _, n := range identities {
		c.Identities[n] = &profile.Identity{Name: n, MFASerial: device}
	}
	for _, p := range profiles {
		name, identity, _ := strings.Cut(p, "=")
		q := &profile.Profile{Identity: identity}
		if short, has := strings.CutPrefix(name, "@"); has {
			name, q.RoleARN = short, admin
		}
		c.Profiles[name] = q
	}
	return c
}

func TestScanKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, credentials, config, want, problem string }{
		{"nothing", "", "", "", ""},
		{"a key", key("default"), "", "default", ""},
		{"in the AWS config file", "", key("profile a"), "a(config)", ""},
		{"the credentials file wins", key("a"), key("profile a"), "a", ""},
		{"no profile of the config", "", key("a") + key("sso-session b"), "", ""},
		{"aws-mfa's", key("corp-long-term", "aws_mfa_device = "+device, "assume_role = "+admin), "", "corp-long-term base=corp role=" + admin + " device=" + device, ""},
		{"a suffix alone", key("-long-term"), "", "-long-term", ""},
		{"a device beside it", key("a", "mfa_serial = "+device), "", "a device=" + device, ""},
		{"half", "[a]\naws_access_key_id = AKIAEXAMPLE000000001\n", "", "", "/c:1: [a] holds an access key id without its secret"},
		{"the other half", "\n[a]\naws_secret_access_key = x\n", "", "", "/c:2: [a] holds a secret access key without its id"},
		{"a temporary one alone", strings.Replace(key("a"), "AKIA", "ASIA", 1), "", "", "/c:1: [a] holds a temporary key"},
		{"temporary credentials are none", strings.Replace(key("a", "aws_session_token = x"), "AKIA", "ASIA", 1), "", "", ""},
		{"but among aws-mfa's", strings.Replace(key("a-long-term", "aws_session_token = x"), "AKIA", "ASIA", 1), "", "", "/c:1: [a-long-term] holds a temporary key"},
		{"another service's key", strings.Replace(key("a"), "AKIA", "GOOG", 1), "", "", ""},
		{"mfad's section", key("a", "mfad_profile = a"), "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := scan(tt.credentials, tt.config)
			var got []string
			for _, k := range f.Keys {
				text := k.Profile
				if k.InConfig {
					text += "(config)"
				}
				for name, value := range map[string]string{" base=": k.Base} {
					if value != "" {
						text += name + value
					}
				}
				if k.Role != "" {
					text += " role=" + k.Role
				}
				if k.Device != "" {
					text += " device=" + k.Device
				}
				got = append(got, text)
			}
			if g := strings.Join(got, ", "); g != tt.want {
				t.Errorf("keys: got %q, want %q", g, tt.want)
			}
			problem := ""
			for _, p := range f.Problems {
				problem += p.What
			}
			if problem != tt.problem && (tt.problem == "" || !strings.HasPrefix(problem, tt.problem)) {
				t.Errorf("problems: got %q, want %q", problem, tt.problem)
			}
			if strings.Contains(fmt.Sprintf("%+v", f), "not-a-secret") {
				t.Error("a secret can be printed")
			}
		})
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, credentials, config string
		from                      string // the key's profile
		remove                    bool
		identity                  string
		have                      *profile.Config
		want                      string // NAME, NAME<SOURCE, NAME! for direct, NAME* without a role
	}{
		{"none", key("default"), "", "default", false, "", nil, ""},
		{"roles of the key", key("default"), role("a", "default") + role("b", "default"), "default", false, "", nil, "a b"},
		{"not those of another", key("a") + key("b"), role("x", "a") + role("y", "b"), "b", false, "", nil, "y"},
		{"chains, the source first", key("default"), role("z", "y") + role("y", "x") + role("x", "default"), "default", false, "", nil, "x z<y y<x"},
		{"a circle", key("default"), role("a", "b") + role("b", "a") + role("c", "c"), "default", false, "", nil, ""},
		{"a role with the key in its own section", key("a"), role("a", "a"), "a", false, "", nil, ""},
		{"can be, once the key goes", key("a"), role("a", "a"), "a", true, "", nil, "a"},
		{"the session in the key's place", key("a"), role("b", "a"), "a", true, "", nil, "a* b"},
		{"aws-mfa's session", key("a-long-term") + "[a]\nexpiration = x\naws_access_key_id = ASIA\n", role("b", "a"), "a-long-term", false, "", nil, "a* b"},
		{"aws-mfa's role", key("a-long-term", "assume_role = "+admin), "", "a-long-term", false, "", nil, "a!"},
		{"another long-term key in the way", key("a-long-term") + key("a") + key("default"), role("a", "default"), "default", false, "", nil, ""},
		{"what is there is left out", key("default"), role("a", "default") + role("b", "a"), "default", false, "corp", configOf([]string{"corp"}, "@a=corp"), "b<a"},
		{"the source is the session's profile", "", role("b", "base"), "", false, "corp", configOf([]string{"corp"}, "base=corp"), "b"},
		{"the source is another identity's", "", role("b", "base"), "", false, "corp", configOf([]string{"corp", "two"}, "base=two"), ""},
		{"the source is gone, the device tells", "", role("b", "gone", "mfa_serial = "+device), "", false, "corp", configOf([]string{"corp"}), "b"},
		{"the source is gone, nothing tells", "", role("b", "gone"), "", false, "corp", configOf([]string{"corp"}), ""},
		{"an SSO profile is no source", key("default"), role("b", "s") + "[profile s]\nsso_session = x\n", "default", false, "", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := scan(tt.credentials, tt.config)
			have := tt.have
			if have == nil {
				have = configOf(nil)
			}
			k, _ := f.Key(tt.from)
			var got []string
			for _, c := range f.Candidates(setup.Origin{Key: k, Device: []string{device}, Identity: tt.identity, RemoveKey: tt.remove}, have) {
				text := c.Profile
				if c.RoleARN == "" {
					text += "*"
				}
				if c.Mode == profile.MFADirect {
					text += "!"
				}
				if c.Source != "" {
					text += "<" + c.Source
				}
				got = append(got, text)
			}
			want := strings.Fields(tt.want)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestComplete: who chooses a chained profile gets what it is chained to.
func TestComplete(t *testing.T) {
	t.Parallel()
	all := scan(key("default"), role("z", "y")+role("y", "x")+role("x", "default")+role("other", "default")).
		Candidates(setup.Origin{Key: setup.Key{Profile: "default"}}, configOf(nil))
	chosen := all[slices.IndexFunc(all, func(c setup.Candidate) bool { return c.Profile == "z" })]
	var got []string
	for _, c := range setup.Complete([]setup.Candidate{chosen}, all) {
		got = append(got, c.Profile)
	}
	if slices.Sort(got); !slices.Equal(got, []string{"x", "y", "z"}) {
		t.Errorf("got %q, want x, y and z", got)
	}
}

func TestIdentityName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, credentials, config, from string
		have                            *profile.Config
		want                            string
	}{
		{"the user's, for default", key("default"), "", "default", nil, "alice"},
		{"the section's", key("work"), "", "work", nil, "work"},
		{"aws-mfa's profile's", key("work-long-term"), "", "work-long-term", nil, "work"},
		{"but not if that has a role", key("work-long-term", "assume_role = x"), "", "work-long-term", nil, "alice"},
		{"not a role's", key("work"), role("work", "default"), "work", nil, "alice"},
		{"not one that is there", key("default"), role("alice", "default"), "default", configOf([]string{"alice-key"}), "identity1"},
		{"only what the config takes", key("my key"), "", "my key", nil, "alice"},
		{"a key that was typed", "", "", "", nil, "alice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := scan(tt.credentials, tt.config)
			have := tt.have
			if have == nil {
				have = configOf(nil)
			}
			k, _ := f.Key(tt.from)
			if got := f.IdentityName(k, userARN, have); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// text writes a plan down, a line for each part.
func text(p setup.Plan) string {
	var b strings.Builder
	for _, s := range p.Sections() {
		fmt.Fprintf(&b, "[%s]", s.Header)
		for _, kv := range s.Keys {
			fmt.Fprintf(&b, " %s=%s", kv.Key, kv.Value)
		}
		b.WriteString("\n")
	}
	claims := func(file string, all []credfile.Claim) {
		for _, c := range all {
			fmt.Fprintf(&b, "%s %s: disable %d, own %v, key %s\n", file, c.Name, len(c.Disable), c.Own, c.Key.AccessKeyID)
		}
	}
	claims("config", p.Claims.Config)
	claims("credentials", p.Claims.Credentials)
	for _, s := range p.Static {
		fmt.Fprintf(&b, "serve %s\n", s.Name)
	}
	for _, e := range p.Process {
		fmt.Fprintf(&b, "line %s %s %s\n", e.Name, e.CredentialProcess, e.Region)
	}
	return b.String()
}

func TestMake(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, credentials, config, from string
		change                          func(*setup.Answers)
		want                            string
	}{
		{"a role", key("default"), role("a", "default", "external_id = e", "duration_seconds = 7200"), "default", nil,
			"[identity corp] mfa_serial=" + device + "\n[profile a] identity=corp role_arn=" + admin + " external_id=e duration=7200\nconfig a: disable 5, own false, key \nserve a\n"},
		{"a duration that is none", key("default"), role("a", "default", "duration_seconds = 60"), "default", nil,
			"[identity corp] mfa_serial=" + device + "\n[profile a] identity=corp role_arn=" + admin + "\nconfig a: disable 5, own false, key \nserve a\n"},
		{"by a process", key("default"), role("a", "default"), "default", func(a *setup.Answers) { a.Write, a.Command = "process", "/mfad" },
			"[identity corp] mfa_serial=" + device + "\n[profile a] identity=corp role_arn=" + admin + " write=process\nconfig a: disable 5, own false, key \nline a /mfad credential-process --profile a \n"},
		{"not at all", key("default"), role("a", "default"), "default", func(a *setup.Answers) { a.Write = "none" },
			"[identity corp] mfa_serial=" + device + "\n[profile a] identity=corp role_arn=" + admin + " write=none\n"},
		{"an identity that is there", key("default"), role("a", "default"), "default", func(a *setup.Answers) { a.Origin.Identity = "corp" },
			"[profile a] identity=corp role_arn=" + admin + "\nconfig a: disable 5, own false, key \nserve a\n"},
		{"direct, with a region", key("default"), "", "default", func(a *setup.Answers) {
			a.Region, a.Profiles = "eu-west-1", []setup.Candidate{{Profile: "a", RoleARN: admin, Mode: "direct"}}
		}, "[identity corp] mfa_serial=" + device + " region=eu-west-1\n[profile a] identity=corp role_arn=" + admin + " mfa=direct region=eu-west-1\nserve a\nline a  eu-west-1\n"},
		{"a chain", key("default"), role("a", "default") + role("b", "a"), "default", func(a *setup.Answers) { a.Origin.Identity = "corp" },
			"[profile a] identity=corp role_arn=" + admin + "\n[profile b] source_profile=a role_arn=" + admin + "\nconfig a: disable 5, own false, key \nconfig b: disable 5, own false, key \nserve a\nserve b\n"},
		{"aws-mfa", key("a-long-term") + "[a]\naws_access_key_id = ASIA\nexpiration = x\n", "", "a-long-term", func(a *setup.Answers) { a.Origin.RemoveKey = true },
			"[identity corp] mfa_serial=" + device + "\n[profile a] identity=corp\ncredentials a: disable 0, own true, key \ncredentials a-long-term: disable 0, own false, key AKIAEXAMPLE000000001\nserve a\n"},
		{"the session in the key's place", key("default"), "", "default", func(a *setup.Answers) { a.Origin.RemoveKey = true },
			"[identity corp] mfa_serial=" + device + "\n[profile default] identity=corp\ncredentials default: disable 0, own true, key AKIAEXAMPLE000000001\nserve default\n"},
		{"the key stands in the AWS config file", "", key("profile a", "role_arn = x", "source_profile = a"), "a", func(a *setup.Answers) { a.Origin.RemoveKey = true },
			"[identity corp] mfa_serial=" + device + "\n[profile a] identity=corp role_arn=x\nconfig a: disable 5, own false, key AKIAEXAMPLE000000001\nserve a\n"},
		{"no profile", key("default"), "", "default", func(a *setup.Answers) { a.Origin.Identity = "corp" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := scan(tt.credentials, tt.config)
			k, ok := f.Key(tt.from)
			if !ok {
				t.Fatal("no key")
			}
			a := setup.Answers{Origin: setup.Origin{Key: k}, Identity: "corp", Serial: device, Write: "credentials"}
			if tt.change != nil {
				tt.change(&a)
			}
			if a.Profiles == nil {
				a.Profiles = f.Candidates(a.Origin, configOf(nil))
			}
			p := setup.Make(f, a)
			if got := text(p); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
			if p.Empty() != (tt.want == "") {
				t.Errorf("Empty = %v", p.Empty())
			}
		})
	}
}

// TestBereft: who loses a source is told before.
func TestBereft(t *testing.T) {
	t.Parallel()
	process := func(name, command string) string {
		return "[profile " + name + "]\ncredential_process = " + command + "\n"
	}
	for _, tt := range []struct {
		name, credentials, config string
		vault                     []string // aws-vault's keys, of which the first goes; nil: [default]
		want                      string
	}{
		{"roles", "", role("a", "default") + role("b", "default") + role("c", "x"), nil, "b"},
		{"in the credentials file", "[x]\nrole_arn = " + admin + "\nsource_profile = default\n", "", nil, "x"},
		{"in both files", "[x]\nsource_profile = default\n", "[profile x]\nrole_arn = " + admin + "\n", nil, "x"},
		{"a source that nothing uses", "[x]\nsource_profile = default\n", "", nil, ""},
		{"a key of aws-vault's", "", process("x", "aws-vault export --format=json base"), []string{"base"}, "x"},
		{"in a shell", "", process("x", `sh -c "aws-vault exec base --json --no-session"`), []string{"base"}, "x"},
		{"by a role of it", "", process("x", "/opt/aws-vault exec r --json") + role("r", "base"), []string{"base"}, "r x"},
		{"another key of aws-vault's", "", process("x", "aws-vault exec two --json"), []string{"base", "two"}, ""},
		{"nobody knows which", "", process("x", "aws-vault exec $WHO --json"), []string{"base"}, "x"},
		{"that mfad serves", "", process("a", "aws-vault exec base --json"), []string{"base"}, ""},
		{"another program", "", process("x", "/x base"), []string{"base"}, ""},
		{"a circle", "", process("x", "aws-vault exec r") + role("r", "s") + role("s", "r"), []string{"base"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := scan(key("default")+tt.credentials, tt.config)
			if tt.vault != nil {
				f = f.Vault(tt.vault)
			}
			a := setup.Answers{Origin: setup.Origin{Key: f.Keys[0], RemoveKey: true}, Profiles: []setup.Candidate{{Profile: "a"}}}
			if got := strings.Join(f.Bereft(a, configOf(nil)), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			a.Origin.RemoveKey = false
			if got := f.Bereft(a, configOf(nil)); got != nil {
				t.Errorf("while the key stays: %q", got)
			}
		})
	}
}
