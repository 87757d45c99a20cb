package setup

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
)

var (
	keyID    = regexp.MustCompile(`\b(A[A-Z]{3})[A-Z0-9]{8,}([A-Z0-9]{4})\b`)
	setting  = regexp.MustCompile(`^([\s#;]*(?:mfad: *)?)([A-Za-z0-9_.-]+)(\s*[=:]\s*)(.*)$`)
	userinfo = regexp.MustCompile(`://[^/@\s]+@`)
)

// mask gives the lines of a file as they may be shown: of access key IDs the last
// four characters, of secrets nothing, in comments too.
func mask(src []byte) []string {
	var lines []string
	hidden := false // the line above is a secret, which an indented line continues
	for raw := range bytes.Lines(src) {
		line := strings.Map(visible, strings.TrimRight(string(raw), "\r\n"))
		if hidden && strings.TrimLeft(line, " \t") != line && strings.TrimSpace(line) != "" {
			lines = append(lines, "    ****")
			continue
		}
		hidden = false
		line = keyID.ReplaceAllString(line, "$1****$2")
		line = userinfo.ReplaceAllString(line, "://****@")
		if m := setting.FindStringSubmatch(line); m != nil && isSecret(m[2], m[4]) {
			hidden = true
			line = m[1] + m[2] + m[3] + "****"
		}
		lines = append(lines, line)
	}
	return lines
}

// visible keeps a file from steering the terminal that it is shown on.
func visible(r rune) rune {
	if r != '\t' && !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

// isSecret tells whether the value of a key may be one. Programs are, since people
// put what those need into their arguments; only the one that mfad writes is not.
func isSecret(key, value string) bool {
	key = strings.ToLower(key)
	if key == "credential_process" && strings.Contains(value, " credential-process --profile ") {
		return false
	}
	for _, part := range []string{"secret", "token", "password", "passphrase", "seed", "_process"} {
		if strings.Contains(key, part) {
			return true
		}
	}
	return false
}
