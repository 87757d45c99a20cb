//go:build unix

package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/doctor"
	"github.com/mfad/mfad/pkg/profile"
)

// skew DURATION puts AWS's clock so far ahead of this machine's.
func cmdSkew(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	awsOf(ts).sim.SetClockOffset(d)
}

// TestDoctorDoesNotHang on a daemon that takes the call and never answers, nor on an
// endpoint that does the same.
func TestDoctorDoesNotHang(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "mfad.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	aws, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	vars := map[string]string{"MFAD_SOCKET": socket, "AWS_ENDPOINT_URL": "http://" + aws.Addr().String()}
	a := &app{getenv: func(name string) string { return vars[name] }, home: dir}
	begun := time.Now()
	p, err := a.lookAround(t.Context(), "")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v, want less than 10s", took)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := creds.CodeOf(p.Daemon.Err); got != creds.CodeTimeout {
		t.Errorf("of the daemon: %q (%v), want a timeout", got, p.Daemon.Err)
	}
	if len(p.Reaches) != 1 || creds.CodeOf(p.Reaches[0].Err) != creds.CodeNetwork {
		t.Errorf("of AWS: %+v, want a network failure", p.Reaches)
	}
	if p.Keyring.Looked {
		t.Error("the keyring was looked at beside a daemon that has it")
	}
}

// TestALookThatHangsIsLeft: a file system that is away takes no notice of a context.
func TestALookThatHangsIsLeft(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	got := bounded(t.Context(), 10*time.Millisecond, "late", func(context.Context) string { <-release; return "read" })
	if got != "late" {
		t.Errorf("got %q, want late", got)
	}
	got = bounded(t.Context(), 10*time.Millisecond, "late", func(ctx context.Context) string { <-ctx.Done(); return "noticed" })
	if got != "noticed" {
		t.Errorf("got %q, want noticed", got)
	}
}

func TestLastWords(t *testing.T) {
	for _, tt := range []struct{ name, log, words, hint string }{
		{"an error", "time=x msg=listening\nmfad: open the socket: no\nhint: set MFAD_SOCKET\n", "open the socket: no", "set MFAD_SOCKET"},
		{"an error without a hint", "mfad: disk full\n", "disk full", ""},
		{"one that was started over it", "mfad: disk full\ntime=x level=INFO msg=listening\n", "", ""},
		{"a second daemon", "mfad: a daemon is running already, process 7\n", "", ""},
		{"nothing", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "daemon.log")
			if err := os.WriteFile(path, []byte(tt.log), 0o600); err != nil {
				t.Fatal(err)
			}
			if words, hint := lastWords(path); words != tt.words || hint != tt.hint {
				t.Errorf("got %q, %q, want %q, %q", words, hint, tt.words, tt.hint)
			}
		})
	}
	if words, _ := lastWords(filepath.Join(t.TempDir(), "none")); words != "" {
		t.Errorf("without a log: %q", words)
	}
}

func TestSameProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "mfad")
	if err := os.Symlink(self, other); err != nil {
		t.Fatal(err)
	}
	if !sameProgram(other) || sameProgram("/bin/sh") {
		t.Error("it does not know this program by another name, or takes another for it")
	}
}

// TestRegions: AWS is asked where calls are made.
func TestRegions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.ini")
	const text = "[identity i]\nmfa_serial = arn:aws:iam::111111111111:mfa/a\n[profile a]\nidentity = i\nregion = eu-west-1\n[profile b]\nidentity = i\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{getenv: func(string) string { return "" }, home: t.TempDir()}
	c, err := profile.Load(path, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := regionsOf(c, ""); len(got) != 2 || got[0] != "eu-west-1" || got[1] != "us-east-1" {
		t.Errorf("got %v", got)
	}
	if got := regionsOf(c, "b"); len(got) != 1 || got[0] != "us-east-1" {
		t.Errorf("of b: %v", got)
	}
	const chain = "[identity i]\nmfa_serial = arn:aws:iam::111111111111:mfa/a\nregion = eu-north-1\n" +
		"[identity far]\nmfa_serial = arn:aws:iam::111111111111:mfa/b\nregion = sa-east-1\n" +
		"[profile base]\nidentity = i\nrole_arn = arn:aws:iam::222222222222:role/A\nregion = eu-west-1\n" +
		"[profile end]\nsource_profile = base\nrole_arn = arn:aws:iam::333333333333:role/B\nregion = eu-west-2\n"
	if err := os.WriteFile(path, []byte(chain), 0o600); err != nil {
		t.Fatal(err)
	}
	chained, err := profile.Load(path, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"end":  {"eu-west-2", "eu-west-1", "eu-north-1"},
		"base": {"eu-west-1", "eu-north-1"},
		"":     {"eu-west-1", "eu-west-2", "eu-north-1", "sa-east-1"},
	} {
		if got := regionsOf(chained, name); !slices.Equal(got, want) {
			t.Errorf("regionsOf(%q) = %v, want %v", name, got, want)
		}
	}
	f := a.filesOf(c, nil, daemon.Paths{AWSCredentials: "/a", AWSConfig: "/b"})
	if f.Credentials != "/a" || f.Config != "/b" {
		t.Errorf("got %s and %s", f.Credentials, f.Config)
	}
}

// TestACrowdOfFindings is counted; -v has each.
func TestACrowdOfFindings(t *testing.T) {
	var found []doctor.Finding
	for i := range 50 {
		f := doctor.Finding{Check: "profile", Level: doctor.OK, Profile: "p", What: fmt.Sprintf("profile well%d", i)}
		if i%2 == 0 {
			f.Level, f.What, f.Why, f.Fix = doctor.Fault, fmt.Sprintf("profile ill%d", i), "two\n\x1blines", "mend it"
		}
		found = append(found, f)
	}
	for _, tt := range []struct {
		each          bool
		well, ill     int
		counted, more bool
	}{{false, 0, 20, true, true}, {true, 25, 25, false, false}} {
		var out strings.Builder
		(&app{out: &out}).printFindings(found, tt.each)
		text := out.String()
		if well, ill := strings.Count(text, "ok  profile well"), strings.Count(text, "no  profile ill"); well != tt.well || ill != tt.ill {
			t.Errorf("each = %v: %d well and %d ill, want %d and %d", tt.each, well, ill, tt.well, tt.ill)
		}
		if got := strings.Contains(text, "ok  25 profiles are well\n"); got != tt.counted {
			t.Errorf("each = %v: the well are counted: %v, want %v", tt.each, got, tt.counted)
		}
		if got := strings.Contains(text, "… and 5 more findings"); got != tt.more {
			t.Errorf("each = %v: the others are counted: %v, want %v", tt.each, got, tt.more)
		}
		if !strings.Contains(text, ": two lines\n  fix: mend it\n") {
			t.Errorf("each = %v: a finding is not one line", tt.each)
		}
	}
}
