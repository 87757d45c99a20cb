package state

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/mfad/mfad/pkg/creds"
)

// grantNonce is the length of a grant's random part, in bytes.
const grantNonce = 16

// Grant makes a text that says, and that nobody without the key can make, that a
// person has allowed the use of a profile. Nothing is stored: it is good as long as
// the key is the same, also after a restart. A malformed key is
// [creds.CodeKeyringFailed].
func (s *Sessions) Grant(profile string) (creds.Secret, error) {
	var nonce [grantNonce]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return creds.Secret{}, broken("make a grant", err)
	}
	mac := s.grantMAC(profile, nonce[:])
	if mac == nil {
		return creds.Secret{}, errBadKey("make a grant")
	}
	return creds.NewSecret(hex.EncodeToString(append(nonce[:], mac...))), nil
}

// Granted tells whether a text is a grant for that profile.
func (s *Sessions) Granted(profile string, grant creds.Secret) bool {
	raw, err := hex.DecodeString(grant.Reveal())
	if err != nil || len(raw) != grantNonce+sha256.Size {
		return false
	}
	mac := s.grantMAC(profile, raw[:grantNonce])
	return mac != nil && hmac.Equal(mac, raw[grantNonce:])
}

// grantMAC is nil under a malformed key.
func (s *Sessions) grantMAC(profile string, nonce []byte) []byte {
	if s.macs == nil {
		return nil
	}
	key, err := hkdf.Key(sha256.New, s.macs, nil, "mfad grants", keySize) // not the key of the codes' hashes
	if err != nil {
		return nil
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(nonce) // of a fixed length
	mac.Write([]byte(profile))
	return mac.Sum(nil)
}
