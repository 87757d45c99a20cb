package awssim

import (
	"net/url"
	"time"
)

// textNeedsUserName is IAM's answer where it cannot infer the user.
const textNeedsUserName = "Must specify userName when calling with non-User credentials"

// targetLocked is the user that an IAM call is about, once the caller is known
// to be allowed it: UserName, or the signer. Calls about access keys infer no user
// from temporary credentials ("IAM API Reference, ListAccessKeys": "If a temporary
// access key is used, then UserName is required").
func (s *Sim) targetLocked(r *request, infer bool) (*User, *failure) {
	name := r.arguments.text("UserName")
	if name == "" {
		if r.who.user == nil || r.who.session != nil && !infer {
			return nil, validation(textNeedsUserName)
		}
		name = r.who.user.Name
	}
	u := s.userLocked(r.who.account, name)
	if r.who.isRoot() && name == "" {
		u = r.who.user
	}
	own := u != nil && u == r.who.user
	if f := r.who.authorize("iam:"+r.operation.action, "user "+name, own); f != nil {
		return nil, f
	}
	if u == nil {
		return nil, noSuchEntity("The user with name " + name + " cannot be found.")
	}
	return u, nil
}

func (s *Sim) getUser(r *request) (response, *failure) {
	u, f := s.targetLocked(r, true)
	if f != nil {
		return response{}, f
	}
	var name []node
	if !u.root {
		name = []node{leaf("Path", u.path), leaf("UserName", u.Name)}
	}
	return success("iam", "GetUser", []node{branch("User", append(name,
		leaf("Arn", u.ARN), leaf("UserId", u.id), leaf("CreateDate", formatTime(u.created)))...)}), nil
}

func (s *Sim) listMFADevices(r *request) (response, *failure) {
	u, f := s.targetLocked(r, true)
	if f != nil {
		return response{}, f
	}
	var members []node
	for _, d := range u.devices {
		members = append(members, branch("member", leaf("UserName", u.Name),
			leaf("SerialNumber", d.Serial), leaf("EnableDate", formatTime(d.enabled))))
	}
	return page(r, "MFADevices", members)
}

// page answers a list, MaxItems at a time. The marker is opaque to clients.
func page(r *request, name string, members []node) (response, *failure) {
	const prefix = "awssim-"
	from, most := 0, r.arguments.integer("MaxItems", 100)
	if m := r.arguments.text("Marker"); m != "" {
		for from = 1; m != prefix+itoa(from); from++ {
			if from >= len(members) {
				return response{}, validation("Invalid Marker: " + m)
			}
		}
	}
	to := min(from+most, len(members))
	// An empty list is an element without children.
	result := []node{{name: name, children: members[from:to]}, leaf("IsTruncated", "false")}
	if to < len(members) {
		result[1].text = "true"
		result = append(result, leaf("Marker", prefix+itoa(to)))
	}
	return success("iam", r.operation.action, result), nil
}

// roleOfLocked finds RoleName in the caller's account: it takes no ARN, so that
// a role elsewhere can only be read with credentials from there.
func (s *Sim) roleOfLocked(r *request) (*role, *failure) {
	name := r.arguments.text("RoleName")
	if f := r.who.authorize("iam:"+r.operation.action, "role "+name, false); f != nil {
		return nil, f
	}
	to := s.roleLocked(r.who.account, name)
	if to == nil {
		return nil, noSuchEntity("The role with name " + name + " cannot be found.")
	}
	return to, nil
}

func (s *Sim) getRole(r *request) (response, *failure) {
	to, f := s.roleOfLocked(r)
	if f != nil {
		return response{}, f
	}
	fields := []node{
		leaf("Path", to.Path), leaf("RoleName", to.Name), leaf("RoleId", to.id), leaf("Arn", to.ARN),
		leaf("CreateDate", formatTime(to.created)),
		leaf("AssumeRolePolicyDocument", url.QueryEscape(to.trustDocument())),
	}
	if to.Description != "" {
		fields = append(fields, leaf("Description", to.Description))
	}
	fields = append(fields, leaf("MaxSessionDuration", itoa(int(to.MaxSessionDuration/time.Second))))
	if !to.lastUsed.at.IsZero() {
		fields = append(fields, branch("RoleLastUsed",
			leaf("LastUsedDate", formatTime(to.lastUsed.at)), leaf("Region", to.lastUsed.region)))
	}
	return success("iam", "GetRole", []node{branch("Role", fields...)}), nil
}

// updateRole sets MaxSessionDuration, to an hour where none is given ("IAM API
// Reference, UpdateRole").
func (s *Sim) updateRole(r *request) (response, *failure) {
	to, f := s.roleOfLocked(r)
	if f != nil {
		return response{}, f
	}
	if r.arguments.has("Description") {
		to.Description = r.arguments.text("Description")
	}
	to.MaxSessionDuration = time.Duration(r.arguments.integer("MaxSessionDuration", int(defaultRoleMaximum/time.Second))) * time.Second
	return success("iam", "UpdateRole", []node{}), nil
}
