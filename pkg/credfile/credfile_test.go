package credfile

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

var expires = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// temporary gives credentials that look like nothing real; n tells them apart.
func temporary(n int) creds.Credentials {
	s := strconv.Itoa(n)
	return creds.Credentials{
		AccessKeyID:     "ASIAEXAMPLE" + strings.Repeat("0", 9-len(s)) + s,
		SecretAccessKey: creds.NewSecret("secret/example+" + s),
		SessionToken:    creds.NewSecret("token/example+" + s + "=="),
		Principal:       "arn:aws:sts::111111111111:assumed-role/Admin/alice",
		Expires:         expires,
	}
}

func prod(n int) Section {
	return Section{Name: "prod", Profile: "prod", Credentials: temporary(n)}
}

// body is what Apply writes below a header for temporary(n).
func body(profile string, n int) string {
	c := temporary(n)
	return "aws_access_key_id = " + c.AccessKeyID +
		"\naws_secret_access_key = " + c.SecretAccessKey.Reveal() +
		"\naws_session_token = " + c.SessionToken.Reveal() +
		"\nx_principal_arn = " + c.Principal +
		"\nx_security_token_expires = 2030-01-02T03:04:05Z" +
		"\nmfad_profile = " + profile + "\n"
}

func section(name string, n int) string { return "[" + name + "]\n" + body(name, n) }

// home gives Files in a new folder; an empty content means that there is no file.
func home(t testing.TB, credentials, config string) *Files {
	t.Helper()
	dir := filepath.Join(t.TempDir(), ".aws")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := &Files{Credentials: filepath.Join(dir, "credentials"), Config: filepath.Join(dir, "config")}
	for path, content := range map[string]string{f.Credentials: credentials, f.Config: config} {
		if content != "" {
			put(t, path, content)
		}
	}
	t.Cleanup(func() {
		if err := f.Flush(context.Background()); err != nil {
			t.Errorf("Flush = %v, want nil", err)
		}
	})
	return f
}

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func apply(t testing.TB, f *Files, sections []Section, remove ...string) Result {
	t.Helper()
	r, err := f.Apply(t.Context(), sections, remove)
	if err != nil {
		t.Fatalf("Apply = %v, want nil", err)
	}
	return r
}

func same(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

func TestApplyWrites(t *testing.T) {
	t.Parallel()
	other := "# mine\r\n[work]\r\naws_access_key_id=AKIAEXAMPLE00000001\r\n s3 =\r\n  max = 1\r\n"
	for _, tt := range []struct{ name, before, want string }{
		{"no file", "", section("prod", 1)},
		{"only a comment", "# mine\n", "# mine\n\n" + section("prod", 1)},
		{"one blank line before a new section", "[a]\nx = 1\n", "[a]\nx = 1\n\n" + section("prod", 1)},
		{"no final newline", "[a]\nx = 1", "[a]\nx = 1\n\n" + section("prod", 1)},
		{
			"the file's line ends, and odd lines stay", other,
			other + "\r\n" + strings.ReplaceAll(section("prod", 1), "\n", "\r\n"),
		},
		{
			"an empty section is taken over, with its comment", "[prod] # mine\n# note\n\n[b]\nx=1\n",
			"[prod] # mine\n" + body("prod", 1) + "# note\n\n[b]\nx=1\n",
		},
		{
			"only the bytes of mfad's values change",
			"[prod]\n# note\n AWS_Access_Key_Id:ASIAOLD\nregion = x\naws_secret_access_key  =  old  \nmfad_profile = prod\n\n# b\n[b]\nx=1",
			"[prod]\n# note\n AWS_Access_Key_Id:" + temporary(1).AccessKeyID +
				"\nregion = x\naws_secret_access_key  =  secret/example+1  \naws_session_token = token/example+1==\n" +
				"x_principal_arn = " + temporary(1).Principal + "\nx_security_token_expires = 2030-01-02T03:04:05Z\nmfad_profile = prod\n\n# b\n[b]\nx=1",
		},
		{
			"a wrapped value becomes one line, a comment inside stays",
			"[prod]\naws_session_token = old\n  # note\n  older\nmfad_profile = prod\n",
			"[prod]\naws_access_key_id = " + temporary(1).AccessKeyID + "\naws_secret_access_key = secret/example+1\n" +
				"aws_session_token = token/example+1==\n" + "x_principal_arn = " + temporary(1).Principal +
				"\nx_security_token_expires = 2030-01-02T03:04:05Z\n" + "  # note\nmfad_profile = prod\n",
		},
		{
			"keys of an indented section get its indent",
			"[prod]\n  mfad_profile = prod\n  region = x\n",
			"[prod]\n" + indent(strings.TrimSuffix(body("prod", 1), "mfad_profile = prod\n")) + "  mfad_profile = prod\n  region = x\n",
		},
		{
			"boto's old token key is kept equal",
			section("prod", 2) + "aws_security_token = stale\n",
			section("prod", 1) + "aws_security_token = token/example+1==\n",
		},
		{
			"an empty value gets a blank before the new one", "[prod]\naws_access_key_id =\nmfad_profile = prod\naws_session_token=\n",
			"[prod]\naws_access_key_id = " + temporary(1).AccessKeyID + "\naws_secret_access_key = secret/example+1\nmfad_profile = prod\n" +
				"aws_session_token= token/example+1==\nx_principal_arn = " + temporary(1).Principal + "\nx_security_token_expires = 2030-01-02T03:04:05Z\n",
		},
		{"a managed section without a final newline", strings.TrimSuffix(section("prod", 2), "\n"), strings.TrimSuffix(section("prod", 1), "\n")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, tt.before, "")
			if r := apply(t, f, []Section{prod(1)}); !r.Written || r.Conflicts != nil {
				t.Errorf("Apply = %+v, want written without conflicts", r)
			}
			same(t, "credentials", content(t, f.Credentials), tt.want)
			if r := apply(t, f, []Section{prod(1)}); r.Written {
				t.Error("the same again was written, want no write")
			}
		})
	}
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("  " + line)
	}
	return b.String()
}

func TestApplyLeavesOutWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	f := home(t, section("prod", 1), "")
	s := prod(2)
	s.Credentials.Principal, s.Credentials.Expires = "", time.Time{}
	apply(t, f, []Section{s})
	same(t, "credentials", content(t, f.Credentials), "[prod]\naws_access_key_id = "+s.Credentials.AccessKeyID+
		"\naws_secret_access_key = secret/example+2\naws_session_token = token/example+2==\nmfad_profile = prod\n")
}

func TestApplyRemoves(t *testing.T) {
	t.Parallel()
	user := "[a]\nx = 1\n"
	for _, tt := range []struct{ name, before, want string }{
		{"with the blank line before", user + "\n" + section("prod", 1), user},
		{"the only section", section("prod", 1), ""},
		{"between others", user + "\n" + section("prod", 1) + "\n[b]\ny=1\n", user + "\n[b]\ny=1\n"},
		{"comments stay", user + "\n" + section("prod", 1) + "# mine\n\n# b\n[b]\ny=1\n", user + "# mine\n\n# b\n[b]\ny=1\n"},
		{"the user's keys stay, with the header", user + "\n" + section("prod", 1) + "region = x\n", user + "\n[prod]\nregion = x\n"},
		{"a stale old token is mfad's", user + "\n" + section("prod", 1) + "aws_security_token = stale\n", user},
		{"somebody else's stays", user + "\n" + section("other", 1), user + "\n" + section("other", 1)},
		{"found by the profile, not by the name", "[moved]\n" + body("prod", 1), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, tt.before, "")
			if r := apply(t, f, nil, "prod"); r.Written != (tt.before != tt.want) {
				t.Errorf("Written = %v, want %v", r.Written, tt.before != tt.want)
			}
			same(t, "credentials", content(t, f.Credentials), tt.want)
		})
	}
}

func TestPutAndRemoveGiveTheSameBytesBack(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"# c\n", "[a]\nx=1\n", "[a]\nx=1\n\n\n", "[a]\r\nx=1\r\n", "\n"} {
		f := home(t, before, "")
		apply(t, f, []Section{prod(1), {Name: "b", Profile: "b", Credentials: temporary(2)}})
		apply(t, f, nil, "prod", "b")
		same(t, "credentials", content(t, f.Credentials), before)
	}
}

func TestApplyWithoutCredentialsKeepsTheUsersKeys(t *testing.T) {
	t.Parallel()
	f := home(t, section("prod", 1)+"region = x\n\n"+section("b", 2), "")
	locked := []Section{{Name: "prod", Profile: "prod"}, {Name: "b", Profile: "b"}, {Name: "never", Profile: "never"}}
	apply(t, f, locked)
	same(t, "emptied", content(t, f.Credentials), "[prod]\nmfad_profile = prod\nregion = x\n")
	if r := apply(t, f, locked); r.Written {
		t.Error("emptying twice wrote twice")
	}
	apply(t, f, []Section{prod(3)})
	same(t, "filled again", content(t, f.Credentials), section("prod", 3)+"region = x\n")
}

