package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// copier is an app with files of its own, that notes what it was to merge.
type copier struct {
	*app
	config          string
	told            bytes.Buffer
	mergedBase      string
	mergedLate      string
	mergedInto      string
	merges          int
	whatMergeAnswer error
}

func newCopier(t *testing.T, config string) *copier {
	t.Helper()
	home := t.TempDir()
	k := &copier{config: filepath.Join(home, "aws", "config")}
	if err := os.Mkdir(filepath.Dir(k.config), 0o700); err != nil {
		t.Fatal(err)
	}
	if config != "" {
		if err := os.WriteFile(k.config, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"AWS_CONFIG_FILE": k.config, "XDG_RUNTIME_DIR": filepath.Join(home, "run")}
	k.app = &app{err: &k.told, home: home, getenv: func(name string) string { return env[name] }}
	k.merge = func(_ context.Context, path string, base, late []byte) error {
		k.merges++
		k.mergedInto, k.mergedBase, k.mergedLate = path, string(base), string(late)
		return k.whatMergeAnswer
	}
	return k
}

func (k *copier) copy(t *testing.T, p execProfile) *configCopy {
	t.Helper()
	c, err := k.copyAWSConfig(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (k *copier) left(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(k.home, "run", "mfad", "exec", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheCopyOfTheAWSConfig(t *testing.T) {
	p := execProfile{name: "prod", section: "prod", region: "eu-west-1", output: "json"}
	for _, tt := range []struct{ name, config, want string }{
		{"none", "", "\n[profile NAME]\nregion = eu-west-1\noutput = json\n"},
		{"settings", "[profile a]\ns3 =\n  a = 1", "[profile a]\ns3 =\n  a = 1\n\n[profile NAME]\nregion = eu-west-1\noutput = json\n"},
		{"lines", "[profile a]\nx = 1\n", "[profile a]\nx = 1\n\n[profile NAME]\nregion = eu-west-1\noutput = json\n"},
		{"no line end", "[profile a]\nx = 1", "[profile a]\nx = 1\n\n[profile NAME]\nregion = eu-west-1\noutput = json\n"},
		{"carriage returns", "[profile a]\r\nx = 1", "[profile a]\r\nx = 1\r\n\r\n[profile NAME]\r\nregion = eu-west-1\r\noutput = json\r\n"},
	} {
		k := newCopier(t, tt.config)
		c := k.copy(t, p)
		got, err := os.ReadFile(c.path())
		if want := strings.ReplaceAll(tt.want, "NAME", c.name); err != nil || string(got) != want {
			t.Errorf("%s: %q (%v), want %q", tt.name, got, err, want)
		}
		k.takeBack(t.Context(), c)
		if k.merges != 0 || len(k.left(t)) != 0 || k.told.Len() != 0 {
			t.Errorf("%s, unchanged: %d merges, %q is left, %q is told", tt.name, k.merges, k.left(t), &k.told)
		}
	}
}

// TestACopyWithoutARuntimeFolder lies in the state folder, and is found there, also
// after its removal failed.
func TestACopyWithoutARuntimeFolder(t *testing.T) {
	k := newCopier(t, "")
	file := filepath.Join(k.home, "run")
	if err := os.WriteFile(file, nil, 0o600); err != nil { // no folder can be made below it
		t.Fatal(err)
	}
	c := k.copy(t, execProfile{name: "prod"})
	state := filepath.Join(k.home, ".local", "state", "mfad", "exec")
	if filepath.Dir(c.folder) != state {
		t.Errorf("the copy is %s, want it in %s", c.folder, state)
	}
	refused := *c
	refused.folder += "/." // os.RemoveAll refuses it
	if err := os.Rename(c.folder+lockSuffix, refused.folder+lockSuffix); err != nil {
		t.Fatal(err)
	}
	if refused.remove(); !isFile(refused.folder + lockSuffix) {
		t.Error("the folder is there without its lock: nobody will find it")
	}
	if err := os.Rename(refused.folder+lockSuffix, c.folder+lockSuffix); err != nil {
		t.Fatal(err)
	}
	k.takeBackLeftovers(t.Context())
	if left, err := os.ReadDir(state); err != nil || len(left) != 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(k.home, ".local")), os.WriteFile(filepath.Join(k.home, ".local"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := k.copyAWSConfig(t.Context(), execProfile{name: "prod"}); !strings.Contains(creds.HintOf(err), "--env") {
		t.Errorf("where neither can be: %v, hint %q; want what to do", err, creds.HintOf(err))
	}
}

// TestAChangedCopyIsMerged without the section that was added to it, from a run
// that ended and from one that was killed; what cannot be merged is kept.
func TestAChangedCopyIsMerged(t *testing.T) {
	const config, more = "[profile a]\nx = 1\n", "[profile b]\ny = 2\n"
	change := func(c *configCopy) {
		f, err := os.OpenFile(c.path(), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(more)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	k := newCopier(t, config)
	c := k.copy(t, execProfile{name: "prod"})
	change(c)
	k.takeBack(t.Context(), c)
	if k.merges != 1 || k.mergedInto != k.config || k.mergedBase != config+"\n" || k.mergedLate != config+"\n"+more || len(k.left(t)) != 0 {
		t.Errorf("%d merges into %s, of %q and %q; %q is left", k.merges, k.mergedInto, k.mergedBase, k.mergedLate, k.left(t))
	}

	c = k.copy(t, execProfile{name: "prod"})
	change(c)
	k.copy(t, execProfile{name: "other"})
	if k.merges != 1 {
		t.Error("the copy of a run that goes on was merged by another")
	}
	c.lock.Close() // as a kill does
	k.copy(t, execProfile{name: "third"})
	if _, err := os.Stat(c.folder); k.merges != 2 || err == nil {
		t.Errorf("%d merges, want the killed run's too; its folder: %v", k.merges, err)
	}

	k.whatMergeAnswer = errors.New("no way")
	c = k.copy(t, execProfile{name: "prod"})
	change(c)
	k.takeBack(t.Context(), c)
	kept := k.config + "." + c.name
	got, err := os.ReadFile(kept)
	if err != nil || string(got) != config+"\n"+more || !strings.Contains(k.told.String(), "no way") || !strings.Contains(k.told.String(), kept) {
		t.Errorf("kept %q (%v), told %q", got, err, &k.told)
	}
}

// TestSettingsOfTheProfilesOwn: a command has how AWS is reached, and nothing of
// credentials.
func TestSettingsOfTheProfilesOwn(t *testing.T) {
	const config = "[default]\nregion = d\noutput = do\n[profile prod]\nregion = p\nrole_arn = arn\ncredential_process = x\n" +
		"# mine\nca_bundle = /a.pem\nsso_session = s\n  no = 1\ns3 =\n  max_queue_size = 5\n\nsource_profile = y\nretry_mode=adaptive\nunheard_of = z\n[profile \"x y\"]\noutput = q\n[prod]\nregion = no\n"
	for _, tt := range []struct{ has, want execProfile }{
		{execProfile{section: "prod"}, execProfile{section: "prod", region: "p",
			settings: []string{"ca_bundle = /a.pem", "s3 =", "  max_queue_size = 5", "retry_mode=adaptive"}}},
		{execProfile{section: "default", region: "mine"}, execProfile{section: "default", region: "mine", output: "do"}},
		{execProfile{section: "default"}, execProfile{section: "default", region: "d", output: "do"}},
		{execProfile{section: "x y"}, execProfile{section: "x y", output: "q"}},
		{execProfile{section: "other"}, execProfile{section: "other"}},
	} {
		got := tt.has
		if got.inherit([]byte(config)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%+v became %+v, want %+v", tt.has, got, tt.want)
		}
	}
}

func TestSteppingOut(t *testing.T) {
	const copied = "/run/mfad/exec/mfad-exec-0123456789abcdef/config"
	for _, tt := range []struct{ name, outer, config, profile, wantConfig, wantProfile string }{
		{"unset outside", "", copied, "mfad-exec-0123456789abcdef", "", ""},
		{"set outside", "/a/config", copied, "mfad-exec-0123456789abcdef", "/a/config", ""},
		{"changed inside", "/a/config", "/b/config", "mine", "/b/config", "mine"},
	} {
		t.Setenv(outerConfig, tt.outer)
		t.Setenv("AWS_CONFIG_FILE", tt.config)
		t.Setenv("AWS_PROFILE", tt.profile)
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/credentials")
		stepOut()
		if c, p, uri := os.Getenv("AWS_CONFIG_FILE"), os.Getenv("AWS_PROFILE"), os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"); c != tt.wantConfig || p != tt.wantProfile || uri != "" {
			t.Errorf("%s: AWS_CONFIG_FILE %q, AWS_PROFILE %q, the address %q; want %q, %q and none", tt.name, c, p, uri, tt.wantConfig, tt.wantProfile)
		}
		if _, still := os.LookupEnv(outerConfig); still {
			t.Errorf("%s: %s is still set", tt.name, outerConfig)
		}
	}
	t.Setenv("AWS_PROFILE", "mine")
	t.Setenv("AWS_CONFIG_FILE", "/c/config")
	if stepOut(); os.Getenv("AWS_PROFILE") != "mine" || os.Getenv("AWS_CONFIG_FILE") != "/c/config" {
		t.Error("outside of an exec something was changed")
	}
}

// TestWhatIsSetWithoutAProfile goes to the section of the profile that the run was
// for, key by key.
func TestWhatIsSetWithoutAProfile(t *testing.T) {
	const own = "\n[profile mfad-exec-1]\nregion = eu-west-1\noutput = json\n"
	for _, tt := range []struct{ name, config, own, section, from, to string }{
		{"nothing", "[profile prod]\nregion = us-east-1\n", own, "prod", "", ""},
		{"taken away", "", "\n[profile mfad-exec-1]\nregion = eu-west-1\n", "prod", "", ""},
		{"changed", "[profile prod]\nregion = us-east-1\ncli_pager =\n", "\n[profile mfad-exec-1]\nregion = eu-west-3\noutput = json\n", "prod",
			"[profile prod]\nregion = us-east-1\n", "[profile prod]\nregion = eu-west-3\n"},
		{"added", "[profile prod]\ncli_pager =\n", own + "sts_regional_endpoints = regional\n", "prod",
			"[profile prod]\n", "[profile prod]\nsts_regional_endpoints = regional\n"},
		{"no section", "", own + "cli_pager =\n", "prod", "[profile prod]\n", "[profile prod]\ncli_pager =\n"},
		{"default", "[default]\noutput = yaml\n", "\n[profile mfad-exec-1]\nregion = eu-west-1\noutput = text\n", "default",
			"[default]\noutput = yaml\n", "[default]\noutput = text\n"},
		{"no default", "", own + "cli_pager =\n", "default", "[default]\n", "[default]\ncli_pager =\n"},
		{"blanks in its name", "", own + "cli_pager =\n", "x y", "[profile \"x y\"]\n", "[profile \"x y\"]\ncli_pager =\n"},
		{"header as it stands", "[profile 'prod']\n", own + "cli_pager =\n", "prod", "[profile 'prod']\n", "[profile 'prod']\ncli_pager =\n"},
		{"below another key", "[profile prod]\ns3 =\n  addressing_style = path\n  max_queue_size = 1\ncli_pager =\n",
			own + "s3 =\n    max_queue_size = 2\n", "prod",
			"[profile prod]\ns3 =\n  addressing_style = path\n  max_queue_size = 1\n", "[profile prod]\ns3 =\n  addressing_style = path\n    max_queue_size = 2\n"},
	} {
		from, to := ownChanges([]byte(tt.config+own), []byte(tt.config+tt.own), "mfad-exec-1", tt.section)
		if string(from) != tt.from || string(to) != tt.to {
			t.Errorf("%s: from %q to %q, want from %q to %q", tt.name, from, to, tt.from, tt.to)
		}
	}
	for _, tt := range []struct{ name, config, want string }{
		{"as it was", "# a\n[profile prod]\nregion = us-east-1\ncli_pager =\n\n[profile b]\n", "# a\n[profile prod]\nregion = eu-west-3\ncli_pager =\n\n[profile b]\n"},
		{"changed meanwhile", "[profile prod]\nregion = us-west-2\n", "[profile prod]\nregion = us-west-2\n"},
		{"removed meanwhile", "[profile b]\n", "[profile b]\n[profile prod]\nregion = eu-west-3\n"},
	} {
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		err := mergeAWSConfig(t.Context(), path, []byte("[profile prod]\nregion = us-east-1\n"), []byte("[profile prod]\nregion = eu-west-3\n"))
		if got, _ := os.ReadFile(path); err != nil || string(got) != tt.want {
			t.Errorf("%s: the file became %q (%v), want %q", tt.name, got, err, tt.want)
		}
	}
}

// TestPathsLeadFromAnywhere to where they lead from here.
func TestPathsLeadFromAnywhere(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	for v, want := range map[string]string{
		"MFAD_STATE_DIR=a/b":            filepath.Join(here, "a", "b"),
		"MFAD_SOCKET=/c":                "/c",
		"MFAD_CONFIG=~/d":               filepath.Join(here, "~", "d"),
		"AWS_CONFIG_FILE=~/e":           "~/e",
		"AWS_SHARED_CREDENTIALS_FILE=f": filepath.Join(here, "f"),
		"AWS_CA_BUNDLE=":                "",
		"AWS_PROFILE=g":                 "g",
	} {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
		if env := environFromAnywhere(); !slices.Contains(env, name+"="+want) {
			t.Errorf("%s: want %s in %q", v, want, env)
		}
	}
}

// TestTheEndpointIsNoBusinessOfAProxy, whatever the user has its proxy left out for.
func TestTheEndpointIsNoBusinessOfAProxy(t *testing.T) {
	for _, tt := range []struct{ env, want string }{
		{"", "map[]"},
		{"NO_PROXY=x", "map[]"},
		{"HTTPS_PROXY=p", "map[]"}, // the endpoint has no https
		{"HTTP_PROXY=p", "map[NO_PROXY:127.0.0.1 no_proxy:127.0.0.1]"},
		{"all_proxy=p no_proxy=", "map[NO_PROXY:127.0.0.1 no_proxy:127.0.0.1]"},
		{"http_proxy=p no_proxy=x,.y", "map[no_proxy:x,.y,127.0.0.1]"},
		{"http_proxy=p NO_PROXY=x,127.0.0.1 no_proxy=x", "map[no_proxy:x,127.0.0.1]"},
		{"http_proxy=p NO_PROXY=* no_proxy=127.0.0.1", "map[]"},
	} {
		env := map[string]string{}
		for _, v := range strings.Fields(tt.env) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		if got := fmt.Sprint(pastProxy("127.0.0.1", func(name string) string { return env[name] })); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.env, got, tt.want)
		}
	}
}
