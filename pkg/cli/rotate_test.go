package cli

import (
	"os"
	"path/filepath"
	"slices"
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

func TestWhatAPlanSays(t *testing.T) {
	const old, other = "AKIAEXAMPLE000000000", "AKIAEXAMPLE000000001"
	for _, tt := range []struct {
		step string // empty: no rotation is open
		keep bool
		want string
	}{
		{"", false, "a new key would be made and put in use, and " + old + " deactivated and then deleted"},
		{"", true, "a new key would be made and put in use, and " + old + " deactivated and then kept, inactive"},
		{localapi.RotationCreating, false, "would finish the rotation: a key whose secret was lost would be deleted, if there is one; then a new key would be made and put in use, and " + old + " deactivated and then deleted"},
		{localapi.RotationCreated, false, "would finish the rotation: the new key " + other + " would be put in use, and " + old + " deactivated and then deleted"},
		{localapi.RotationSwitched, true, "would finish the rotation: " + old + " would be deactivated and then kept, inactive"},
		{localapi.RotationCreated, true, "would finish the rotation: the new key " + other + " would be put in use, and " + old + " deactivated and then kept, inactive"},
		{localapi.RotationUndoing, true, "would finish the rotation: the key " + other + ", which is not in use, would be deleted; then a new key would be made and put in use, and " + old + " deactivated and then deleted"},
	} {
		plan := localapi.RotateAnswer{Name: "corp", OldKey: old, Keys: []localapi.KeyInfo{{ID: old, InUse: true, Active: true}}}
		if tt.step != "" {
			plan.Rotation = &localapi.RotationStatus{Step: tt.step, Other: other, KeepOld: tt.keep}
			plan.Keys = append(plan.Keys, localapi.KeyInfo{ID: other})
		}
		var b strings.Builder
		a := &app{out: &b}
		if err := a.printRotatePlan(plan, localapi.RotateRequest{KeepOld: tt.keep && tt.step == "", DeleteInactive: true}, []string{"[x] in f"}); err != nil {
			t.Fatal(err)
		}
		if want := "\n\n" + tt.want + "; nothing was changed\n[x] in f holds it too, and stops working\n"; !strings.HasSuffix(b.String(), want) || strings.Contains(b.String(), "to be deleted") {
			t.Errorf("%s: says %q\nwant at the end %q", tt.step, b.String(), want)
		}
	}
}

// TestWhoStillHoldsAKey looks into both of AWS's files, once where they are the same.
func TestWhoStillHoldsAKey(t *testing.T) {
	dir := t.TempDir()
	credentials, config := filepath.Join(dir, "credentials"), filepath.Join(dir, "config")
	for path, section := range map[string]string{credentials: "legacy", config: "profile ci"} {
		text := "[other]\naws_access_key_id = AKIAEXAMPLE000000001\n[" + section + "]\naws_access_key_id = AKIAEXAMPLE000000000\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := stillHold("AKIAEXAMPLE000000000", credentials, config, filepath.Join(dir, "none"), credentials)
	if want := []string{"[profile ci] in " + config, "[legacy] in " + credentials}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
