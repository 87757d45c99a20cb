package state

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

const (
	sessionsName = "sessions"
	damagedName  = "sessions.damaged"
	keySize      = 32
)

// Saved is what a restart of the daemon must not forget. The zero Saved is the
// state of a new installation. Times are wall-clock time; they come back in UTC.
type Saved struct {
	// Sessions are the MFA sessions, by the identity's name, a blank, and what
	// else they were made for.
	Sessions map[string]creds.Credentials
	// Profiles are the living credentials that are served, by profile name.
	Profiles map[string]SavedProfile
	// Spare are those that live too, but not as long as what is served.
	Spare map[string]SavedProfile
	// Devices are the MFA devices, by serial.
	Devices map[string]Device
	// Refusals are AWS's refusals of the last day, oldest first.
	Refusals []Refusal
}

// SavedProfile is a profile's credentials and how they came.
type SavedProfile struct {
	Credentials creds.Credentials
	Via         string // "session", "direct", "chain", "saml" or "web_identity"
	Fingerprint string // of the profile's config that they were made for
}

// Device is what is remembered of an MFA device, so that no code is sent twice:
// AWS takes each code once (Configuring MFA-protected API access,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html).
type Device struct {
	Step    int64  // of the last code sent: Unix seconds / 30
	CodeMAC string // of the last code sent, by [Sessions.CodeMAC]; empty if none was
}

// Refusal is one call that AWS refused.
type Refusal struct {
	Time          time.Time
	Identity      string
	Profile       string // empty for a session
	RoleARN       string
	Call          string // which it was, in the words of whoever made it
	Code          creds.Code
	Message, Hint string
	Fingerprint   string // of the profile's config at that time
}

// Sessions is the file that keeps [Saved] in the state folder, encrypted with
// AES-256-GCM under a key from the keyring. Use one per folder, by the holder of
// the folder's [Lock]; its methods may be called concurrently.
type Sessions struct {
	dir     Dir
	sealing []byte // both derived from the key; nil if the key is malformed
	macs    []byte

	mu sync.Mutex // serialises Load and Save
}

// NewKey gives a new random key for [OpenSessions]: base64 of 32 bytes.
func NewKey() (creds.Secret, error) {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return creds.Secret{}, broken("make a key", err)
	}
	return creds.NewSecret(base64.StdEncoding.EncodeToString(key)), nil
}

// OpenSessions gives the sessions file of a folder under a key of NewKey's. It
// touches no file; a malformed key is told by Load and Save.
func OpenSessions(d Dir, key creds.Secret) *Sessions {
	s := &Sessions{dir: d}
	raw, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil || len(raw) != keySize {
		return s
	}
	// Two uses, two keys: nothing learned from a MAC helps with the file.
	sealing, err1 := hkdf.Key(sha256.New, raw, nil, "mfad sessions file", keySize)
	macs, err2 := hkdf.Key(sha256.New, raw, nil, "mfad used codes", keySize)
	if err1 == nil && err2 == nil {
		s.sealing, s.macs = sealing, macs
	}
	return s
}

// CodeMAC gives a keyed hash of a device's code, to tell later whether the same
// code is given again without keeping it. It is lower-case hex; "" under a
// malformed key, which must not be taken for a match.
func (s *Sessions) CodeMAC(serial, code string) string {
	if s.macs == nil {
		return ""
	}
	mac := hmac.New(sha256.New, s.macs)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(serial)))
	mac.Write(n[:]) // else serial and code could trade characters
	mac.Write([]byte(serial))
	mac.Write([]byte(code))
	return hex.EncodeToString(mac.Sum(nil))
}

const (
	opLoad = "read the saved sessions"
	opSave = "save the sessions"
)

func errBadKey(op string) error {
	return &creds.Error{Code: creds.CodeKeyringFailed, Op: op, Hint: "run: mfad doctor",
		Err: errors.New("the key in the keyring is malformed")}
}

// Load reads the file. Where there is none it gives the zero Saved and nil.
//
// A file that the key does not open, because it is damaged or the key is another
// one, is [creds.CodeInternal]; it is moved to sessions.damaged (replacing an
// older one: what it holds ends by itself within days), so that the next Save
// starts anew. A malformed key is [creds.CodeKeyringFailed], a file that cannot
// be read [creds.CodeInternal]; both leave the file alone.
func (s *Sessions) Load() (Saved, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealing == nil {
		return Saved{}, errBadKey(opLoad)
	}
	// A writer that was killed leaves its half of a file behind.
	if err := s.dir.remove(tempName(sessionsName)); err != nil {
		return Saved{}, err
	}
	text, err := os.ReadFile(s.dir.Path(sessionsName))
	if errors.Is(err, fs.ErrNotExist) {
		return Saved{}, nil
	}
	if err != nil {
		return Saved{}, broken(opLoad, err)
	}
	saved, err := unseal(s.sealing, text)
	if err != nil {
		return Saved{}, s.setAsideLocked(err)
	}
	return saved, nil
}

// setAsideLocked keeps a file that cannot be used, for whoever wants to know
// why, and gives the error to report.
func (s *Sessions) setAsideLocked(cause error) error {
	from, to := s.dir.Path(sessionsName), s.dir.Path(damagedName)
	if err := os.Rename(from, to); err != nil {
		return broken(opLoad, errors.Join(cause, err))
	}
	if err := os.Chmod(to, 0o600); err != nil {
		return broken(opLoad, errors.Join(cause, err))
	}
	return &creds.Error{Code: creds.CodeInternal, Op: opLoad, Err: cause,
		Hint: "run: mfad login (the old file is kept as " + to + ")"}
}

// Save replaces the file. Failures are [creds.CodeInternal], or
// [creds.CodeKeyringFailed] for a malformed key; the old file is then still
// there.
func (s *Sessions) Save(saved Saved) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealing == nil {
		return errBadKey(opSave)
	}
	text, err := seal(s.sealing, saved)
	if err != nil {
		return broken(opSave, err)
	}
	return s.dir.WriteFile(sessionsName, text)
}

// Remove deletes the file and what was set aside of it, as `mfad lock` does. A
// file that is not there is fine.
func (s *Sessions) Remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, name := range []string{sessionsName, damagedName, tempName(sessionsName)} {
		all = append(all, s.dir.remove(name))
	}
	return errors.Join(all...)
}
