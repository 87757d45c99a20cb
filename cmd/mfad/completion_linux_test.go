package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// names have what shells split words at: colons, equals signs, @.
const completionConfig = `[identity corp]
mfa_serial = arn:aws:iam::111111111111:mfa/alice
[profile prod-admin]
identity = corp
role_arn = arn:aws:iam::222222222222:role/Admin
[profile team:x=1@eu]
identity = corp
role_arn = arn:aws:iam::222222222222:role/ReadOnly
`

// newShell is a machine without a daemon whose shells find mfad, and at which a
// person sits at one of them.
func newShell(t *testing.T) *machine {
	m := newMachine(t, 1)
	m.write(".config/mfad/config.ini", completionConfig, 0o600)
	m.env = append(m.env, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "TERM=xterm", "HISTFILE=/dev/null", "MFAD_AUTOSTART=0")
	return m
}

// sitDownAt is sitDown at a shell, which shows all on the terminal.
func (m *machine) sitDownAt(shell string, args ...string) *person {
	m.t.Helper()
	return m.sitsAt("sh", append([]string{"-c", `exec "$@" >/dev/tty`, "sh", shell}, args...)...)
}

// TestCompletionsInShells: names complete under a person's fingers, and no daemon is
// started for it.
func TestCompletionsInShells(t *testing.T) {
	t.Parallel()
	const bashCompletion = "/usr/share/bash-completion/bash_completion"
	for _, tt := range []struct {
		shell string
		setup string
		args  []string
	}{
		{"bash", ". " + bashCompletion + "\n. <(mfad completion bash)\nPS1='> '\nbind 'set bell-style none'\n", []string{"--noprofile", "--rcfile", "RC", "-i"}},
		{"zsh", "autoload -U compinit; compinit -D\n. <(mfad completion zsh); compdef _mfad mfad\nPS1='> '\nunsetopt beep\n", []string{"-d", "-i"}},
	} {
		t.Run(tt.shell, func(t *testing.T) {
			needs(t, "completion", tt.shell, "--version")
			if tt.shell == "bash" {
				needs(t, "completion", "test", "-e", bashCompletion)
			}
			m := newShell(t)
			rc := m.write(".zshrc", tt.setup, 0o600)
			for i, arg := range tt.args {
				if arg == "RC" {
					tt.args[i] = rc
				}
			}
			m.env = append(m.env, "ZDOTDIR="+m.home)
			p := m.sitDownAt(tt.shell, tt.args...)
			p.waitsFor("> ")
			for _, step := range []struct{ typed, want string }{
				{"mfad exec prod\t", "-admin"},
				{"mfad exec team\t", "1@eu"},
				{"mfad credential-process --profile pr\t", "od-admin"},
				{"mfad identity remove c\t", "orp"},
				{"mfad stat\t", "us"},
				{"mfad status --w\t", "atch"},
			} {
				seen := len(p.sees())
				p.types("\x15" + step.typed) // instead of what stands there
				p.waitsAfter(seen, step.want)
			}
			if m.daemon() != 0 {
				t.Error("a daemon was started")
			}
		})
	}
}

// waitsAfter is waitsFor in what has come since the screen had so many bytes.
func (p *person) waitsAfter(seen int, text string) {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(p.sees()[seen:], text) {
		select {
		case <-p.grew:
		case <-deadline:
			p.t.Fatalf("the screen does not show %q but %q", text, p.sees()[seen:])
		}
	}
}

// TestCompletionInFish asks fish itself.
func TestCompletionInFish(t *testing.T) {
	t.Parallel()
	needs(t, "completion", "fish", "--version")
	m := newShell(t)
	m.write("fish/completions/mfad.fish", m.mfad("completion", "fish"), 0o600)
	for typed, want := range map[string]string{
		"mfad exec pr": "prod-admin\n", "mfad exec ": "prod-admin\nteam:x=1@eu\n", "mfad identity remove ": "corp\n",
		"mfad profile add x --identity ": "corp\n", "mfad profile add x --mfa d": "direct\n",
	} {
		cmd := m.command("fish", "-c", "source $HOME/fish/completions/mfad.fish; complete -C '"+typed+"'")
		if r := finish(cmd); r.status != 0 || r.stdout != want {
			t.Errorf("%q: status %d, %q, want %q\n%s", typed, r.status, r.stdout, want, r.stderr)
		}
	}
	if m.daemon() != 0 {
		t.Error("a daemon was started")
	}
}

// TestCompletionScriptsParse, in each shell that is here.
func TestCompletionScriptsParse(t *testing.T) {
	t.Parallel()
	m := newShell(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		t.Run(shell, func(t *testing.T) {
			file := m.write("mfad."+shell, m.mfad("completion", shell), 0o600)
			args := []string{shell, "-n", file}
			if shell == "powershell" {
				args = []string{"pwsh", "-NoProfile", "-Command", "$e = $null; [void][System.Management.Automation.Language.Parser]::ParseFile('" + file + "', [ref]$null, [ref]$e); exit $e.Count"}
			}
			if _, err := exec.LookPath(args[0]); err != nil && shell == "powershell" {
				t.Skipf("not looked at: %v", err) // few distributions have it
			}
			needs(t, "completion", args[0])
			if r := finish(m.command(args[0], args[1:]...)); r.status != 0 || r.stdout+r.stderr != "" {
				t.Errorf("status %d\n%s%s", r.status, r.stdout, r.stderr)
			}
		})
	}
}

// TestThePromptsExamples of docs/prompt.md show the word, and leave $? alone.
func TestThePromptsExamples(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		shell        string
		before, file string
		args         []string
	}{
		{"bash", "PS1='> '\n", "bashrc", []string{"--noprofile", "--rcfile", "FILE", "-i"}},
		{"zsh", "PS1='> '\n", ".zshrc", []string{"-d", "-i"}},
		{"fish", "function fish_prompt; echo '> '; end\n", ".config/fish/config.fish", []string{"-i"}},
	} {
		t.Run(tt.shell, func(t *testing.T) {
			needs(t, "prompt", tt.shell, "--version")
			m := newMachine(t, 1)
			m.addAlice()
			m.env = append(m.env, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "TERM=xterm", "HISTFILE=/dev/null", "ZDOTDIR="+m.home)
			file := m.write(tt.file, tt.before+promptExample(t, tt.shell), 0o600)
			for i, arg := range tt.args {
				if arg == "FILE" {
					tt.args[i] = file
				}
			}
			m.comesToWord("mfa\n")
			p := m.sitDownAt(tt.shell, tt.args...)
			p.waitsFor("[mfa]")
			m.login()
			seen := len(p.sees())
			p.types("false\r")
			p.waitsAfter(seen, "> ")
			variable := map[bool]string{true: "status", false: "?"}[tt.shell == "fish"]
			p.types("echo and $" + variable + " is left\r")
			p.waitsFor("and 1 is left")
			seen = len(p.sees())
			p.types("echo \"last\" words\r")
			p.waitsAfter(seen, "last words")
			if strings.Contains(p.sees()[seen:], "[mfa]") {
				t.Errorf("after the login the prompt still has it: %q", p.sees()[seen:])
			}
		})
	}
}
