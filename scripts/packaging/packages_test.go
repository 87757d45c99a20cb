package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// needs skips a test for which a real program is missing.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIP-REAL packages: %v", err)
	}
}

// checkDeb has Debian's own programs look at the package.
func checkDeb(t *testing.T, path string) {
	needs(t, "dpkg-deb")
	out, err := exec.Command("dpkg-deb", "--contents", path).Output()
	if err != nil {
		t.Fatal(said(err))
	}
	for _, want := range []string{
		"-rwxr-xr-x root/root .* ./usr/bin/mfad", "-rw-r--r-- root/root .* ./usr/lib/systemd/user/mfad.service", "./usr/lib/systemd/user/mfad.socket",
		"./usr/share/man/man1/mfad.1.gz", "./usr/share/bash-completion/completions/mfad", "./usr/share/zsh/vendor-completions/_mfad",
		"./usr/share/fish/vendor_completions.d/mfad.fish", "./usr/share/doc/mfad/copyright", "./usr/share/doc/mfad/changelog.Debian.gz",
	} {
		if !regexp.MustCompile(`(?m)` + want + `$`).Match(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, " root/root ") || !strings.Contains(line, " 2026-11-21 ") {
			t.Errorf("not root's, or of another date: %s", line)
		}
	}
	needs(t, "lintian")
	if out, err := exec.Command("lintian", "--allow-root", "--tag-display-limit", "0", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// checkRPM has RPM's own program look at the package, and a shell at its scripts.
func checkRPM(t *testing.T, path string) {
	needs(t, "rpm")
	query := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("rpm", append([]string{"--query", "--package", path}, args...)...).Output()
		if err != nil {
			t.Fatal(said(err))
		}
		return string(out)
	}
	if out, err := exec.Command("rpm", "--checksig", path).CombinedOutput(); err != nil {
		t.Errorf("its digests: %v\n%s", err, out)
	}
	list := query("--queryformat", `[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEMTIMES} %{FILENAMES}\n]`)
	for _, want := range []string{"-rwxr-xr-x root 1795284729 /usr/bin/mfad\n", "-rw-r--r-- root 1795284729 /usr/lib/systemd/user/mfad.service\n", "/usr/lib/systemd/user/mfad.socket\n",
		"/usr/share/man/man1/mfad.1.gz\n", "/usr/share/zsh/site-functions/_mfad\n", "/usr/share/licenses/mfad/LICENSE\n", "drwxr-xr-x root 1795284729 /usr/share/doc/mfad\n"} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
	if got := query("--queryformat", "%{NAME} %{VERSION} %{LICENSE} %{SUMMARY} %{BUILDTIME} %{BUILDHOST}"); got != "mfad 1.2.3~rc.1 MIT MFA credential refresh for AWS 1795284729 reproducible" {
		t.Errorf("it is %q", got)
	}
	for tag, want := range map[string]string{"POSTIN": "try-restart", "PREUN": " stop "} {
		cmd := exec.Command("sh", "-n")
		cmd.Stdin = strings.NewReader(query("--queryformat", "%{"+tag+"}"))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(query("--queryformat", "%{"+tag+"}"), want) {
			t.Errorf("%s: %v\n%s", tag, err, out)
		}
	}
}

// TestScripts of packages act on an upgrade and on a removal, and on nothing else.
func TestScripts(t *testing.T) {
	for _, tt := range []struct {
		kind              packager
		first, upgrade    string // arguments of the script that is run after an installation
		replaced, removal string // and of the one before a removal
	}{
		{deb, "configure ''", "configure 1.2.2-1", "upgrade 1.2.4-1", "remove"},
		{rpm, "1", "2", "1", "0"},
	} {
		postinst, prerm := scripts(tt.kind)
		for _, run := range []struct{ name, script, args, want string }{
			{"installed", string(postinst), tt.first, ""},
			{"upgraded", string(postinst), tt.upgrade, "daemon-reload\ntry-restart mfad.service\n"},
			{"replaced", string(prerm), tt.replaced, ""},
			{"removed", string(prerm), tt.removal, "stop mfad.socket mfad.service\n"},
		} {
			t.Run(fmt.Sprintf("%s %s", tt.kind, run.name), func(t *testing.T) {
				// Its own functions give way to ones that tell what is asked of them.
				own := regexp.MustCompile(`(?ms)^(tell_users|allowed)\(\) \{.*?^\}`)
				told := own.ReplaceAllString(run.script, `$1() { [ $1 = allowed ] || echo "$$@"; }`)
				out, err := exec.Command("sh", "-c", "set -- "+run.args+"\n"+told).CombinedOutput()
				if err != nil || string(out) != run.want {
					t.Errorf("got %q, %v; want %q", out, err, run.want)
				}
			})
		}
	}
}
