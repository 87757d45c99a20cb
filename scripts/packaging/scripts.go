package main

import (
	_ "embed"
	"strings"
)

// tellUsers is what both scripts of a package share.
//
//go:embed tellusers.sh
var tellUsers string

// scripts are what a package runs after it was installed, and before it is removed.
// They differ in how each packager tells an upgrade and a removal from the rest
// (deb-postinst(5), deb-prerm(5); the RPM Packaging Guide, "Scriptlets").
//
// Nothing is enabled: `mfad service install` is each user's own decision. A daemon
// that runs is restarted into a new program, as debhelper does with user services
// from its level 14 on: it loses nothing by that. One whose program goes is stopped.
func scripts(kind packager) (postinst, prerm []byte) {
	upgrade, removal := `[ "$1" = configure ] && [ -n "$2" ]`, `[ "$1" = remove ]`
	if kind == rpm {
		upgrade, removal = `[ "$1" -ge 2 ]`, `[ "$1" -eq 0 ]`
	}
	fill := func(when, action, then string) []byte {
		return []byte(strings.NewReplacer("WHEN", when, "ACTION", action, "THEN", then).Replace(tellUsers))
	}
	return fill(upgrade, "restart", "tell_users daemon-reload\n\ttell_users try-restart mfad.service"),
		fill(removal, "stop", "tell_users stop mfad.socket mfad.service")
}
