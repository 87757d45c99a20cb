package daemon

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestLeaveProgram: most of the program is not in memory after it, and works on.
func TestLeaveProgram(t *testing.T) {
	before := residentFile(t)
	leaveProgram()
	if after := residentFile(t); after > before/2 {
		t.Errorf("%d KiB of files are in memory, want at most half of %d", after, before)
	}
}

// residentFile is how much of files is mapped and in memory, in KiB.
func residentFile(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("the kernel does not tell RssFile")
	return 0
}
