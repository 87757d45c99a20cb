package state

import (
	"os"
	"reflect"
	"testing"
	"time"
)

func TestRolesComeBack(t *testing.T) {
	d := newDir(t)
	if got, err := d.LoadRoles(); got != nil || err != nil {
		t.Errorf("without a file: %v, %v; want nothing", got, err)
	}
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	want := map[string]Role{
		"arn:aws:iam::111111111111:role/A": {Maximum: 12 * time.Hour, Exact: true, Refused: time.Hour, RefusedAt: at, How: "GetRole", Learned: at,
			LookedSession: at, LookedRole: at.Add(time.Second), MaxAge: time.Hour, AgeTried: at},
		"arn:aws:iam::111111111111:role/B": {},
	}
	v := reflect.ValueOf(want["arn:aws:iam::111111111111:role/A"])
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test says nothing of %s", v.Type().Field(i).Name)
		}
	}
	if err := d.SaveRoles(want); err != nil {
		t.Fatal(err)
	}
	got, err := d.LoadRoles()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if info, err := os.Stat(d.Path(rolesName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if err := os.WriteFile(d.Path(rolesName), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := d.LoadRoles(); err == nil || got != nil {
		t.Errorf("a damaged file gave %v, %v; want an error and nothing", got, err)
	}
}
