package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/localapi"
)

// identityStatus is corp's part of `mfad status --json`.
func (m *machine) identityStatus() localapi.IdentityStatus {
	m.t.Helper()
	var st localapi.Status
	if err := json.Unmarshal([]byte(m.mfad("status", "--json")), &st); err != nil || len(st.Identities) != 1 {
		m.t.Fatalf("status: %v, %d identities", err, len(st.Identities))
	}
	return st.Identities[0]
}

// run gives how a command of mfad ended.
func (m *machine) run(stdin string, args ...string) result {
	cmd := m.command(binary, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(cmd)
}

// hasKeys fails unless these are the user's keys, written ID+ where active.
func (m *machine) hasKeys(want ...string) {
	m.t.Helper()
	var got []string
	for _, k := range m.alice.Keys() {
		if k.Active {
			k.AccessKeyID += "+"
		}
		got = append(got, k.AccessKeyID)
	}
	if !slices.Equal(got, want) {
		m.t.Errorf("at AWS are %q, want %q", got, want)
	}
}

// newKey is the user's youngest key.
func (m *machine) newKey() string {
	keys := m.alice.Keys()
	return keys[len(keys)-1].AccessKeyID
}

// rotates gives a machine with a session, whose AWS knows a new key after a second.
func rotates(t *testing.T) *machine {
	m := newMachine(t, 1)
	m.alice.SetNeedsMFA(true)
	m.sim.SetKeyPropagation(time.Second)
	m.addAlice()
	m.addProfile("prod", "Admin")
	m.login()
	return m
}

func TestRotate(t *testing.T) {
	t.Parallel()
	m := rotates(t)
	old := m.alice.AccessKeyID
	m.alice.AgeKey(old, 100*24*time.Hour)
	m.write(".aws/credentials", "[legacy]\naws_access_key_id = "+old+"\naws_secret_access_key = x\n", 0o600)

	plan := m.mfad("identity", "rotate", "corp", "--dry-run")
	for _, want := range []string{old, "100 days", "a new key would be made", "nothing was changed", "[legacy] in "} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	m.hasKeys(old + "+")
	if text := m.mfad("status"); !strings.Contains(text, "corp: the access key is 100 days old\n  hint: run: mfad identity rotate corp") {
		t.Errorf("status says nothing of a key of 100 days:\n%s", text)
	}
	if r := m.run("", "identity", "rotate", "corp"); r.status != 2 || !strings.Contains(r.stderr, "[legacy] in ") || !strings.Contains(r.stderr, "hint: add --yes") {
		t.Errorf("a key that stands in a file is replaced without a question: status %d\n%s", r.status, r.stderr)
	}
	p := m.sitDown("identity", "rotate", "corp")
	p.waitsFor("[y/N] ")
	p.types("\n")
	p.waitsFor("nothing was changed")
	if status := p.ends(); status != 4 {
		t.Errorf("who says no: status %d\n%s", status, p.sees())
	}
	m.hasKeys(old + "+")

	r := m.run("", "identity", "rotate", "corp", "--yes")
	made := m.newKey()
	if r.status != 0 || r.stdout != "corp: new key "+made+", old key "+old+" deleted\n" {
		t.Fatalf("status %d, %q\n%s", r.status, r.stdout, r.stderr)
	}
	for _, want := range []string{"stops working everywhere", "made and stored the key " + made, "deactivated the old key", "deleted the old key"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, r.stderr)
		}
	}
	m.hasKeys(made + "+")
	if st := m.identityStatus(); st.State != "ready" || st.Rotation != nil || st.KeyCreated == nil || time.Since(*st.KeyCreated) > time.Hour {
		t.Errorf("after it: %+v", st)
	}
	var calls []string
	for _, c := range m.sim.Calls("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey") {
		calls = append(calls, c.Action+" "+c.UserName+" "+c.AccessKeyID[:4])
	}
	if want := []string{"UpdateAccessKey alice ASIA", "CreateAccessKey alice ASIA", "UpdateAccessKey alice ASIA", "DeleteAccessKey alice ASIA"}; !slices.Equal(calls, want) {
		t.Errorf("AWS was asked %q, want %q", calls, want)
	}
	audit := m.mfad("audit", "--json", "--since", "0")
	for _, action := range []string{"CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed", "rotate"} {
		if !strings.Contains(audit, `"action":"`+action+`","identity":"corp","access_key_id":"AKIA`) {
			t.Errorf("the audit has no %s with its key", action)
		}
	}
	m.alice.RevokeSessions() // the new key starts others
	m.login()
	m.comesTo("prod", "fresh", 10*time.Second, fresh)
}

