package awssim

import "net/http"

func (s *Sim) createAccessKey(r *request) (response, *failure) {
	u, f := s.targetLocked(r, false)
	if f != nil {
		return response{}, f
	}
	if len(s.keysOfLocked(u)) >= maxAccessKeys {
		return response{}, &failure{http.StatusConflict, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: " + itoa(maxAccessKeys)}
	}
	k := s.addKeyLocked(u)
	return success("iam", "CreateAccessKey", []node{branch("AccessKey",
		leaf("UserName", u.Name), leaf("AccessKeyId", k.AccessKeyID), leaf("Status", k.status()),
		leaf("SecretAccessKey", k.SecretAccessKey), leaf("CreateDate", formatTime(k.created)))}), nil
}

func (s *Sim) listAccessKeys(r *request) (response, *failure) {
	u, f := s.targetLocked(r, false)
	if f != nil {
		return response{}, f
	}
	var members []node
	for _, k := range s.keysOfLocked(u) {
		members = append(members, branch("member", leaf("UserName", u.Name), leaf("AccessKeyId", k.AccessKeyID),
			leaf("Status", k.status()), leaf("CreateDate", formatTime(k.created))))
	}
	return page(r, "AccessKeyMetadata", members)
}

// keyLocked is the key of the target user that the call names.
func (s *Sim) keyLocked(r *request) (*accessKey, *failure) {
	u, f := s.targetLocked(r, false)
	if f != nil {
		return nil, f
	}
	id := r.arguments.text("AccessKeyId")
	if k := s.keys[id]; k != nil && k.user == u {
		return k, nil
	}
	return nil, noSuchEntity("The Access Key with id " + id + " cannot be found.")
}

func (s *Sim) updateAccessKey(r *request) (response, *failure) {
	k, f := s.keyLocked(r)
	if f != nil {
		return response{}, f
	}
	s.setKeyActiveLocked(k, r.arguments.text("Status") == "Active")
	return success("iam", "UpdateAccessKey", nil), nil
}

func (s *Sim) deleteAccessKey(r *request) (response, *failure) {
	k, f := s.keyLocked(r)
	if f != nil {
		return response{}, f
	}
	s.deleteKeyLocked(k)
	return success("iam", "DeleteAccessKey", nil), nil
}

func (s *Sim) setKeyActiveLocked(k *accessKey, active bool) {
	if k.active = active; !active && s.endWithInactive {
		s.endSessionsLocked(k.AccessKeyID)
	}
}

func (s *Sim) deleteKeyLocked(k *accessKey) {
	delete(s.keys, k.AccessKeyID)
	if s.endWithDeleted {
		s.endSessionsLocked(k.AccessKeyID)
	}
}

// getAccessKeyLastUsed refuses a key that does not exist as if it were not
// allowed: AWS documents no other error for it.
func (s *Sim) getAccessKeyLastUsed(r *request) (response, *failure) {
	id := r.arguments.text("AccessKeyId")
	k := s.keys[id]
	own := k != nil && k.user == r.who.user
	if f := r.who.authorize("iam:GetAccessKeyLastUsed", "access key "+id, own); f != nil {
		return response{}, f
	}
	if k == nil || k.user.Account != r.who.account {
		return response{}, notAllowed(r.who.arn, "iam:GetAccessKeyLastUsed", "access key "+id)
	}
	used := []node{leaf("ServiceName", "N/A"), leaf("Region", "N/A")}
	if l := k.lastUsed; !l.at.IsZero() {
		used = []node{leaf("LastUsedDate", formatTime(l.at)), leaf("ServiceName", l.service), leaf("Region", l.region)}
	}
	return success("iam", "GetAccessKeyLastUsed", []node{
		leaf("UserName", k.user.Name), branch("AccessKeyLastUsed", used...),
	}), nil
}

// status is as ListAccessKeys tells it.
func (k *accessKey) status() string {
	if k.active {
		return "Active"
	}
	return "Inactive"
}
