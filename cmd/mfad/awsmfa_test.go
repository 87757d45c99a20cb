//go:build unix

package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mfad/mfad/pkg/awssim"
)

// awsMFARun is what a run of either program left.
type awsMFARun struct {
	result
	before, file string
	calls        []awssim.Call
}

// awsMFA runs a case with a program on a machine of its own.
func (c awsMFACase) awsMFA(t *testing.T, program ...string) (*machine, awsMFARun) {
	m := newMachine(t, 0)
	values := m.awsMFAValues()
	path := m.path(".aws", "credentials")
	if c.file != "" {
		m.write(".aws/credentials", values.Replace(c.file), 0o600)
	}
	args := strings.Fields(values.Replace(c.args))
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "''", "")
	}
	cmd := m.command(program[0], append(program[1:], args...)...)
	cmd.Env = append(cmd.Env, "LOGNAME=al", "AWS_DEFAULT_REGION=us-east-1", "PYTHONPATH="+os.Getenv("PYTHONPATH"), "PYTHONWARNINGS=ignore")
	for _, v := range c.env {
		cmd.Env = append(cmd.Env, values.Replace(v))
	}
	cmd.Stdin = strings.NewReader(values.Replace(c.stdin))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal
	r := awsMFARun{before: values.Replace(c.file), result: finish(cmd), calls: m.sim.Calls()}
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	r.file = string(text)
	return m, r
}

// awsMFAValues are what the placeholders stand for on this machine.
func (m *machine) awsMFAValues() *strings.Replacer {
	return strings.NewReplacer("{ID}", m.alice.AccessKeyID, "{SECRET}", m.alice.SecretAccessKey, "{DEVICE}", m.device.Serial, "{HOME}", m.home,
		"{CODE}", m.code(), "{WRONG}", m.device.WrongCode())
}

