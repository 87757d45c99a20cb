package awssim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// assumeRole checks in this order: root, MFA, trust, duration, session policy.
// AWS does not say whether a call that fails after its code was looked at spends
// the code; here it does.
func (s *Sim) assumeRole(r *request) (response, *failure) {
	arn := r.arguments.text("RoleArn")
	if !isRoleARN(arn) {
		return response{}, validation(arn + " is invalid")
	}
	if r.who.isRoot() {
		return response{}, accessDenied(rootCannotAssume)
	}
	mfaAt, f := s.checkMFALocked(r)
	if f != nil {
		return response{}, f
	}
	to := s.roles[arn]
	if f := s.checkTrustLocked(r, to, mfaAt); f != nil {
		return response{}, f
	}
	seconds := r.arguments.integer("DurationSeconds", defaultAssume)
	if f := checkRoleDuration(to, seconds, r.who.session != nil); f != nil {
		return response{}, f
	}
	if f := r.arguments.checkPolicy(); f != nil {
		return response{}, f
	}
	n := &session{user: r.who.owner(), chained: r.who.session != nil, sourceIdentity: r.sourceIdentity()}
	if n.transitive, f = r.transitiveTags(); f != nil {
		return response{}, f
	}
	return s.assumedLocked(r, to, n, seconds), nil
}

// isRoleARN tells whether arn has the form of a role's.
func isRoleARN(arn string) bool {
	part := strings.SplitN(arn, ":", 6)
	return len(part) == 6 && part[0] == "arn" && part[2] == "iam" && part[3] == "" &&
		isAccount(part[4]) && strings.HasPrefix(part[5], "role/")
}

// checkTrustLocked asks the caller's policies and the role's trust policy. A
// role that does not exist is refused in the same words as one that says no.
func (s *Sim) checkTrustLocked(r *request, to *role, mfaAt time.Time) *failure {
	arn := r.arguments.text("RoleArn")
	no := notAuthorized(r.who.arn, "sts:AssumeRole", arn)
	if to == nil || r.who.is(federatedSession) {
		return no
	}
	if f := r.who.authorize("sts:AssumeRole", arn, true); f != nil {
		return f
	}
	root := s.arnLocked("iam", r.who.account, "root")
	if !to.trusts(r.who.names(root)...) || !s.conditionsLocked(r, to, mfaAt) {
		return no
	}
	if c := r.who; c.is(roleSession) && c.session.sourceIdentity != "" && r.sourceIdentity() != c.session.sourceIdentity {
		// Once set it stays along the chain ("IAM User Guide, Monitor and control
		// actions taken with assumed roles").
		return no
	}
	return nil
}

// conditionsLocked evaluates the conditions of the role's trust policy.
func (s *Sim) conditionsLocked(r *request, to *role, mfaAt time.Time) bool {
	if to.RequireMFA && mfaAt.IsZero() {
		return false
	}
	// The age shrinks with the lifetimes, so that shortened time keeps its
	// proportions.
	if to.MaxMFAAge > 0 && (mfaAt.IsZero() || r.now.Sub(mfaAt) >= s.grantLocked(to.MaxMFAAge)) {
		return false
	}
	if to.ExternalID != "" && r.arguments.text("ExternalId") != to.ExternalID {
		return false
	}
	if to.RequireSourceIdentity && r.sourceIdentity() == "" {
		return false
	}
	tags := r.tags()
	for _, key := range to.RequireTags {
		if _, ok := tags[strings.ToLower(key)]; !ok {
			return false
		}
	}
	return true
}

// checkRoleDuration refuses what is too long, which AWS never shortens. Every
// call signed with temporary credentials counts as role chaining, those of
// GetSessionToken too (AWS Knowledge Center, "How do I resolve the 1 hour session
// limit for roles assumed by role chaining?").
func checkRoleDuration(to *role, seconds int, chained bool) *failure {
	switch {
	case chained && seconds > maxChained:
		return validation(chainedTooLong)
	case time.Duration(seconds)*time.Second > to.MaxSessionDuration:
		return validation(roleTooLong)
	}
	return nil
}

// sourceIdentity is the one asked for, else the one inherited.
func (r *request) sourceIdentity() string {
	if v := r.arguments.text("SourceIdentity"); v != "" {
		return v
	}
	if r.who.is(roleSession) {
		return r.who.session.sourceIdentity
	}
	return ""
}

// tags gives the session tags by lower-case key, those inherited included.
func (r *request) tags() map[string]string {
	tags := make(map[string]string)
	if r.who.is(roleSession) {
		for k, v := range r.who.session.transitive {
			tags[strings.ToLower(k)] = v
		}
	}
	for _, t := range r.arguments.lists["Tags"] {
		tags[strings.ToLower(t["Key"])] = t["Value"]
	}
	return tags
}

// transitiveTags gives the tags that the session hands on, under the rules of
// "IAM User Guide, Pass session tags in AWS STS": keys differ in more than case,
// a transitive key is one of the tags, and what a chain inherits stays as it is.
func (r *request) transitiveTags() (map[string]string, *failure) {
	own := make(map[string]string)
	for _, t := range r.arguments.lists["Tags"] {
		key := strings.ToLower(t["Key"])
		if _, twice := own[key]; twice {
			return nil, validation("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		own[key] = t["Value"]
	}
	handed := make(map[string]string)
	if r.who.is(roleSession) {
		for k, v := range r.who.session.transitive {
			if _, again := own[k]; again {
				return nil, validation("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
			}
			handed[k] = v
		}
	}
	for _, k := range r.arguments.lists["TransitiveTagKeys"] {
		key := strings.ToLower(k[""])
		if _, ok := own[key]; !ok {
			return nil, validation("The specified transitive tag key must be included in the requested tags.")
		}
		handed[key] = own[key]
	}
	return handed, nil
}

// checkPolicy refuses session policies that are no policies or too large.
func (a arguments) checkPolicy() *failure {
	if p, ok := a.scalars["Policy"]; ok {
		var doc struct{ Statement json.RawMessage }
		if json.Unmarshal([]byte(p), &doc) != nil {
			return badRequest("MalformedPolicyDocument", "The policy is not in the valid JSON format.")
		}
		if !slices.Contains([]string{"[", "{"}, firstByte(doc.Statement)) {
			return badRequest("MalformedPolicyDocument", "Syntax errors in policy.")
		}
	}
	if percent := a.packedPercent(); percent > 100 {
		return badRequest("PackedPolicyTooLarge",
			"Packed policy consumes "+itoa(percent)+"% of allotted space, please use smaller policy.")
	}
	return nil
}

func firstByte(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return string(b[:1])
}

// packedPercent measures session policies and tags against their limit. AWS
// packs them in a way that it keeps to itself; here every byte counts, so that
// what passes here is small.
func (a arguments) packedPercent() int {
	size := len(a.text("Policy"))
	for _, name := range []string{"PolicyArns", "Tags", "TransitiveTagKeys"} {
		for _, record := range a.lists[name] {
			for _, v := range record {
				size += len(v)
			}
		}
	}
	return (size*100 + maxPackedPolicy - 1) / maxPackedPolicy
}

// packedPolicySize is the element that answers carry where there is something
// packed.
func (a arguments) packedPolicySize() []node {
	if percent := a.packedPercent(); percent > 0 {
		return []node{leaf("PackedPolicySize", itoa(percent))}
	}
	return nil
}
