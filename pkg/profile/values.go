package profile

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What AWS allows (AWS STS API Reference, "GetSessionToken" and "AssumeRole").
const (
	shortest       = 15 * time.Minute
	longestSession = 36 * time.Hour
	longestRole    = 12 * time.Hour
	mostPolicyARNs = 10
	mostTags       = 50
	mostPolicy     = 2048 // characters
)

const durationHint = "write such as 36h, 90m or a number of seconds"

// parseDuration reads a Go duration or whole seconds. AWS counts in seconds, so
// a fraction of one is refused.
func parseDuration(text string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if all(text, isDigit) {
		var seconds int64
		seconds, err = strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > math.MaxInt64/int64(time.Second) {
			seconds, err = math.MaxInt64/int64(time.Second), nil
		}
		d = time.Duration(seconds) * time.Second
	}
	span := short(least) + " to " + short(most)
	switch {
	case err != nil || d%time.Second != 0 && d >= least && d <= most:
		return 0, refuse(durationHint, "%s is not a duration in whole seconds", quoted(text))
	case d < least:
		return 0, refuse("use "+span, "%s is too short, the least is %s", quoted(text), short(least))
	case d > most:
		return 0, refuse("use "+span, "%s is too long, the most is %s", quoted(text), short(most))
	}
	return d, nil
}

// short writes 36h0m0s as 36h.
func short(d time.Duration) string {
	s := d.String()
	if t, ok := strings.CutSuffix(s, "m0s"); ok {
		s = t + "m"
	}
	if t, ok := strings.CutSuffix(s, "h0m"); ok {
		s = t + "h"
	}
	return s
}

// parseMaxOr reads "max", as 0, or a role's duration.
func parseMaxOr(text string) (time.Duration, error) {
	if text == "max" {
		return 0, nil
	}
	return parseDuration(text, shortest, longestRole)
}

func parseRefreshBefore(text string) (RefreshBefore, error) {
	number, ok := strings.CutSuffix(text, "%")
	if !ok {
		d, err := parseDuration(text, time.Second, longestSession/2)
		return RefreshBefore{Duration: d}, err
	}
	n, err := strconv.Atoi(number)
	if err != nil || !all(number, isDigit) || n < 1 || n > 50 {
		return RefreshBefore{}, refuse("use 1% to 50%, or a duration such as 30m",
			"%s is not a share of the lifetime", quoted(text))
	}
	return RefreshBefore{Percent: n}, nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, refuse("write true or false", "%s is neither true nor false", quoted(text))
}

// parseOne takes one of a few words.
func parseOne(text string, words ...string) (string, error) {
	if slices.Contains(words, text) {
		return text, nil
	}
	return "", refuse("the nearest is "+nearest(text, words),
		"%s is not one of %s", quoted(text), strings.Join(words, ", "))
}

// parseList splits at commas. An empty item is a mistake.
func parseList(text string) ([]string, error) {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
		if items[i] == "" {
			return nil, refuse("put one comma between two items, and none at the end", "there is an empty item in the list")
		}
		if slices.Contains(items[:i], items[i]) {
			return nil, refuse("leave out the second", "%s is in the list twice", quoted(items[i]))
		}
	}
	return items, nil
}

