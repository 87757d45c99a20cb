// Package creds holds the values that every other package passes around:
// credentials, secrets, and the failures that a person or a script acts on.
// It never reads a file, the clock, the keyring or the network.
package creds

import "time"

// Credentials are one AWS access key, long-term or temporary.
//
// The zero value means "none". A long-term key has neither SessionToken nor
// Expires.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret
	// Issued is when mfad received them and Expires when AWS ends them, by the
	// wall clock, without a monotonic reading: hours asleep count.
	Issued, Expires time.Time
	// Principal is the ARN that AWS named in its answer, such as
	// arn:aws:sts::111111111111:assumed-role/Admin/alice; empty if it named none.
	Principal string
}

// IsZero tells whether there are no credentials.
func (c Credentials) IsZero() bool { return c.AccessKeyID == "" }

// Lifetime is how long AWS gave them; 0 for a long-term key.
func (c Credentials) Lifetime() time.Duration {
	if c.Expires.IsZero() {
		return 0
	}
	return c.Expires.Sub(c.Issued)
}

// UsableAt tells whether a request signed with them at t can succeed.
func (c Credentials) UsableAt(t time.Time) bool {
	return !c.IsZero() && (c.Expires.IsZero() || t.Round(0).Before(c.Expires))
}

// Equal compares everything that a tool would see; Issued is not part of it.
func (c Credentials) Equal(o Credentials) bool {
	return c.AccessKeyID == o.AccessKeyID && c.SecretAccessKey.Equal(o.SecretAccessKey) &&
		c.SessionToken.Equal(o.SessionToken) && c.Expires.Equal(o.Expires) && c.Principal == o.Principal
}
