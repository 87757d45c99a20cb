package endpoint

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// ServeHTTP answers one request. Nothing but the token is looked at before the
// token: to whoever lacks it all requests look the same.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case !s.knows(r.Header["Authorization"]):
		refuse(w, http.StatusUnauthorized, creds.CodeUsage, "the Authorization header does not hold the token of this endpoint")
	case r.Host != s.listener.Addr().String():
		refuse(w, http.StatusForbidden, creds.CodeUsage, "the Host header names another host than "+s.listener.Addr().String())
	case fromBrowser(r.Header):
		refuse(w, http.StatusForbidden, creds.CodeUsage, "requests from a browser are refused")
	case r.URL.EscapedPath() != path || r.URL.RawQuery != "":
		refuse(w, http.StatusNotFound, creds.CodeUsage, "there is nothing but "+path)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, creds.CodeUsage, "credentials are only read here")
	default:
		c, err := s.credentials()
		if err != nil {
			fail(w, err)
			return
		}
		hand(w, c)
	}
}

// knows compares in a time that does not depend on what was sent.
func (s *Server) knows(sent []string) bool {
	return len(sent) == 1 && creds.NewSecret(sent[0]).Equal(s.token)
}

// fromBrowser tells a page's request: browsers do not let pages leave these out.
func fromBrowser(h http.Header) bool {
	for _, name := range []string{"Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User"} {
		if _, sent := h[name]; sent {
			return true
		}
	}
	return false
}

// hand writes credentials. This is where their secrets leave as plain text.
func hand(w http.ResponseWriter, c creds.Credentials) {
	write(w, http.StatusOK, struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      string
	}{c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), c.Expires.UTC().Format(time.RFC3339)})
}

// fail words an error with its hint: the SDKs show the message and nothing else.
func fail(w http.ResponseWriter, err error) {
	text := err.Error()
	if hint := creds.HintOf(err); hint != "" {
		text += " (hint: " + hint + ")"
	}
	refuse(w, statusOf(creds.CodeOf(err)), creds.CodeOf(err), text)
}

// statusOf gives 4xx for what stays until somebody does something, so that no SDK
// tries again, and 503 for what may be over in a moment.
func statusOf(c creds.Code) int {
	switch c {
	case creds.CodeThrottled, creds.CodeUnavailable, creds.CodeNetwork, creds.CodeTimeout, creds.CodeKeyringTimeout, creds.CodeDaemonDown:
		return http.StatusServiceUnavailable
	case creds.CodeLocked, creds.CodeKeyringLocked, creds.CodeKeyringAbsent:
		return http.StatusLocked
	case creds.CodeUnknownProfile:
		return http.StatusGone
	}
	return http.StatusForbidden
}

// refuse answers with an error in the form that AWS's document gives it.
func refuse(w http.ResponseWriter, status int, code creds.Code, message string) {
	write(w, status, struct {
		Code    creds.Code `json:"code"`
		Message string     `json:"message"`
	}{code, message})
}

func write(w http.ResponseWriter, status int, body any) {
	b, _ := json.Marshal(body) // strings: it cannot fail
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away asks again
}
