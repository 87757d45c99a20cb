package doctor

import (
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

func TestOldKeysAndRotations(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	old := func(days int) *time.Time { at := now.Add(-time.Duration(days) * 24 * time.Hour); return &at }
	for _, tt := range []struct {
		name string
		st   localapi.IdentityStatus
		want []string
	}{
		{"not known", localapi.IdentityStatus{}, nil},
		{"89 days", localapi.IdentityStatus{KeyCreated: old(89)}, nil},
		{"90 days", localapi.IdentityStatus{KeyCreated: old(90)}, []string{"it is 90 days old"}},
		{"a rotation that runs", localapi.IdentityStatus{Rotation: &localapi.RotationStatus{Running: true}}, nil},
		{"one that does not", localapi.IdentityStatus{KeyCreated: old(100), Rotation: &localapi.RotationStatus{Other: "AKIAEXAMPLE000000001", Error: &localapi.Error{Message: "denied"}}},
			[]string{"its rotation was begun and is not over; the user's other key is AKIA…0001: denied", "it is 100 days old"}},
	} {
		found := Picture{Now: now}.judgeKey("corp", tt.st)
		if len(found) != len(tt.want) {
			t.Errorf("%s: found %+v, want %q", tt.name, found, tt.want)
			continue
		}
		for i, f := range found {
			if f.Why != tt.want[i] || f.Level != Hint || f.Fix != "mfad identity rotate corp" || f.Identity != "corp" {
				t.Errorf("%s: found %+v, want %q", tt.name, f, tt.want[i])
			}
		}
	}
}
