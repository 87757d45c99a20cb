package daemon

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/localapi"
)

// TestTheLargestItemFitsIntoEachKeyring: the fields of a long-term key have at most what
// AWS's API references say. The other item, the key of STATE/sessions, has 44 bytes.
func TestTheLargestItemFitsIntoEachKeyring(t *testing.T) {
	const (
		id     = 128 // IAM API reference, AccessKey: AccessKeyId
		secret = 128 // AWS gives 40 today, and says no maximum
		path   = 512 // IAM user guide, IAM and AWS STS quotas: path
		name   = 64  // the same: user name
		seed   = 128 // AWS gives 64 characters of base32
		least  = 200 // room for what later versions add
		arn    = "arn:aws-us-gov:iam::123456789012:user"
	)
	moment := time.Date(2026, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", 14*3600))
	largest, err := json.Marshal(keyItem{
		AccessKeyID: strings.Repeat("A", id), SecretAccessKey: strings.Repeat("/", secret),
		UserARN: arn + strings.Repeat("p", path) + strings.Repeat("n", name), TOTPSeed: strings.Repeat("S", seed),
		Added: moment,
		Rotation: &journal{Step: localapi.RotationCreating, Begun: moment, Had: []string{strings.Repeat("A", id), strings.Repeat("B", id)}, KeepOld: true,
			Other: &otherKey{strings.Repeat("A", id), strings.Repeat("/", secret), moment}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(largest); n > keyring.MaxValue-least {
		t.Errorf("the largest item has %d bytes, want %d at most", n, keyring.MaxValue-least)
	}
	if n := len(keyName(strings.Repeat("n", 64))); n > keyring.MaxName {
		t.Errorf("the name of an identity's item has %d bytes, want %d at most", n, keyring.MaxName)
	}
}
