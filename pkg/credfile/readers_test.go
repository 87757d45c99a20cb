package credfile

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"sync"
	"testing"
)

var wholeReads = flag.Int("reads", 2000, "reads of a file that mfad rewrites meanwhile")

// TestReadersNeverSeeHalfAFile reads the file while it is rewritten, as a tool
// that starts at any moment would.
func TestReadersNeverSeeHalfAFile(t *testing.T) {
	t.Parallel()
	big := "[a]\nx=1\n" + strings.Repeat("# "+strings.Repeat("x", 1000)+"\n", 300)
	f := home(t, big+section("prod", 0), "")
	done := make(chan struct{})
	writes, reads, torn := 0, 0, 0
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := f.Apply(t.Context(), []Section{prod(writes + 1)}, nil); err != nil {
				t.Errorf("Apply = %v, want nil", err)
				return
			}
			writes++
		}
	})
	for ; reads < *wholeReads; reads++ {
		b, err := os.ReadFile(f.Credentials)
		if err != nil || !bytes.HasPrefix(b, []byte(big)) || !bytes.HasSuffix(b, []byte("mfad_profile = prod\n")) {
			torn++
			t.Errorf("read %d is %d bytes, %v; want a whole file", reads, len(b), err)
		}
	}
	close(done)
	writer.Wait()
	t.Logf("%d reads, %d writes, %d torn", reads, writes, torn)
	if writes == 0 {
		t.Error("nothing was written meanwhile")
	}
}
