package daemon

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/notify"
)

const (
	// named is how many profiles a notification names; it counts the others.
	named = 3
	// longest is how many characters of an error's text a notification has.
	longest = 240
)

// trouble is a failure that a person can mend and a program may have hidden.
type trouble struct {
	profile, identity string
	program           string // who got no credentials
	code              creds.Code
	text, hint        string
	ends              time.Time // of an identity's session, whose successor wants a code; there is no profile then
}

// kind is what the trouble has in common with others.
func (t trouble) kind() kind {
	if !t.ends.IsZero() {
		return endsSoon
	}
	return kindOf(t.code)
}

// kind is what the troubles of one notification have in common.
type kind int

const (
	untold kind = iota // nobody could mend it, or whoever could knows
	wantsCode
	refusal
	keyringTrouble
	lockedUp
	endsSoon
)

func kindOf(c creds.Code) kind {
	switch c {
	case creds.CodeMFARequired, creds.CodeMFABadCode, creds.CodeMFARejected, creds.CodeMFAUsedCode, creds.CodeMFADevice, creds.CodeMFAProcess:
		return wantsCode
	case creds.CodeAccessDenied, creds.CodeInvalidKey, creds.CodeClockSkew, creds.CodeDuration, creds.CodeRefused:
		return refusal
	case creds.CodeKeyringLocked, creds.CodeKeyringAbsent, creds.CodeKeyringTimeout, creds.CodeKeyringFailed, creds.CodeKeyNotFound:
		return keyringTrouble
	case creds.CodeLocked:
		return lockedUp
	}
	return untold
}

// message puts troubles of a kind into words.
func message(k kind, ts []trouble) notify.Notification {
	hint := ts[0].hint
	if hint == "" || slices.ContainsFunc(ts, func(t trouble) bool { return t.hint != hint }) {
		hint = "run: mfad status"
	}
	n := notify.Notification{Title: title(k, ts), Body: whatFailed(k, ts) + "\n" + cut(hint)}
	several := slices.ContainsFunc(ts, func(t trouble) bool { return t.identity != ts[0].identity })
	if (k == wantsCode || k == endsSoon) && !several { // a code typed here is one device's
		n.Button, n.Reply = "Enter code", "123456"
	}
	return n
}

func title(k kind, ts []trouble) string {
	whose, need := ts[0].profile, "needs"
	if len(ts) > 1 {
		whose, need = fmt.Sprintf("%d profiles", len(ts)), "need"
	}
	switch {
	case k == endsSoon:
		return "mfad: " + ts[0].identity + " wants a code"
	case k == wantsCode:
		return "mfad: " + whose + " " + need + " a code"
	case k == refusal:
		return "mfad: AWS refuses " + whose
	case k == lockedUp:
		return "mfad is locked"
	case ts[0].code == creds.CodeKeyringLocked:
		return "mfad: the keyring is locked"
	}
	return "mfad: the keyring cannot be used"
}

// whatFailed is one line.
func whatFailed(k kind, ts []trouble) string {
	if k == endsSoon {
		return "its MFA session ends at " + ts[0].ends.Local().Format("15:04") + "; until then everything goes on"
	}
	if len(ts) == 1 {
		what := ts[0].program + " got no credentials"
		if k == lockedUp || k == keyringTrouble { // else the title names the profile
			what += " for " + ts[0].profile
		}
		return cut(what + ": " + ts[0].text)
	}
	var names []string
	for _, t := range ts[:min(len(ts), named)] {
		names = append(names, t.profile)
	}
	line := strings.Join(names, ", ")
	if more := len(ts) - named; more > 0 {
		line += fmt.Sprintf(" … and %d more", more)
	}
	return line + " got no credentials"
}

// cut brings a text onto one line of bearable length.
func cut(text string) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > longest {
		line = append(line[:longest-1], '…')
	}
	return string(line)
}
