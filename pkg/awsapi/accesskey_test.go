package awsapi

import (
	"errors"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

// TestAKeyIsReplaced: each call does what it says, as an MFA session.
func TestAKeyIsReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.alice.SetNeedsMFA(true)
		w.alice.AgeKey(w.key.AccessKeyID, 24*time.Hour)
		w.sim.SetKeyPropagation(8 * time.Second)
		by := w.session(t)
		made, err := w.client.CreateAccessKey(t.Context(), by, "alice")
		if err != nil || made.AccessKeyID == w.key.AccessKeyID || made.SecretAccessKey.IsZero() {
			t.Fatalf("made %+v, %v", made, err)
		}
		if c := w.last(t); c.AccessKeyID != made.AccessKeyID || c.Err != nil {
			t.Errorf("observed %+v, want the key %s", c, made.AccessKeyID)
		}
		_, err = w.client.CallerIdentity(t.Context(), made.Credentials)
		refusal{creds.CodeInvalidKey, "InvalidClientTokenId", "is it active"}.check(t, err)
		time.Sleep(8 * time.Second)
		if who, err := w.client.CallerIdentity(t.Context(), made.Credentials); err != nil || who.ARN != w.alice.ARN {
			t.Errorf("the new key is %s's, %v; want alice's", who.ARN, err)
		}
		if err := w.client.SetAccessKeyActive(t.Context(), by, "alice", w.key.AccessKeyID, false); err != nil {
			t.Fatal(err)
		}
		keys, err := w.client.AccessKeys(t.Context(), by, "alice")
		want := []AccessKey{
			{w.key.AccessKeyID, false, keys[0].Created}, {made.AccessKeyID, true, made.Created},
		}
		if err != nil || len(keys) != 2 || keys[0] != want[0] || keys[1] != want[1] || !keys[0].Created.Before(made.Created.Add(-23*time.Hour)) {
			t.Errorf("listed %+v, %v; want %+v", keys, err, want)
		}
		if err := w.client.SetAccessKeyActive(t.Context(), by, "alice", w.key.AccessKeyID, true); err != nil || !w.alice.Keys()[0].Active {
			t.Errorf("activated again: %v, %+v", err, w.alice.Keys()[0])
		}
		if err := w.client.DeleteAccessKey(t.Context(), by, "alice", w.key.AccessKeyID); err != nil || len(w.alice.Keys()) != 1 {
			t.Errorf("deleted: %v, %+v", err, w.alice.Keys())
		}
		for name, err := range map[string]error{
			"delete":     w.client.DeleteAccessKey(t.Context(), by, "alice", w.key.AccessKeyID),
			"deactivate": w.client.SetAccessKeyActive(t.Context(), by, "alice", w.key.AccessKeyID, false),
		} {
			refusal{creds.CodeRefused, "NoSuchEntity: The Access Key with id " + w.key.AccessKeyID + " cannot be found", ""}.check(t, err)
			if !errors.Is(err, ErrNoSuchEntity) {
				t.Errorf("%s a key that is gone: %v, want ErrNoSuchEntity", name, err)
			}
		}
	})
}

func TestWhenAKeyWasUsed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		by := w.session(t)
		made, err := w.client.CreateAccessKey(t.Context(), by, "alice")
		if err != nil {
			t.Fatal(err)
		}
		if used, err := w.client.AccessKeyLastUsed(t.Context(), by, made.AccessKeyID); err != nil || used != (LastUse{}) {
			t.Errorf("a key that was never used: %+v, %v", used, err)
		}
		now := time.Now()
		used, err := w.client.AccessKeyLastUsed(t.Context(), by, w.key.AccessKeyID)
		if err != nil || used.Service != "sts" || used.Region != "us-east-1" || used.At.Sub(now).Abs() > time.Minute {
			t.Errorf("the session's key was used %+v, %v; want by sts in us-east-1 just now", used, err)
		}
	})
}

func TestKeyCallsAreRefused(t *testing.T) {
	list := func(t *testing.T, w *world) error {
		_, err := w.client.AccessKeys(t.Context(), w.session(t), "alice")
		return err
	}
	create := func(t *testing.T, w *world) error {
		made, err := w.client.CreateAccessKey(t.Context(), w.session(t), "alice")
		keeps(t, err, made.SecretAccessKey)
		return err
	}
	update := func(t *testing.T, w *world) error {
		return w.client.SetAccessKeyActive(t.Context(), w.session(t), "alice", w.key.AccessKeyID, false)
	}
	remove := func(t *testing.T, w *world) error {
		return w.client.DeleteAccessKey(t.Context(), w.session(t), "alice", w.key.AccessKeyID)
	}
	used := func(t *testing.T, w *world) error {
		_, err := w.client.AccessKeyLastUsed(t.Context(), w.session(t), w.key.AccessKeyID)
		return err
	}
	denied := func(action string, do func(*testing.T, *world) error) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error { w.alice.Deny(action); return do(t, w) }
	}
	with := func(f awssim.Fault, do func(*testing.T, *world) error) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error { f.Action = "CreateAccessKey"; w.sim.Inject(f); return do(t, w) }
	}
	for name, tt := range map[string]struct {
		do   func(*testing.T, *world) error
		want refusal
	}{
		"list":     {denied("iam:ListAccessKeys", list), refusal{creds.CodeAccessDenied, "iam:ListAccessKeys", "needs iam:ListAccessKeys on itself"}},
		"create":   {denied("iam:CreateAccessKey", create), refusal{creds.CodeAccessDenied, "iam:CreateAccessKey", "needs iam:CreateAccessKey on itself"}},
		"update":   {denied("iam:UpdateAccessKey", update), refusal{creds.CodeAccessDenied, "iam:UpdateAccessKey", "needs iam:UpdateAccessKey on itself"}},
		"delete":   {denied("iam:DeleteAccessKey", remove), refusal{creds.CodeAccessDenied, "iam:DeleteAccessKey", "needs iam:DeleteAccessKey on itself"}},
		"last use": {denied("iam:GetAccessKeyLastUsed", used), refusal{creds.CodeAccessDenied, "iam:GetAccessKeyLastUsed", "needs iam:GetAccessKeyLastUsed on itself"}},
		"a third key": {func(t *testing.T, w *world) error { w.alice.AddAccessKey(); return create(t, w) },
			refusal{creds.CodeRefused, "LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2", "two access keys at most"}},
		"the key's answer is lost":   {with(awssim.Fault{Kind: awssim.DropAfter}, create), refusal{creds.CodeNetwork, "the connection was cut", "try again"}},
		"half of the key's answer":   {with(awssim.Fault{Kind: awssim.Cut}, create), refusal{creds.CodeUnavailable, "no valid answer", "try again"}},
		"AWS hangs after it made it": {with(awssim.Fault{Kind: awssim.HangAfter}, create), refusal{creds.CodeNetwork, "no answer in time", "try again"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) { tt.want.check(t, tt.do(t, w)) })
		})
	}
}
