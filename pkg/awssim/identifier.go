package awssim

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
)

// Lengths as AWS's: "IAM User Guide, IAM identifiers" has the prefixes; a
// session token has no promised size and is about a thousand characters.
const (
	keyIDRandom  = 16  // characters after AKIA and ASIA
	uniqueRandom = 17  // characters after AIDA and AROA
	secretBytes  = 30  // 40 characters in base64
	tokenBytes   = 756 // 1008 characters in base64
)

// random gives n fresh bytes; crypto/rand never fails.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// newID gives prefix and n random characters of A–Z and 2–7.
func newID(prefix string, n int) string {
	return prefix + base32.StdEncoding.EncodeToString(random(n))[:n]
}

// newSecret gives a secret access key.
func newSecret() string { return base64.StdEncoding.EncodeToString(random(secretBytes)) }

// newToken gives an opaque token with the beginning that AWS's have.
func newToken() string {
	return "IQoJb3JpZ2luX2Vj" + base64.StdEncoding.EncodeToString(random(tokenBytes))
}

// newRequestID gives a random UUID.
func newRequestID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
