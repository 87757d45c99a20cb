package awssim

import "strings"

// permissions are an identity's policies, reduced to lists of actions.
type permissions struct{ allow, deny []string }

// verdict is what a policy says about an action.
type verdict int

const (
	silent verdict = iota
	allowed
	denied
)

// about judges an action; a deny beats every allow ("IAM User Guide, Policy
// evaluation logic").
func (p permissions) about(action string) verdict {
	switch {
	case covers(p.deny, action):
		return denied
	case covers(p.allow, action):
		return allowed
	}
	return silent
}

// covers tells whether one of the patterns is action, its service's SERVICE:*,
// or *.
func covers(patterns []string, action string) bool {
	service, _, _ := strings.Cut(action, ":")
	for _, p := range patterns {
		if p == "*" || strings.EqualFold(p, service+":*") || strings.EqualFold(p, action) {
			return true
		}
	}
	return false
}

// worksWithoutMFA is what the policy of [User.SetNeedsMFA] leaves open.
func worksWithoutMFA(action string) bool {
	switch action {
	case "iam:GetUser", "iam:ListMFADevices", "sts:GetSessionToken", "sts:GetCallerIdentity":
		return true
	}
	return false
}

// authorize asks the caller's identity policies. byDefault is the answer of an
// identity that says nothing about the action.
func (c caller) authorize(action, resource string, byDefault bool) *failure {
	var policies permissions
	switch {
	case c.isRoot():
		return nil
	case c.is(roleSession):
		policies = permissions{c.session.role.Allow, c.session.role.Deny}
	case c.user != nil:
		policies = c.user.permissions
		if c.user.needsMFA && c.mfaAt().IsZero() && !worksWithoutMFA(action) {
			return explicitlyDenied(c.arn, action, resource)
		}
	}
	switch policies.about(action) {
	case denied:
		return explicitlyDenied(c.arn, action, resource)
	case silent:
		if !byDefault {
			return notAllowed(c.arn, action, resource)
		}
	}
	return nil
}
