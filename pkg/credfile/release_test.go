package credfile

import (
	"os"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

const theUsers = "[profile x]\nregion = y\n"

func longTerm(name string) LongTerm {
	return LongTerm{Name: name, Key: creds.Credentials{AccessKeyID: "AKIAEXAMPLE000000001", SecretAccessKey: creds.NewSecret("not-a-secret")}}
}

const longTermLines = "aws_access_key_id = AKIAEXAMPLE000000001\naws_secret_access_key = not-a-secret\n"

// TestRelease: what was claimed comes back, what mfad added goes, what is missing is
// added; everything else stays.
func TestRelease(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, credentials, config         string
		release                           Release
		wantCredentials, wantConfig, fail string
	}{
		{"lines come back", "# c\n" + section("prod", 1), "[profile prod]\nregion = x\n# mfad: role_arn = a\n# mfad: source_profile = b\n",
			Release{Profiles: []string{"prod"}, Names: []string{"prod"}}, "# c\n", "[profile prod]\nregion = x\nrole_arn = a\nsource_profile = b\n", ""},
		{"and get what is missing", "", "[profile prod]\n# mfad: role_arn = a\nregion = x\n",
			Release{Names: []string{"prod"}, Config: []Plain{{"prod", []Key{{"role_arn", "a"}, {"source_profile", "b"}}}}}, "", "[profile prod]\nrole_arn = a\nsource_profile = b\nregion = x\n", ""},
		{"a new section", section("prod", 1) + "\n[mine]\nx = 1\n", "", Release{Profiles: []string{"prod"}, Names: []string{"prod"}, Config: []Plain{{"prod", []Key{{"role_arn", "a"}}}}},
			"\n[mine]\nx = 1\n", "[profile prod]\nrole_arn = a\n", ""},
		{"of the default profile", "", "", Release{Config: []Plain{{"default", []Key{{"role_arn", "a"}}}}}, "", "[default]\nrole_arn = a\n", ""},
		{"mfad's lines go", "", "[profile prod]\ncredential_process = /mfad\nregion = x\nmfad_keys = credential_process,region\noutput = json\n",
			Release{Names: []string{"prod"}, Config: []Plain{{"prod", []Key{{"region", "y"}}}}}, "", "[profile prod]\nregion = y\noutput = json\n", ""},
		{"a key in the place of the session", section("base", 1) + "# mine\n", "", Release{Profiles: []string{"base"}, Keys: []LongTerm{longTerm("base")}}, "# mine\n\n[base]\n" + longTermLines, "", ""},
		{"beside its device", "[a-long-term]\naws_mfa_device = d\n", "", Release{Keys: []LongTerm{longTerm("a-long-term")}}, "[a-long-term]\n" + longTermLines + "aws_mfa_device = d\n", "", ""},
		{"one that is there", "[a]\n" + longTermLines, "", Release{Keys: []LongTerm{longTerm("a")}}, "[a]\n" + longTermLines, "", ""},
		{"not over another", "[a]\naws_access_key_id = AKIAEXAMPLE000000002\naws_secret_access_key = x\n", "", Release{Keys: []LongTerm{longTerm("a")}},
			"[a]\naws_access_key_id = AKIAEXAMPLE000000002\naws_secret_access_key = x\n", "", "credentials:1: [a] holds other credentials"},
		{"over one that is known to be dead", "[a]\naws_access_key_id = AKIAEXAMPLE000000002\naws_secret_access_key = x\n# mine\n", "",
			Release{Keys: []LongTerm{{"a", longTerm("a").Key, "AKIAEXAMPLE000000002"}}}, "[a]\n" + longTermLines + "# mine\n", "", ""},
		{"not into a file that is refused", "nonsense\n", "", Release{Keys: []LongTerm{longTerm("a")}}, "nonsense\n", "", "credentials:1: a line before the first section"},
		{"not a value that tools read differently", "", "", Release{Config: []Plain{{"a", []Key{{"role_session_name", "x #y"}}}}}, "", "", "cannot be written"},
		{"no other keys", "", "", Release{Config: []Plain{{"a", []Key{{"credential_process", "x"}}}}}, "", "", "mfad never does"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, tt.credentials, tt.config)
			p, err := f.PreviewRelease(t.Context(), tt.release)
			if tt.fail == "" && err == nil {
				same(t, "previewed credentials", string(p.Credentials.New), tt.wantCredentials)
				same(t, "previewed config", string(p.Config.New), tt.wantConfig)
			} else if tt.fail == "" || err == nil || !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("PreviewRelease = %v, want %q", err, tt.fail)
			}
			if err := f.Release(t.Context(), tt.release); (err == nil) != (tt.fail == "") {
				t.Errorf("Release = %v, want %q", err, tt.fail)
			}
			for path, want := range map[string]string{f.Credentials: tt.wantCredentials, f.Config: tt.wantConfig} {
				if b, err := os.ReadFile(path); string(b) != want || err != nil && want != "" {
					t.Errorf("%s:\ngot  %q (%v)\nwant %q", path, b, err, want)
				}
			}
			if len(tt.release.Keys) > 0 && tt.fail == "" && tt.credentials != tt.wantCredentials {
				mode(t, f.Credentials, 0o600)
			}
		})
	}
}

// TestReleaseLeavesWhatIsTheUsers: a section of mfad's name that holds a long-term
// key is nobody's to remove, and nothing else is done either.
func TestReleaseLeavesWhatIsTheUsers(t *testing.T) {
	t.Parallel()
	before := "[prod]\n" + longTermLines + "mfad_profile = prod\n"
	f := home(t, before, theUsers)
	err := f.Release(t.Context(), Release{Profiles: []string{"prod"}, Config: []Plain{{"x", []Key{{"role_arn", "a"}}}}})
	if creds.CodeOf(err) != creds.CodeConflict {
		t.Errorf("got %v, want a conflict", err)
	}
	same(t, "credentials", content(t, f.Credentials), before)
	same(t, "config", content(t, f.Config), theUsers)
}
