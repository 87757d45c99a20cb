package state

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// The file is a header line, a random nonce and the ciphertext of JSON. The
// header is authenticated with the rest: one format's content cannot be passed
// off as another's.
const (
	headerMagic  = "mfad sessions "
	header       = headerMagic + "1\n"
	wireVersion  = 1
	maxHeaderLen = 64
)

// The JSON inside. Fields are only ever added; unknown ones are passed over, so
// that an older mfad can follow a newer one.
type (
	wireSaved struct {
		Version  int                        `json:"version"`
		Sessions map[string]wireCredentials `json:"sessions,omitempty"`
		Profiles map[string]wireProfile     `json:"profiles,omitempty"`
		Spare    map[string]wireProfile     `json:"spare,omitempty"`
		Devices  map[string]wireDevice      `json:"devices,omitempty"`
		Refusals []wireRefusal              `json:"refusals,omitempty"`
	}
	wireCredentials struct {
		AccessKeyID     string    `json:"access_key_id"`
		SecretAccessKey string    `json:"secret_access_key"`
		SessionToken    string    `json:"session_token,omitempty"`
		Issued          time.Time `json:"issued,omitzero"`
		Expires         time.Time `json:"expires,omitzero"`
		Principal       string    `json:"principal,omitempty"`
	}
	wireProfile struct {
		wireCredentials
		Via         string `json:"via,omitempty"`
		Fingerprint string `json:"fingerprint,omitempty"`
	}
	wireDevice struct {
		Step    int64  `json:"step"`
		CodeMAC string `json:"code_mac,omitempty"`
	}
	wireRefusal struct {
		Time        time.Time  `json:"time"`
		Identity    string     `json:"identity"`
		Profile     string     `json:"profile,omitempty"`
		RoleARN     string     `json:"role_arn,omitempty"`
		Call        string     `json:"call,omitempty"`
		Code        creds.Code `json:"code"`
		Message     string     `json:"message,omitempty"`
		Hint        string     `json:"hint,omitempty"`
		Fingerprint string     `json:"fingerprint,omitempty"`
	}
)

// seal is where the secrets are revealed, into the ciphertext alone.
func seal(key []byte, saved Saved) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(toWire(saved))
	if err != nil {
		return nil, err
	}
	return gcm.Seal([]byte(header), nil, text, []byte(header)), nil
}

// unseal gives errors that quote nothing of the content.
func unseal(key, file []byte) (Saved, error) {
	if !bytes.HasPrefix(file, []byte(header)) {
		return Saved{}, foreign(file)
	}
	gcm, err := newGCM(key)
	if err != nil {
		return Saved{}, err
	}
	text, err := gcm.Open(nil, nil, file[len(header):], []byte(header))
	if err != nil {
		return Saved{}, errors.New("the file is damaged, or was written under another key")
	}
	var w wireSaved
	if err := json.Unmarshal(text, &w); err != nil {
		return Saved{}, errors.New("the file's content is not what mfad writes")
	}
	if w.Version > wireVersion {
		return Saved{}, fmt.Errorf("the file has version %d, from a newer mfad; this one knows %d", w.Version, wireVersion)
	}
	return fromWire(w), nil
}

// foreign tells a newer format from something else.
func foreign(file []byte) error {
	line, _, found := bytes.Cut(file[:min(len(file), maxHeaderLen)], []byte("\n"))
	if version, ok := bytes.CutPrefix(line, []byte(headerMagic)); ok && found {
		return fmt.Errorf("the file has format %q, perhaps from a newer mfad; this one knows 1", version)
	}
	return errors.New("the file is no sessions file of mfad's")
}

// newGCM makes a cipher that puts a random nonce before each ciphertext. A key
// is good for 2^32 of them (NIST SP 800-38D, section 8.3), a save per second for
// a century.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func toWire(s Saved) wireSaved {
	w := wireSaved{Version: wireVersion, Sessions: mapValues(s.Sessions, credentialsToWire)}
	profile := func(p SavedProfile) wireProfile {
		return wireProfile{credentialsToWire(p.Credentials), p.Via, p.Fingerprint}
	}
	w.Profiles, w.Spare = mapValues(s.Profiles, profile), mapValues(s.Spare, profile)
	w.Devices = mapValues(s.Devices, func(d Device) wireDevice { return wireDevice(d) })
	for _, r := range s.Refusals {
		r.Time = wall(r.Time)
		w.Refusals = append(w.Refusals, wireRefusal(r))
	}
	return w
}

func fromWire(w wireSaved) Saved {
	s := Saved{Sessions: mapValues(w.Sessions, credentialsFromWire)}
	profile := func(p wireProfile) SavedProfile {
		return SavedProfile{credentialsFromWire(p.wireCredentials), p.Via, p.Fingerprint}
	}
	s.Profiles, s.Spare = mapValues(w.Profiles, profile), mapValues(w.Spare, profile)
	s.Devices = mapValues(w.Devices, func(d wireDevice) Device { return Device(d) })
	for _, r := range w.Refusals {
		r.Time = wall(r.Time)
		s.Refusals = append(s.Refusals, Refusal(r))
	}
	return s
}

func credentialsToWire(c creds.Credentials) wireCredentials {
	return wireCredentials{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey.Reveal(),
		SessionToken:    c.SessionToken.Reveal(),
		Issued:          wall(c.Issued),
		Expires:         wall(c.Expires),
		Principal:       c.Principal,
	}
}

func credentialsFromWire(w wireCredentials) creds.Credentials {
	return creds.Credentials{
		AccessKeyID:     w.AccessKeyID,
		SecretAccessKey: creds.NewSecret(w.SecretAccessKey),
		SessionToken:    creds.NewSecret(w.SessionToken),
		Issued:          wall(w.Issued),
		Expires:         wall(w.Expires),
		Principal:       w.Principal,
	}
}

// wall drops the monotonic reading, which means nothing to another process.
func wall(t time.Time) time.Time { return t.Round(0).UTC() }

// mapValues keeps nil for nil.
func mapValues[A, B any](m map[string]A, f func(A) B) map[string]B {
	if m == nil {
		return nil
	}
	out := make(map[string]B, len(m))
	for k, v := range m {
		out[k] = f(v)
	}
	return out
}