// TestRotateIsKilled: at each call the daemon is killed, before AWS did it and
// after. The next one finishes, or takes back, by itself; a stored key works all
// the time.
func TestRotateIsKilled(t *testing.T) {
	mine := func(n int, fits func(awssim.Call) bool) func(awssim.Call) bool {
		return func(c awssim.Call) bool {
			if fits == nil || fits(c) {
				n--
			}
			return n == 0
		}
	}
	for _, tt := range []struct {
		name, action string
		nth          int
		after        bool
		replaced     bool // in the end the new key is in use
	}{
		{"before the key is made", "CreateAccessKey", 1, false, false},
		{"before the answer with the key", "CreateAccessKey", 1, true, false},
		{"while AWS does not know it", "GetCallerIdentity", 1, false, true},
		{"before the old one is deactivated", "UpdateAccessKey", 2, false, true},
		{"after that", "UpdateAccessKey", 2, true, true},
		{"before the old one is deleted", "DeleteAccessKey", 1, false, true},
		{"after that", "DeleteAccessKey", 1, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := rotates(t)
			old := m.alice.AccessKeyID
			reached := make(chan struct{}, 1)
			fits := mine(tt.nth, func(c awssim.Call) bool {
				return tt.action != "GetCallerIdentity" || strings.HasPrefix(c.AccessKeyID, "AKIA") && c.AccessKeyID != old
			})
			kind := awssim.Hang
			if tt.after {
				kind = awssim.HangAfter
			}
			before := m.alice.Keys()
			m.sim.Inject(awssim.Fault{Action: tt.action, Kind: kind, Times: 1, Match: func(c awssim.Call) bool {
				if !fits(c) {
					return false
				}
				reached <- struct{}{}
				return true
			}})
			rotate := m.command(binary, "identity", "rotate", "corp", "--yes")
			if err := rotate.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-reached:
			case <-time.After(30 * time.Second):
				t.Fatal("it does not come to that")
			}
			if tt.after && !within(10*time.Second, func() bool { return !slices.Equal(m.alice.Keys(), before) || tt.action != "CreateAccessKey" }) {
				t.Fatal("AWS did not do it")
			}
			m.kill(syscall.SIGKILL)
			if err := rotate.Wait(); err == nil {
				t.Error("the command succeeded although its daemon was killed")
			} else if _, exited := err.(*exec.ExitError); !exited {
				t.Fatal(err)
			}
			st := m.identityStatus()                         // the next daemon's
			if tt.action == "CreateAccessKey" && !tt.after { // AWS may take a while to list a new key
				if !within(20*time.Second, func() bool { // a slow machine tells before it has read the keyring
					st = m.identityStatus()
					return st.Rotation != nil && st.Rotation.Step == localapi.RotationCreating
				}) {
					t.Errorf("the next daemon knows nothing of it: %+v\n%s", st.Rotation, m.log())
				}
				m.hasKeys(old + "+")
			} else if !within(30*time.Second, func() bool { return len(m.alice.Keys()) == 1 && m.identityStatus().Rotation == nil }) {
				t.Errorf("it is not over: %+v\n%s", m.identityStatus().Rotation, m.log())
			}
			if got := m.newKey(); (got != old) != tt.replaced {
				t.Errorf("left is %s, of before %s; replaced wanted: %v", got, old, tt.replaced)
			}
			m.alice.RevokeSessions()
			m.login() // with the key that the keyring has
		})
	}
}

