package profile

import (
	"reflect"
	"slices"
	"testing"
)

// TestFingerprint changes every field of a profile: each has to be on one of the
// two lists.
func TestFingerprint(t *testing.T) {
	counts := []string{
		"Identity", "Source", "RoleARN", "Duration", "RoleSessionName", "ExternalID", "SourceIdentity",
		"SessionTags", "TransitiveSessionTags", "PolicyARNs", "Policy",
	}
	ignored := []string{
		"Name", "File", "Line", "SourceProfile", "MFA", "RefreshBefore", "MFAMaxAge", "Write", "Section", "Confirm",
		"PolicyFile", "Region", "Output",
	}
	base := Fingerprint(&Profile{})
	for field := range reflect.TypeFor[Profile]().Fields() {
		p := &Profile{}
		switch f := reflect.ValueOf(p).Elem().FieldByIndex(field.Index); f.Interface().(type) {
		case *Profile:
			f.Set(reflect.ValueOf(&Profile{}))
		case []Tag:
			f.Set(reflect.ValueOf([]Tag{{"a", "b"}}))
		case []string:
			f.Set(reflect.ValueOf([]string{"a"}))
		case RefreshBefore:
			f.Set(reflect.ValueOf(RefreshBefore{Percent: 1}))
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString("a")
			case reflect.Bool:
				f.SetBool(true)
			default:
				f.SetInt(1)
			}
		}
		changed := Fingerprint(p) != base
		if want := slices.Contains(counts, field.Name); changed != want || want == slices.Contains(ignored, field.Name) {
			t.Errorf("%s: fingerprint changes: %v, want %v; it is on exactly one list: %v",
				field.Name, changed, want, want != slices.Contains(ignored, field.Name))
		}
	}
}

func TestFingerprintIsStable(t *testing.T) {
	c := loaded(t, prod+"session_tags = a=1,b=2\npolicy_arns = arn:aws:iam::aws:policy/A,arn:aws:iam::aws:policy/B\n")
	d := loaded(t, "[defaults]\nregion = eu-west-1\n"+prod+"policy_arns = arn:aws:iam::aws:policy/B,arn:aws:iam::aws:policy/A\nsession_tags = b=2,a=1\noutput = json\nwrite = none\n")
	got, same := Fingerprint(c.Profiles["prod"]), Fingerprint(d.Profiles["prod"])
	if got != same {
		t.Errorf("%s and %s, want one: only the order differs", got, same)
	}
	// The value is stored between runs: when it changes, so does every user's.
	if want := "c4ed5f1e3f5ec2b0ab10842ca5513a3a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if a, b := Fingerprint(&Profile{Identity: "ab", RoleARN: "c"}), Fingerprint(&Profile{Identity: "a", RoleARN: "bc"}); a == b {
		t.Error("fields run into each other")
	}
}
