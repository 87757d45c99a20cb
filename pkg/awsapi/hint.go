package awsapi

// permission is the next step where AWS said no more than AccessDenied.
func (f *flight) permission() string {
	switch action := f.call.Action; action {
	case "AssumeRole":
		// AWS says the same for a role that is not there, a trust policy that does
		// not name the user, and a missing permission.
		return "check that the role exists, that its trust policy names you, and that you may call sts:AssumeRole"
	case "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity":
		return "check that the role exists, and that its trust policy names the identity provider and allows sts:" + action
	case "GetRole", "UpdateRole":
		return "the user or role that signs needs iam:" + action + " on this role"
	case "ListMFADevices", "ListAccessKeys", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed":
		return "the user needs iam:" + action + " on itself"
	case "GetFederationToken":
		return "the user needs sts:GetFederationToken"
	}
	// GetSessionToken and GetCallerIdentity need no permission.
	return "no policy of the user's forbids this call: check the one of the VPC endpoint, if there is one"
}

// durations is the next step where the duration is outside of what the action
// takes from anybody.
func (f *flight) durations() string {
	switch f.call.Action {
	case "GetSessionToken":
		return "set session_duration to 15m to 36h"
	case "GetFederationToken":
		return "ask for 15m to 36h"
	case "UpdateRole":
		return "a role's limit is 1h to 12h"
	}
	return "set duration to 15m to 12h, or to max"
}

// refusal is the next step for the error codes that say what is wrong.
func (f *flight) refusal(code string) string {
	role := f.call.Action == "GetRole" || f.call.Action == "UpdateRole"
	switch {
	case code == "LimitExceeded" && f.call.Action == "CreateAccessKey":
		return "a user has two access keys at most: delete one of them"
	case code == "NoSuchEntity" && role:
		return "check the role's name: IAM looks in the account of the key that signs, and nowhere else"
	case code == "UnmodifiableEntity" && role:
		return "the role belongs to an AWS service, and its limit stays as it is"
	case code == "MalformedPolicyDocument":
		return "correct the policy of the profile: it is no valid JSON policy"
	case code == "PackedPolicyTooLarge":
		return "use a smaller policy, or fewer session tags"
	}
	return ""
}

// again says who repeats a call that failed in passing: the engine does what it
// can do without a person, and never sends a code twice.
func (f *flight) again() string {
	switch {
	case f.call.Direct, f.call.Action == "GetSessionToken":
		return "try again with the next code"
	case f.call.RoleARN != "" && f.call.Service == serviceSTS:
		return "mfad tries again by itself"
	}
	return "try again"
}
