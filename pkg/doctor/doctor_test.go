package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const goodConfig = `[identity corp]
mfa_serial = arn:aws:iam::111111111111:mfa/alice
[identity other]
mfa_serial = arn:aws:iam::111111111111:mfa/bob
[profile prod]
identity = corp
role_arn = arn:aws:iam::222222222222:role/Admin
duration = 12h
[profile db]
source_profile = prod
role_arn = arn:aws:iam::333333333333:role/DB
[profile none]
identity = other
role_arn = arn:aws:iam::222222222222:role/ReadOnly
write = none
section = nothing
`

// well is a picture in which nothing is wrong; a test spoils a part of it.
func well(t *testing.T) Picture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.ini")
	if err := os.WriteFile(path, []byte(goodConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := profile.Load(path, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	yes, life, most := true, 3600, 43200
	end := noon.Add(45 * time.Minute)
	via := "session"
	p := Picture{
		Now: noon, Version: "v1", Program: "/usr/bin/mfad", System: "linux", ConfigPath: path, Config: c,
		Daemon: Daemon{Autostart: true, Status: &localapi.Status{
			Daemon: localapi.DaemonStatus{PID: 7, Version: "v1", Config: path, Credentials: "/h/.aws/credentials", AWSConfig: "/h/.aws/config",
				Keyring: localapi.KeyringStatus{Kind: "os"}},
			Identities: []localapi.IdentityStatus{{Name: "corp", State: "ready", HasKey: &yes}, {Name: "other", State: "ready", HasKey: &yes}},
		}},
		Reaches:     []Reach{{Region: "eu-west-1", Host: "sts.eu-west-1.amazonaws.com", Dated: true}},
		Modes:       []Mode{{Path: "/h/state", What: "the state folder", Perm: 0o700, Want: 0o700}},
		Credentials: view("/h/.aws/credentials", "prod", "aws_access_key_id=ASIAEXAMPLE000000001", "mfad_profile=prod", "db", "mfad_profile=db"),
		AWSConfig:   view("/h/.aws/config", "prod", "region=eu-west-1"),
		Getenv:      func(string) string { return "" },
	}
	for _, name := range c.ProfileNames() {
		p.Daemon.Status.Profiles = append(p.Daemon.Status.Profiles, localapi.ProfileStatus{
			Name: name, State: "fresh", Usable: true, Via: &via, Expires: &end, DurationSeconds: &life, MaxSessionDuration: &most})
	}
	return p
}

// view is a file of sections: a word without = begins one.
func view(path string, lines ...string) credfile.View {
	v := credfile.View{Path: path, Exists: true}
	for i, l := range lines {
		name, value, isKey := strings.Cut(l, "=")
		if !isKey {
			v.Profiles = append(v.Profiles, credfile.ProfileView{Name: l, Header: "[" + l + "]"})
			continue
		}
		last := &v.Profiles[len(v.Profiles)-1]
		last.Keys = append(last.Keys, credfile.KeyView{Name: name, Value: value, Line: i + 1})
	}
	return v
}

// env is an environment of "A=b" texts.
func env(vars ...string) func(string) string {
	return func(name string) string {
		for _, v := range vars {
			if n, value, _ := strings.Cut(v, "="); n == name {
				return value
			}
		}
		return ""
	}
}

// line is a finding as a person reads it.
func line(f Finding) string {
	text := string(f.Level) + " " + f.Check + ": " + f.What
	if f.Why != "" {
		text += ": " + f.Why
	}
	if f.Fix != "" {
		text += " -> " + f.Fix
	}
	return text
}

func TestAllIsWell(t *testing.T) {
	found := Examine(well(t))
	for _, f := range found {
		if f.Level != OK || f.Why != "" || f.Fix != "" {
			t.Errorf("got %s", line(f))
		}
	}
	if Failed(found) {
		t.Error("it failed")
	}
	for _, check := range []string{"daemon", "version", "config", "modes", "keyring", "clock", "endpoint", "aws_files", "environment", "identity", "profile"} {
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Check == check }) {
			t.Errorf("no word on %s", check)
		}
	}
}

func fault(code creds.Code, op, hint string) *creds.Error {
	return &creds.Error{Code: code, Op: op, Hint: hint}
}