func TestApplyMovesASection(t *testing.T) {
	t.Parallel()
	f := home(t, section("prod", 1)+"\n"+section("b", 2), "")
	apply(t, f, []Section{{Name: "new", Profile: "prod", Credentials: temporary(3)}})
	same(t, "renamed", content(t, f.Credentials), "\n"+section("b", 2)+"\n[new]\n"+body("prod", 3))

	f = home(t, section("x", 1)+"\n"+section("y", 2), "")
	apply(t, f, []Section{{Name: "y", Profile: "x", Credentials: temporary(1)}, {Name: "x", Profile: "y", Credentials: temporary(2)}})
	same(t, "swapped", content(t, f.Credentials), "[x]\n"+body("y", 2)+"\n[y]\n"+body("x", 1))
}

func TestApplyConflicts(t *testing.T) {
	t.Parallel()
	const aws = "delete that line"
	for _, tt := range []struct{ name, credentials, config, what, hint string }{
		{"a foreign section", "\n[prod]\nregion = x\n", "", "credentials:2: [prod] holds keys that mfad did not write", "section"},
		{"a long-term key", "[prod]\naws_access_key_id = AKIAEXAMPLE00000001\naws_secret_access_key = x\n", "", "credentials:1: [prod] holds a long-term key", "mfad identity add"},
		{"a long-term key in a managed section", section("prod", 1) + "\n", "", "", ""},
		{
			"a long-term key, though it carries mfad_profile",
			"[prod]\naws_access_key_id = AKIAEXAMPLE00000001\naws_secret_access_key = x\naws_session_token = x\nmfad_profile = prod\n", "",
			"credentials:1: [prod] holds a long-term key", "mfad identity add",
		},
		{"a key pair without a token", "[prod]\naws_access_key_id = x\naws_secret_access_key = x\nmfad_profile = prod\n", "", "credentials:1: [prod] holds a long-term key", "keyring"},
		{"aws-mfa's section", "[prod]\naws_access_key_id = ASIAX\naws_session_token = x\nexpiration = x\n", "", "credentials:1: [prod] holds keys that mfad did not write, in the layout of aws-mfa", "mfad import aws-mfa"},
		{"another profile's section", "[prod]\n" + body("other", 1), "", `credentials:1: [prod] belongs to mfad's profile "other"`, "section"},
		{"a header that only some tools read", "[a]\n[ prod ]\nx=1\n", "", `credentials:2: [ prod ] is read as "prod" by some tools only`, "rename"},
		{"a header with two readings", section("prod", 1) + "[prod] # ]\nx=1\n", "", `credentials:8: [prod] # ] and [prod] are both read as "prod"`, "keep one"},
		{"a header below that the SDKs do not see", section("prod", 2) + "[team#1]\nx=1\n", "", "credentials:8: the AWS SDKs do not take this line for a header", "rename"},
		{"a key of the user's that is indented below mfad's", section("prod", 2) + "  region = x\n", "", "credentials:8: this line is indented and so continues the value of mfad_profile", "blanks"},
		{"role_arn in the config", "", "[default]\n[profile prod]\nrole_arn = x\n", "config:3: role_arn in [profile prod] wins", aws},
		{"sso in the config", "", "[profile prod]\nsso_session = x\n", "config:2: sso_session in [profile prod] wins", aws},
		{"web identity in the config", "", "[profile prod]\nweb_identity_token_file = x\n", "config:2: web_identity_token_file in [profile prod] wins", aws},
		{"a source without a role", "", "[profile prod]\nsource_profile = x\n", "config:2: source_profile in [profile prod] keeps the AWS SDKs from using", aws},
		{"role_arn in the section itself", section("prod", 2) + "role_arn = x\n", "", "credentials:8: role_arn in [prod] wins", aws},
		{"role_arn for all", "[DEFAULT]\nrole_arn = x\n", "", "credentials:2: role_arn in [DEFAULT] wins", aws},
		{"an old token for all", "[DEFAULT]\naws_security_token = x\n", "", "credentials:2: aws_security_token in [DEFAULT] wins", aws},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, tt.credentials, tt.config)
			good := Section{Name: "good", Profile: "good", Credentials: temporary(7)}
			r := apply(t, f, []Section{prod(1), good})
			err := r.Conflicts["prod"]
			if tt.what == "" {
				if err != nil {
					t.Fatalf("conflict %v, want none", err)
				}
				return
			}
			if err == nil {
				t.Fatalf("no conflict; the file is now %q", content(t, f.Credentials))
			}
			if err.Code != creds.CodeConflict || !strings.Contains(err.Error(), tt.what) || !strings.Contains(err.Hint, tt.hint) {
				t.Errorf("conflict %s %q, hint %q; want %q, hint with %q", err.Code, err, err.Hint, tt.what, tt.hint)
			}
			if check := f.Check(t.Context(), []Section{prod(1)}, nil)["prod"]; check == nil || check.Error() != err.Error() {
				t.Errorf("Check says %v, Apply says %v", check, err)
			}
			shared := strings.HasPrefix(tt.credentials, "[DEFAULT]")
			if (r.Conflicts["good"] != nil) != shared {
				t.Errorf("another profile's conflict is %v", r.Conflicts["good"])
			}
			want := tt.credentials
			if !shared {
				if want != "" {
					want += "\n"
				}
				want += section("good", 7)
			}
			if !shared || tt.credentials != "" {
				same(t, "credentials", content(t, f.Credentials), want)
			}
		})
	}
}

