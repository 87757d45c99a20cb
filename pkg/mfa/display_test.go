package mfa

import (
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// TestWhatADisplayMayHold and what is left out, or refused.
func TestWhatADisplayMayHold(t *testing.T) {
	good := map[string]string{"DISPLAY": ":0", "XAUTHORITY": "/home/a b/.Xauthority", "LANG": "de_DE.UTF-8", "AWS_SECRET_ACCESS_KEY": "x", "PATH": "/x"}
	d := DisplayOf(func(n string) string { return good[n] })
	if len(d) != 3 || d.Check() != nil || d["XAUTHORITY"] != good["XAUTHORITY"] {
		t.Errorf("DisplayOf = %v, %v; want DISPLAY, XAUTHORITY and LANG", d, d.Check())
	}
	for name, bad := range map[string]Display{
		"another variable": {"LD_PRELOAD": "/tmp/x.so"},
		"a new line":       {"DISPLAY": ":0\nX"},
		"an escape":        {"LANG": "\x1b[2J"},
		"no text":          {"LANG": "\xff"},
		"too long":         {"XAUTHORITY": "/" + strings.Repeat("x", longestVariable)},
		"a program":        {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x;unixexec:path=/bin/sh"},
	} {
		bad["DISPLAY"] = bad["DISPLAY"] + ":0"
		if err := bad.Check(); creds.CodeOf(err) != creds.CodeUsage {
			t.Errorf("%s: Check = %v, want a refusal", name, err)
		}
		if err := DisplayOf(func(n string) string { return bad[n] }).Check(); err != nil {
			t.Errorf("%s: what DisplayOf takes of it is refused: %v", name, err)
		}
	}
}
