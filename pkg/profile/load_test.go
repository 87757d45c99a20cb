package profile

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/config"
	"github.com/mfad/mfad/pkg/creds"
)

// put writes a file into a folder of its own, beside the named others.
func put(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load reads text as the user's config, with no system-wide one.
func load(t testing.TB, text string) (*Config, string, error) {
	t.Helper()
	path := put(t, "config.ini", text)
	c, err := Load(path, Options{Home: "/home/alice"})
	return c, path, err
}

func loaded(t testing.TB, text string) *Config {
	t.Helper()
	c, _, err := load(t, text)
	if err != nil {
		t.Fatalf("Load: %v\nof:\n%s", err, text)
	}
	return c
}

// list gives the problems of err, and checks how they are wrapped.
func list(t testing.TB, err error) []Problem {
	t.Helper()
	e, ok := errors.AsType[*Errors](err)
	if !ok {
		t.Fatalf("got %v, want an error with *Errors in it", err)
	}
	if got := creds.CodeOf(err); got != creds.CodeConfig {
		t.Errorf("code %q, want %q", got, creds.CodeConfig)
	}
	if got, want := creds.HintOf(err), e.List[0].Hint; got != want {
		t.Errorf("hint %q, want that of the first problem, %q", got, want)
	}
	return e.List
}

const corp = `[identity corp]
mfa_serial = arn:aws:iam::111111111111:mfa/alice
`

const prod = corp + `[profile prod]
identity = corp
role_arn = arn:aws:iam::222222222222:role/Admin
`

func TestNoFilesGiveTheDefaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "config.ini")
	c, err := Load(path, Options{System: filepath.Join(dir, "system.ini")})
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults{SessionDuration: 36 * time.Hour}
	if !reflect.DeepEqual(c.Defaults, want) {
		t.Errorf("defaults %+v, want %+v", c.Defaults, want)
	}
	if len(c.Profiles) != 0 || len(c.Identities) != 0 || c.Profiles == nil || c.Identities == nil {
		t.Errorf("got %d profiles and %d identities, want empty maps", len(c.Profiles), len(c.Identities))
	}
	if got, want := c.Files(), []string{path, filepath.Join(dir, "system.ini")}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if _, err := Load(os.DevNull, Options{}); err != nil {
		t.Errorf("the null device: %v, want an empty config", err)
	}
}

