package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mfad/mfad/pkg/audit"
)

// newConfirmed gives a machine whose profile prod wants each use allowed, and is fresh.
func newConfirmed(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t, 1)
	m.env = append(m.env, "MFAD_KEYRING_PASSPHRASE=", "MFAD_KEYRING_PASSPHRASE_FILE="+m.write("passphrase", "not-a-real-passphrase\n", 0o600))
	m.addAlice()
	m.addProfile("prod", "Admin", "--write", "process", "--confirm", "true")
	m.addProfile("dev", "ReadOnly", "--write", "none")
	m.login()
	return m
}

// handOuts are the audit log's lines on who got prod's credentials, or did not: the
// outcome, why, and the program.
func (m *machine) handOuts() (lines []string) {
	m.t.Helper()
	for line := range strings.Lines(m.mfad("audit", "--json", "--action", "hand-out", "--profile", "prod")) {
		var r audit.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			m.t.Fatal(err)
		}
		lines = append(lines, r.Outcome+"; "+r.Why+"; "+r.Program)
	}
	return lines
}

// asShell gives a copy of a shell under another name: for mfad it is another program.
func (m *machine) asShell(name string) string {
	m.t.Helper()
	sh, err := os.ReadFile("/bin/sh")
	if err != nil {
		m.t.Fatal(err)
	}
	return m.write(name, string(sh), 0o700)
}

