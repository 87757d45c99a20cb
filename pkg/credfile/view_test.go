package credfile

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

func TestViewSaysWhatStandsWhere(t *testing.T) {
	t.Parallel()
	f := home(t, "[default]\naws_access_key_id = AKIAEXAMPLE000000001\n\n# a note\n[prod]\nRegion: eu-west-1\n",
		"[default]\noutput = json\n[profile prod]\nrole_arn = r\n[plain]\nx = 1\n[sso-session corp]\nsso_region = x\n[profile \"q\"]\ny = 2\n")
	c, conf := f.View(t.Context())
	tell := func(v View) (lines []string) {
		for _, p := range v.Profiles {
			for _, k := range p.Keys {
				lines = append(lines, fmt.Sprintf("%s %s %s=%s:%d", p.Name, p.Header, k.Name, k.Value, k.Line))
			}
		}
		return lines
	}
	if want := []string{"default [default] aws_access_key_id=AKIAEXAMPLE000000001:2", "prod [prod] region=eu-west-1:6"}; !slices.Equal(tell(c), want) {
		t.Errorf("credentials: got %q, want %q", tell(c), want)
	}
	want := []string{"default [default] output=json:2", "prod [profile prod] role_arn=r:4", `q [profile "q"] y=2:10`}
	if !slices.Equal(tell(conf), want) {
		t.Errorf("config: got %q, want %q", tell(conf), want)
	}
	if !slices.Equal(conf.Sessions, []string{"corp"}) || c.Err != nil || conf.Err != nil || !c.Exists || c.Mode.Perm() == 0 {
		t.Errorf("got %+v and %+v", c, conf)
	}
	if _, ok := c.Profiles[1].Key("output"); ok {
		t.Error("a key that is not there was found")
	}
}

func TestViewOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := home(t, "[a]\nx = 1\ngarbage\n", "")
	c, conf := f.View(t.Context())
	if creds.CodeOf(c.Err) != creds.CodeConflict || !strings.Contains(c.Err.Error(), "credentials:3") || len(c.Profiles) != 1 {
		t.Errorf("of a file that botocore refuses: %+v", c)
	}
	if conf.Exists || conf.Err != nil || conf.Profiles != nil {
		t.Errorf("of no file: %+v", conf)
	}
	if err := os.Mkdir(f.Config, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, conf = f.View(t.Context()); creds.CodeOf(conf.Err) != creds.CodeConflict {
		t.Errorf("of a folder: %+v", conf)
	}
}