func TestApplyNeverWritesALongTermKey(t *testing.T) {
	t.Parallel()
	f := home(t, "", "")
	for _, c := range []creds.Credentials{
		{AccessKeyID: "ASIAX", SecretAccessKey: creds.NewSecret("x")},
		{AccessKeyID: "AKIAEXAMPLE00000001", SecretAccessKey: creds.NewSecret("x"), SessionToken: creds.NewSecret("x")},
	} {
		r := apply(t, f, []Section{{Name: "prod", Profile: "prod", Credentials: c}})
		if r.Written || r.Conflicts["prod"] == nil {
			t.Errorf("Apply(%s) = %+v, want a refusal", c.AccessKeyID, r)
		}
	}
}

func TestApplyRefusesWhatNoFileCanHold(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n", "")
	for _, name := range []string{"", "DEFAULT", "a b", "a]b", "a#b", "a\nb", "é", strings.Repeat("a", 65)} {
		r := apply(t, f, []Section{{Name: name, Profile: "p", Credentials: temporary(1)}})
		if e := r.Conflicts["p"]; e == nil || e.Code != creds.CodeConfig {
			t.Errorf("section %q: conflict %v, want code config", name, e)
		}
	}
	for _, token := range []string{"q9q\nb", " q9q", "q9q ", "q9q\x00b", "q9q #b", `"q9q"`, "#q9q", "'q9q'", "q9q\xff", "q9q\u0085"} {
		c := temporary(1)
		c.SessionToken = creds.NewSecret(token)
		r := apply(t, f, []Section{{Name: "prod", Profile: "p", Credentials: c}})
		if e := r.Conflicts["p"]; e == nil || e.Code != creds.CodeConfig || strings.Contains(e.Error()+e.Hint, "q9q") {
			t.Errorf("token %q: conflict %v, want code config without the token", token, e)
		}
	}
	r := apply(t, f, []Section{prod(1), {Name: "prod", Profile: "q", Credentials: temporary(2)}})
	if r.Conflicts["q"] == nil || r.Conflicts["prod"] != nil {
		t.Errorf("two profiles for one section: %v, want a conflict of the second", r.Conflicts)
	}
}

func TestApplyTakesOverAWSMFA(t *testing.T) {
	t.Parallel()
	f := home(t, "[prod]\nassumed_role = False\naws_access_key_id = ASIAX\naws_secret_access_key = x\naws_session_token = x\naws_security_token = x\nexpiration = 2020-01-01 00:00:00\n", "")
	s := prod(1)
	s.TakeOver, s.Extra = true, []Key{{"expiration", "2030-01-02 03:04:05"}}
	if r := apply(t, f, []Section{s}); r.Conflicts != nil {
		t.Fatalf("conflicts %v, want none", r.Conflicts)
	}
	want := "[prod]\nassumed_role = False\n" + body("prod", 1)
	want += "aws_security_token = token/example+1==\nexpiration = 2030-01-02 03:04:05\n"
	same(t, "credentials", content(t, f.Credentials), want)
}

func TestManaged(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx=1\n\n"+section("prod", 1)+"[empty]\nmfad_profile = e\n[key]\naws_access_key_id = AKIAEXAMPLE00000001\nmfad_profile = key\n", "")
	got, err := f.Managed(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("Managed = %d sections, %v; want prod and empty", len(got), err)
	}
	if got[0].Name != "prod" || got[0].Profile != "prod" || !got[0].Credentials.Equal(temporary(1)) {
		t.Errorf("got %+v, want prod as written", got[0])
	}
	if got[1].Name != "empty" || got[1].Profile != "e" || !got[1].Credentials.IsZero() {
		t.Errorf("got %+v, want an empty section of e", got[1])
	}
	if got, err := home(t, "", "").Managed(t.Context()); err != nil || got != nil {
		t.Errorf("without a file: %v, %v; want nothing", got, err)
	}
}

func TestRefusedFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, content, what string }{
		{"a section twice", "[a]\nx=1\n[a]\ny=1\n", "credentials:3: the section [a] again, first in line 1"},
		{"a key twice", "[a]\nx=1\nX=1\n", "credentials:3: the key x again, first in line 2"},
		{"junk", "[a]\nx=1\njunk\n", "credentials:3: neither a section"},
		{"an open bracket", "[a]\nx=1\n[b\n", "credentials:3: neither a section"},
		{"an empty name", "[a]\nx=1\n[]\n", "credentials:3: neither a section"},
		{"a key before the first section", "# c\nx=1\n[a]\n", "credentials:2: a line before the first section"},
		{"a byte order mark", "\ufeff[a]\n", "credentials:1: a byte order mark"},
		{"UTF-16", "\xff\xfe[\x00", "credentials:1: UTF-16 text"},
		{"not UTF-8", "[a]\n# caf\xe9\n", "credentials:2: bytes that are not UTF-8"},
		{"NUL", "[a]\nx=1\n\x00\n", "credentials:3: a NUL byte"},
		{"a lone CR", "[a]\nx=1\ry=1\n", "credentials:2: a carriage return inside a line"},
		{"an indented header", "[a]\nx=1\n [b]\n", "credentials:3: an indented header"},
		{"a bad nested block", "[a]\ns3 =\n  x = 1\n  junk\n", "credentials:4: a line without = in a nested block"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, tt.content, "")
			r, err := f.Apply(t.Context(), []Section{prod(1)}, nil)
			if creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), tt.what) || creds.HintOf(err) == "" {
				t.Errorf("Apply = %v (hint %q), want a conflict with %q", err, creds.HintOf(err), tt.what)
			}
			if r.Written {
				t.Error("the file was written")
			}
			same(t, "credentials", content(t, f.Credentials), tt.content)
			check := f.Check(t.Context(), []Section{prod(1)}, []Entry{{Name: "p", Profile: "p", CredentialProcess: "/bin/x"}})
			for _, profile := range []string{"prod", "p"} {
				if e := check[profile]; e == nil || !strings.Contains(e.Error(), tt.what) {
					t.Errorf("Check of %s = %v, want %q", profile, e, tt.what)
				}
			}
		})
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	if !enforcesModes {
		t.Skip("no such modes on this system")
	}
	f := home(t, "", "")
	dir := filepath.Dir(f.Credentials)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	apply(t, f, []Section{prod(1)})
	mode(t, dir, 0o700)
	mode(t, f.Credentials, 0o600)

	chmod(t, dir, 0o755)
	chmod(t, f.Credentials, 0o644)
	apply(t, f, []Section{prod(2)})
	mode(t, dir, 0o700)
	mode(t, f.Credentials, 0o600)

	chmod(t, f.Credentials, 0o644)
	if r := apply(t, f, []Section{prod(2)}); r.Written {
		t.Error("a wrong mode alone rewrote the file")
	}
	mode(t, f.Credentials, 0o600)

	chmod(t, f.Credentials, 0o400)
	apply(t, f, []Section{prod(3)})
	mode(t, f.Credentials, 0o400)
}

func TestAFolderThatOthersNeedKeepsItsMode(t *testing.T) {
	t.Parallel()
	if !enforcesModes {
		t.Skip("no such modes on this system")
	}
	dir := filepath.Join(t.TempDir(), "shared")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "something"), "x")
	f := &Files{Credentials: filepath.Join(dir, "credentials"), Config: filepath.Join(dir, "config")}
	apply(t, f, []Section{prod(1)})
	mode(t, dir, 0o755)
	if err := f.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

func chmod(t *testing.T, path string, m fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, m); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
	}
}

// botocore reads the files as the AWS CLI does. Nil means refused.
func botocore(t *testing.T, paths []string) map[string]map[string]map[string]any {
	t.Helper()
	if err := exec.Command("python3", "-c", "import botocore").Run(); err != nil {
		t.Skip("SKIP-REAL boto3: python3 with botocore is not here")
	}
	in, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", filepath.Join("testdata", "read_aws_files.py"))
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("read_aws_files.py: %v", err)
	}
	var got map[string]map[string]map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got
}
