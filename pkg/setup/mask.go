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
	// bare is what could be a secret access key: 40 characters, without a word about it.
	bare = regexp.MustCompile(`[A-Za-z0-9/+=]{40,}`)
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
		if isComment(line) {
			line = bare.ReplaceAllStringFunc(line, maskBare)
		}
		if m := setting.FindStringSubmatch(line); m != nil && isSecret(m[2], m[4]) {
			hidden = true
			line = m[1] + m[2] + m[3] + "****"
		}
		lines = append(lines, line)
	}
	return lines
}

func isComment(line string) bool {
	text := strings.TrimSpace(line)
	return strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";")
}

// maskBare hides a run of characters that has digits and letters of both cases, as
// secrets have, and rules of dashes or words have not.
func maskBare(run string) string {
	for _, class := range []string{"0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"} {
		if !strings.ContainsAny(run, class) {
			return run
		}
	}
	return "****"
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
