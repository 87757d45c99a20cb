package credfile

import (
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

const command = "/opt/mfad credential-process --profile prod"

func process() Entry { return Entry{Name: "prod", Profile: "prod", CredentialProcess: command} }

func TestApplyConfig(t *testing.T) {
	t.Parallel()
	full := process()
	full.Region, full.Output = "eu-west-1", "json"
	for _, tt := range []struct {
		name, before string
		put          []Entry
		remove       []string
		want         string
	}{
		{"a new section", "[default]\nregion = x\n", []Entry{process()}, nil, "[default]\nregion = x\n\n[profile prod]\ncredential_process = " + command + "\nmfad_keys = credential_process\n"},
		{"no file", "", []Entry{full}, nil, "[profile prod]\ncredential_process = " + command + "\nregion = eu-west-1\noutput = json\nmfad_keys = credential_process,region,output\n"},
		{"default has no prefix", "", []Entry{{Name: "default", Profile: "d", Region: "x"}}, nil, "[default]\nregion = x\nmfad_keys = region\n"},
		{"an existing [profile default] is used", "[profile default]\noutput = text\n", []Entry{{Name: "default", Profile: "d", Region: "x"}}, nil, "[profile default]\nregion = x\nmfad_keys = region\noutput = text\n"},
		{"the user's region stays", "[profile prod]\nregion = mine\n", []Entry{full}, nil, "[profile prod]\ncredential_process = " + command + "\noutput = json\nmfad_keys = credential_process,output\nregion = mine\n"},
		{"mfad's lines follow", "[profile prod]\ncredential_process = old\nregion = old\nmfad_keys = credential_process,region\n", []Entry{process()}, nil, "[profile prod]\ncredential_process = " + command + "\nmfad_keys = credential_process\n"},
		{"a line deleted by hand comes back", "[profile prod]\nmfad_keys = credential_process\n", []Entry{process()}, nil, "[profile prod]\ncredential_process = " + command + "\nmfad_keys = credential_process\n"},
		{"nothing wanted, nothing written", "[a]\nx=1\n", []Entry{{Name: "prod", Profile: "prod"}}, nil, "[a]\nx=1\n"},
		{"what mfad added goes whole", "[a]\nx=1\n\n[profile prod]\nregion = x\nmfad_keys = region\n# mine\n", nil, []string{"prod"}, "[a]\nx=1\n# mine\n"},
		{"the user's lines stay", "[profile prod]\ncredential_process = x\nregion = mine\nmfad_keys = credential_process\n", nil, []string{"prod"}, "[profile prod]\nregion = mine\n"},
		{"nothing of mfad's, nothing removed", "[profile prod]\ncredential_process = mine\n", nil, []string{"prod"}, "[profile prod]\ncredential_process = mine\n"},
		{"an emptied entry removes", "[profile prod]\ncredential_process = x\nmfad_keys = credential_process\n", []Entry{{Name: "prod", Profile: "prod"}}, nil, ""},
		{"the same command of the user's is left alone", "[profile prod]\ncredential_process = " + command + "\n", []Entry{process()}, nil, "[profile prod]\ncredential_process = " + command + "\n"},
		{"other spellings that all tools read", "[profile   prod]\n", []Entry{{Name: "prod", Profile: "p", Region: "x"}}, nil, "[profile   prod]\nregion = x\nmfad_keys = region\n"},
		{"a nested block is kept", "[profile prod]\ns3 =\n  region = x\n", []Entry{{Name: "prod", Profile: "p", Region: "y"}}, nil, "[profile prod]\nregion = y\nmfad_keys = region\ns3 =\n  region = x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, "", tt.before)
			r, err := f.ApplyConfig(t.Context(), tt.put, tt.remove)
			if err != nil || r.Conflicts != nil || r.Written != (tt.before != tt.want) {
				t.Errorf("ApplyConfig = %+v, %v; want written %v", r, err, tt.before != tt.want)
			}
			if tt.before != "" || tt.want != "" {
				same(t, "config", content(t, f.Config), tt.want)
			}
			if r, err := f.ApplyConfig(t.Context(), tt.put, tt.remove); err != nil || r.Written {
				t.Errorf("the same again: %+v, %v; want no write", r, err)
			}
		})
	}
}

func TestApplyConfigConflicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, credentials, config, want string }{
		{"a process of the user's", "", "[profile prod]\ncredential_process = mine\n", "config:2: [profile prod] has a credential_process that mfad did not write"},
		{"role_arn", "", "[profile prod]\nrole_arn = x\n", "config:2: role_arn in [profile prod] wins"},
		{"keys in the config", "", "[profile prod]\naws_access_key_id = x\n", "config:2: aws_access_key_id in [profile prod] wins"},
		{"static keys", "[prod]\naws_access_key_id = AKIAEXAMPLE00000001\n", "", "credentials:2: aws_access_key_id in [prod] wins"},
		{"a process in the credentials file", "[prod]\ncredential_process = x\n", "", "credentials:2: credential_process in [prod] wins"},
		{"both spellings of default", "", "[default]\n[profile default]\n", "config:2: [profile default] and [default] are both read"},
		{"a quoted name", "", "[profile \"prod\"]\n", "config:1: [profile \"prod\"] is read as \"prod\" by some tools only"},
		{"mfad's own static section goes first", section("prod", 1), "", ""},
		{"another profile's static section", "[prod]\n" + body("other", 1), "", "credentials:2: aws_access_key_id in [prod] wins"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, tt.credentials, tt.config)
			e := process()
			if strings.Contains(tt.name, "default") {
				e.Name = "default"
			}
			good := Entry{Name: "good", Profile: "good", CredentialProcess: command}
			r, err := f.ApplyConfig(t.Context(), []Entry{e, good}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := r.Conflicts["prod"]
			check := f.Check(t.Context(), nil, []Entry{e, good})["prod"]
			if tt.want == "" {
				if got != nil || check != nil {
					t.Errorf("conflict %v, Check %v; want none", got, check)
				}
				return
			}
			if got == nil || got.Code != creds.CodeConflict || !strings.Contains(got.Error(), tt.want) || got.Hint == "" {
				t.Errorf("conflict %v, want %q with a hint", got, tt.want)
			}
			if check == nil || got != nil && check.Error() != got.Error() {
				t.Errorf("Check says %v, ApplyConfig says %v", check, got)
			}
			if r.Conflicts["good"] != nil || !strings.HasPrefix(content(t, f.Config), tt.config) || !strings.Contains(content(t, f.Config), "[profile good]") {
				t.Errorf("conflict of another profile %v; config now %q", r.Conflicts["good"], content(t, f.Config))
			}
		})
	}
}

func TestApplyConfigRefusesValues(t *testing.T) {
	t.Parallel()
	f := home(t, "", "")
	for _, v := range []string{`"/a b/mfad" "x"`, "/x # y", "/x\ny"} {
		r, err := f.ApplyConfig(t.Context(), []Entry{{Name: "prod", Profile: "prod", CredentialProcess: v}}, nil)
		if err != nil || r.Conflicts["prod"] == nil || r.Conflicts["prod"].Code != creds.CodeConfig {
			t.Errorf("%q: %+v, %v; want a refusal", v, r, err)
		}
	}
	r, err := f.ApplyConfig(t.Context(), []Entry{{Name: "prod", Profile: "prod", CredentialProcess: `"/home/josé x/mfad" run`}}, nil)
	if err != nil || !r.Written {
		t.Errorf("a quoted path: %+v, %v; want written", r, err)
	}
}

func TestManagedConfig(t *testing.T) {
	t.Parallel()
	f := home(t, "", "[default]\nregion = x\nmfad_keys = region\n[profile b]\nregion = x\n[profile a]\noutput = x\nmfad_keys = output\n")
	got, err := f.ManagedConfig(t.Context())
	if want := []string{"a", "default"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ManagedConfig = %q, %v; want %q", got, err, want)
	}
}
