package main

import (
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// outage is a way for the keyring to fail, and how that ends.
type outage struct {
	begin func(d *desktop)
	// end is called once; the keyring is open afterwards.
	end func(d *desktop)
	// codes are the states of it that docs/errors.md knows.
	codes []creds.Code
}

func outages() map[string]outage {
	thaw := map[*desktop]func(){}
	return map[string]outage{
		"locked": {(*desktop).lockKeyring, (*desktop).unlockKeyring, []creds.Code{creds.CodeKeyringLocked}},
		"hung":   {func(d *desktop) { thaw[d] = d.freeze() }, func(d *desktop) { thaw[d]() }, []creds.Code{creds.CodeKeyringTimeout}},
		// The bus starts another one, which nobody has unlocked.
		"killed":        {(*desktop).killKeyring, (*desktop).unlockKeyring, []creds.Code{creds.CodeKeyringLocked}},
		"without a bus": {(*desktop).killBus, func(d *desktop) { d.startBus(); d.unlockKeyring() }, []creds.Code{creds.CodeKeyringAbsent}},
	}
}

// TestKeyringFailsWhileServing: what lives serves on and is renewed, since only a
// code needs the key; who gives a code is told why it cannot be used, and the code
// is not sent. Once the keyring is back all works, with the same daemon.
func TestKeyringFailsWhileServing(t *testing.T) {
	t.Parallel()
	for name, o := range outages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesktop(t, 240) // an hour is 15 s
			d.login()
			d.comesTo("prod", "fresh", patience, fresh)
			pid, sent := d.daemon(), d.codes()
			o.begin(d)
			for range 2 { // also when it is known
				d.refuses("a login", d.tries(d.code()+"\n", "login", "--code", "-"), o.codes...)
			}
			d.serves("during the outage")
			d.isRenewed("during the outage")
			if p := d.profileStatus("prod"); !p.Usable {
				t.Errorf("during the outage prod is %+v", p)
			}
			if n := d.codes(); n != sent {
				t.Errorf("%d codes were sent for which there was no key", n-sent)
			}
			o.end(d)
			d.login()
			d.comesTo("prod", "fresh", patience, fresh)
			if now := d.daemon(); now != pid {
				t.Errorf("the daemon is %d and was %d", now, pid)
			}
		})
	}
}

// TestKeyringFailsAtStart: a daemon that cannot read what the last one left says
// so, to whoever asks, and goes on where that one was as soon as it can.
func TestKeyringFailsAtStart(t *testing.T) {
	t.Parallel()
	for name, o := range outages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesktop(t, 240)
			d.login()
			d.comesTo("prod", "fresh", patience, fresh)
			sent := d.codes()
			d.kill(syscall.SIGKILL)
			o.begin(d)
			if e := d.keyringStatus().Error; e == nil || !slices.Contains(o.codes, creds.Code(e.Code)) {
				t.Errorf("the status tells of the keyring %+v, want %q", e, o.codes)
			}
			pid := d.daemon()
			d.refuses("a tool", d.tries("", "credential-process", "--profile", "prod"), o.codes...)
			d.refuses("a login", d.tries(d.code()+"\n", "login", "--code", "-"), o.codes...)
			d.refuses("a refresh", d.tries("", "refresh"), o.codes...)
			d.refuses("an unlock without a screen", d.tries("", "unlock"), o.codes...)
			o.end(d)
			d.isRenewed("after the outage")
			d.serves("after the outage")
			if k := d.keyringStatus(); k.Error != nil {
				t.Errorf("after the outage the status tells of the keyring %+v", k.Error)
			}
			if n := d.codes(); n != sent {
				t.Errorf("it took %d more codes, want none", n-sent)
			}
			d.login()
			if now := d.daemon(); now != pid {
				t.Errorf("the daemon is %d and was %d", now, pid)
			}
		})
	}
}

// TestKeyringAppearsAfterStart: a daemon that was started before the desktop, and
// was not told which keyring to use, does not take its own file for good.
func TestKeyringAppearsAfterStart(t *testing.T) {
	t.Parallel()
	d := newDesktop(t, 240)
	d.env = append(d.env, "MFAD_KEYRING=auto", "MFAD_KEYRING_PASSPHRASE=")
	d.login()
	d.comesTo("prod", "fresh", patience, fresh)
	sent := d.codes()
	d.kill(syscall.SIGKILL)
	d.killBus()
	d.refuses("a tool", d.tries("", "credential-process", "--profile", "prod"), creds.CodeKeyringAbsent)
	pid := d.daemon()
	d.startBus()
	d.unlockKeyring()
	d.isRenewed("with the keyring that appeared")
	d.serves("with the keyring that appeared")
	if k := d.keyringStatus(); k.Kind != "os" || k.Error != nil {
		t.Errorf("the status tells of the keyring %+v, want the system's", k)
	}
	if now, n := d.daemon(), d.codes(); now != pid || n != sent {
		t.Errorf("the daemon is %d and was %d, and %d codes more were sent, want none", now, pid, n-sent)
	}
}