func parsePrompt(text string) ([]string, error) {
	if text == "auto" {
		return nil, nil
	}
	items, err := parseList(text)
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		if i == "auto" {
			return nil, refuse("write auto alone, or leave it out", "auto is a choice of its own")
		}
		if _, err := parseOne(i, "terminal", "dialog", "notification", "process"); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func parsePolicyARNs(text string) ([]string, error) {
	items, err := parseList(text)
	if err != nil {
		return nil, err
	}
	if len(items) > mostPolicyARNs {
		return nil, refuse("leave some out", "%d policies, AWS takes at most %d", len(items), mostPolicyARNs)
	}
	for _, i := range items {
		if err := checkPolicyARN(i); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// parseTags reads k=v,k=v. Keys that differ only in case are one key to AWS
// (IAM User Guide, "Pass session tags in AWS STS").
func parseTags(text string) ([]Tag, error) {
	items, err := parseList(text)
	if err != nil {
		return nil, err
	}
	if len(items) > mostTags {
		return nil, refuse("leave some out", "%d tags, AWS takes at most %d", len(items), mostTags)
	}
	tags := make([]Tag, 0, len(items))
	for _, i := range items {
		key, value, ok := strings.Cut(i, "=")
		t := Tag{strings.TrimSpace(key), strings.TrimSpace(value)}
		if !ok {
			return nil, refuse("write key=value,key=value", "%s has no =", quoted(i))
		}
		if err := checkTagKey(t.Key); err != nil {
			return nil, err
		}
		if utf8.RuneCountInString(t.Value) > 256 || !all(t.Value, isTag) {
			return nil, refuse("use at most 256 letters, digits, blanks and _.:/=+-@",
				"AWS does not take the value of the tag %s", quoted(t.Key))
		}
		if slices.ContainsFunc(tags, func(o Tag) bool { return strings.EqualFold(o.Key, t.Key) }) {
			return nil, refuse("leave out the second", "the tag %s is there twice", quoted(t.Key))
		}
		tags = append(tags, t)
	}
	return tags, nil
}

func parseTagKeys(text string) ([]string, error) {
	items, err := parseList(text)
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		if err := checkTagKey(i); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func checkTagKey(key string) error {
	if n := utf8.RuneCountInString(key); n < 1 || n > 128 || !all(key, isTag) {
		return refuse("use 1 to 128 letters, digits, blanks and _.:/=+-@", "AWS does not take the tag key %s", quoted(key))
	}
	return nil
}

// isTag is STS's class [\p{L}\p{Z}\p{N}_.:/=+\-@].
func isTag(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Z, unicode.N) || strings.ContainsRune("_.:/=+-@", r)
}

// limited takes text of a length and a class that STS prescribes.
func limited(text string, least, most int, class func(rune) bool, chars string) (string, error) {
	if n := utf8.RuneCountInString(text); n < least || n > most || !all(text, class) {
		return "", refuse(fmt.Sprintf("use %d to %d of %s", least, most, chars), "AWS does not take this value")
	}
	return text, nil
}

func parseSessionName(text string) (string, error) {
	return limited(text, 2, 64, isWord, "letters, digits and _+=,.@-")
}

func parseSourceIdentity(text string) (string, error) {
	if strings.HasPrefix(text, "aws:") {
		return "", refuse("leave out the aws: in front", "AWS keeps names that start with aws: for itself")
	}
	return parseSessionName(text)
}

func parseExternalID(text string) (string, error) {
	class := func(r rune) bool { return isWord(r) || r == ':' || r == '/' }
	return limited(text, 2, 1224, class, "letters, digits and _+=,.@:/-")
}

// parseRegion checks the form alone: AWS opens regions more often than mfad is
// released.
func parseRegion(text string) (string, error) {
	parts := strings.Split(text, "-")
	last := parts[len(parts)-1]
	class := func(r rune) bool { return isDigit(r) || r >= 'a' && r <= 'z' }
	if len(parts) < 3 || last == "" || !all(last, isDigit) || slices.Contains(parts, "") ||
		!all(strings.Join(parts, ""), class) {
		return "", refuse("write it as eu-west-1", "%s is not a region", quoted(text))
	}
	return text, nil
}

// parseEndpoint takes https, and http to this machine alone: what is sent there
// is signed, and what comes back are credentials.
func parseEndpoint(text string) (string, error) {
	const hint = "write it as https://HOST or https://HOST:PORT"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return "", refuse(hint, "this is not a URL")
	case u.User != nil:
		return "", refuse("leave out the user and the password", "there is a user name in the URL")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", refuse(hint, "there is a ? or # in the URL")
	case u.Scheme == "https":
		return text, nil
	case u.Scheme != "http":
		return "", refuse(hint, "%s is not https", quoted(u.Scheme))
	case !isLoopback(u.Hostname()):
		return "", refuse("use https; http goes to this machine only", "http to another machine (%s)", quoted(u.Hostname()))
	}
	return text, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// parseProxy never shows the value: it may hold a password.
func parseProxy(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return "", refuse("write it as http://HOST:PORT", "this is not the URL of a proxy")
	}
	return text, nil
}

// CheckName tells why text is no name for a profile, an identity or a section of AWS's
// files; nil if it is one. The error's text is for a person, and has a hint.
func CheckName(name string) error {
	class := func(r rune) bool { return isAlnum(r) || strings.ContainsRune("_./@+=,:-", r) }
	switch {
	case name == "DEFAULT":
		return refuse("use default, or another name", "the name DEFAULT has a meaning of its own in INI files")
	case len(name) < 1 || len(name) > 64 || !all(name, class):
		return refuse("use 1 to 64 letters, digits and _./@+=,:- without quotes", "%s is not a valid name", quoted(name))
	}
	return nil
}
