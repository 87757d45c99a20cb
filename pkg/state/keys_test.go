package state

import (
	"os"
	"reflect"
	"testing"
	"time"
)

func TestKeyAgesComeBack(t *testing.T) {
	d := newDir(t)
	if got, err := d.LoadKeys(); got != nil || err != nil {
		t.Errorf("without a file: %v, %v; want nothing", got, err)
	}
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	want := map[string]KeyAge{"AKIAEXAMPLE000000001": {Created: at, Asked: at.Add(time.Hour)}, "AKIAEXAMPLE000000002": {Asked: at}}
	if err := d.SaveKeys(want); err != nil {
		t.Fatal(err)
	}
	if got, err := d.LoadKeys(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if info, err := os.Stat(d.Path(keysName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if err := os.WriteFile(d.Path(keysName), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := d.LoadKeys(); err == nil || got != nil {
		t.Errorf("a damaged file gave %v, %v; want an error and nothing", got, err)
	}
}
