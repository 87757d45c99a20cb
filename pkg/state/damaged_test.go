package state

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// checkSetAside asserts what a user relies on when the file cannot be used.
func checkSetAside(t *testing.T, d Dir, s *Sessions, file []byte) {
	t.Helper()
	if err := os.WriteFile(d.Path(sessionsName), file, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load()
	if creds.CodeOf(err) != creds.CodeInternal || creds.HintOf(err) == "" || !reflect.DeepEqual(got, Saved{}) {
		t.Fatalf("Load = %+v, %v, want nothing, code %q and a hint", got, err, creds.CodeInternal)
	}
	if strings.Contains(err.Error(), "fake") {
		t.Fatalf("the error shows content: %v", err)
	}
	kept, err := os.ReadFile(d.Path(damagedName))
	if err != nil || !bytes.Equal(kept, file) {
		t.Fatalf("%s holds %d bytes, %v, want the %d of the file", damagedName, len(kept), err, len(file))
	}
	if got, err := s.Load(); err != nil || !reflect.DeepEqual(got, Saved{}) {
		t.Fatalf("next Load = %+v, %v, want to start anew", got, err)
	}
}

func TestWrongKey(t *testing.T) {
	d := newDir(t)
	if err := OpenSessions(d, newKey(t)).Save(full()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(d.Path(sessionsName))
	if err != nil {
		t.Fatal(err)
	}
	checkSetAside(t, d, OpenSessions(d, newKey(t)), file)
}

func TestDamagedFile(t *testing.T) {
	d, key := newDir(t), newKey(t)
	s := OpenSessions(d, key)
	if err := s.Save(Saved{Devices: map[string]Device{"s": {Step: 1}}}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(d.Path(sessionsName))
	if err != nil {
		t.Fatal(err)
	}
	for i := range file {
		flipped := bytes.Clone(file)
		flipped[i] ^= 0x10
		checkSetAside(t, d, s, flipped)
		checkSetAside(t, d, s, file[:i])
	}
	checkSetAside(t, d, s, append(bytes.Clone(file), 'x'))
	checkSetAside(t, d, s, []byte("[default]\naws_access_key_id = fake\n"))
}

func TestNewerFile(t *testing.T) {
	d, key := newDir(t), newKey(t)
	s := OpenSessions(d, key)
	gcm, err := newGCM(s.sealing)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := d.WriteFile(sessionsName, gcm.Seal([]byte(header), nil, []byte(text), []byte(header))); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"version":1,"devices":{"s":{"step":7,"colour":"blue"}},"invented":[1,2,3]}`)
	if got, err := s.Load(); err != nil || got.Devices["s"].Step != 7 {
		t.Errorf("Load with unknown fields = %+v, %v, want the known ones", got, err)
	}
	write(`{"version":2}`)
	if _, err := s.Load(); err == nil || !strings.Contains(err.Error(), "newer mfad") {
		t.Errorf("Load of version 2 = %v, want it to name a newer mfad", err)
	}
	if err := d.WriteFile(sessionsName, []byte("mfad sessions 2\nwhatever")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(); err == nil || !strings.Contains(err.Error(), "newer mfad") {
		t.Errorf("Load of format 2 = %v, want it to name a newer mfad", err)
	}
}

func TestMalformedKeyTouchesNothing(t *testing.T) {
	d, key := newDir(t), newKey(t)
	if err := OpenSessions(d, key).Save(full()); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "fake not base64", base64.StdEncoding.EncodeToString([]byte("too short"))} {
		s := OpenSessions(d, creds.NewSecret(bad))
		_, load := s.Load()
		for op, err := range map[string]error{"Load": load, "Save": s.Save(Saved{})} {
			if creds.CodeOf(err) != creds.CodeKeyringFailed || bad != "" && strings.Contains(err.Error(), bad) {
				t.Errorf("%s with key %q = %v, want code %q and no key", op, bad, err, creds.CodeKeyringFailed)
			}
		}
		if got := s.CodeMAC("s", "123456"); got != "" {
			t.Errorf("CodeMAC = %q, want nothing", got)
		}
	}
	if got, err := OpenSessions(d, key).Load(); err != nil || reveal(got) != reveal(full()) {
		t.Errorf("Load with the right key = %v, want all there", err)
	}
}

func TestUnreadableFileIsNotSetAside(t *testing.T) {
	d := newDir(t)
	if err := os.Mkdir(d.Path(sessionsName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSessions(d, newKey(t)).Load(); creds.CodeOf(err) != creds.CodeInternal {
		t.Errorf("Load = %v, want code %q", err, creds.CodeInternal)
	}
	if _, err := os.Stat(d.Path(damagedName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something that could not be read was moved away: %v", err)
	}
}
