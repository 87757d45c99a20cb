package localapi

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/mfa"
)

// TestTheClientsDisplay reaches the daemon as it is, and nothing else does.
func TestTheClientsDisplay(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header string
		want   mfa.Display
	}{
		{"none", "", nil},
		{"no display", displayHeader(mfa.Display{"LANG": "C"}), nil},
		{"a display", displayHeader(mfa.Display{"DISPLAY": ":1", "XAUTHORITY": "/a b&c=d"}), mfa.Display{"DISPLAY": ":1", "XAUTHORITY": "/a b&c=d"}},
		{"wayland", displayHeader(mfa.Display{"WAYLAND_DISPLAY": "wayland-0"}), mfa.Display{"WAYLAND_DISPLAY": "wayland-0"}},
		{"other variables", "DISPLAY=:1&LD_PRELOAD=/evil.so&PATH=/x", mfa.Display{"DISPLAY": ":1"}},
		{"what no terminal should print", "DISPLAY=:1&XDG_CURRENT_DESKTOP=a%1b[2Jb", mfa.Display{"DISPLAY": ":1"}},
		{"a program as bus", "DISPLAY=:1&DBUS_SESSION_BUS_ADDRESS=unixexec:path%3D/evil", mfa.Display{"DISPLAY": ":1"}},
		{"too much", "DISPLAY=:1&LANG=" + strings.Repeat("x", maxDisplay), nil},
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/status", nil)
		r.Header.Set(DisplayHeader, tt.header)
		if got := DisplayOf(withDisplay(r).Context()); !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := DisplayOf(context.Background()); got != nil {
		t.Errorf("without a request: %v", got)
	}
}