// TestWhatIsWrong spoils one thing each, and wants exactly these findings that
// are not ok: level, check, and what a person must be able to read.
func TestWhatIsWrong(t *testing.T) {
	no := false
	hour := 3600
	for _, tt := range []struct {
		name  string
		spoil func(*Picture)
		want  []string // each "LEVEL CHECK|text|text..."
	}{
		{"daemon off", func(p *Picture) { p.Daemon = Daemon{Autostart: true, Err: fault(creds.CodeDaemonDown, "x", "")} },
			[]string{"no daemon|does not run|-> mfad status"}},
		{"daemon off and nothing to do", func(p *Picture) {
			p.Daemon = Daemon{Autostart: true, Err: fault(creds.CodeDaemonDown, "x", "")}
			p.Config = &profile.Config{}
		}, []string{"hm config|nothing is configured|-> mfad setup"}},
		{"daemon not to be started", func(p *Picture) { p.Daemon = Daemon{Err: fault(creds.CodeDaemonDown, "x", "")} },
			[]string{"no daemon|MFAD_AUTOSTART=0|-> mfad daemon"}},
		{"daemon ended by an error", func(p *Picture) {
			p.Daemon = Daemon{Autostart: true, Err: fault(creds.CodeDaemonDown, "x", ""), LastWords: "open the socket: no", LastHint: "set MFAD_SOCKET"}
		}, []string{"no daemon|open the socket: no|-> set MFAD_SOCKET"}},
		{"daemon hangs", func(p *Picture) {
			p.Daemon = Daemon{Err: fault(creds.CodeTimeout, "it runs but does not answer", "kill it")}
		},
			[]string{"no daemon|does not answer|-> kill it"}},
		{"daemon without a socket", func(p *Picture) { p.Daemon = Daemon{Err: fault(creds.CodeDaemonDown, "x", ""), Holder: 99} },
			[]string{"no daemon|process 99|-> kill 99"}},
		{"locked", func(p *Picture) { p.Daemon.Status.Daemon.Locked = true }, []string{"hm daemon|locked|-> mfad unlock"}},
		{"another version", func(p *Picture) { p.Version = "v2" }, []string{"no version|v1|v2|-> kill 7; mfad status"}},
		{"another version as a service", func(p *Picture) {
			p.Version = "v2"
			p.Units = []Unit{{Path: "/u/mfad.service", Command: "/usr/bin/mfad", Same: true}}
		}, []string{"no version|-> mfad service restart"}},
		{"another version as an agent", func(p *Picture) {
			p.Version = "v2"
			p.Units = []Unit{{Path: "/u/mfad.plist", Command: "/usr/bin/mfad", Same: true}}
		}, []string{"no version|-> mfad service restart"}},
		{"another version, which the service starts", func(p *Picture) {
			p.Version = "v2"
			p.Units = []Unit{{Path: "/u/mfad.service", Command: "/opt/mfad"}}
		}, []string{"no version|-> mfad service install", "hm service|/opt/mfad|-> mfad service install"}},
		{"a service that names no program", func(p *Picture) { p.Units = []Unit{{Path: "/u/mfad.service", Err: errors.New("no program")}} },
			[]string{"no service|no program|-> mfad service install --force"}},
		{"a service of another program", func(p *Picture) { p.Units = []Unit{{Path: "/u/mfad.service", Command: "/opt/mfad"}} },
			[]string{"hm service|/opt/mfad|/usr/bin/mfad|-> mfad service install"}},
		{"a service of no program", func(p *Picture) { p.Units = []Unit{{Path: "/u/mfad.service", Command: "/opt/mfad", Gone: true}} },
			[]string{"no service|/opt/mfad, which is not there|-> mfad service install"}},
		{"another config", func(p *Picture) { p.Daemon.Status.Daemon.Config = "/x.ini" }, []string{"no config|/x.ini"}},
		{"a broken config", func(p *Picture) {
			p.Config, p.ConfigErr = nil, &creds.Error{Code: creds.CodeConfig, Err: &profile.Errors{List: []profile.Problem{
				{File: "/c.ini", Line: 3, Msg: "unknown key", Hint: "the nearest is x"}, {File: "/c.ini", Line: 5, Msg: "bad value"}}}}
		}, []string{"no config|/c.ini:3: unknown key|-> the nearest is x", "no config|/c.ini:5: bad value"}},
		{"modes", func(p *Picture) {
			p.Modes = []Mode{{Path: "/h/a b", What: "the socket", Perm: 0o755, Want: 0o700}, {Path: "/c", What: "config", Perm: 0o644, Want: 0o600, Lenient: true},
				{Path: "/d", What: "config", Perm: 0o666, Want: 0o600, Lenient: true}, {Path: "/e", What: "e", Perm: 0o400, Want: 0o600}}
		}, []string{"no modes|mode 0755|-> chmod 0700 '/h/a b'", "hm modes|-> chmod 0600 /c", "no modes|-> chmod 0600 /d"}},
		{"keyring locked", func(p *Picture) {
			p.Daemon.Status.Daemon.Keyring.Error = &localapi.Error{Code: creds.CodeKeyringLocked, Message: "it is locked", Hint: "run: mfad unlock"}
			p.Daemon.Status.Identities[0].Error = p.Daemon.Status.Daemon.Keyring.Error
			p.Daemon.Status.Profiles[0].Error = p.Daemon.Status.Daemon.Keyring.Error
		}, []string{"no keyring|it is locked|-> mfad unlock", "hm identity|waits for the keyring"}},
		{"keyring hung, no daemon", func(p *Picture) {
			p.Daemon = Daemon{Autostart: true, Err: fault(creds.CodeDaemonDown, "x", "")}
			p.Keyring = Keyring{Looked: true, Kind: "os", Err: fault(creds.CodeKeyringTimeout, "no answer", "close its window")}
		}, []string{"no daemon|does not run", "no keyring|no answer|-> close its window"}},
		{"keyring locked since the daemon used it", func(p *Picture) {
			p.Keyring = Keyring{Looked: true, Kind: "os", Err: fault(creds.CodeKeyringLocked, "it is locked", "")}
		}, []string{"no keyring|it is locked|-> mfad unlock"}},
		{"keyring that only the daemon reaches", func(p *Picture) {
			p.Keyring = Keyring{Looked: true, Kind: "os", Err: fault(creds.CodeKeyringAbsent, "no bus", "")}
		}, nil},
		{"keyring that is gone", func(p *Picture) {
			p.Keyring = Keyring{Looked: true, Kind: "os", Err: fault(creds.CodeKeyringAbsent, "no bus", "")}
			p.Getenv = env("DBUS_SESSION_BUS_ADDRESS=unix:path=/gone")
		}, []string{"hm keyring|no bus|-> set MFAD_KEYRING=file"}},
		{"a clock a minute off", func(p *Picture) { p.Reaches[0].Ahead = time.Minute }, []string{"hm clock|1m0s behind|-> sudo timedatectl"}},
		{"a clock six minutes off", func(p *Picture) { p.Reaches[0].Ahead, p.System = -6*time.Minute, "darwin" },
			[]string{"no clock|6m0s ahead of|-> sudo sntp"}},
		{"AWS is not reached", func(p *Picture) {
			p.Reaches = []Reach{{Region: "eu-west-1", Proxy: "proxy:3128", Err: fault(creds.CodeNetwork, "no route", "check the proxy")}}
		}, []string{"no endpoint|eu-west-1 through the proxy proxy:3128: no route|-> check the proxy"}},
		{"a file that the AWS CLI refuses", func(p *Picture) {
			p.Credentials.Err = fault(creds.CodeConflict, "/h/.aws/credentials:9: junk", "put # before it")
			p.Conflicts = map[string]*creds.Error{"prod": fault(creds.CodeConflict, "/h/.aws/credentials:9: junk", "put # before it")}
		}, []string{"no aws_files|credentials:9: junk|-> put # before it"}},
		{"a conflict", func(p *Picture) {
			p.Conflicts = map[string]*creds.Error{"prod": fault(creds.CodeConflict, "/h/.aws/config:4: role_arn in [profile prod] wins", "delete that line")}
		}, []string{"no profile|config:4: role_arn|-> delete that line"}},
		{"no key", func(p *Picture) { p.Daemon.Status.Identities[0].HasKey = &no }, []string{"no identity|does not hold its key|-> mfad identity add corp"}},
		{"a code is needed", func(p *Picture) {
			p.Daemon.Status.Identities[0].State = "mfa_required"
			p.Daemon.Status.Profiles[0].Error = &localapi.Error{Code: creds.CodeMFARequired, Message: "a code"}
		}, []string{"hm identity|a code is needed|-> mfad login corp"}},
		{"a code is needed for one profile", func(p *Picture) {
			p.Daemon.Status.Profiles[0].Error = &localapi.Error{Code: creds.CodeMFARequired, Message: "the role wants a younger MFA"}
		}, []string{"hm profile|profile prod: the role wants a younger MFA|-> mfad login corp"}},
		{"a stored seed", func(p *Picture) { p.Daemon.Status.Identities[0].TOTPStored = true },
			[]string{"hm totp_seed|identity corp: codes come from a seed beside the key: two factors are one|-> mfad identity totp corp --remove"}},
		{"nothing fetched yet", func(p *Picture) {
			p.Daemon.Status.Profiles[0].Usable, p.Daemon.Status.Profiles[0].State = false, "waiting"
		}, []string{"hm profile|profile prod: nothing was fetched|-> mfad refresh prod"}},
		{"a failure of the identity is told once", func(p *Picture) {
			p.Daemon.Status.Identities[0].Error = &localapi.Error{Code: creds.CodeInvalidKey, Message: "no such key", Hint: "add it again"}
			p.Daemon.Status.Profiles[0].Error = &localapi.Error{Code: creds.CodeInvalidKey, Message: "no such key", Hint: "add it again"}
		}, []string{"no identity|no such key|-> add it again"}},
		{"all locked", func(p *Picture) {
			p.Daemon.Status.Daemon.Locked = true
			locked := &localapi.Error{Code: creds.CodeLocked, Message: "mfad is locked", Hint: "run: mfad unlock"}
			p.Daemon.Status.Identities[0].Error, p.Daemon.Status.Profiles[0].Error = locked, locked
		}, []string{"hm daemon|locked|-> mfad unlock"}},
		{"a conflict that only the daemon knows", func(p *Picture) {
			p.Daemon.Status.Profiles[0].Error = &localapi.Error{Code: creds.CodeConflict, Message: "a hard link", Hint: "copy it"}
		}, []string{"no profile|a hard link|-> copy it"}},
		{"AWS refuses", func(p *Picture) {
			p.Daemon.Status.Profiles[0].Error = &localapi.Error{Code: creds.CodeAccessDenied, Message: "AccessDenied", Hint: "check the trust policy"}
		}, []string{"no profile|profile prod: AccessDenied|-> check the trust policy"}},
		{"more than the role allows", func(p *Picture) { p.Daemon.Status.Profiles[0].MaxSessionDuration = &hour },
			[]string{"hm profile|12h is more than the role allows, 1h|-> mfad role prod --set-max-duration 12h"}},
		{"a warning", func(p *Picture) {
			p.Daemon.Status.Profiles[0].Warning = &localapi.Error{Code: creds.CodeDuration, Message: "too long", Hint: "duration = max"}
		}, []string{"hm profile|too long|-> duration = max"}},
		{"Terraform", func(p *Picture) { p.Terraform, p.Getenv = true, env("AWS_PROFILE=prod") },
			[]string{"hm terraform|AWS_PROFILE=prod|never read|-> mfad exec prod -- terraform apply"}},
		{"Terraform with another profile", func(p *Picture) { p.Terraform, p.Getenv = true, env("AWS_PROFILE=default") }, nil},
		{"IAM Identity Center", func(p *Picture) { p.AWSConfig.Sessions = []string{"corp"} }, []string{"hm identity_center|aws login|-> aws sso login --sso-session corp"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := well(t)
			tt.spoil(&p)
			checkFound(t, Examine(p), tt.want)
		})
	}
}

