//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestExportIsTheAWSCLIs: each format byte for byte, from the same credentials. The
// one for fish came to the AWS CLI later than to the version that is tried.
func TestExportIsTheAWSCLIs(t *testing.T) {
	t.Parallel()
	aws := needsAWSCLI2(t)
	m := newExecMachine(t, 1)
	m.write(".aws/config", "[profile same]\ncredential_process = "+binary+" export prod --format process\n", 0o600)
	for _, format := range []string{"process", "env", "env-no-export", "powershell", "windows-cmd"} {
		theirs := finish(m.command(aws, "configure", "export-credentials", "--profile", "same", "--format", format))
		if ours := m.mfad("export", "prod", "--format", format); ours != theirs.stdout || theirs.stdout == "" {
			t.Errorf("%s: mfad prints\n%s\nthe AWS CLI\n%s%s", format, ours, theirs.stdout, theirs.stderr)
		}
	}
}

// needsAWSCLI2 gives an AWS CLI of version 2, which has the command.
func needsAWSCLI2(t *testing.T) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		aws := filepath.Join(dir, "aws")
		if out, err := exec.Command(aws, "--version").Output(); err == nil && strings.HasPrefix(string(out), "aws-cli/2.") {
			return aws
		}
	}
	t.Skip("SKIP-REAL aws-cli-2: no aws of version 2 on PATH")
	return ""
}

// TestExportInShells: what is printed is taken by the real shells as it is meant, and
// the AWS CLI then is the role.
func TestExportInShells(t *testing.T) {
	t.Parallel()
	needs(t, "aws-cli", "aws", "--version")
	m := newExecMachine(t, 1)
	m.env = append(m.env, "AWS_DEFAULT_REGION=us-east-1")
	for _, tt := range []struct{ shell, script string }{
		{"bash", `eval "$(mfad export prod)"`},
		{"sh", `eval "$(mfad export prod)"`},
		{"zsh", `eval "$(mfad export prod)"`},
		{"bash", `set -a; source <(mfad export prod --format env-no-export)`},
		{"bash", `mfad export prod --format env-no-export >env; set -a; . ./env`},
		{"fish", `mfad export prod --format fish | source`},
	} {
		needs(t, tt.shell, tt.shell)
		cmd := m.command(tt.shell, "-c", strings.ReplaceAll(tt.script, "mfad", binary)+"; "+whoAmI)
		if r := finish(cmd); strings.TrimSpace(r.stdout) != adminARN {
			t.Errorf("%s: %s: %q, %s; want %s", tt.shell, tt.script, r.stdout, r.stderr, adminARN)
		}
	}
}

// TestExportByGrammar reads what is for shells that are not here by their grammars.
func TestExportByGrammar(t *testing.T) {
	t.Parallel()
	m := newExecMachine(t, 1)
	values := map[string]string{}
	for line := range strings.Lines(m.mfad("export", "prod", "--format", "env-no-export")) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		values[name] = value
	}
	for format, grammar := range map[string]string{
		// An expandable string literal without anything to expand, assigned to a
		// variable of the drive Env (PowerShell Language Specification 3.0, 2.3.5.2).
		"powershell": "^\\$Env:([A-Za-z_]+)=\"([^\"“”„$`\r\n]*)\"\n$",
		// set takes all to the line's end; the parser before it takes % ^ & | < > ( ) " !
		// out of the line (Windows commands, "set", "cmd").
		"windows-cmd": "^set ([A-Za-z_]+)=([^%^&|<>()\"!\r\n ]*)\n$",
	} {
		line, got := regexp.MustCompile(grammar), map[string]string{}
		for text := range strings.Lines(m.mfad("export", "prod", "--format", format)) {
			if f := line.FindStringSubmatch(text); f != nil {
				got[f[1]] = f[2]
			} else {
				t.Errorf("%s: %q does not mean what it says", format, text)
			}
		}
		if len(got) != 4 {
			t.Errorf("%s sets %d variables, want 4", format, len(got))
		}
		for name, value := range values {
			if got[name] != value {
				t.Errorf("%s sets %s to %q, want %q", format, name, got[name], value)
			}
		}
	}
}
