package awssim

import (
	"slices"
	"strings"
	"time"
)

// maxAccessKeys is the quota AccessKeysPerUser, which AWS does not raise ("IAM
// User Guide, IAM and AWS STS quotas").
const maxAccessKeys = 2

// isAccount tells whether id is the twelve digits of an account.
func isAccount(id string) bool { return len(id) == 12 && strings.Trim(id, "0123456789") == "" }

// User is an IAM user, or the root user of an account, made by [Sim.AddUser] or
// [Sim.AddRoot]. Its fields do not change.
type User struct {
	Account string // twelve digits
	Name    string // without path; empty for root
	ARN     string
	// AccessKeyID and SecretAccessKey are the key made with the user.
	AccessKeyID, SecretAccessKey string

	sim         *Sim
	id, path    string
	created     time.Time
	root        bool
	permissions permissions
	needsMFA    bool
	devices     []*Device
}

// AccessKey is a long-term key.
type AccessKey struct {
	AccessKeyID, SecretAccessKey string
}

// accessKey is what AWS keeps of a long-term key.
type accessKey struct {
	AccessKey
	user     *User
	active   bool
	created  time.Time
	knownAt  time.Time // unknown to IAM and STS before; zero means never was
	lastUsed lastUsed
}

// lastUsed is the answer of GetAccessKeyLastUsed; the zero value means never.
type lastUsed struct {
	at              time.Time
	service, region string
}

// AddUser makes an IAM user with one access key. A name such as eng/alice has a
// path. The user may do everything about itself (own access keys and devices,
// GetUser), sts:AssumeRole and sts:GetFederationToken; all else needs
// [User.Allow]. It panics if account is not twelve digits or the user exists.
func (s *Sim) AddUser(account, name string) *User {
	path, base := "/", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		path, base = "/"+name[:i+1], name[i+1:]
	}
	return s.addUser(&User{Account: account, Name: base, path: path, id: newID("AIDA", uniqueRandom)}, "user/"+name)
}

// AddRoot gives an account a root user with an access key. Root may do
// everything in its account but assume roles, and its sessions last an hour at
// most ("AWS STS API Reference, GetSessionToken"). It panics as AddUser does.
func (s *Sim) AddRoot(account string) *User {
	return s.addUser(&User{Account: account, path: "/", id: account, root: true}, "root")
}

func (s *Sim) addUser(u *User, resource string) *User {
	s.lock()
	defer s.mu.Unlock()
	if !isAccount(u.Account) {
		panic("awssim: an account is twelve digits, not " + u.Account)
	}
	u.sim, u.created = s, s.nowLocked()
	u.ARN = s.arnLocked("iam", u.Account, resource)
	if s.users[u.ARN] != nil || (!u.root && s.userLocked(u.Account, u.Name) != nil) {
		panic("awssim: there is a user " + u.ARN)
	}
	s.users[u.ARN] = u
	k := s.addKeyLocked(u)
	k.knownAt = time.Time{}
	u.AccessKeyID, u.SecretAccessKey = k.AccessKeyID, k.SecretAccessKey
	return u
}

// userLocked finds a user by name, which is unique in its account whatever its
// path and case; nil if there is none.
func (s *Sim) userLocked(account, name string) *User {
	for _, u := range s.users {
		if !u.root && u.Account == account && strings.EqualFold(u.Name, name) {
			return u
		}
	}
	return nil
}

// Allow lets the user, and its sessions, do what is listed: actions such as
// iam:GetRole, or iam:* or *, on anything in the account.
func (u *User) Allow(actions ...string) {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	u.permissions.allow = append(u.permissions.allow, actions...)
}

// Deny refuses actions, also those that were allowed, with AWS's text for an
// explicit deny. As at AWS, sts:GetSessionToken and sts:GetCallerIdentity
// cannot be denied; use [AccessDenied] to have them refused all the same.
func (u *User) Deny(actions ...string) {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	u.permissions.deny = append(u.permissions.deny, actions...)
}