// checkFound wants exactly these findings that are not ok.
func checkFound(t *testing.T, all []Finding, want []string) {
	t.Helper()
	var got []string
	failed := false
	for _, f := range all {
		if f.Level != OK {
			got = append(got, line(f))
			failed = failed || f.Level == Fault
			if f.Why == "" || f.Fix == "" {
				t.Errorf("no reason or no next step: %s", line(f))
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d findings, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i, w := range want {
		parts := strings.Split(w, "|")
		parts[0] += ": "
		for _, part := range parts {
			if !strings.Contains(got[i], part) {
				t.Errorf("got  %s\nwant %s in it", got[i], part)
			}
		}
	}
	if Failed(all) != failed {
		t.Errorf("Failed = %v, want %v", !failed, failed)
	}
}

func TestSections(t *testing.T) {
	const key = "aws_access_key_id=ASIAEXAMPLE000000002"
	for _, tt := range []struct {
		name                string
		credentials, config []string
		want                []string
	}{
		{"a key shadows credential_process", []string{"x", key}, []string{"x", "credential_process=/bin/get"},
			[]string{"hm sections|/c:2 wins over the credential_process in /f:2"}},
		{"a key shadows mfad's credential_process", []string{"x", key}, []string{"x", "credential_process=/bin/mfad credential-process --profile x"},
			[]string{"no sections|wins over the credential_process"}},
		{"both in the config file", nil, []string{"x", key, "credential_process=/bin/get"}, []string{"hm sections|/f:2 wins over the credential_process in /f:3"}},
		{"mfa_serial beside role_arn", []string{"base", key}, []string{"x", "role_arn=r", "source_profile=base", "mfa_serial=arn:aws:iam::1:mfa/a"},
			[]string{"hm sections|mfa_serial beside role_arn (/f:4)|Terraform|-> mfad setup"}},
		{"a FIDO device", []string{"base", key}, []string{"x", "role_arn=r", "source_profile=base", "mfa_serial=arn:aws:iam::1:u2f/a"},
			[]string{"hm sections|FIDO"}},
		{"mfa_serial alone breaks nothing", []string{"x", key}, []string{"x", "mfa_serial=arn:aws:iam::1:mfa/a"}, nil},
		{"source_profile of nothing", nil, []string{"x", "role_arn=r", "source_profile=gone"}, []string{"no sections|/f:3 names gone"}},
		{"source_profile of the other file", []string{"base", key}, []string{"x", "role_arn=r", "source_profile=base"}, nil},
		{"a role of its own key", []string{"x", key}, []string{"x", "role_arn=r", "source_profile=x"}, nil},
		{"a role over a key", []string{"x", key, "base", key}, []string{"x", "role_arn=r", "source_profile=base"}, []string{"hm sections|role_arn in /f:2 wins over the key in /c:2"}},
		{"sso over a key", []string{"x", key}, []string{"x", "sso_session=corp"}, []string{"hm sections|sso_session in /f:2"}},
		{"web identity over a key", []string{"x", key}, []string{"x", "web_identity_token_file=/t"}, []string{"hm sections|web_identity_token_file in /f:2"}},
		{"a long-term key", []string{"x", "aws_access_key_id=AKIAEXAMPLE000000003"}, nil, []string{"hm long_term_keys|AKIA…0003 in /c:2|-> mfad setup --from x --remove-keys"}},
		{"what mfad manages is mfad's", []string{"x", key, "mfad_profile=x"}, []string{"x", "credential_process=/bin/get"}, nil},
		{"mfad's profiles are told as conflicts", []string{"prod", key}, []string{"prod", "role_arn=r", "mfa_serial=s"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := well(t)
			p.Credentials, p.AWSConfig = view("/c", tt.credentials...), view("/f", tt.config...)
			checkFound(t, checkSections(p), tt.want)
			p.Profile = "prod"
			checkFound(t, checkSections(p), nil)
		})
	}
}

func TestEnvironment(t *testing.T) {
	const id, secret = "AWS_ACCESS_KEY_ID=ASIAEXAMPLE000000004", "AWS_SECRET_ACCESS_KEY=not-to-be-shown"
	for _, tt := range []struct {
		name   string
		vars   []string
		inside string
		want   []string
	}{
		{"nothing", nil, "", nil},
		{"a key alone", []string{id, secret}, "", []string{"hm environment|ASIA…0004|-> unset AWS_ACCESS_KEY_ID"}},
		{"a key over AWS_PROFILE", []string{id, secret, "AWS_PROFILE=prod"}, "", []string{"no environment|ASIA…0004 wins over AWS_PROFILE=prod"}},
		{"half a key", []string{id}, "", []string{"no environment|one half"}},
		{"a key that has run out", []string{id, secret, "AWS_CREDENTIAL_EXPIRATION=2026-03-01T11:00:00+00:00"}, "",
			[]string{"hm environment|ASIA…0004", "no environment|AWS_CREDENTIAL_EXPIRATION|1h ago"}},
		{"a key that runs out", []string{id, secret, "AWS_CREDENTIAL_EXPIRATION=2026-03-01T12:30:00Z"}, "",
			[]string{"hm environment|ASIA…0004", "hm environment|AWS_CREDENTIAL_EXPIRATION|in 30m|-> mfad exec"}},
		{"the end of no key", []string{"AWS_CREDENTIAL_EXPIRATION=2026-03-01T11:00:00Z"}, "", nil},
		{"web identity", []string{"AWS_WEB_IDENTITY_TOKEN_FILE=/t"}, "", []string{"hm environment|no profile is named"}},
		{"web identity over a profile", []string{"AWS_WEB_IDENTITY_TOKEN_FILE=/t", "AWS_PROFILE=prod"}, "", []string{"no environment|Terraform"}},
		{"a profile that is there", []string{"AWS_PROFILE=prod"}, "", nil},
		{"default", []string{"AWS_PROFILE=default"}, "", nil},
		{"no such profile", []string{"AWS_PROFILE=gone"}, "", []string{"no environment|AWS_PROFILE: AWS's files have no profile gone"}},
		{"one that is not written", []string{"AWS_PROFILE=none"}, "", []string{"no environment|write = none|-> mfad exec none"}},
		{"two profiles", []string{"AWS_PROFILE=prod", "AWS_DEFAULT_PROFILE=db"}, "", []string{"hm environment|AWS_DEFAULT_PROFILE|takes db"}},
		{"the older name alone", []string{"AWS_DEFAULT_PROFILE=prod"}, "", nil},
		{"another credentials file", []string{"AWS_SHARED_CREDENTIALS_FILE=/other"}, "", []string{"no environment|/other, and the daemon writes /h/.aws/credentials"}},
		{"another config file", []string{"AWS_CONFIG_FILE=/other"}, "", []string{"no environment|AWS_CONFIG_FILE|/h/.aws/config"}},
		{"a tilde", []string{"AWS_SHARED_CREDENTIALS_FILE=~/.aws/credentials"}, "",
			[]string{"no environment|the daemon writes", "hm environment|~"}},
		{"inside exec", []string{id, secret, "AWS_PROFILE=gone"}, "prod", nil},
		{"inside exec --env, run out", []string{id, secret, "AWS_CREDENTIAL_EXPIRATION=2026-03-01T11:00:00Z"}, "prod", []string{"no environment|1h ago|-> leave this shell"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := well(t)
			p.Getenv, p.Inside = env(tt.vars...), tt.inside
			p.ShellCredentials, p.ShellConfig = "/other", "/other"
			found := checkEnvironment(p)
			checkFound(t, found, tt.want)
			for _, f := range found {
				if text := line(f); strings.Contains(text, "not-to-be-shown") || strings.Contains(text, "EXAMPLE") {
					t.Errorf("it shows a secret, or a whole key ID: %s", text)
				}
			}
		})
	}
}

// TestTheDaemonsOwnFiles may be named by the shell too.
func TestTheDaemonsOwnFiles(t *testing.T) {
	p := well(t)
	p.Getenv = env("AWS_SHARED_CREDENTIALS_FILE=/h/.aws/credentials", "AWS_CONFIG_FILE=/h/.aws/config")
	p.ShellCredentials, p.ShellConfig = "/h/.aws/credentials", "/h/.aws/config"
	checkFound(t, checkEnvironment(p), nil)
}

// TestOneProfile: only what concerns it, and whence it is assumed.
func TestOneProfile(t *testing.T) {
	p := well(t)
	p.Profile = "db"
	for i := range p.Daemon.Status.Profiles {
		p.Daemon.Status.Profiles[i].Error = &localapi.Error{Code: creds.CodeAccessDenied, Message: "AccessDenied", Hint: "look"}
	}
	p.Daemon.Status.Identities[1].Error = &localapi.Error{Code: creds.CodeInvalidKey, Message: "no such key", Hint: "look"}
	p.AWSConfig.Sessions = []string{"corp"}
	checkFound(t, Examine(p), []string{"no profile|profile prod:", "no profile|profile db:"})
}

func TestWhatIsKnownOfAProfileThatIsWell(t *testing.T) {
	p := well(t)
	var got []string
	for _, f := range checkProfiles(p) {
		got = append(got, f.What)
	}
	want := []string{
		"profile prod: fresh, 45m left, via session, the role allows 12h",
		"profile db: fresh, 45m left, chain prod -> db, an hour at most",
		"profile none: fresh, 45m left, via session, the role allows 12h",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestMask(t *testing.T) {
	for id, want := range map[string]string{"AKIAEXAMPLE000000001": "AKIA…0001", "short": "…", "": "…"} {
		if got := Mask(id); got != want {
			t.Errorf("Mask(%q) = %q, want %q", id, got, want)
		}
	}
}

// TestAnErrorOfAnotherKind does not lose its words.
func TestAnErrorOfAnotherKind(t *testing.T) {
	p := well(t)
	p.Config, p.ConfigErr = nil, errors.New("disk on fire")
	checkFound(t, Examine(p), []string{"no config|disk on fire"})
}
