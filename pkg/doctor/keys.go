package doctor

import (
	"fmt"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

// OldKey is the age from which on a long-term key should be replaced: what AWS's
// own rule takes by default ("AWS Config Developer Guide, access-keys-rotated").
const OldKey = 90 * 24 * time.Hour

// judgeKey tells of an identity's long-term key: a seed beside it, its age, and a
// rotation that is not over.
func (p Picture) judgeKey(name string, st localapi.IdentityStatus) []Finding {
	var found []Finding
	what := "the key of identity " + name
	if st.TOTPStored {
		found = append(found, Finding{Check: "totp_seed", Level: Hint, Identity: name, What: "identity " + name,
			Why: "codes come from a seed beside the key: two factors are one", Fix: "mfad identity totp " + name + " --remove"})
	}
	if r := st.Rotation; r != nil && !r.Running {
		f := Finding{Check: "rotation", Level: Hint, Identity: name, What: what, Why: "its rotation was begun and is not over", Fix: "mfad identity rotate " + name}
		if r.Other != "" {
			f.Why += "; the user's other key is " + Mask(r.Other)
		}
		if r.Error != nil {
			f.Why += ": " + r.Error.Message
		}
		found = append(found, f)
	}
	if st.KeyCreated == nil {
		return found
	}
	if age := p.Now.Sub(*st.KeyCreated); age >= OldKey {
		found = append(found, Finding{Check: "key_age", Level: Hint, Identity: name, What: what,
			Why: fmt.Sprintf("it is %d days old", age/(24*time.Hour)), Fix: "mfad identity rotate " + name})
	}
	return found
}
