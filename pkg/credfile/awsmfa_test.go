package credfile

import (
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

const (
	roleARN = "arn:aws:iam::222222222222:role/Admin"

	ofAWSMFA = "[prod]\nassumed_role = True\nassumed_role_arn = " + roleARN + "\naws_access_key_id = ASIAOLD\naws_secret_access_key = old\n" +
		"aws_session_token = old\naws_security_token = old\nexpiration = 2020-01-02 03:04:05\n"
)

func awsMFACredentials() creds.Credentials {
	return creds.Credentials{AccessKeyID: "ASIANEW", SecretAccessKey: creds.NewSecret("new"), SessionToken: creds.NewSecret("token"),
		Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// TestPutAWSMFA writes what aws-mfa would, into sections that aws-mfa would, and
// no others.
func TestPutAWSMFA(t *testing.T) {
	t.Parallel()
	const six = "aws_access_key_id = ASIANEW\naws_secret_access_key = new\naws_session_token = token\nx_security_token_expires = 2030-01-02T03:04:05Z\n"
	const theirs = "aws_security_token = token\nexpiration = 2030-01-02 03:04:05\n"
	for _, tt := range []struct{ name, before, role, want, conflict string }{
		{"no file", "", "", "[prod]\n" + six + theirs + "assumed_role = False\n", ""},
		{"behind others", "# top\n[a]\nb = c", roleARN, "# top\n[a]\nb = c\n\n[prod]\n" + six + theirs + "assumed_role = True\nassumed_role_arn = " + roleARN + "\n", ""},
		{"in the place of older ones", ofAWSMFA + "# mine\nregion = x\n", "",
			"[prod]\nassumed_role = False\naws_access_key_id = ASIANEW\naws_secret_access_key = new\naws_session_token = token\n" +
				"x_security_token_expires = 2030-01-02T03:04:05Z\n" + theirs + "# mine\nregion = x\n", ""},
		{"of a role again", ofAWSMFA, roleARN,
			"[prod]\nassumed_role = True\nassumed_role_arn = " + roleARN + "\naws_access_key_id = ASIANEW\naws_secret_access_key = new\naws_session_token = token\n" +
				"x_security_token_expires = 2030-01-02T03:04:05Z\n" + theirs, ""},
		{"settings only", "[prod]\nregion = x\n", "", "[prod]\n" + six + theirs + "assumed_role = False\nregion = x\n", ""},
		{"a long-term key", "[prod]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\nexpiration = x\n", "", "", "holds a long-term key"},
		{"a key of a service like AWS", "[prod]\naws_access_key_id = minio\naws_secret_access_key = old\n", "", "", "holds a long-term key"},
		{"mfad's own", "[prod]\naws_access_key_id = ASIAOLD\naws_session_token = old\nmfad_profile = other\n", "", "", `belongs to mfad's profile "other"`},
		{"another program's", "[prod]\naws_access_key_id = ASIAOLD\naws_session_token = old\n", "", "", "another program wrote"},
		{"a file that botocore refuses", "x\n", "", "", "the AWS CLI refuses the whole file"},
		{"a key below one that goes", strings.Replace(ofAWSMFA, "expiration", "  region = x\nexpiration", 1), "", "", "continues the value"},
		{"a key below aws-mfa's", strings.Replace(ofAWSMFA, "aws_access", "  region = x\naws_access", 1), "", "", "continues the value"},
		{"a role that breaks the line", "", "arn\nx = y", "", "cannot be written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := home(t, tt.before, "")
			shadowed, checked := f.CheckAWSMFA(t.Context(), "prod")
			err := f.PutAWSMFA(t.Context(), "prod", awsMFACredentials(), tt.role)
			if tt.conflict != "" {
				if err == nil || !strings.Contains(err.Error(), tt.conflict) {
					t.Errorf("PutAWSMFA = %v, want %q in it", err, tt.conflict)
				}
				if tt.role == "" && (checked == nil || checked.Error() != err.Error()) {
					t.Errorf("CheckAWSMFA = %v, want what PutAWSMFA says: %v", checked, err)
				}
				if tt.before != "" {
					same(t, "the file", content(t, f.Credentials), tt.before)
				}
				return
			}
			if err != nil || checked != nil || shadowed != nil {
				t.Fatalf("PutAWSMFA = %v, CheckAWSMFA = %v, %v", err, shadowed, checked)
			}
			same(t, "the file", content(t, f.Credentials), tt.want)
		})
	}
}

// TestCheckAWSMFATellsWhatWins over a section of this name.
func TestCheckAWSMFATellsWhatWins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, config, want string }{
		{"nothing", "[profile prod]\nregion = x\n", ""},
		{"a role of another profile", "[profile prod]\nrole_arn = a\nsource_profile = b\n", ":2: role_arn in [profile prod] wins"},
		{"a role of its own", "[profile prod]\nrole_arn = a\nsource_profile = prod\n", ""},
		{"single sign-on", "[profile prod]\nsso_session = a\n", ":2: sso_session"},
	} {
		f := home(t, "", tt.config)
		shadowed, err := f.CheckAWSMFA(t.Context(), "prod")
		if err != nil || (shadowed == nil) != (tt.want == "") || shadowed != nil && !strings.Contains(shadowed.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want %q", tt.name, shadowed, err, tt.want)
		}
	}
}

