package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

func TestWhatStatusSaysOfKeys(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	old := func(days int) *time.Time { at := now.Add(-time.Duration(days) * 24 * time.Hour); return &at }
	for _, tt := range []struct {
		name string
		id   localapi.IdentityStatus
		all  bool
		want string
	}{
		{"not known", localapi.IdentityStatus{}, true, ""},
		{"young", localapi.IdentityStatus{KeyCreated: old(89)}, false, ""},
		{"young, and all is to be told", localapi.IdentityStatus{KeyCreated: old(1)}, true, "\ncorp: the access key is 1 day old\n"},
		{"old", localapi.IdentityStatus{KeyCreated: old(90)}, false, "\ncorp: the access key is 90 days old\n  hint: run: mfad identity rotate corp\n"},
		{"a rotation that runs", localapi.IdentityStatus{Rotation: &localapi.RotationStatus{Step: localapi.RotationCreated, Running: true}}, false, ""},
		{"one that rests", localapi.IdentityStatus{Rotation: &localapi.RotationStatus{Step: localapi.RotationUndoing, Other: "AKIAEXAMPLE000000001"}}, false,
			"\ncorp: the rotation of its key is not over: the new key AKIAEXAMPLE000000001 is not used and is still there\n  hint: it goes on with the next session: mfad login corp\n"},
		{"one that fails", localapi.IdentityStatus{Rotation: &localapi.RotationStatus{Step: localapi.RotationCreating, Error: &localapi.Error{Message: "denied"}}}, false,
			"\ncorp: the rotation of its key is not over: a new key was asked for, and the answer was lost: denied\n  hint: run: mfad identity rotate corp\n"},
	} {
		tt.id.Name = "corp"
		var b strings.Builder
		writeKeys(&b, localapi.Status{Identities: []localapi.IdentityStatus{tt.id}}, now, tt.all, 10)
		if b.String() != tt.want {
			t.Errorf("%s: says %q\nwant %q", tt.name, b.String(), tt.want)
		}
	}
}