// TestRotateWithoutAPermission: nothing is half done, and the policy is named.
func TestRotateWithoutAPermission(t *testing.T) {
	t.Parallel()
	m := rotates(t)
	old := m.alice.AccessKeyID
	for _, action := range []string{"CreateAccessKey", "UpdateAccessKey", "ListAccessKeys"} { // the later one comes first
		m.alice.Deny("iam:" + action)
		m.deniesRotation(action)
		m.hasKeys(old + "+")
	}
	if st := m.identityStatus(); st.Rotation != nil || st.State != "ready" {
		t.Errorf("left: %+v", st)
	}
}

// deniesRotation has the key rotated by somebody who may not.
func (m *machine) deniesRotation(action string) {
	m.t.Helper()
	r := m.run("", "identity", "rotate", "corp", "--yes")
	for _, want := range []string{"iam:" + action, `hint: have this allowed: {"Effect":"Allow","Action":["iam:ListAccessKeys",`, `"Resource":"` + m.alice.ARN + `"}`} {
		if r.status != 5 || !strings.Contains(r.stderr, want) {
			m.t.Errorf("without %s: status %d, want 5 and %q\n%s", action, r.status, want, r.stderr)
		}
	}
}

// TestRotateWithoutDeleting: the new key is in use, the old one inactive, and it
// may be kept so.
func TestRotateWithoutDeleting(t *testing.T) {
	t.Parallel()
	m := rotates(t)
	old := m.alice.AccessKeyID
	m.alice.Deny("iam:DeleteAccessKey")
	m.deniesRotation("DeleteAccessKey")
	m.hasKeys(old, m.newKey()+"+")
	if text := m.mfad("status"); !strings.Contains(text, "the new key is in use, and the old one, "+old+", is still there") {
		t.Errorf("status says nothing of the old key:\n%s", text)
	}
	if plan := m.mfad("identity", "rotate", "corp", "--dry-run"); !strings.Contains(plan, "would finish the rotation: "+old+" would be deactivated and then deleted; nothing was changed") {
		t.Errorf("the plan of an open rotation:\n%s", plan)
	}
	if r := m.run("", "profile", "remove", "prod"); r.status != 0 {
		t.Errorf("status %d, %s", r.status, r.stderr)
	}
	if r := m.run("", "identity", "remove", "corp"); r.status != 1 || !strings.Contains(r.stderr, old) || !strings.Contains(r.stderr, "hint: finish it: mfad identity rotate corp") {
		t.Errorf("removed in its rotation: status %d, %s", r.status, r.stderr)
	}
	if r := m.run("", "identity", "rotate", "corp", "--keep-old"); r.status != 0 || !strings.Contains(r.stdout, "old key "+old+" inactive") {
		t.Errorf("kept: status %d, %s%s", r.status, r.stdout, r.stderr)
	}
	if st := m.identityStatus(); st.Rotation != nil {
		t.Errorf("it is not over: %+v", st.Rotation)
	}
}

// TestRotateWithTwoKeys names the other one.
func TestRotateWithTwoKeys(t *testing.T) {
	t.Parallel()
	m := rotates(t)
	old, other := m.alice.AccessKeyID, m.alice.AddAccessKey().AccessKeyID
	r := m.run("", "identity", "rotate", "corp", "--delete-inactive")
	if r.status != 1 || !strings.Contains(r.stderr, other+" (active, never used)") || !strings.Contains(r.stderr, "aws iam delete-access-key --user-name alice --access-key-id "+other) {
		t.Errorf("an active second key: status %d\n%s", r.status, r.stderr)
	}
	m.alice.SetKeyActive(other, false)
	r = m.run("", "identity", "rotate", "corp")
	if r.status != 1 || !strings.Contains(r.stderr, other+" (inactive, never used)") || !strings.Contains(r.stderr, "mfad identity rotate corp --delete-inactive") {
		t.Errorf("an inactive second key: status %d\n%s", r.status, r.stderr)
	}
	m.hasKeys(old+"+", other)
	if r := m.run("", "identity", "rotate", "corp", "--delete-inactive", "--keep-old", "--json"); r.status != 0 || !strings.Contains(r.stdout, `"old": "inactive"`) {
		t.Errorf("status %d, %s%s", r.status, r.stdout, r.stderr)
	}
	m.hasKeys(old, m.newKey()+"+")
}

