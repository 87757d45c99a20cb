package state

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"
)

const rolesName = "roles.json"

// Role is what was learned of a role: no secret, and worth keeping over a lock.
// Durations are in nanoseconds here and in whole seconds in the file; zero values
// mean that nothing is known.
type Role struct {
	Maximum       time.Duration // MaxSessionDuration, or the longest that AWS granted
	Exact         bool          // Maximum is the role's own
	Refused       time.Duration // the shortest that AWS refused
	RefusedAt     time.Time
	How           string // how Maximum was learned
	Learned       time.Time
	LookedSession time.Time // when GetRole was last asked with the MFA session
	LookedRole    time.Time // and as the role itself
	MaxAge        time.Duration
	AgeTried      time.Time // when MaxAge was last put to the test
}

type wireRole struct {
	Maximum       int64     `json:"max_session_seconds,omitempty"`
	Exact         bool      `json:"exact,omitempty"`
	Refused       int64     `json:"refused_seconds,omitempty"`
	RefusedAt     time.Time `json:"refused_at,omitzero"`
	How           string    `json:"how,omitempty"`
	Learned       time.Time `json:"learned,omitzero"`
	LookedSession time.Time `json:"looked_as_session,omitzero"`
	LookedRole    time.Time `json:"looked_as_role,omitzero"`
	MaxAge        int64     `json:"max_mfa_age_seconds,omitempty"`
	AgeTried      time.Time `json:"max_mfa_age_tried,omitzero"`
}

// LoadRoles reads what was learned of roles, by their ARNs. Without a file, or
// with one that makes no sense, nothing was learned: all of it can be learned
// again.
func (d Dir) LoadRoles() (map[string]Role, error) {
	wire, err := learned[wireRole](d, rolesName, "read what was learned of roles")
	if err != nil {
		return nil, err
	}
	return mapValues(wire, func(w wireRole) Role {
		return Role{
			Maximum: time.Duration(w.Maximum) * time.Second, Exact: w.Exact,
			Refused: time.Duration(w.Refused) * time.Second, RefusedAt: wall(w.RefusedAt), How: w.How, Learned: wall(w.Learned),
			LookedSession: wall(w.LookedSession), LookedRole: wall(w.LookedRole), MaxAge: time.Duration(w.MaxAge) * time.Second, AgeTried: wall(w.AgeTried),
		}
	}), nil
}

// SaveRoles replaces what LoadRoles reads.
func (d Dir) SaveRoles(roles map[string]Role) error {
	wire := mapValues(roles, func(r Role) wireRole {
		return wireRole{
			Maximum: int64(r.Maximum / time.Second), Exact: r.Exact,
			Refused: int64(r.Refused / time.Second), RefusedAt: wall(r.RefusedAt), How: r.How, Learned: wall(r.Learned),
			LookedSession: wall(r.LookedSession), LookedRole: wall(r.LookedRole), MaxAge: int64(r.MaxAge / time.Second), AgeTried: wall(r.AgeTried),
		}
	})
	return learn(d, rolesName, "keep what was learned of roles", wire)
}

// learned reads a file of what was learned; nil where there is none.
func learned[V any](d Dir, name, op string) (wire map[string]V, err error) {
	text, err := os.ReadFile(d.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &wire)
	}
	if err != nil {
		return nil, broken(op, err)
	}
	return wire, nil
}

// learn replaces what learned reads.
func learn[V any](d Dir, name, op string, wire map[string]V) error {
	text, err := json.MarshalIndent(wire, "", "  ")
	if err != nil {
		return broken(op, err)
	}
	return d.WriteFile(name, append(text, '\n'))
}
