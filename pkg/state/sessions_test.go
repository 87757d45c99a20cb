package state

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

func newKey(t *testing.T) creds.Secret {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// full has something in every field.
func full() Saved {
	issued := time.Date(2026, 3, 1, 9, 0, 0, 123456789, time.UTC)
	c := creds.Credentials{
		AccessKeyID:     "ASIAEXAMPLE00000001",
		SecretAccessKey: creds.NewSecret("fake/secret+key"),
		SessionToken:    creds.NewSecret(strings.Repeat("fake-token", 500)),
		Issued:          issued,
		Expires:         issued.Add(36 * time.Hour),
		Principal:       "arn:aws:sts::111111111111:assumed-role/Admin/alice",
	}
	serial := "arn:aws:iam::111111111111:mfa/alice"
	return Saved{
		Sessions: map[string]creds.Credentials{"AKIAEXAMPLE00000001 " + serial: c},
		Profiles: map[string]SavedProfile{
			"prod": {Credentials: c, Via: "direct", Fingerprint: "f1"},
			"long": {Credentials: creds.Credentials{AccessKeyID: "AKIAEXAMPLE00000002", SecretAccessKey: creds.NewSecret("fake")}, Via: "session"},
		},
		Spare:   map[string]SavedProfile{"prod": {Credentials: c, Via: "session", Fingerprint: "f1"}},
		Devices: map[string]Device{serial: {Step: 59_078_700, CodeMAC: "00ff"}},
		Refusals: []Refusal{{Time: issued, Identity: "corp", Profile: "prod", RoleARN: "arn", Call: "direct", Code: creds.CodeAccessDenied,
			Message: "AWS said no", Hint: "ask", Fingerprint: "f1"}},
	}
}

// reveal makes two Saved comparable: a Secret compares by its address.
func reveal(s Saved) string {
	text, err := json.MarshalIndent(toWire(s), "", " ")
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestSavedComesBack(t *testing.T) {
	d, key := newDir(t), newKey(t)
	want := full()
	if err := OpenSessions(d, key).Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := OpenSessions(d, key).Load()
	if err != nil {
		t.Fatal(err)
	}
	if reveal(got) != reveal(want) {
		t.Errorf("got %s\nwant %s", reveal(got), reveal(want))
	}
	// The comparison goes through the wire types, so look at one the other way.
	p, q := got.Profiles["prod"], want.Profiles["prod"]
	if !p.Credentials.Equal(q.Credentials) || p.Credentials.Issued != q.Credentials.Issued || p.Via != q.Via || p.Fingerprint != q.Fingerprint {
		t.Errorf("profile = %+v, want %+v", p, q)
	}
	if got.Refusals[0] != want.Refusals[0] || !reflect.DeepEqual(got.Devices, want.Devices) {
		t.Errorf("refusals %v and devices %v, want %v and %v", got.Refusals, got.Devices, want.Refusals, want.Devices)
	}
}

// TestEveryFieldIsKept fails when a field is added to what is saved, or to
// credentials, and nobody thinks of the file.
func TestEveryFieldIsKept(t *testing.T) {
	var check func(v reflect.Value, path string)
	check = func(v reflect.Value, path string) {
		if v.IsZero() {
			t.Errorf("%s is zero in the test's value or lost on the way", path)
			return
		}
		switch {
		case v.Type() == reflect.TypeFor[time.Time](), v.Type() == reflect.TypeFor[creds.Secret]():
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				check(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		case v.Kind() == reflect.Slice:
			check(v.Index(0), path+"[0]")
		}
	}
	s := fromWire(toWire(full()))
	check(reflect.ValueOf(s.Profiles["prod"]), "profile")
	check(reflect.ValueOf(s.Spare["prod"]), "spare")
	check(reflect.ValueOf(s.Refusals), "refusals")
	for _, dev := range s.Devices {
		check(reflect.ValueOf(dev), "device")
	}
	if n := reflect.TypeFor[Saved]().NumField(); n != 5 {
		t.Errorf("Saved has %d fields; this test knows 5", n)
	}
}

func TestTimesLoseZoneAndMonotonicReading(t *testing.T) {
	d, key := newDir(t), newKey(t)
	now := time.Now().In(time.FixedZone("somewhere", 3600))
	if err := OpenSessions(d, key).Save(Saved{Refusals: []Refusal{{Time: now}}}); err != nil {
		t.Fatal(err)
	}
	got, err := OpenSessions(d, key).Load()
	if err != nil {
		t.Fatal(err)
	}
	if want := now.Round(0).UTC(); got.Refusals[0].Time != want {
		t.Errorf("time = %v, want %v", got.Refusals[0].Time, want)
	}
}

func TestNothingSavedYet(t *testing.T) {
	got, err := OpenSessions(newDir(t), newKey(t)).Load()
	if err != nil || !reflect.DeepEqual(got, Saved{}) {
		t.Errorf("Load = %+v, %v, want the zero Saved and nil", got, err)
	}
}

func TestFileShowsNothing(t *testing.T) {
	d, key := newDir(t), newKey(t)
	s := OpenSessions(d, key)
	var files [2][]byte
	for i := range files {
		if err := s.Save(full()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(d.Path(sessionsName))
		if err != nil {
			t.Fatal(err)
		}
		for _, clear := range []string{"fake", "ASIA", "AKIA", "alice", "prod", key.Reveal()} {
			if bytes.Contains(text, []byte(clear)) {
				t.Errorf("the file shows %q", clear)
			}
		}
		files[i] = text
	}
	if bytes.Equal(files[0], files[1]) {
		t.Error("the same content gives the same file twice: a nonce was used again")
	}
	if printed := fmt.Sprintf("%v %+v %#v", full(), full(), full()); strings.Contains(printed, "fake/secret") {
		t.Errorf("printing a Saved shows a secret: %s", printed)
	}
}

func TestLeftoverOfAKilledWriterIsCleaned(t *testing.T) {
	d := newDir(t)
	s := OpenSessions(d, newKey(t))
	if err := s.Save(full()); err != nil {
		t.Fatal(err)
	}
	temp := d.Path(tempName(sessionsName))
	for name, use := range map[string]func() error{
		"Load": func() error { _, err := s.Load(); return err },
		"Save": func() error { return s.Save(full()) },
	} {
		if err := os.WriteFile(temp, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := use(); err != nil {
			t.Errorf("%s = %v, want nil", name, err)
		}
		if _, err := os.Stat(temp); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s left the half file there: %v", name, err)
		}
	}
}

// playSaver saves a growing number for ever, and says each once it is saved.
func playSaver(dir Dir, key creds.Secret) {
	s := OpenSessions(dir, key)
	for n := int64(1); ; n++ {
		saved := full()
		saved.Devices["n"] = Device{Step: n}
		if err := s.Save(saved); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n)
	}
}

func TestKilledWhileSaving(t *testing.T) {
	d, key := newDir(t), newKey(t)
	for round := range 20 {
		p := play(t, "save", string(d), key.Reveal())
		var last int64
		for range round%4 + 1 {
			n, err := strconv.ParseInt(p.line(t), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			last = n
		}
		p.kill() // somewhere in the next save
		got, err := OpenSessions(d, key).Load()
		if err != nil {
			t.Fatalf("Load after kill -9 = %v, want what was saved", err)
		}
		if n := got.Devices["n"].Step; n < last {
			t.Errorf("round %d: %d was said to be saved, the file holds %d", round, last, n)
		}
	}
}

func TestReaderMeetsWholeFiles(t *testing.T) {
	d, key := newDir(t), newKey(t)
	p := play(t, "save", string(d), key.Reveal())
	p.line(t) // there is a file
	go func() { _, _ = io.Copy(io.Discard, p.out) }()
	sealing := OpenSessions(d, key).sealing
	for n := range 5000 {
		file, err := os.ReadFile(d.Path(sessionsName))
		if err == nil {
			_, err = unseal(sealing, file)
		}
		if err != nil {
			t.Fatalf("read %d during the saves, %d bytes: %v", n, len(file), err)
		}
	}
}

func TestFailedSaveKeepsTheOldFile(t *testing.T) {
	d := newDir(t)
	s := OpenSessions(d, newKey(t))
	if err := s.Save(full()); err != nil {
		t.Fatal(err)
	}
	// A folder that is not empty cannot be removed: the temporary file cannot be made.
	if err := os.MkdirAll(d.Path(tempName(sessionsName))+"/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(Saved{}); creds.CodeOf(err) != creds.CodeInternal {
		t.Errorf("Save = %v, want code %q", err, creds.CodeInternal)
	}
	if err := os.RemoveAll(d.Path(tempName(sessionsName))); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(); err != nil || reveal(got) != reveal(full()) {
		t.Errorf("Load = %v, want what was saved before", err)
	}
}

func TestRemove(t *testing.T) {
	d := newDir(t)
	s := OpenSessions(d, newKey(t))
	if err := s.Remove(); err != nil {
		t.Errorf("Remove of nothing = %v, want nil", err)
	}
	for _, name := range []string{sessionsName, damagedName, tempName(sessionsName)} {
		if err := os.WriteFile(d.Path(name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(string(d)); err != nil || len(entries) != 0 {
		t.Errorf("the folder holds %v, %v, want nothing", entries, err)
	}
}

func TestCodeMAC(t *testing.T) {
	d, key := newDir(t), newKey(t)
	s := OpenSessions(d, key)
	mac := s.CodeMAC("serial", "123456")
	if len(mac) != 64 || strings.Contains(mac, "123456") {
		t.Errorf("CodeMAC = %q, want 64 hex digits", mac)
	}
	if again := OpenSessions(d, key).CodeMAC("serial", "123456"); again != mac {
		t.Errorf("CodeMAC after a restart = %q, want %q", again, mac)
	}
	for name, other := range map[string]string{
		"another code":              s.CodeMAC("serial", "123457"),
		"another device":            s.CodeMAC("serial2", "123456"),
		"characters trading places": s.CodeMAC("serial1", "23456"),
		"another key":               OpenSessions(d, newKey(t)).CodeMAC("serial", "123456"),
	} {
		if other == mac {
			t.Errorf("%s gives the same MAC", name)
		}
	}
}

func TestNewKey(t *testing.T) {
	a, b := newKey(t), newKey(t)
	raw, err := base64.StdEncoding.DecodeString(a.Reveal())
	if err != nil || len(raw) != 32 || a.Equal(b) {
		t.Errorf("%d bytes, %v, equal %v, want 32 random bytes in base64", len(raw), err, a.Equal(b))
	}
}