// TestRotateEndsTheSession: AWS ends the session with its key. Who cannot be asked
// is told, and the rest is done after a login.
func TestRotateEndsTheSession(t *testing.T) {
	t.Parallel()
	m := rotates(t)
	m.sim.SetSessionsEnd(true, true)
	r := m.run("", "identity", "rotate", "corp")
	if r.status != 4 || !strings.Contains(r.stdout, "corp: new key "+m.newKey()+", old key "+m.alice.AccessKeyID+" inactive") ||
		!strings.Contains(r.stderr, "the MFA session of corp ended with its old key, and a code is needed; then the old key is deleted\nhint: run: mfad login corp\n") {
		t.Errorf("status %d, %s%s", r.status, r.stdout, r.stderr)
	}
	if st := m.identityStatus(); st.State != "mfa_required" {
		t.Errorf("state %s, want mfa_required", st.State)
	}
	m.login()
	if !within(20*time.Second, func() bool { return len(m.alice.Keys()) == 1 && m.identityStatus().Rotation == nil }) {
		t.Errorf("after a login it is not over: %+v", m.identityStatus().Rotation)
	}
	m.comesTo("prod", "fresh", 10*time.Second, fresh)
}

// TestRotateAsksForACode where the session ended and a person is there.
func TestRotateAsksForACode(t *testing.T) {
	t.Parallel()
	m := rotates(t)
	m.sim.SetSessionsEnd(false, true)
	p := m.sitDown("identity", "rotate", "corp")
	p.waitsFor("deleted the old key")
	p.waitsFor("MFA code for ")
	for asked := 1; ; asked++ { // where the machine is too slow for the short steps of the device
		p.types(m.code() + "\n")
		select {
		case <-p.done:
		case <-time.After(4 * time.Second):
			if asked < 3 {
				continue
			}
		}
		break
	}
	if status := p.ends(); status != 0 || !strings.Contains(p.stdout.String(), "deleted") {
		t.Errorf("status %d, %s%s", status, p.stdout.String(), p.sees())
	}
	if st := m.identityStatus(); st.State != "ready" {
		t.Errorf("state %s, want ready", st.State)
	}
}

// TestRotateNeedsASession, or a code, and no lock.
func TestRotateNeedsASession(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	m.addAlice()
	old := m.alice.AccessKeyID
	if r := m.run("", "identity", "rotate", "corp"); r.status != 4 || !strings.Contains(r.stderr, "mfad login corp --code -") {
		t.Errorf("without a session: status %d\n%s", r.status, r.stderr)
	}
	m.mfad("lock")
	if r := m.run(m.code()+"\n", "identity", "rotate", "corp", "--code", "-"); r.status != 4 || !strings.Contains(r.stderr, "mfad is locked") {
		t.Errorf("while locked: status %d\n%s", r.status, r.stderr)
	}
	m.mfad("unlock")
	m.hasKeys(old + "+")
	if n := len(m.sim.Calls("GetSessionToken", "CreateAccessKey")); n > 0 {
		t.Errorf("%d calls", n)
	}
	var r result
	for range 3 { // where the machine is too slow for the short steps of the device
		if r = m.run(m.code()+"\n", "identity", "rotate", "corp", "--code", "-"); r.status == 0 {
			break
		}
	}
	if r.status != 0 {
		t.Errorf("with a code: status %d\n%s", r.status, r.stderr)
	}
	m.hasKeys(m.newKey() + "+")
	if m.newKey() == old {
		t.Error("the key was not replaced")
	}
}