// runs has a program without a terminal get credentials.
func (m *machine) runs(program string, args ...string) result {
	m.t.Helper()
	cmd := m.command(program, append([]string{"-c", `"$0" "$@"; exit $?`, binary}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return finish(cmd)
}

var wantsProd = []string{"credential-process", "--profile", "prod"}

const nobodyToAsk = "nobody to ask"

func TestNobodyToAllow(t *testing.T) {
	t.Parallel()
	m := newConfirmed(t)
	terraform := m.asShell("terraform")
	begun := time.Now()
	for name, args := range map[string][]string{
		"credential-process": wantsProd, "export": {"export", "prod"}, "exec": {"exec", "prod", "--", "true"}, "console": {"console", "prod", "--print"},
		"no prompt": append(slices.Clone(wantsProd), "--no-prompt"),
	} {
		if r := m.runs(terraform, args...); r.status != 4 || r.stdout != "" || !strings.Contains(r.stderr, nobodyToAsk) || !strings.Contains(r.stderr, "hint: ") {
			t.Errorf("%s: status %d, %d bytes of answer, %q; want 4, and that there is nobody to ask", name, r.status, len(r.stdout), r.stderr)
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the refusals took %v, want at once", took)
	}
	if r := m.runs(terraform, "credential-process", "--profile", "dev"); r.status != 0 {
		t.Errorf("a profile without confirm: status %d, %s", r.status, r.stderr)
	}
	m.mfad("status") // asks nobody
	for _, line := range m.handOuts() {
		if line != "cancelled; ; terraform" && line != "cancelled; ; true" {
			t.Errorf("the audit log has %q", line)
		}
	}
}

// TestATerminalAllows: the question names the program; a yes counts for that program
// alone, and a no for a moment.
func TestATerminalAllows(t *testing.T) {
	t.Parallel()
	m := newConfirmed(t)
	terraform, other := m.asShell("terraform"), m.asShell("other")
	sits := func(program string) *person {
		return m.sitsAt(program, "-c", `"$0" credential-process --profile prod; exit $?`, binary)
	}
	p := sits(terraform)
	p.waitsFor("Allow terraform (pid ")
	p.waitsFor(") to use profile prod? [y/N] ")
	p.types("y\n")
	if status := p.ends(); status != 0 || !strings.Contains(p.stdout.String(), "ASIA") {
		t.Fatalf("after a yes: status %d, %q", status, p.sees())
	}
	if r := m.runs(terraform, wantsProd...); r.status != 0 {
		t.Errorf("another run of the program: status %d, %s", r.status, r.stderr)
	}
	p = sits(other)
	p.waitsFor("Allow other (pid ")
	p.types("\n")
	if status := p.ends(); status != 4 || !strings.Contains(p.sees(), "a person did not allow other to use profile prod") {
		t.Errorf("after no yes: status %d, %q", status, p.sees())
	}
	if p = sits(other); p.ends() != 4 || strings.Contains(p.sees(), "[y/N]") {
		t.Errorf("right after a no: %q", p.sees())
	}
	lines := m.handOuts()
	for i, want := range []string{"ok; allowed on the terminal; terraform", "ok; allowed on the terminal", "cancelled; denied on the terminal; other", "cancelled; denied on the terminal"} {
		if len(lines) != 4 || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("the audit log has %q, want line %d to be %q", lines, i+1, want)
		}
	}
	m.mfad("lock")
	m.login()
	if r := m.runs(terraform, wantsProd...); r.status != 4 {
		t.Errorf("after a lock the yes counts: status %d, %s", r.status, r.stderr)
	}
}

// TestExecIsAllowedOnce: at its start. Its whole run gets credentials, also from the
// next daemon; whoever knows less than the endpoint does not.
func TestExecIsAllowedOnce(t *testing.T) {
	t.Parallel()
	m := newConfirmed(t)
	const script = `ask() { curl -s -o /dev/null -w '%{http_code} ' -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI"; }
ask; kill -9 "$(cat "$HOME/.local/state/mfad/daemon.lock")"; "$0" status >/dev/null; ask; ask`
	needs(t, "curl", "curl", "--version")
	p := m.sitsAt(binary, "exec", "prod", "--", "sh", "-c", script, binary)
	p.waitsFor("Allow sh (pid ")
	p.waitsFor(") to use profile prod? [y/N] ")
	p.types("yes\n")
	if status := p.ends(); status != 0 || strings.TrimSpace(p.stdout.String()) != "200 200 200" {
		t.Errorf("the endpoint answered %q, status %d, %q; want 200 each time", p.stdout.String(), status, p.sees())
	}
	last := m.handOuts()
	if len(last) != 4 || !strings.HasPrefix(last[0], "ok; allowed on the terminal") ||
		slices.ContainsFunc(last[1:], func(line string) bool { return !strings.HasPrefix(line, "ok; allowed when the command was started; ") }) {
		t.Errorf("the audit log has %q", last)
	}
	for name, grant := range map[string]string{"none": "", "one that was made up": strings.Repeat("0", 96)} {
		r := finish(m.command("curl", "-s", "--unix-socket", m.path("mfad", "mfad.sock"), "http://localhost/v1/credentials",
			"-d", `{"profile":"prod","no_prompt":true,"grant":"`+grant+`"}`))
		if !strings.Contains(r.stdout, `"cancelled"`) {
			t.Errorf("with a grant of %s the daemon answers %d bytes, %s", name, len(r.stdout), redact(r.stdout))
		}
	}
}

// answersQuestion waits for the window that asks for prod, and presses keys.
func (m *machine) answersQuestion(keys ...string) {
	m.t.Helper()
	window := m.awaitsWindow("question", "--name", "mfad: allow the use of prod")
	m.xdotool("windowfocus", "--sync", window)
	for _, key := range keys {
		m.xdotool("key", key)
	}
}

// TestAWindowAllows, where the program has no terminal.
func TestAWindowAllows(t *testing.T) {
	t.Parallel()
	m := newConfirmed(t)
	terraform := m.asShell("terraform")
	m.display("zenity")
	begins := func() <-chan result {
		c := make(chan result, 1)
		go func() { c <- m.runs(terraform, wantsProd...) }()
		return c
	}
	first, second := begins(), begins() // they share the question
	m.answersQuestion("Tab", "space")
	for name, c := range map[string]<-chan result{"the first": first, "the second": second} {
		if r := <-c; r.status != 0 || !strings.Contains(r.stdout, "ASIA") {
			t.Errorf("%s: status %d, %s", name, r.status, r.stderr)
		}
	}
	other := m.asShell("other")
	answer := make(chan result, 1)
	go func() { answer <- m.runs(other, wantsProd...) }()
	m.answersQuestion("Return")
	if r := <-answer; r.status != 4 || !strings.Contains(r.stderr, "did not allow other") {
		t.Errorf("after Return: status %d, %s", r.status, r.stderr)
	}
	if lines := m.handOuts(); len(lines) != 3 || lines[2] != "cancelled; denied in a dialog; other" {
		t.Errorf("the audit log has %q", lines)
	}
}

// buttons is a notification service whose person presses the first button.
type buttons struct {
	conn    *dbus.Conn
	presses string
	texts   chan string
}

func (b buttons) GetCapabilities() ([]string, *dbus.Error) { return []string{"body", "actions"}, nil }

func (b buttons) Notify(_ string, _ uint32, _, title, body string, actions []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	b.texts <- title + "\n" + body + "\n" + strings.Join(actions, " ")
	go func() { _ = b.conn.Emit(notificationsPath, notificationsName+".ActionInvoked", uint32(7), b.presses) }()
	return 7, nil
}

func (b buttons) CloseNotification(uint32) *dbus.Error { return nil }

// TestANotificationAllows, where there is neither a terminal nor a window.
func TestANotificationAllows(t *testing.T) {
	t.Parallel()
	m := newConfirmed(t)
	m.bus()
	conn, err := dbus.Connect("unix:path=" + m.path("bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	b := buttons{conn, "0", make(chan string, 10)}
	if err := conn.Export(b, notificationsPath, notificationsName); err != nil {
		t.Fatal(err)
	}
	if reply, err := conn.RequestName(notificationsName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("RequestName = %v, %v", reply, err)
	}
	if r := m.runs(m.asShell("terraform"), wantsProd...); r.status != 0 {
		t.Fatalf("status %d, %s", r.status, r.stderr)
	}
	text := <-b.texts
	if !strings.HasPrefix(text, "mfad: allow the use of prod?\nterraform (pid ") || !strings.HasSuffix(text, "\n0 Allow 1 Deny") {
		t.Errorf("the notification says %q", text)
	}
	if lines := m.handOuts(); len(lines) != 1 || lines[0] != "ok; allowed in a notification; terraform" {
		t.Errorf("the audit log has %q", lines)
	}
}