// SetNeedsMFA puts the user under the policy of "IAM User Guide, AWS: Allows
// MFA-authenticated IAM users to manage their own credentials": everything but
// GetUser, ListMFADevices and GetSessionToken is denied to requests without an
// MFA session. AWS does not say whether AssumeRole with a code passes that
// deny; here it does not.
func (u *User) SetNeedsMFA(on bool) {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	u.needsMFA = on
}

// AddAccessKey makes another key, as CreateAccessKey does. It panics if the
// user has two.
func (u *User) AddAccessKey() AccessKey {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	if len(u.sim.keysOfLocked(u)) >= maxAccessKeys {
		panic("awssim: a user has two access keys at most")
	}
	return u.sim.addKeyLocked(u).AccessKey
}

// KeyState is what AWS lists of a long-term key.
type KeyState struct {
	AccessKeyID string
	Active      bool
	Created     time.Time
}

// Keys lists the user's keys, oldest first, whether or not IAM and STS know them
// yet.
func (u *User) Keys() []KeyState {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	var keys []KeyState
	for _, k := range u.sim.keysOfLocked(u) {
		keys = append(keys, KeyState{k.AccessKeyID, k.active, k.created})
	}
	return keys
}

// AgeKey puts a key's creation back by d. It panics if the user has no such key.
func (u *User) AgeKey(accessKeyID string, d time.Duration) {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	k := u.mustOwnLocked(accessKeyID)
	k.created = k.created.Add(-d)
}

// SetKeyActive activates or deactivates one of the user's keys. Sessions that it
// started live on, unless [Sim.SetSessionsEnd] says otherwise. It panics if the
// user has no such key.
func (u *User) SetKeyActive(accessKeyID string, active bool) {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	u.sim.setKeyActiveLocked(u.mustOwnLocked(accessKeyID), active)
}

// DeleteKey deletes one of the user's keys; sessions that it started live on,
// unless [Sim.SetSessionsEnd] says otherwise. It panics if the user has no such key.
func (u *User) DeleteKey(accessKeyID string) {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	u.sim.deleteKeyLocked(u.mustOwnLocked(accessKeyID))
}

// RevokeSessions has every session refused (InvalidClientTokenId) that the user
// started until now: its own, federated ones and roles it assumed.
func (u *User) RevokeSessions() {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	u.sim.revokeLocked(func(n *session) bool { return n.user == u })
}

// Delete removes the user with its keys, devices and sessions.
func (u *User) Delete() {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	for _, k := range u.sim.keysOfLocked(u) {
		delete(u.sim.keys, k.AccessKeyID)
	}
	u.devices = nil
	delete(u.sim.users, u.ARN)
	u.sim.revokeLocked(func(n *session) bool { return n.user == u })
}

func (u *User) mustOwnLocked(accessKeyID string) *accessKey {
	k := u.sim.keys[accessKeyID]
	if k == nil || k.user != u {
		panic("awssim: " + u.ARN + " has no access key " + accessKeyID)
	}
	return k
}

func (s *Sim) addKeyLocked(u *User) *accessKey {
	now := s.nowLocked()
	k := &accessKey{
		AccessKey: AccessKey{newID("AKIA", keyIDRandom), newSecret()},
		user:      u, active: true, created: now,
	}
	if s.keyPropagation > 0 {
		k.knownAt = now.Add(s.keyPropagation)
	}
	s.keys[k.AccessKeyID] = k
	return k
}

// keysOfLocked lists a user's keys, oldest first.
func (s *Sim) keysOfLocked(u *User) []*accessKey {
	var keys []*accessKey
	for _, k := range s.keys {
		if k.user == u {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b *accessKey) int {
		if c := a.created.Compare(b.created); c != 0 {
			return c
		}
		return strings.Compare(a.AccessKeyID, b.AccessKeyID)
	})
	return keys
}
