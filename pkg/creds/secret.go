package creds

import (
	"crypto/subtle"
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Secret holds text that must not be printed, logged or marshalled by accident.
//
// The text sits behind a pointer because fmt and log/slog do not call methods
// on unexported fields: there they print an address instead. Compare with
// Equal. The zero Secret is empty.
type Secret struct{ p *string }

// NewSecret keeps s. The empty string gives the zero Secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// Reveal returns the text. Call it only where a protocol needs it.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero tells whether the secret is empty.
func (s Secret) IsZero() bool { return s.p == nil }

// Equal compares two secrets in a time that does not depend on their content.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// Format writes a placeholder, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText gives a placeholder to every encoder. What really has to carry a
// secret (the keyring's items, the sessions file, an answer to a client) names
// it with Reveal.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
