package awssim_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/mfad/mfad/pkg/awssim"
)

// TestSessionsThatEndWithTheirKey: only the MFA sessions of that key end, and only
// on order.
func TestSessionsThatEndWithTheirKey(t *testing.T) {
	for _, tt := range []struct {
		name              string
		inactive, deleted bool
	}{
		{"neither", false, false}, {"with a deleted key", false, true}, {"with an inactive one", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, awssim.Start())
			session := w.session(t, true)
			role := w.assume(t, session, w.open.ARN)
			w.SetSessionsEnd(tt.inactive, tt.deleted)
			lives := func(c aws.Credentials) bool {
				_, err := w.sts(c).GetCallerIdentity(t.Context(), nil)
				return err == nil
			}
			_, err := w.iam(session).UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{
				UserName: aws.String("alice"), AccessKeyId: aws.String(w.alice.AccessKeyID), Status: "Inactive"})
			if err != nil {
				t.Fatal(err)
			}
			if got := lives(session); got == tt.inactive {
				t.Errorf("after the key was deactivated the session lives: %v", got)
			}
			w.alice.DeleteKey(w.alice.AccessKeyID)
			if got := lives(session); got == tt.deleted {
				t.Errorf("after the key was deleted the session lives: %v", got)
			}
			if !lives(role) {
				t.Error("the role's session ended with the key of the session that assumed it")
			}
		})
	}
}

// TestACallThatIsCarriedOutAndNotAnswered is what a client meets that is killed
// while it waits.
func TestACallThatIsCarriedOutAndNotAnswered(t *testing.T) {
	w := newWorld(t, awssim.Start())
	w.Inject(awssim.Fault{Action: "CreateAccessKey", Kind: awssim.HangAfter, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := w.iam(key(w.alice)).CreateAccessKey(ctx, nil)
		done <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); len(w.alice.Keys()) < 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the call was not carried out")
		}
	}
	select {
	case err := <-done:
		t.Fatalf("the call was answered: %v", err)
	default:
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("the client that went away has an answer")
	}
	w.alice.AgeKey(w.alice.AccessKeyID, 24*time.Hour)
	if k := w.alice.Keys()[0]; k.AccessKeyID != w.alice.AccessKeyID || !k.Active || time.Since(k.Created) < 24*time.Hour {
		t.Errorf("the first key is listed as %+v", k)
	}
}
