package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/state"
)

// keyRig is a daemon without a socket, on a simulated AWS whose devices show a code a
// second.
type keyRig struct {
	*Daemon
	sim    *awssim.Server
	alice  *awssim.User
	device *awssim.Device
}

func newKeyRig(t *testing.T) *keyRig {
	t.Helper()
	sim := awssim.Start()
	t.Cleanup(sim.Close)
	sim.CodeStepFactor = 30
	r := &keyRig{sim: sim, alice: sim.AddUser("111111111111", "alice")}
	r.device = r.alice.AddMFA("alice")
	r.alice.AgeKey(r.alice.AccessKeyID, 50*24*time.Hour)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.ini")
	if err := os.WriteFile(config, []byte("[identity corp]\nmfa_serial = "+r.device.Serial+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string { return map[string]string{"AWS_ENDPOINT_URL": sim.URL}[name] }
	r.Daemon = newDaemon(Options{Keyring: &keyring.Memory{}, Getenv: getenv, CodeStep: time.Second, Paths: Paths{
		Config: config, State: dir, Socket: filepath.Join(dir, "s"), AWSCredentials: filepath.Join(dir, "credentials"), AWSConfig: filepath.Join(dir, "awsconfig"),
	}}, state.Dir(dir))
	r.rotations.settle = 0
	return r
}

// starts runs the daemon until the test ends, adds alice's key and logs in.
func (r *keyRig) starts(t *testing.T) {
	t.Helper()
	r.runs(t)
	key := localapi.IdentityRequest{Name: "corp", AccessKeyID: r.alice.AccessKeyID, SecretAccessKey: r.alice.SecretAccessKey}
	if _, err := r.AddIdentity(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := r.SetTOTP(t.Context(), localapi.TOTPRequest{Name: "corp", Seed: r.device.Seed, NoVerify: true}); err != nil {
		t.Fatal(err)
	}
	r.until(t, "a session lives", func() bool { _, ok := r.engine.Session("corp"); return ok })
}

func (r *keyRig) identity() localapi.IdentityStatus {
	st, _ := r.picture()
	return st.Identities[0]
}

// TestTheAgeOfAKeyIsLearned once, with the first session, and kept.
func TestTheAgeOfAKeyIsLearned(t *testing.T) {
	r := newKeyRig(t)
	r.starts(t)
	r.until(t, "the age is known", func() bool { return r.identity().KeyCreated != nil })
	if age := time.Since(*r.identity().KeyCreated); age < 50*24*time.Hour || age > 51*24*time.Hour {
		t.Errorf("the key is %v old, want 50 days", age)
	}
	if _, err := r.Rotate(t.Context(), localapi.RotateRequest{Name: "corp"}, localapi.Talk{}); err != nil {
		t.Fatal(err)
	}
	if at := r.identity().KeyCreated; at == nil || time.Since(*at) > time.Hour {
		t.Errorf("the new key was made %v, want now", at)
	}
	if n := len(r.sim.Calls("ListAccessKeys")); n != 2 {
		t.Errorf("AWS was asked %d times, want once for the age and once by the rotation", n)
	}
	if again := newRotations(r.Log, r.dir); len(again.ages) != 2 {
		t.Errorf("a restart knows %v", again.ages)
	}
	item, err := r.readItem(t.Context(), "corp")
	if err != nil || item.TOTPSeed == "" || item.UserARN != r.alice.ARN {
		t.Errorf("what lay beside the key: %+v, %v", item.TOTPSeed != "", err)
	}
	files := 0
	err = filepath.WalkDir(string(r.dir), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		for _, secret := range []string{item.SecretAccessKey, r.alice.SecretAccessKey, item.TOTPSeed} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds a secret in the clear", path)
			}
		}
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("only %d files were looked at (%v)", files, err)
	}
}

// TestTheAgeIsNotTold: AWS is not asked again and again.
func TestTheAgeIsNotTold(t *testing.T) {
	r := newKeyRig(t)
	r.alice.Deny("iam:ListAccessKeys")
	r.starts(t)
	r.until(t, "AWS was asked", func() bool { return len(r.sim.Calls("ListAccessKeys")) > 0 })
	r.until(t, "it is noted", func() bool { return !r.rotations.unknown(r.alice.AccessKeyID) })
	for range 3 {
		r.mu.Lock()
		r.changedLocked()
		r.mu.Unlock()
		_ = r.tendKeys(t.Context())
	}
	if n := len(r.sim.Calls("ListAccessKeys")); n != 1 {
		t.Errorf("AWS refused it %d times, want once", n)
	}
	if at := r.identity().KeyCreated; at != nil {
		t.Errorf("an age that nobody told: %v", at)
	}
}

// TestOneRotationAtATime, and the key is not removed under it; what is stored beside
// it meanwhile stays.
func TestOneRotationAtATime(t *testing.T) {
	r := newKeyRig(t)
	r.starts(t)
	r.sim.Inject(awssim.Fault{Action: "UpdateAccessKey", Kind: awssim.Delay, Wait: 500 * time.Millisecond, Times: 1})
	done := make(chan error, 1)
	go func() {
		_, err := r.Rotate(t.Context(), localapi.RotateRequest{Name: "corp"}, localapi.Talk{})
		done <- err
	}()
	r.until(t, "it is under way", func() bool { return len(r.sim.Calls("UpdateAccessKey")) > 0 })
	_, err := r.Rotate(t.Context(), localapi.RotateRequest{Name: "corp"}, localapi.Talk{})
	if creds.CodeOf(err) != creds.CodeConflict {
		t.Errorf("a second rotation: %v, want conflict", err)
	}
	if err := r.RemoveIdentity(t.Context(), "corp"); creds.CodeOf(err) != creds.CodeConflict {
		t.Errorf("its removal: %v, want conflict", err)
	}
	if err := r.SetTOTP(t.Context(), localapi.TOTPRequest{Name: "corp", Remove: true}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if item, err := r.readItem(t.Context(), "corp"); err != nil || item.TOTPSeed != "" || item.AccessKeyID == r.alice.AccessKeyID || item.Rotation != nil {
		t.Errorf("stored: key %s, seed %v, journal %+v, %v; want the new key, and the seed gone", item.AccessKeyID, item.TOTPSeed != "", item.Rotation, err)
	}
}

// TestAClientLeavesARotation: the daemon goes on by itself.
func TestAClientLeavesARotation(t *testing.T) {
	r := newKeyRig(t)
	r.sim.SetKeyPropagation(time.Second)
	r.starts(t)
	ctx, leave := context.WithCancelCause(t.Context())
	go func() {
		for len(r.alice.Keys()) < 2 {
			time.Sleep(time.Millisecond)
		}
		leave(errors.New("ctrl-c"))
	}()
	if _, err := r.Rotate(ctx, localapi.RotateRequest{Name: "corp"}, localapi.Talk{}); err == nil {
		t.Error("it was over before the client left")
	}
	r.until(t, "it is over", func() bool { return len(r.alice.Keys()) == 1 && r.identity().Rotation == nil })
	if id := r.alice.Keys()[0].AccessKeyID; id == r.alice.AccessKeyID {
		t.Error("the old key is still in use")
	}
}

// TestAKeyThatIsThereKeepsWhatLiesBesideIt.
func TestAKeyThatIsThereKeepsWhatLiesBesideIt(t *testing.T) {
	r := newKeyRig(t)
	r.starts(t)
	again := localapi.IdentityRequest{Name: "corp", AccessKeyID: r.alice.AccessKeyID, SecretAccessKey: r.alice.SecretAccessKey, Again: true}
	if _, err := r.AddIdentity(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	item, err := r.readItem(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	if seed, err := mfa.ParseSeed(item.TOTPSeed); err != nil || seed.IsZero() {
		t.Errorf("the seed is gone after the key was added again: %v", err)
	}
}

// TestAKeyWithoutItsSection can be added again, and can be removed.
func TestAKeyWithoutItsSection(t *testing.T) {
	r := newKeyRig(t)
	r.starts(t)
	section, err := os.ReadFile(r.Paths.Config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(r.Paths.Config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := localapi.IdentityRequest{Name: "corp", AccessKeyID: r.alice.AccessKeyID, SecretAccessKey: r.alice.SecretAccessKey}
	write("")
	other := key
	other.SecretAccessKey += "x"
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddIdentity(t.Context(), other); creds.CodeOf(err) != creds.CodeConflict {
		t.Errorf("another secret: %v, want conflict", err)
	}
	if _, err := r.AddIdentity(t.Context(), key); err != nil {
		t.Errorf("the same key: %v", err)
	}
	if item, err := r.readItem(t.Context(), "corp"); err != nil || item.TOTPSeed == "" {
		t.Errorf("what lies beside the key is gone: %v", err)
	}
	write("")
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(string(section)) // and nobody has looked yet
	again := key
	again.Again = true
	if _, err := r.AddIdentity(t.Context(), again); err != nil {
		t.Errorf("an identity that came to be in the config just now: %v", err)
	}
	write("")
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveIdentity(t.Context(), "corp"); err != nil {
		t.Errorf("its removal: %v", err)
	}
	if _, err := r.readItem(t.Context(), "corp"); creds.CodeOf(err) != creds.CodeKeyNotFound {
		t.Errorf("the key after it: %v, want none", err)
	}
	if err := r.RemoveIdentity(t.Context(), "corp"); creds.CodeOf(err) != creds.CodeUsage {
		t.Errorf("what is nowhere: %v, want usage", err)
	}
	if err := r.RemoveIdentity(t.Context(), "no\nname"); creds.CodeOf(err) != creds.CodeUsage || !strings.Contains(err.Error(), "no identity") {
		t.Errorf("what is no name: %v, want usage", err)
	}
}

// TestAnIdentityIsNotRemovedInItsRotation, as both its keys would stay at AWS.
func TestAnIdentityIsNotRemovedInItsRotation(t *testing.T) {
	r := newKeyRig(t)
	r.starts(t)
	r.alice.Deny("iam:DeleteAccessKey")
	a, err := r.Rotate(t.Context(), localapi.RotateRequest{Name: "corp"}, localapi.Talk{})
	if err != nil || a.Error == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	err = r.RemoveIdentity(t.Context(), "corp")
	for _, word := range []string{a.OldKey, a.NewKey, "--keep-old"} {
		if text := creds.HintOf(err); creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error()+text, word) {
			t.Errorf("%v (%s), want a conflict that says %s", err, text, word)
		}
	}
	plan, err := r.Rotate(t.Context(), localapi.RotateRequest{Name: "corp", DryRun: true}, localapi.Talk{})
	if o := plan.Rotation; err != nil || o == nil || o.Step != localapi.RotationSwitched || o.Other != a.OldKey || plan.OldKey != a.OldKey {
		t.Errorf("the plan: %+v, %v; want the step %s of %s", plan, err, localapi.RotationSwitched, a.OldKey)
	}
	if _, err := r.Rotate(t.Context(), localapi.RotateRequest{Name: "corp", KeepOld: true}, localapi.Talk{}); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveIdentity(t.Context(), "corp"); err != nil {
		t.Errorf("after it: %v", err)
	}
}
