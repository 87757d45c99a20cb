package awssim

import "time"

// forgetAfter is when an expired session is forgotten: AWS then calls its token
// invalid, no longer expired.
const forgetAfter = 14 * 24 * time.Hour

// sessionKind is which call issued a session; what it may do depends on it.
type sessionKind int

const (
	userSession      sessionKind = iota + 1 // GetSessionToken
	roleSession                             // AssumeRole and its two relatives
	federatedSession                        // GetFederationToken
)

// session is one set of temporary credentials.
type session struct {
	kind    sessionKind
	key     AccessKey
	token   string
	issued  time.Time
	expires time.Time
	arn, id string
	account string
	user    *User     // who is at the root of it; nil for SAML and web identity
	role    *role     // nil unless roleSession
	signer  string    // the long-term key that started it, of a userSession
	mfaAt   time.Time // when its code was taken; zero without MFA, and always for roles
	// chained tells that temporary credentials signed the call for it.
	chained        bool
	sourceIdentity string
	transitive     map[string]string // session tags handed on along a chain
	revoked        bool
}

// issueLocked completes n with credentials that were never given out before.
func (s *Sim) issueLocked(n *session, now time.Time, d time.Duration) *session {
	for id, old := range s.sessions {
		if now.Sub(old.expires) > forgetAfter {
			delete(s.sessions, id)
		}
	}
	n.key = AccessKey{newID("ASIA", keyIDRandom), newSecret()}
	n.token = newToken()
	n.issued, n.expires = now, s.expiryLocked(now, d)
	s.sessions[n.key.AccessKeyID] = n
	return n
}

func (s *Sim) revokeLocked(which func(*session) bool) {
	for _, n := range s.sessions {
		if which(n) {
			n.revoked = true
		}
	}
}

// endSessionsLocked ends the sessions that a key started.
func (s *Sim) endSessionsLocked(accessKeyID string) {
	s.revokeLocked(func(n *session) bool { return n.kind == userSession && n.signer == accessKeyID })
}

// RevokeSession has one set of temporary credentials refused
// (InvalidClientTokenId) from now on. It panics if AWS never issued it.
func (s *Sim) RevokeSession(accessKeyID string) {
	s.lock()
	defer s.mu.Unlock()
	n := s.sessions[accessKeyID]
	if n == nil {
		panic("awssim: there is no session " + accessKeyID)
	}
	n.revoked = true
}

// caller is who signed a request. The zero caller is nobody.
type caller struct {
	arn, id, account string
	user             *User    // nil for roles and federated users
	session          *session // nil for a long-term key
}

func (k *accessKey) caller() caller {
	return caller{arn: k.user.ARN, id: k.user.id, account: k.user.Account, user: k.user}
}

func (n *session) caller() caller {
	c := caller{arn: n.arn, id: n.id, account: n.account, session: n}
	if n.kind == userSession {
		c.user = n.user
	}
	return c
}

// is tells whether a session of that kind signed.
func (c caller) is(k sessionKind) bool { return c.session != nil && c.session.kind == k }

// owner is the user whom a session leads back to; nil for SAML and web identity.
func (c caller) owner() *User {
	if c.session != nil {
		return c.session.user
	}
	return c.user
}

// isRoot tells whether the root user or one of its sessions signed.
func (c caller) isRoot() bool { return c.user != nil && c.user.root }

// names are the principals of a trust policy that mean this caller.
func (c caller) names(rootARN string) []string {
	names := []string{c.arn, c.account, rootARN}
	if c.is(roleSession) {
		names = append(names, c.session.role.ARN)
	}
	return names
}
