package awssim

import (
	"cmp"
	"strings"
	"time"
)

// Limits and defaults of the STS API Reference.
const (
	defaultSession   = 12 * 60 * 60 // seconds; GetSessionToken and GetFederationToken
	maxRootSession   = 60 * 60      // seconds; longer wishes of root are cut, not refused
	defaultAssume    = 60 * 60      // seconds
	maxChained       = 60 * 60      // seconds
	maxPackedPolicy  = 2048         // bytes, see packedPercent
	chainedTooLong   = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
	roleTooLong      = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
	rootCannotAssume = "Roles may not be assumed by root accounts."
)

// mfaAt is when the caller proved its MFA, zero if it did not. What AssumeRole
// returns carries no MFA, however it was made ("IAM User Guide, Secure API
// access with MFA").
func (c caller) mfaAt() time.Time {
	if c.is(userSession) {
		return c.session.mfaAt
	}
	return time.Time{}
}

// checkMFALocked takes the code that r brings, and tells since when the caller's
// MFA counts for this call: now, since the session's code, or (zero) not at all.
func (s *Sim) checkMFALocked(r *request) (time.Time, *failure) {
	serial, code := r.arguments.has("SerialNumber"), r.arguments.has("TokenCode")
	if !serial && !code {
		return r.who.mfaAt(), nil
	}
	if !serial || !code {
		return time.Time{}, accessDenied(textHalfMFA)
	}
	var d *Device
	if r.who.user != nil {
		d = r.who.user.device(r.arguments.text("SerialNumber"))
	}
	if d == nil || d.fido {
		return time.Time{}, accessDenied(textBadDevice)
	}
	if !d.takeLocked(r.arguments.text("TokenCode")) {
		return time.Time{}, accessDenied(textBadCode)
	}
	return r.now, nil
}

func (s *Sim) getCallerIdentity(r *request) (response, *failure) {
	return success("sts", "GetCallerIdentity", []node{
		leaf("Arn", r.who.arn), leaf("UserId", r.who.id), leaf("Account", r.who.account),
	}), nil
}

func (s *Sim) getSessionToken(r *request) (response, *failure) {
	if r.who.session != nil {
		return response{}, accessDenied("Cannot call GetSessionToken with session credentials")
	}
	mfaAt, f := s.checkMFALocked(r)
	if f != nil {
		return response{}, f
	}
	u := r.who.user
	n := s.issueLocked(&session{kind: userSession, arn: u.ARN, id: u.id, account: u.Account, user: u, mfaAt: mfaAt, signer: r.signature.keyID},
		r.now, u.sessionLength(r.arguments))
	a := success("sts", "GetSessionToken", []node{s.credentialsLocked(n)})
	a.issued = n
	return a, nil
}

// sessionLength is what GetSessionToken and GetFederationToken grant.
func (u *User) sessionLength(a arguments) time.Duration {
	seconds := a.integer("DurationSeconds", defaultSession)
	if u.root {
		seconds = min(seconds, maxRootSession)
	}
	return time.Duration(seconds) * time.Second
}

func (s *Sim) getFederationToken(r *request) (response, *failure) {
	if r.who.session != nil {
		return response{}, accessDenied("Cannot call GetFederationToken with session credentials")
	}
	u, name := r.who.user, r.arguments.text("Name")
	arn := s.arnLocked("sts", u.Account, "federated-user/"+name)
	if f := r.who.authorize("sts:GetFederationToken", arn, true); f != nil {
		return response{}, f
	}
	if f := r.arguments.checkPolicy(); f != nil {
		return response{}, f
	}
	if _, f := r.transitiveTags(); f != nil {
		return response{}, f
	}
	id := u.Account + ":" + name
	n := s.issueLocked(&session{kind: federatedSession, arn: arn, id: id, account: u.Account, user: u},
		r.now, u.sessionLength(r.arguments))
	result := []node{
		s.credentialsLocked(n),
		branch("FederatedUser", leaf("FederatedUserId", id), leaf("Arn", arn)),
	}
	a := success("sts", "GetFederationToken", append(result, r.arguments.packedPolicySize()...))
	a.issued = n
	return a, nil
}

// credentialsLocked writes what a client keeps.
func (s *Sim) credentialsLocked(n *session) node {
	return branch("Credentials",
		leaf("AccessKeyId", n.key.AccessKeyID), leaf("SecretAccessKey", n.key.SecretAccessKey),
		leaf("SessionToken", n.token), leaf("Expiration", s.formatTimeLocked(n.expires)))
}

// assumedLocked issues a role session and writes the answer of AssumeRole and its
// relatives. The role's path is no part of the session's ARN.
func (s *Sim) assumedLocked(r *request, to *role, n *session, seconds int, more ...node) response {
	name := cmp.Or(r.arguments.text("RoleSessionName"), n.sourceName())
	n.kind, n.role, n.account = roleSession, to, to.Account
	n.arn = s.arnLocked("sts", to.Account, "assumed-role/"+to.Name+"/"+name)
	n.id = to.id + ":" + name
	s.issueLocked(n, r.now, time.Duration(seconds)*time.Second)
	to.lastUsed = lastUsed{r.now, "sts", r.signature.region}
	result := []node{
		s.credentialsLocked(n),
		branch("AssumedRoleUser", leaf("AssumedRoleId", n.id), leaf("Arn", n.arn)),
	}
	result = append(result, r.arguments.packedPolicySize()...)
	if n.sourceIdentity != "" {
		result = append(result, leaf("SourceIdentity", n.sourceIdentity))
	}
	a := success("sts", r.operation.action, append(result, more...))
	a.issued = n
	return a
}

// sourceName is the session's name where the caller does not choose one.
func (n *session) sourceName() string {
	_, name, _ := strings.Cut(n.id, ":")
	return name
}
