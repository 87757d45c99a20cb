package cli

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// TestExitStatusesAreDocumented compares the statuses in docs/errors.md with those
// that the command ends with.
func TestExitStatusesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\d+) \\|").FindAllStringSubmatch(string(doc), -1)
	if len(rows) < 20 {
		t.Fatalf("found only %d codes in docs/errors.md", len(rows))
	}
	for _, r := range rows {
		if got := strconv.Itoa(exitStatus(creds.Code(r[1]))); got != r[2] {
			t.Errorf("%s ends with %s, docs/errors.md says %s", r[1], got, r[2])
		}
	}
}