var (
	anyTime    = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?`)
	anySeconds = regexp.MustCompile(`\d+\.\d+ seconds`)
	anyKeyID   = regexp.MustCompile(`(?m)^(aws_access_key_id = )ASIA\S+`)
	anyToken   = regexp.MustCompile(`(?m)^(aws_secret_access_key|aws_session_token|aws_security_token) = (\S{20,})`)
)

// general replaces what differs from run to run.
func generalText(m *machine, text string) string {
	text = strings.NewReplacer(m.home, "{HOME}", m.alice.AccessKeyID, "{ID}", m.alice.SecretAccessKey, "{SECRET}", m.device.Serial, "{DEVICE}").Replace(text)
	text = anyToken.ReplaceAllString(anyKeyID.ReplaceAllString(text, "$1{ASIA}"), "$1 = {TOKEN}")
	return anySeconds.ReplaceAllString(anyTime.ReplaceAllString(text, "{TIME}"), "{SECONDS} seconds")
}

// sectionText gives the lines below a header, up to the next one.
func sectionText(file, name string) string {
	_, rest, found := strings.Cut("\n"+file, "\n["+name+"]\n")
	if !found {
		return ""
	}
	text, _, _ := strings.Cut(rest, "\n[")
	return strings.TrimRight(text, "\n") + "\n"
}

// summary tells of calls what a case wants to know.
func callSummary(calls []awssim.Call) []string {
	var all []string
	for _, c := range calls {
		s := c.Action
		if c.RoleARN != "" {
			s += " " + filepath.Base(c.RoleARN)
		}
		s += fmt.Sprintf(" %d", c.DurationSeconds)
		if !c.OK() {
			s += " " + c.Code
		}
		all = append(all, s)
	}
	return all
}

// TestAWSMFA runs every row of what aws-mfa does through mfad under aws-mfa's name.
func TestAWSMFA(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "aws-mfa")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range awsMFACases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, got := c.awsMFA(t, link)
			if got.status != c.status {
				t.Errorf("status %d, want %d\n%s%s", got.status, c.status, got.stdout, got.stderr)
			}
			if g := generalText(m, got.stdout); g != c.stdout {
				t.Errorf("stdout\n got %q\nwant %q", g, c.stdout)
			}
			quiet := c.stderr == "" && c.status == 0 && !strings.Contains(c.args, "token")
			if !strings.Contains(got.stderr, c.stderr) || quiet && got.stderr != "" {
				t.Errorf("stderr\n got %q\nwant %q", got.stderr, c.stderr)
			}
			if n := strings.Count(got.stderr, "others can read a code"); n > 1 {
				t.Errorf("%d warnings of --token, want one", n)
			}
			if g := callSummary(got.calls); !slices.Equal(g, c.calls) {
				t.Errorf("calls\n got %q\nwant %q", g, c.calls)
			}
			c.checkFile(t, m, got)
			for _, secret := range []string{m.alice.SecretAccessKey, m.device.Seed} {
				if strings.Contains(got.stdout+got.stderr, secret) {
					t.Error("a secret was printed")
				}
			}
		})
	}
}

// checkFile looks at what a run left in the credentials file.
func (c awsMFACase) checkFile(t *testing.T, m *machine, got awsMFARun) {
	t.Helper()
	file := generalText(m, got.file)
	switch {
	case c.section != "" && c.wrote != "":
		if g := sectionText(file, c.section); g != c.wrote {
			t.Errorf("[%s]\n got %q\nwant %q", c.section, g, c.wrote)
		}
	case c.section != "":
	case c.after == "\x00":
		if file != "" {
			t.Errorf("the file holds %q, want nothing", file)
		}
	case c.after != "":
		if file != c.after {
			t.Errorf("the file\n got %q\nwant %q", file, c.after)
		}
	default:
		if want := generalText(m, got.before); file != want {
			t.Errorf("the file changed\n got %q\nwant %q", file, want)
		}
	}
	if c.file != "" && c.section != "" && !strings.HasSuffix(c.section, "-long-term") {
		checkIssued(t, sectionText(got.file, c.section), got.calls)
	}
	info, err := os.Stat(m.path(".aws", "credentials"))
	if err == nil && info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, want 0600", info.Mode())
	}
	if info, err := os.Stat(m.path(".aws")); err == nil && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, want 0700", info.Mode())
	}
}

// checkIssued wants the section to hold what AWS gave in its last call.
func checkIssued(t *testing.T, section string, calls []awssim.Call) {
	t.Helper()
	if len(calls) == 0 {
		t.Fatal("AWS was not called")
	}
	keys := keysOf(section)
	last := calls[len(calls)-1]
	if keys["aws_access_key_id"] != last.IssuedAccessKeyID {
		t.Errorf("the key is %s, want %s, which AWS gave", keys["aws_access_key_id"], last.IssuedAccessKeyID)
	}
	if got, want := keys["expiration"], last.Expires.UTC().Format("2006-01-02 15:04:05"); got != want {
		t.Errorf("expiration %q, want %q", got, want)
	}
	if keys["aws_security_token"] != keys["aws_session_token"] {
		t.Error("aws_security_token is not aws_session_token")
	}
}

func keysOf(section string) map[string]string {
	keys := map[string]string{}
	for line := range strings.Lines(section) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " = "); ok {
			keys[key] = value
		}
	}
	return keys
}

// TestAWSMFAItself runs the same rows through aws-mfa itself, where Python has it
// (pip install aws-mfa): what mfad does on purpose otherwise is left out.
func TestAWSMFAItself(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("python3", "-c", "import awsmfa").CombinedOutput(); err != nil {
		t.Skipf("aws-mfa is not there: %s", out)
	}
	const start = `import sys, awsmfa; sys.argv[0] = "aws-mfa"; awsmfa.main()`
	for _, c := range awsMFACases() {
		if c.better != "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, got := c.awsMFA(t, "python3", "-c", start)
			if got.status != c.status || generalText(m, got.stdout) != c.stdout {
				t.Errorf("status %d, want %d; stdout\n got %q\nwant %q\n%s", got.status, c.status, generalText(m, got.stdout), c.stdout, got.stderr)
			}
			if c.status == 2 && !strings.HasSuffix(got.stderr, c.stderr) {
				t.Errorf("stderr %q, want %q", got.stderr, c.stderr)
			}
			if g := callSummary(got.calls); !slices.Equal(g, c.calls) {
				t.Errorf("calls %q, want %q", g, c.calls)
			}
			if c.section == "" || c.wrote == "" {
				return
			}
			want := keysOf(c.wrote)
			maps.DeleteFunc(want, func(key, _ string) bool { return strings.HasPrefix(key, "x_") })
			if have := keysOf(sectionText(generalText(m, got.file), c.section)); !maps.Equal(have, want) {
				t.Errorf("[%s] holds %v, want %v", c.section, have, want)
			}
		})
	}
}