func TestEveryKey(t *testing.T) {
	path := put(t, "config.ini", `[defaults]
region = eu-west-1
session_duration = 12h
keyring = file
prompt = terminal, dialog
endpoint_url = http://127.0.0.1:4566
endpoint_url_sts = https://sts.example.com
endpoint_url_iam = https://iam.example.com:8443/x
signin_url = http://localhost:1/federation
ca_bundle = ~/ca.pem
use_fips_endpoint = true
use_dualstack_endpoint = false
https_proxy = http://user:fake@proxy.example.com:3128
no_proxy = localhost,.example.com
credentials_file = /srv/credentials
config_file = aws/config
command = /usr/local/bin/mfad

[identity corp]
mfa_serial = GAHT12345678
mfa_process = ykman oath accounts code --single AWS
mfa_process_unattended = true
region = us-east-1
session_duration = 7200

[identity sso]
type = saml
saml_assertion_process = saml-login
principal_arn = arn:aws-cn:iam::111111111111:saml-provider/Corp

[identity ci]
type = web_identity
web_identity_token_file = ~/token

[profile prod]
identity = corp
role_arn = arn:aws:iam::222222222222:role/path/to/Admin
mfa = direct
duration = 12h
refresh_before = 25%
write = process
section = production
confirm = true
role_session_name = alice@laptop
external_id = a/b:c
source_identity = alice
session_tags = team = db,Größe=3 m
transitive_session_tags = team
policy_arns = arn:aws:iam::aws:policy/ReadOnlyAccess, arn:aws:iam::222222222222:policy/x/Mine
policy = p.json
region = eu-central-1
output = json
mfa_max_age = 1h

[profile db]
source_profile = prod
role_arn = arn:aws:iam::333333333333:role/DB
refresh_before = 20m

[profile federated]
identity = sso
role_arn = arn:aws-cn:iam::222222222222:role/Admin
`)
	dir := filepath.Dir(path)
	policy := `{"Version":"2012-10-17","Statement":[]}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "p.json"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, Options{Home: "/home/alice"})
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	defaults := Defaults{
		Region: "eu-west-1", SessionDuration: 12 * time.Hour, Keyring: "file", Prompt: []string{"terminal", "dialog"},
		EndpointURL: "http://127.0.0.1:4566", EndpointURLSTS: "https://sts.example.com",
		EndpointURLIAM: "https://iam.example.com:8443/x", SigninURL: "http://localhost:1/federation",
		CABundle: "/home/alice/ca.pem", UseFIPS: &yes, UseDualStack: &no,
		HTTPSProxy: "http://user:fake@proxy.example.com:3128", NoProxy: "localhost,.example.com",
		CredentialsFile: "/srv/credentials", ConfigFile: filepath.Join(dir, "aws", "config"), Command: "/usr/local/bin/mfad",
	}
	if !reflect.DeepEqual(c.Defaults, defaults) {
		t.Errorf("defaults\n got %+v\nwant %+v", c.Defaults, defaults)
	}
	identities := map[string]*Identity{
		"corp": {
			Name: "corp", File: path, Line: 19, MFASerial: "GAHT12345678", MFAProcess: "ykman oath accounts code --single AWS",
			MFAProcessUnattended: true, Region: "us-east-1", SessionDuration: 2 * time.Hour,
		},
		"sso": {
			Name: "sso", File: path, Line: 26, Type: TypeSAML, SAMLProcess: "saml-login", Region: "eu-west-1",
			PrincipalARN: "arn:aws-cn:iam::111111111111:saml-provider/Corp", SessionDuration: 12 * time.Hour,
		},
		"ci": {
			Name: "ci", File: path, Line: 31, Type: TypeWebIdentity, WebIdentityTokenFile: "/home/alice/token",
			Region: "eu-west-1", SessionDuration: 12 * time.Hour,
		},
	}
	if !reflect.DeepEqual(c.Identities, identities) {
		for name := range maps.Keys(identities) {
			t.Errorf("identity %s\n got %+v\nwant %+v", name, c.Identities[name], identities[name])
		}
	}
	root := &Profile{
		Name: "prod", File: path, Line: 35, Identity: "corp", RoleARN: "arn:aws:iam::222222222222:role/path/to/Admin",
		MFA: MFADirect, Duration: 12 * time.Hour, RefreshBefore: RefreshBefore{Percent: 25}, MFAMaxAge: time.Hour,
		Write: WriteProcess, Section: "production", Confirm: true,
		RoleSessionName: "alice@laptop", ExternalID: "a/b:c", SourceIdentity: "alice",
		SessionTags: []Tag{{"team", "db"}, {"Größe", "3 m"}}, TransitiveSessionTags: []string{"team"},
		PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::222222222222:policy/x/Mine"},
		PolicyFile: filepath.Join(dir, "p.json"), Policy: policy, Region: "eu-central-1", Output: "json",
	}
	profiles := map[string]*Profile{
		"prod": root,
		"db": {
			Name: "db", File: path, Line: 55, Identity: "corp", SourceProfile: "prod", Source: root,
			RoleARN: "arn:aws:iam::333333333333:role/DB", MFA: MFAAuto, RefreshBefore: RefreshBefore{Duration: 20 * time.Minute},
			Write: WriteCredentials, Section: "db",
		},
		"federated": {
			Name: "federated", File: path, Line: 60, Identity: "sso", RoleARN: "arn:aws-cn:iam::222222222222:role/Admin",
			MFA: MFAAuto, Write: WriteCredentials, Section: "federated",
		},
	}
	for name, want := range profiles {
		if got := c.Profiles[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("profile %s\n got %+v\nwant %+v", name, got, want)
		}
	}
	if c.Profiles["db"].Source != c.Profiles["prod"] {
		t.Error("the source of db is a copy, want the profile itself")
	}
	if got, want := c.Files(), []string{path, filepath.Join(dir, "p.json")}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestOrderIsThatOfTheFile(t *testing.T) {
	c := loaded(t, corp+"[identity b]\nmfa_serial = GAHT12345678\n[profile z]\nidentity = b\n[profile a]\nidentity = corp\n")
	if got, want := c.ProfileNames(), []string{"z", "a"}; !slices.Equal(got, want) {
		t.Errorf("profiles %q, want %q", got, want)
	}
	if got, want := c.IdentityNames(), []string{"corp", "b"}; !slices.Equal(got, want) {
		t.Errorf("identities %q, want %q", got, want)
	}
}

// TestValuesStandAsTheyAre is about every way in which an INI reader may be
// more clever than it is told.
func TestValuesStandAsTheyAre(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"a # without a blank before it", `mfa_process = a#b;c`, `a#b;c`},
		{"a comment after a blank", `mfa_process = a b ; c`, `a b`},
		{"a comment after a tab", "mfa_process = a\t# c", `a`},
		{"the first comment counts", `mfa_process = a # b ; c`, `a`},
		{"interpolation", `mfa_process = %(region)s ${HOME} $HOME %%`, `%(region)s ${HOME} $HOME %%`},
		{"backslashes", `mfa_process = C:\bin\code.exe \`, `C:\bin\code.exe \`},
		{"double quotes", `mfa_process = "a b"`, `"a b"`},
		{"single quotes", `mfa_process = 'a b'`, `'a b'`},
		{"a quote that stays open", `mfa_process = "a`, `"a`},
		{"backticks inside", "mfa_process = echo `a`", "echo `a`"},
		{"equals signs", `mfa_process = a = b == c`, `a = b == c`},
		{"colons", `mfa_process: a:b`, `a:b`},
		{"no blanks", `mfa_process=a`, `a`},
		{"blanks around", "mfa_process  \t=  \t a \t", `a`},
		{"upper case", `MFA_Process = a`, `a`},
		{"an indented key", "   mfa_process = a", `a`},
		{"what looks like a header", `mfa_process = [profile x]`, `[profile x]`},
		{"letters of the world", `mfa_process = ключ 鍵`, `ключ 鍵`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for eolName, eol := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
				text := strings.ReplaceAll(corp+tt.line+"\n# end\n", "\n", eol)
				for _, bom := range []string{"", "\ufeff"} {
					if got := loaded(t, bom+text).Identities["corp"].MFAProcess; got != tt.want {
						t.Errorf("%s, %d bytes of BOM: got %q, want %q", eolName, len(bom), got, tt.want)
					}
				}
			}
		})
	}
}

func TestSectionsInheritNothing(t *testing.T) {
	c := loaded(t, prod+"region = eu-west-1\nduration = 1h\n"+
		"[profile prod.db]\nidentity = corp\n[identity corp.x]\nmfa_serial = GAHT12345678\n")
	p := c.Profiles["prod.db"]
	if p.RoleARN != "" || p.Region != "" || p.Duration != 0 {
		t.Errorf("prod.db has role %q, region %q, duration %v: want nothing of prod's", p.RoleARN, p.Region, p.Duration)
	}
}

func TestHeaderForms(t *testing.T) {
	for _, header := range []string{"[profile  a]", "[ profile a ]", "[profile\ta]", "  [profile a]", "[profile a] ; [x]", "[profile a]\t# ]"} {
		if loaded(t, corp+header+"\nidentity = corp\n").Profiles["a"] == nil {
			t.Errorf("%s: no profile a", header)
		}
	}
}

func TestSystemFileCountsPerKey(t *testing.T) {
	system := put(t, "system.ini", `[defaults]
region = us-east-1
keyring = os
[identity corp]
mfa_serial = arn:aws:iam::111111111111:mfa/everyone
region = us-west-2
[profile shared]
identity = corp
[profile prod]
identity = corp
role_arn = arn:aws:iam::222222222222:role/Admin
duration = 1h
policy = p.json
`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(system), "p.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	user := put(t, "config.ini", `[profile prod]
duration = 2h
[identity corp]
mfa_serial = arn:aws:iam::111111111111:mfa/alice
[defaults]
region = eu-west-1
`)
	c, err := Load(user, Options{System: system})
	if err != nil {
		t.Fatal(err)
	}
	if got := [2]string{c.Defaults.Region, c.Defaults.Keyring}; got != [2]string{"eu-west-1", "os"} {
		t.Errorf("defaults %q, want the user's region and the system's keyring", got)
	}
	if i := c.Identities["corp"]; i.MFASerial != "arn:aws:iam::111111111111:mfa/alice" || i.Region != "us-west-2" || i.File != user || i.Line != 3 {
		t.Errorf("identity %+v, want the user's device, the system's region, and the user's line", i)
	}
	p := c.Profiles["prod"]
	if p.Duration != 2*time.Hour || p.RoleARN != "arn:aws:iam::222222222222:role/Admin" {
		t.Errorf("profile %+v, want the user's duration and the system's role", p)
	}
	if want := filepath.Join(filepath.Dir(system), "p.json"); p.PolicyFile != want {
		t.Errorf("policy %q, want it beside the file that names it, %q", p.PolicyFile, want)
	}
	if got, want := c.ProfileNames(), []string{"prod", "shared"}; !slices.Equal(got, want) {
		t.Errorf("profiles %q, want the user's first, %q", got, want)
	}
}

func TestProblemsNameTheFileTheyAreIn(t *testing.T) {
	system := put(t, "system.ini", "[profile prod]\nidentity = corp\nduration = 13h\n")
	user := put(t, "config.ini", corp+"[profile prod]\nmfa = direct\n")
	_, err := Load(user, Options{System: system})
	got := map[string]int{}
	for _, p := range list(t, err) {
		got[p.File] = p.Line
	}
	if want := map[string]int{system: 3, user: 4}; !maps.Equal(got, want) {
		t.Errorf("problems at %v, want %v", got, want)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, path, err := load(t, `regoin = x
[defaults]
regoin = eu-west-1
session_duration = 37h
[identity corp]
[profile prod]
identity = crop
role_arn = arn:aws:iam::2:role/Admin
  oops
confirm = yes
`)
	var lines []int
	for _, p := range list(t, err) {
		lines = append(lines, p.Line)
	}
	if want := []int{1, 3, 4, 5, 7, 8, 9, 10}; !slices.Equal(lines, want) {
		t.Errorf("problems in the lines %v, want %v:\n%v", lines, want, err)
	}
	for i, line := range strings.Split(err.Error(), "\n") {
		if !strings.HasPrefix(line, path+":") {
			t.Errorf("line %d of the error is %q, want it to begin with FILE:LINE", i, line)
		}
	}
	if e, _ := errors.AsType[*Errors](err); !slices.Equal(e.Files, []string{path}) {
		t.Errorf("files %q, want %q", e.Files, path)
	}
}

func TestExampleLoads(t *testing.T) {
	text, err := config.Files.ReadFile("mfad.example.ini")
	if err != nil {
		t.Fatal(err)
	}
	c := loaded(t, string(text))
	if got, want := c.ProfileNames(), []string{"base", "prod", "prod-break-glass", "prod-db"}; !slices.Equal(got, want) {
		t.Errorf("profiles %q, want %q", got, want)
	}
	for _, kind := range []string{kindDefaults, kindIdentity, kindProfile} {
		for _, key := range keyNames(kind) {
			if !strings.Contains(string(text), "\n"+key+" ") && !strings.Contains(string(text), "\n; "+key+" ") {
				t.Errorf("the example does not show %s of [%s]", key, kind)
			}
		}
	}
	path := put(t, "config.ini", strings.ReplaceAll(string(text), "\n; ", "\n"))
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "only-s3.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, Options{Home: "/home/alice"}); err != nil {
		t.Errorf("with every commented key in use: %v", err)
	}
}

func TestUnknownNamesHint(t *testing.T) {
	c := loaded(t, prod)
	_, err := c.Profile("prd")
	if creds.CodeOf(err) != creds.CodeUnknownProfile || creds.HintOf(err) != "the nearest name is prod" {
		t.Errorf("got %v (%s, %s)", err, creds.CodeOf(err), creds.HintOf(err))
	}
	_, err = c.Identity("cop")
	if creds.CodeOf(err) != creds.CodeUsage || creds.HintOf(err) != "the nearest name is corp" {
		t.Errorf("got %v (%s, %s)", err, creds.CodeOf(err), creds.HintOf(err))
	}
	if p, err := c.Profile("prod"); err != nil || p.Name != "prod" {
		t.Errorf("got %v, %v, want prod", p, err)
	}
}

func TestRegion(t *testing.T) {
	for _, tt := range []struct{ name, defaults, identity, profile, role, want string }{
		{"its own", "eu-west-1", "eu-west-2", "eu-west-3", "arn:aws:iam::222222222222:role/A", "eu-west-3"},
		{"its identity's", "eu-west-1", "eu-west-2", "", "arn:aws:iam::222222222222:role/A", "eu-west-2"},
		{"that of the defaults", "eu-west-1", "", "", "arn:aws:iam::222222222222:role/A", "eu-west-1"},
		{"that of the partition", "", "", "", "arn:aws-us-gov:iam::222222222222:role/A", "us-gov-west-1"},
		{"of aws", "", "", "", "arn:aws:iam::222222222222:role/A", "us-east-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line := func(region string) string {
				if region == "" {
					return ""
				}
				return "region = " + region + "\n"
			}
			c := loaded(t, "[defaults]\n"+line(tt.defaults)+"[identity corp]\nmfa_serial = GAHT12345678\n"+line(tt.identity)+
				"[profile p]\nidentity = corp\nrole_arn = "+tt.role+"\n"+line(tt.profile))
			if got := c.Region(c.Profiles["p"]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