// TestKeyringQuestionLosesItsPartner: whoever waits for the desktop's question is
// answered when nobody can answer that any more, and the daemon goes on.
func TestKeyringQuestionLosesItsPartner(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*desktop){
		"the bus":     func(d *desktop) { d.killBus(); d.startBus() },
		"the keyring": (*desktop).killKeyring,
	} {
		again := name == "the keyring" // the bus starts another, and the screen is still there
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesktop(t, 1)
			d.login()
			sent := d.codes()
			d.kill(syscall.SIGKILL)
			d.lockKeyring()
			s := d.newScreen()
			_, first := d.begins("", "unlock")
			receives(t, s.shown, "the question")
			_, second := d.begins("", "unlock")
			pid := d.daemon()
			d.refuses("a tool during the question", d.tries("", "credential-process", "--profile", "prod"), creds.CodeKeyringLocked)
			lose(d)
			d.refuses("who asked", receives(t, first, "the first unlock"), creds.CodeKeyringFailed, creds.CodeKeyringAbsent)
			if again {
				receives(t, s.shown, "the second one's own question").cancel()
			}
			if r := receives(t, second, "the second unlock"); r.status == 0 {
				t.Errorf("the second unlock ended with status 0, %q: nobody unlocked", r.stderr)
			}
			d.unlockKeyring()
			d.comesTo("prod", "fresh", patience, fresh)
			d.serves("after the question")
			if r := d.tries("", "unlock"); r.status != 0 {
				t.Errorf("unlock of an open keyring: status %d, %s", r.status, r.stderr)
			}
			if now, n := d.daemon(), d.codes(); now != pid || n != sent {
				t.Errorf("the daemon is %d and was %d, and %d codes more were sent, want none", now, pid, n-sent)
			}
		})
	}
}

// TestKeyringQuestionIsAnswered: the desktop's password, typed into the window
// that mfad unlock has opened, is all that a restarted daemon needs.
func TestKeyringQuestionIsAnswered(t *testing.T) {
	t.Parallel()
	d := newDesktop(t, 1)
	d.login()
	sent := d.codes()
	d.kill(syscall.SIGKILL)
	d.lockKeyring()
	s := d.newScreen()
	_, ended := d.begins("", "unlock")
	receives(t, s.shown, "the question").answers("wrong")
	receives(t, s.shown, "the question once more").answers("not-a-real-password")
	if r := receives(t, ended, "unlock's end"); r.status != 0 {
		t.Errorf("unlock: status %d, %s", r.status, r.stderr)
	}
	d.serves("after the question")
	d.comesTo("prod", "fresh", patience, fresh)
	if n := d.codes(); n != sent {
		t.Errorf("it took %d more codes, want none", n-sent)
	}
}

// TestKeyringQuestionIsDeclined: no is an answer, at once; Ctrl-C harms neither
// the keyring, which other programs use, nor who answers its window later.
func TestKeyringQuestionIsDeclined(t *testing.T) {
	t.Parallel()
	d := newDesktop(t, 1)
	d.login()
	sent := d.codes()
	d.kill(syscall.SIGKILL)
	d.lockKeyring()
	s := d.newScreen()
	_, ended := d.begins("", "unlock")
	receives(t, s.shown, "the question").cancel()
	d.refuses("an unlock that was declined", receives(t, ended, "unlock's end"), creds.CodeKeyringLocked)
	keyring := d.process(secretsName)
	cmd, ended := d.begins("", "unlock")
	window := receives(t, s.shown, "the second question")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if r := receives(t, ended, "Ctrl-C"); r.status != 130 {
		t.Errorf("Ctrl-C gave status %d, %q; want 130", r.status, r.stderr)
	}
	d.until("the daemon has hung up", func() bool { return !d.isOnBus(d.daemon()) })
	window.answers("not-a-real-password")
	d.until("the late answer has unlocked the keyring", func() bool { return !d.keyringLocked() })
	if now := d.process(secretsName); now != keyring {
		t.Errorf("Ctrl-C ended the keyring %d, and there is a new one %d", keyring, now)
	}
	d.comesTo("prod", "fresh", patience, fresh)
	if n := d.codes(); n != sent {
		t.Errorf("it took %d more codes, want none", n-sent)
	}
}
