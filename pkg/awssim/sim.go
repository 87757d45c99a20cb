package awssim

import (
	"cmp"
	"sync"
	"time"
)

// Sim is one simulated AWS with any number of accounts. The zero value is an
// empty AWS, ready to use; all methods are safe for concurrent use. A Sim must
// not be copied after first use.
type Sim struct {
	// LifetimeFactor divides the lifetime of whatever is granted: with 60, an
	// hour asked for and reported as allowed ends after a minute. The age of an
	// MFA ([Role.MaxMFAAge]) runs as much faster. Expiration is then written with
	// milliseconds, where AWS writes whole seconds. Below 2 it does nothing. Set
	// it before the first request.
	LifetimeFactor int
	// CodeStepFactor divides the 30 s of a one-time code. Codes of ordinary
	// authenticators fit only 0 and 1. Set it before the first request.
	CodeStepFactor int

	mu sync.Mutex // guards all below, and the state of every User and Device made by this Sim

	partition      string // "" means aws
	clockOffset    time.Duration
	keyPropagation time.Duration
	// endWith: MFA sessions end with the key that started them.
	endWithInactive, endWithDeleted bool

	users      map[string]*User      // by ARN
	keys       map[string]*accessKey // by access key ID
	roles      map[string]*role      // by ARN
	sessions   map[string]*session   // by access key ID
	identities map[string]Identity   // by assertion or token
	signins    map[string]signin     // by sign-in token
	consoles   []ConsoleSession
	faults     []*armedFault
	calls      []*Call
}

// New returns an empty simulator.
func New() *Sim { return &Sim{} }

// lock takes mu and readies the zero value.
func (s *Sim) lock() {
	s.mu.Lock()
	if s.users == nil {
		s.users = make(map[string]*User)
		s.keys = make(map[string]*accessKey)
		s.roles = make(map[string]*role)
		s.sessions = make(map[string]*session)
		s.identities = make(map[string]Identity)
		s.signins = make(map[string]signin)
	}
}

// Now is what the simulated servers' clock shows: the real time, or the
// bubble's, plus [Sim.SetClockOffset].
func (s *Sim) Now() time.Time {
	s.lock()
	defer s.mu.Unlock()
	return s.nowLocked()
}

func (s *Sim) nowLocked() time.Time {
	return time.Now().Round(0).UTC().Add(s.clockOffset)
}

// SetClockOffset puts the servers' clock ahead of this machine's (or behind it,
// if d is negative), as a machine with a wrong clock meets AWS. It shows in the
// Date header, the check of signatures and codes, and in every Expiration.
func (s *Sim) SetClockOffset(d time.Duration) {
	s.lock()
	defer s.mu.Unlock()
	s.clockOffset = d
}

// SetKeyPropagation delays access keys made from now on: until d after its
// creation, IAM and STS do not know the key (InvalidClientTokenId). The first
// key of a user, made by [Sim.AddUser], is known at once.
func (s *Sim) SetKeyPropagation(d time.Duration) {
	s.lock()
	defer s.mu.Unlock()
	s.keyPropagation = d
}

// SetSessionsEnd has an MFA session refused (InvalidClientTokenId) once the key
// that started it is deactivated or deleted. AWS's documents do not say that such
// sessions end, nor that they live on; by default they live on. Role sessions
// always do.
func (s *Sim) SetSessionsEnd(withInactive, withDeleted bool) {
	s.lock()
	defer s.mu.Unlock()
	s.endWithInactive, s.endWithDeleted = withInactive, withDeleted
}

// SetPartition names the partition (aws, aws-cn, aws-us-gov, aws-eusc) of users
// and roles added from now on and of the regions that may sign. "" means aws.
// Call it before the first AddUser; a Sim has one partition, as AWS's are
// separate.
func (s *Sim) SetPartition(name string) {
	s.lock()
	defer s.mu.Unlock()
	if _, known := partitions[orAWS(name)]; !known {
		panic("awssim: unknown partition " + name)
	}
	s.partition = name
}

// orAWS fills in the partition of a zero Sim.
func orAWS(partition string) string { return cmp.Or(partition, "aws") }

// arnLocked composes an ARN of this Sim's partition.
func (s *Sim) arnLocked(service, account, resource string) string {
	return "arn:" + orAWS(s.partition) + ":" + service + "::" + account + ":" + resource
}

// grantLocked is the lifetime really given for d.
func (s *Sim) grantLocked(d time.Duration) time.Duration {
	return d / time.Duration(max(s.LifetimeFactor, 1))
}

// expiryLocked is the end of something granted at now for d, to the precision
// that [Sim.formatTimeLocked] tells, so that both sides agree on it.
func (s *Sim) expiryLocked(now time.Time, d time.Duration) time.Time {
	if s.LifetimeFactor > 1 {
		return now.Add(s.grantLocked(d)).Truncate(time.Millisecond)
	}
	return now.Truncate(time.Second).Add(d)
}

// formatTimeLocked writes a time as STS does.
func (s *Sim) formatTimeLocked(t time.Time) string {
	if s.LifetimeFactor > 1 {
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return formatTime(t)
}

// formatTime writes whole seconds, as IAM's dates are.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
