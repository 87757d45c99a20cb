#!/bin/sh
set -e

# Has the systemd of each user who has one do something; of those who do not use
# mfad it wants nothing. It is done with that user's rights, and not in the terminal
# of whoever installs, into which that user could type otherwise. What fails or takes
# too long there stops nothing here.
tell_users() {
	[ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ] || return 0
	for socket in /run/user/*/systemd/private; do
		[ -S "$socket" ] || continue
		run=${socket%/systemd/private}
		setsid --wait timeout 60 setpriv --reuid="$(stat -c %u "$run")" --regid="$(stat -c %g "$run")" --clear-groups \
			env -i PATH=/usr/bin:/bin XDG_RUNTIME_DIR="$run" systemctl --user "$@" </dev/null >/dev/null 2>&1 || true
	done
}

# Whether the administrator lets packages do that to services
# (https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt).
allowed() {
	policy=/usr/sbin/policy-rc.d
	[ -x "$policy" ] || return 0
	"$policy" mfad "$1" >/dev/null 2>&1 || [ $? -ne 101 ]
}

if WHEN && allowed ACTION; then
	THEN
fi
