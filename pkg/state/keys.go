package state

import "time"

const keysName = "keys.json"

// KeyAge is what was learned of a long-term key: no secret, and worth keeping over
// a lock.
type KeyAge struct {
	Created time.Time // zero: AWS did not tell
	Asked   time.Time // when AWS was last asked
}

type wireKeyAge struct {
	Created time.Time `json:"created,omitzero"`
	Asked   time.Time `json:"asked,omitzero"`
}

// LoadKeys reads what was learned of long-term keys, by their ids. Without a file,
// or with one that makes no sense, nothing was learned: it can be learned again.
func (d Dir) LoadKeys() (map[string]KeyAge, error) {
	wire, err := learned[wireKeyAge](d, keysName, "read how old the keys are")
	if err != nil {
		return nil, err
	}
	return mapValues(wire, func(w wireKeyAge) KeyAge { return KeyAge{wall(w.Created), wall(w.Asked)} }), nil
}

// SaveKeys replaces what LoadKeys reads.
func (d Dir) SaveKeys(keys map[string]KeyAge) error {
	wire := mapValues(keys, func(k KeyAge) wireKeyAge { return wireKeyAge{wall(k.Created), wall(k.Asked)} })
	return learn(d, keysName, "keep how old the keys are", wire)
}
