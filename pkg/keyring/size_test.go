package keyring

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	zalando "github.com/zalando/go-keyring"

	"github.com/mfad/mfad/pkg/creds"
)

// TestWhatAStoreTakesFitsIntoEachKeyring, by the limits that go-keyring puts on macOS
// (the command for security(1), 4,096 bytes) and on Windows (the value, 2,560 bytes).
func TestWhatAStoreTakesFitsIntoEachKeyring(t *testing.T) {
	if MaxValue > 2560 {
		t.Errorf("MaxValue = %d: Windows takes 2560 bytes", MaxValue)
	}
	value := "go-keyring-base64:" + base64.StdEncoding.EncodeToString(make([]byte, MaxValue))
	command := "add-generic-password -U -s " + service + " -a '" + strings.Repeat("n", MaxName) + "' -w '" + value + "'\n"
	if len(command) > 4096 {
		t.Errorf("the largest item makes a command of %d bytes: macOS takes 4096", len(command))
	}
}

// tooBig is a keyring that takes less than a Store does: quotes in a name take more room
// in macOS's command.
type tooBig struct{ stub }

func (tooBig) Set(string, string) error { return zalando.ErrSetDataTooBig }

func TestAnItemThatIsTooBig(t *testing.T) {
	err := newOS(tooBig{}, newWilling()).Set(t.Context(), "identity/corp", creds.NewSecret("must-not-show"))
	if creds.CodeOf(err) != creds.CodeKeyringFailed || !strings.Contains(err.Error(), "too big") || creds.HintOf(err) == "" {
		t.Errorf("Set = %v with code %q and hint %q, want that the item is too big and what to do", err, creds.CodeOf(err), creds.HintOf(err))
	}
	if strings.Contains(err.Error(), "must-not-show") || errors.Is(err, zalando.ErrNotFound) {
		t.Errorf("the error shows the value: %v", err)
	}
}
