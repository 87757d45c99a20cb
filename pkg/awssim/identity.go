package awssim

import (
	"cmp"
	"strconv"
	"time"
)

// Identity is a SAML assertion or a web identity token that AWS takes. It stands
// for the whole document: AWS finds it by Token alone.
type Identity struct {
	// Token is the text that SAMLAssertion or WebIdentityToken has to be.
	Token string
	// Provider is the ARN of the identity provider in IAM, which the role's
	// Principals must name.
	Provider string
	Subject  string
	// SessionName is the role session's name with SAML; "" means Subject.
	SessionName string
	// Expires is until when the token can be exchanged; zero means always.
	Expires time.Time
	// SessionNotOnOrAfter ends a SAML session early; zero means it does not.
	SessionNotOnOrAfter time.Time
}

// AddIdentity makes AWS take an assertion or token.
func (s *Sim) AddIdentity(i Identity) {
	s.lock()
	defer s.mu.Unlock()
	s.identities[i.Token] = i
}

func (s *Sim) assumeRoleWithSAML(r *request) (response, *failure) {
	i, known := s.identities[r.arguments.text("SAMLAssertion")]
	switch {
	case !known:
		return response{}, badRequest("InvalidIdentityToken", "Response signature invalid")
	case !i.Expires.IsZero() && !r.now.Before(i.Expires):
		return response{}, badRequest("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
	case i.Provider != r.arguments.text("PrincipalArn"):
		return response{}, accessDenied("Not authorized to perform sts:AssumeRoleWithSAML")
	}
	to, seconds, f := s.federatedRoleLocked(r, i)
	if f != nil {
		return response{}, f
	}
	if end := i.SessionNotOnOrAfter; !end.IsZero() {
		seconds = min(seconds, int(end.Sub(r.now)/time.Second))
		if seconds <= 0 {
			return response{}, badRequest("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
		}
	}
	name := cmp.Or(i.SessionName, i.Subject)
	return s.assumedLocked(r, to, &session{id: ":" + name}, seconds,
		leaf("Subject", i.Subject), leaf("SubjectType", "persistent"), leaf("Issuer", i.Provider),
		leaf("Audience", "https://signin.aws.amazon.com/saml")), nil
}

func (s *Sim) assumeRoleWithWebIdentity(r *request) (response, *failure) {
	i, known := s.identities[r.arguments.text("WebIdentityToken")]
	switch {
	case !known:
		return response{}, badRequest("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	case !i.Expires.IsZero() && !r.now.Before(i.Expires):
		return response{}, badRequest("ExpiredTokenException", "Token expired: current date/time "+unix(r.now)+
			" must be before the expiration date/time "+unix(i.Expires))
	}
	to, seconds, f := s.federatedRoleLocked(r, i)
	if f != nil {
		return response{}, f
	}
	return s.assumedLocked(r, to, &session{}, seconds,
		leaf("SubjectFromWebIdentityToken", i.Subject), leaf("Provider", i.Provider), leaf("Audience", "sts.amazonaws.com")), nil
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// federatedRoleLocked finds the role that i may assume and for how long. A role
// with a condition on MFA refuses: such sessions never carry any.
func (s *Sim) federatedRoleLocked(r *request, i Identity) (*role, int, *failure) {
	to := s.roles[r.arguments.text("RoleArn")]
	if to == nil || !to.trusts(i.Provider) || to.RequireMFA || to.MaxMFAAge > 0 {
		return nil, 0, accessDenied("Not authorized to perform sts:" + r.operation.action)
	}
	seconds := r.arguments.integer("DurationSeconds", defaultAssume)
	if f := checkRoleDuration(to, seconds, false); f != nil {
		return nil, 0, f
	}
	return to, seconds, r.arguments.checkPolicy()
}
