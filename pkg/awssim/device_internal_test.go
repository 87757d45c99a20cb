package awssim

import "testing"

// TestCodeOfIsRFC6238 has the vectors of RFC 6238, appendix B, cut to six digits.
func TestCodeOfIsRFC6238(t *testing.T) {
	d := &Device{secret: []byte("12345678901234567890")}
	for _, tt := range []struct {
		seconds int64
		want    string
	}{
		{59, "287082"}, {1111111109, "081804"}, {1111111111, "050471"},
		{1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"},
	} {
		if got := d.codeOf(tt.seconds / 30); got != tt.want {
			t.Errorf("code at %d s = %s, want %s", tt.seconds, got, tt.want)
		}
	}
}
