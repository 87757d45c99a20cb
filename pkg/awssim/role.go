package awssim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Limits of a role's MaxSessionDuration ("IAM API Reference, UpdateRole").
const (
	minRoleMaximum     = time.Hour
	maxRoleMaximum     = 12 * time.Hour
	defaultRoleMaximum = time.Hour
)

// Role is an IAM role: who may assume it, on what conditions, for how long, and
// what it may do in IAM. Account and Name are needed; a role without Principals
// can be assumed by nobody.
type Role struct {
	ARN     string // filled in by AddRole; what is set before is ignored
	Account string // twelve digits
	Name    string
	Path    string // "" means /
	// Description is what GetRole shows.
	Description string
	// MaxSessionDuration is 1 h to 12 h; 0 means 1 h.
	MaxSessionDuration time.Duration

	// Principals are ARNs of users, roles, assumed-role sessions and identity
	// providers, account IDs, or arn:aws:iam::ACCOUNT:root for all of an account.
	Principals []string
	// RequireMFA is the condition aws:MultiFactorAuthPresent.
	RequireMFA bool
	// MaxMFAAge, if not 0, is NumericLessThan aws:MultiFactorAuthAge. The age
	// counts from the call that took the code; without MFA it is not fulfilled.
	MaxMFAAge time.Duration
	// ExternalID, if set, is the condition sts:ExternalId.
	ExternalID string
	// RequireSourceIdentity demands that a source identity is set.
	RequireSourceIdentity bool
	// RequireTags are the keys of session tags that must be there.
	RequireTags []string

	// Allow and Deny are what its sessions may do, as in [User.Allow] and
	// [User.Deny]. Unless denied, they may call sts:AssumeRole.
	Allow, Deny []string
}

// role is what AWS keeps of one.
type role struct {
	Role
	id       string
	created  time.Time
	lastUsed lastUsed
}

// AddRole makes a role and returns it with its ARN and defaults filled in. It
// panics if the role exists or a field is not possible.
func (s *Sim) AddRole(r Role) Role {
	s.lock()
	defer s.mu.Unlock()
	r = r.complete()
	r.ARN = s.arnLocked("iam", r.Account, "role"+r.Path+r.Name)
	if s.roleLocked(r.Account, r.Name) != nil {
		panic("awssim: there is a role " + r.ARN)
	}
	s.roles[r.ARN] = &role{Role: r, id: newID("AROA", uniqueRandom), created: s.nowLocked()}
	return r.clone()
}

// UpdateRole changes a role, whose sessions live on: edit gets it and may set
// anything but ARN, Account, Name and Path. It panics if there is no such role
// or a field is not possible. edit must not call the Sim.
func (s *Sim) UpdateRole(arn string, edit func(*Role)) {
	s.lock()
	defer s.mu.Unlock()
	r := s.mustRoleLocked(arn)
	n := r.clone()
	edit(&n)
	n.ARN, n.Account, n.Name, n.Path = r.ARN, r.Account, r.Name, r.Path
	r.Role = n.complete()
}

// Role returns what is known of a role now, such as after an UpdateRole call,
// and whether it exists.
func (s *Sim) Role(arn string) (Role, bool) {
	s.lock()
	defer s.mu.Unlock()
	r := s.roles[arn]
	if r == nil {
		return Role{}, false
	}
	return r.clone(), true
}

// DeleteRole removes a role and ends its sessions. It panics if there is no
// such role.
func (s *Sim) DeleteRole(arn string) {
	s.lock()
	defer s.mu.Unlock()
	r := s.mustRoleLocked(arn)
	delete(s.roles, arn)
	s.revokeLocked(func(n *session) bool { return n.role == r })
}

// RevokeRoleSessions has every session of the role refused
// (InvalidClientTokenId) that was issued until now. It panics if there is no
// such role.
func (s *Sim) RevokeRoleSessions(arn string) {
	s.lock()
	defer s.mu.Unlock()
	r := s.mustRoleLocked(arn)
	s.revokeLocked(func(n *session) bool { return n.role == r })
}

func (s *Sim) mustRoleLocked(arn string) *role {
	r := s.roles[arn]
	if r == nil {
		panic("awssim: there is no role " + arn)
	}
	return r
}

// roleLocked finds a role by name; nil if there is none.
func (s *Sim) roleLocked(account, name string) *role {
	for _, r := range s.roles {
		if r.Account == account && strings.EqualFold(r.Name, name) {
			return r
		}
	}
	return nil
}

// complete fills in defaults and refuses what no role can be.
func (r Role) complete() Role {
	r = r.clone()
	if !isAccount(r.Account) || !nameOfRole.matches(r.Name) {
		panic("awssim: a role needs an account of twelve digits and a name")
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if !strings.HasPrefix(r.Path, "/") || !strings.HasSuffix(r.Path, "/") {
		panic("awssim: the path of a role begins and ends with /, not " + r.Path)
	}
	if r.MaxSessionDuration == 0 {
		r.MaxSessionDuration = defaultRoleMaximum
	}
	if r.MaxSessionDuration < minRoleMaximum || r.MaxSessionDuration > maxRoleMaximum {
		panic("awssim: MaxSessionDuration is 1h to 12h, not " + r.MaxSessionDuration.String())
	}
	return r
}

func (r Role) clone() Role {
	r.Principals, r.RequireTags = slices.Clone(r.Principals), slices.Clone(r.RequireTags)
	r.Allow, r.Deny = slices.Clone(r.Allow), slices.Clone(r.Deny)
	return r
}

// trusts tells whether one of the names is a principal of the role.
func (r *role) trusts(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(r.Principals, n) })
}

// trustDocument writes the trust policy as GetRole shows it, before escaping.
func (r *role) trustDocument() string {
	condition := map[string]map[string]any{}
	if r.RequireMFA {
		condition["Bool"] = map[string]any{"aws:MultiFactorAuthPresent": "true"}
	}
	if r.MaxMFAAge > 0 {
		condition["NumericLessThan"] = map[string]any{"aws:MultiFactorAuthAge": int(r.MaxMFAAge / time.Second)}
	}
	if r.ExternalID != "" {
		condition["StringEquals"] = map[string]any{"sts:ExternalId": r.ExternalID}
	}
	statement := map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRole",
		"Principal": map[string]any{"AWS": r.Principals},
	}
	if len(condition) > 0 {
		statement["Condition"] = condition
	}
	// Marshalling maps of strings and numbers cannot fail.
	text, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}})
	return string(text)
}
