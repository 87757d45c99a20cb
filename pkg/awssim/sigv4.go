package awssim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	stampLayout = "20060102T150405Z"
	// maxSkew is what IAM and STS grant a date stamp in both directions ("IAM
	// User Guide, AWS Signature Version 4 for API requests").
	maxSkew = 15 * time.Minute
)

// signature is what a request claims about its signer.
type signature struct {
	present                    bool
	keyID, date, region        string
	service, terminator        string
	signed                     []string // names of headers
	value, stamp, sessionToken string
}

// parseSignature reads the Authorization header without judging it. What can be
// read is returned also with a failure.
func parseSignature(r *http.Request) (signature, *failure) {
	g := signature{stamp: r.Header.Get("X-Amz-Date"), sessionToken: r.Header.Get("X-Amz-Security-Token")}
	header := r.Header.Get("Authorization")
	if header == "" {
		if q := r.URL.Query(); q.Has("X-Amz-Signature") || q.Has("X-Amz-Algorithm") {
			g.present = true
			return g, incompleteSignature("This simulator takes no presigned requests: sign with the Authorization header.")
		}
		return g, nil
	}
	g.present = true
	name, rest, _ := strings.Cut(header, " ")
	if name != algorithm {
		return g, incompleteSignature("Unsupported AWS 'algorithm': '" + name + "'")
	}
	fields := make(map[string]string)
	for _, part := range strings.FieldsFunc(rest, func(c rune) bool { return c == ',' || c == ' ' }) {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return g, incompleteSignature("'" + part + "' not a valid key=value pair (missing equal-sign) in Authorization header: '" + header + "'.")
		}
		fields[key] = value
	}
	var missing []string
	for _, key := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[key] == "" {
			missing = append(missing, "Authorization header requires '"+key+"' parameter.")
		}
	}
	if g.stamp == "" {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(missing) > 0 {
		return g, incompleteSignature(strings.Join(missing, " "))
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 {
		return g, incompleteSignature("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + fields["Credential"] + "'")
	}
	g.keyID, g.date, g.region, g.service, g.terminator = scope[0], scope[1], scope[2], scope[3], scope[4]
	g.signed, g.value = strings.Split(fields["SignedHeaders"], ";"), fields["Signature"]
	return g, nil
}

// checkScope judges everything of a signature that needs no secret.
func (s *Sim) checkScope(r *request) *failure {
	g := r.signature
	stamp, err := time.Parse(stampLayout, g.stamp)
	switch {
	case err != nil:
		return incompleteSignature("Date must be in ISO-8601 'basic format'. Got '" + g.stamp + "'. See http://en.wikipedia.org/wiki/ISO_8601")
	case g.terminator != "aws4_request":
		return signatureMismatch("Credential should be scoped with a valid terminator: 'aws4_request', not '" + g.terminator + "'.")
	case g.service != r.operation.service:
		return signatureMismatch("Credential should be scoped to correct service: '" + r.operation.service + "'.")
	case !partitions[orAWS(s.partition)].regions.matches(g.region):
		return signatureMismatch("Credential should be scoped to a valid region, not '" + g.region + "'.")
	case g.date != g.stamp[:8]:
		return signatureMismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			g.date + "' != '" + g.stamp[:8] + "', from '" + g.stamp + "'.")
	}
	for _, name := range mustBeSigned(r.http.Header) {
		if !slices.Contains(g.signed, name) {
			return signatureMismatch("'" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	return checkStamp(stamp, r.now)
}

// mustBeSigned lists host and every x-amz- header, as "AWS Signature Version 4,
// Create a signed AWS API request" demands.
func mustBeSigned(h http.Header) []string {
	names := []string{"host"}
	for name := range h {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	return names
}

func checkStamp(stamp, now time.Time) *failure {
	now = now.Truncate(time.Second)
	at := func(t time.Time) string { return t.Format(stampLayout) }
	switch oldest, newest := now.Add(-maxSkew), now.Add(maxSkew); {
	case stamp.Before(oldest):
		return signatureMismatch("Signature expired: " + at(stamp) + " is now earlier than " + at(oldest) + " (" + at(now) + " - 15 min.)")
	case stamp.After(newest):
		return signatureMismatch("Signature not yet current: " + at(stamp) + " is still later than " + at(newest) + " (" + at(now) + " + 15 min.)")
	}
	return nil
}

// authenticateLocked finds who signed r. The key is looked up before the
// signature is verified, so that an expired session is told from a wrong secret.
func (s *Sim) authenticateLocked(r *request) (caller, *failure) {
	if !r.signature.present {
		return caller{}, forbidden("MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	if f := s.checkScope(r); f != nil {
		return caller{}, f
	}
	who, secret, f := s.lookUpLocked(r.signature.keyID, r.signature.sessionToken, r.now)
	if f != nil {
		return caller{}, f
	}
	if !hmac.Equal([]byte(sign(r, secret)), []byte(r.signature.value)) {
		return caller{}, signatureMismatch(textBadSignature)
	}
	if k := s.keys[r.signature.keyID]; k != nil {
		k.lastUsed = lastUsed{r.now, r.operation.service, r.signature.region}
	}
	return who, nil
}

// lookUpLocked finds the owner of a key and its secret. Unknown, inactive, not
// yet known and revoked look the same, as at AWS.
func (s *Sim) lookUpLocked(id, token string, now time.Time) (caller, string, *failure) {
	if k := s.keys[id]; k != nil {
		if !k.active || now.Before(k.knownAt) || token != "" {
			return caller{}, "", invalidToken()
		}
		return k.caller(), k.SecretAccessKey, nil
	}
	n := s.sessions[id]
	switch {
	case n == nil || n.token != token || n.revoked:
		return caller{}, "", invalidToken()
	case !now.Before(n.expires):
		return caller{}, "", forbidden("ExpiredToken", textExpired)
	}
	return n.caller(), n.key.SecretAccessKey, nil
}

// sign computes what the signature of r must be.
func sign(r *request, secret string) string {
	g := r.signature
	var canonical strings.Builder
	canonical.WriteString(r.http.Method + "\n/\n" + canonicalQuery(r.http.URL.Query()) + "\n")
	for _, name := range g.signed {
		canonical.WriteString(name + ":" + canonicalHeader(r.http, name) + "\n")
	}
	payload := sha256.Sum256(r.body)
	canonical.WriteString("\n" + strings.Join(g.signed, ";") + "\n" + hex.EncodeToString(payload[:]))

	digest := sha256.Sum256([]byte(canonical.String()))
	scope := strings.Join([]string{g.date, g.region, g.service, g.terminator}, "/")
	toSign := strings.Join([]string{algorithm, g.stamp, scope, hex.EncodeToString(digest[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{g.date, g.region, g.service, g.terminator, toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

// canonicalHeader gives a header's values with runs of blanks made one.
// net/http keeps two headers away from the others.
func canonicalHeader(r *http.Request, name string) string {
	switch {
	case name == "host":
		return r.Host
	case name == "content-length":
		return itoa(int(r.ContentLength))
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

// canonicalQuery sorts by name, then value, and escapes all but the unreserved
// characters of RFC 3986.
func canonicalQuery(q url.Values) string {
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	var pairs [][2]string
	for name, values := range q {
		for _, v := range values {
			pairs = append(pairs, [2]string{escape(name), escape(v)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var line []string
	for _, p := range pairs {
		line = append(line, p[0]+"="+p[1])
	}
	return strings.Join(line, "&")
}
