package main

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAWSMFAOnATerminal asks for the code and for a key as aws-mfa does there, and
// does not show the key.
func TestAWSMFAOnATerminal(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0)
	m.write(".aws/credentials", mfaCached, 0o600)
	p := m.sitDown("aws-mfa", "--setup")
	p.types("new\n")
	p.waitsFor("aws_access_key_id: ")
	p.isHidden()
	p.types(m.alice.AccessKeyID + "\n")
	p.waitsFor("aws_secret_access_key: ")
	p.isHidden()
	p.types(m.alice.SecretAccessKey + "\n")
	if status := p.ends(); status != 0 {
		t.Fatalf("status %d, want 0; the screen shows %q", status, p.sees())
	}
	if seen := p.sees(); strings.Contains(seen, m.alice.SecretAccessKey) || strings.Contains(seen, m.alice.AccessKeyID) {
		t.Error("the terminal shows the key")
	}
	if got := keysOf(sectionText(m.credentialsFile(), "new-long-term")); got["aws_secret_access_key"] != m.alice.SecretAccessKey {
		t.Error("the key is not in the file")
	}

	p = m.sitDown("aws-mfa", "--profile", "new", "--device", m.device.Serial)
	p.types(m.code() + "\n")
	if status := p.ends(); status != 0 || !strings.HasSuffix(generalText(m, p.stdout.String()), saysSuccess) {
		t.Errorf("status %d, want 0; stdout %q; the screen shows %q", status, p.stdout.String(), p.sees())
	}
}

// isHidden waits until the terminal does not show what is typed.
func (p *person) isHidden() {
	p.t.Helper()
	raw, err := p.tty.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var mode *unix.Termios
		if e := raw.Control(func(fd uintptr) { mode, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) }); e != nil || err != nil {
			p.t.Fatal(e, err)
		}
		if mode.Lflag&unix.ECHO == 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatal("the terminal goes on showing what is typed")
		}
	}
}
