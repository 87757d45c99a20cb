package awssim

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// Call is one request in the log. It never holds a secret, a code or a token.
type Call struct {
	Time    time.Time // by the servers' clock
	Service string    // sts, iam or signin
	Action  string    // as in the request, such as AssumeRole; getSigninToken and login for signin
	Region  string    // of the credential scope
	// AccessKeyID is the key that the request names, and Principal the ARN of
	// its owner, whether or not the signature held; empty if unknown or unsigned.
	AccessKeyID, Principal string
	Parameters             []string // names of what was sent, sorted, without values

	// From here on to DurationSeconds: the parameters of that name, empty or 0
	// if not sent. For getSigninToken DurationSeconds is its SessionDuration.
	RoleARN, RoleSessionName, UserName, SerialNumber string
	DurationSeconds                                  int
	TokenCode                                        bool // a code was sent

	Fault FaultKind // what befell it; 0 for nothing
	// Code is OK, AWS's error code, "" while the call is under way, or the
	// fault's name where nothing was carried out and no XML answered. With
	// DropAfter, HangAfter and Cut it is what the client would have been told.
	Code   string
	Status int // HTTP; 0 where nothing was answered
	// IssuedAccessKeyID and Expires are of the credentials that were granted.
	IssuedAccessKeyID string
	Expires           time.Time
}

// OK tells whether the call was carried out.
func (c Call) OK() bool { return c.Code == "OK" }

// Calls is the log of every request so far, oldest first; with actions, of those
// only.
func (s *Sim) Calls(actions ...string) []Call {
	s.lock()
	defer s.mu.Unlock()
	var calls []Call
	for _, c := range s.calls {
		if len(actions) == 0 || slices.Contains(actions, c.Action) {
			n := *c
			n.Parameters = slices.Clone(c.Parameters)
			calls = append(calls, n)
		}
	}
	return calls
}

// beginLocked writes what r claims to the log.
func (s *Sim) beginLocked(r *request) *Call {
	c := &Call{
		Time: s.nowLocked(), Service: r.service, Action: r.form.Get("Action"), Region: r.signature.region,
		AccessKeyID: r.signature.keyID, Parameters: slices.Sorted(maps.Keys(r.form)),
		RoleARN: r.form.Get("RoleArn"), RoleSessionName: r.form.Get("RoleSessionName"),
		UserName: r.form.Get("UserName"), SerialNumber: r.form.Get("SerialNumber"), TokenCode: r.form.Has("TokenCode"),
	}
	duration := r.form.Get("DurationSeconds")
	if r.service == serviceSignin {
		duration = r.form.Get("SessionDuration")
		c.AccessKeyID = parseSessionJSON(r.form.Get("Session")).ID
	}
	c.DurationSeconds, _ = strconv.Atoi(duration)
	if k := s.keys[c.AccessKeyID]; k != nil {
		c.Principal = k.user.ARN
	} else if n := s.sessions[c.AccessKeyID]; n != nil {
		c.Principal = n.arn
	}
	s.calls = append(s.calls, c)
	return c
}

// endLocked adds the outcome.
func (c *Call) endLocked(a response) {
	c.Status, c.Code = a.status, a.code
	if a.code == "" {
		c.Code = "OK"
	}
	if a.issued != nil {
		c.IssuedAccessKeyID, c.Expires = a.issued.key.AccessKeyID, a.issued.expires
	}
}
