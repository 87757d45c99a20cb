package main

import (
	"regexp"
	"syscall"
	"testing"
	"time"
)

// finds runs the doctor, which is through within 10 s, and wants its exit status
// and a line.
func finds(t *testing.T, when string, run func(...string) result, status int, line string) {
	t.Helper()
	begun := time.Now()
	r := run("doctor")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("%s: it took %v, want 10s at most", when, took)
	}
	if r.status != status || !regexp.MustCompile("(?m)"+line).MatchString(r.stdout) {
		t.Errorf("%s: status %d, want %d and a line like %s:\n%s%s", when, r.status, status, line, r.stdout, r.stderr)
	}
}

// TestDoctorKnowsTheKeyring as it is now, with a daemon that used it when all was
// well, and without one.
func TestDoctorKnowsTheKeyring(t *testing.T) {
	t.Parallel()
	lines := map[string]string{
		"locked": `^no  the keyring \(os\): .*locked.*\n  fix: mfad unlock`,
		"hung":   `^no  the keyring \(os\): .*\n  fix: answer or close the keyring's window`,
		"killed": `^no  the keyring \(os\): .*locked.*\n  fix: mfad unlock`,
	}
	for name, line := range lines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesktop(t, 1)
			run := func(args ...string) result { return d.tries("", args...) }
			d.login()
			d.comesTo("prod", "fresh", patience, fresh)
			finds(t, "at first", run, 0, `^ok  the keyring \(os\) can be used$`)
			o := outages()[name]
			o.begin(d)
			finds(t, "beside a daemon that serves", run, 1, line)
			d.kill(syscall.SIGKILL)
			finds(t, "without a daemon", run, 1, line)
			o.end(d)
			finds(t, "after it", run, 1, `^ok  the keyring \(os\) can be used$`) // there is still no daemon
		})
	}
}

// TestDoctorKnowsTheClock of a machine whose clock is wrong, by AWS's.
func TestDoctorKnowsTheClock(t *testing.T) {
	t.Parallel()
	m := newTraveller(t)
	finds(t, "a clock that is right", m.run, 0, `^ok  the clock agrees with AWS's`)
	m.setClock(-2 * time.Minute)
	finds(t, "two minutes behind", m.run, 0, `^hm  the clock: it is (1m59s|2m[01]s) behind AWS's`)
	m.setClock(3 * time.Hour)
	finds(t, "three hours ahead", m.run, 1, `^no  the clock: it is (2h59m5\ds|3h0m[01]s) ahead of AWS's.*\n  fix: sudo timedatectl set-ntp true`)
}

// TestDoctorKnowsADaemonThatHangs, which it leaves alone.
func TestDoctorKnowsADaemonThatHangs(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	run := func(args ...string) result { return finish(m.command(binary, args...)) }
	pid := m.daemon()
	m.signal(syscall.SIGSTOP)
	finds(t, "a daemon that stands still", run, 1, `^no  the daemon: it runs but does not answer\n  fix: `)
	m.signal(syscall.SIGCONT)
	finds(t, "a daemon that goes on", run, 0, `^ok  the daemon answers`)
	if now := m.daemon(); now != pid {
		t.Errorf("the daemon is %d and was %d", now, pid)
	}
}