// TestKeepAWSMFA: aws-mfa's keys come to a section of mfad's, follow what is
// written there, and never go to another's.
func TestKeepAWSMFA(t *testing.T) {
	t.Parallel()
	f := home(t, "# top\n[other]\na = b\n", "")
	put := func(c creds.Credentials) {
		t.Helper()
		if r, err := f.Apply(t.Context(), []Section{{Name: "prod", Profile: "prod", Credentials: c}}, nil); err != nil || r.Conflicts != nil {
			t.Fatal(err, r.Conflicts)
		}
	}
	keep := func(profile, role string) string {
		t.Helper()
		if err := f.KeepAWSMFA(t.Context(), "prod", profile, role); err != nil {
			t.Fatal(err)
		}
		return content(t, f.Credentials)
	}
	same(t, "no section", keep("prod", ""), "# top\n[other]\na = b\n")
	put(awsMFACredentials())
	six := content(t, f.Credentials)
	same(t, "another's section", keep("dev", ""), six)
	want := six + "aws_security_token = token\nexpiration = 2030-01-02 03:04:05\nassumed_role = True\nassumed_role_arn = " + roleARN + "\n"
	same(t, "of a role", keep("prod", roleARN), want)
	same(t, "again", keep("prod", roleARN), want)
	same(t, "no longer of a role", keep("prod", ""), six+"aws_security_token = token\nexpiration = 2030-01-02 03:04:05\nassumed_role = False\n")

	next := awsMFACredentials()
	next.SessionToken, next.Expires = creds.NewSecret("later"), next.Expires.Add(time.Hour)
	put(next)
	same(t, "written by mfad afterwards", content(t, f.Credentials),
		strings.NewReplacer("= token", "= later", "T03:04", "T04:04", " 03:04", " 04:04").Replace(six)+
			"aws_security_token = later\nexpiration = 2030-01-02 04:04:05\nassumed_role = False\n")
}

// TestApplyLeavesAnotherExpiration: a key of this name in another form is the
// user's.
func TestApplyLeavesAnotherExpiration(t *testing.T) {
	t.Parallel()
	f := home(t, "[prod]\nmfad_profile = prod\nexpiration = 2020-01-02T03:04:05Z\n", "")
	if _, err := f.Apply(t.Context(), []Section{{Name: "prod", Profile: "prod", Credentials: awsMFACredentials()}}, nil); err != nil {
		t.Fatal(err)
	}
	if got := content(t, f.Credentials); !strings.Contains(got, "\nexpiration = 2020-01-02T03:04:05Z\n") {
		t.Errorf("the key changed:\n%s", got)
	}
}

func TestAddKey(t *testing.T) {
	t.Parallel()
	key := creds.Credentials{AccessKeyID: "AKIANEW", SecretAccessKey: creds.NewSecret("new")}
	f := home(t, "# top\n[a]\nb = c\n", "")
	if err := f.AddKey(t.Context(), "prod-long-term", key); err != nil {
		t.Fatal(err)
	}
	want := "# top\n[a]\nb = c\n\n[prod-long-term]\naws_access_key_id = AKIANEW\naws_secret_access_key = new\n"
	same(t, "the file", content(t, f.Credentials), want)
	for name, key := range map[string]creds.Credentials{
		"prod-long-term": key, "a": key, "DEFAULT": key, "x y": key,
		"b": {AccessKeyID: "AKIANEW"}, "c": {AccessKeyID: "AKIA\nNEW", SecretAccessKey: key.SecretAccessKey},
	} {
		if err := f.AddKey(t.Context(), name, key); err == nil {
			t.Errorf("[%s] with %q was taken", name, key.AccessKeyID)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("[%s]: the error shows the key: %v", name, err)
		}
	}
	same(t, "the file", content(t, f.Credentials), want)
}
