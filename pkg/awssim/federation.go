package awssim

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"time"
)

// Rules of "IAM User Guide, Enable custom identity broker access to the AWS
// console".
const (
	signinValidity = 15 * time.Minute
	minConsole     = 900   // seconds
	maxConsole     = 43200 // seconds
)

// What the sign-in pages say; neither names the reason.
const (
	textBadSession = "Invalid credentials parameter"
	textNoConsole  = "Only federation tokens or assume role tokens may be used for federated login. Please contact your administrator."
)

// signin is what a sign-in token stands for.
type signin struct {
	principal string
	until     time.Time // when the token ends
	lasts     time.Duration
	ends      time.Time // of the console session, if lasts is 0
}

// ConsoleSession is a login to the console that AWS accepted.
type ConsoleSession struct {
	Principal   string // ARN of the role session or federated user
	Destination string // page asked for
	Issuer      string // "" if not sent
	// Started and Expires are by the servers' clock. Expires is the end of the
	// credentials, or of SessionDuration where that was taken.
	Started, Expires time.Time
}

// ConsoleSessions lists every login so far, oldest first.
func (s *Sim) ConsoleSessions() []ConsoleSession {
	s.lock()
	defer s.mu.Unlock()
	return append([]ConsoleSession(nil), s.consoles...)
}

// sessionJSON is the Session parameter.
type sessionJSON struct {
	ID    string `json:"sessionId"`
	Key   string `json:"sessionKey"`
	Token string `json:"sessionToken"`
}

// parseSessionJSON gives the zero value for what is no JSON.
func parseSessionJSON(text string) (v sessionJSON) {
	if json.Unmarshal([]byte(text), &v) != nil {
		return sessionJSON{}
	}
	return v
}

// federateLocked serves /federation: GET or a form, without a signature.
func (s *Sim) federateLocked(r *request, deny bool) response {
	known := map[string][]string{
		"getSigninToken": {"Action", "Session", "SessionDuration", "SessionType"},
		"login":          {"Action", "Issuer", "Destination", "SigninToken"},
	}[r.form.Get("Action")]
	if r.problem != nil || known == nil || deny || !onlyHas(r.form, known) {
		return signinError(http.StatusBadRequest, "Invalid request")
	}
	if r.form.Get("Action") == "login" {
		return s.loginLocked(r)
	}
	return s.signinTokenLocked(r)
}

func onlyHas(form map[string][]string, names []string) bool {
	found := 0
	for _, n := range names {
		if _, ok := form[n]; ok {
			found++
		}
	}
	return found == len(form)
}

// signinTokenLocked exchanges credentials for a token that can be put in a link.
func (s *Sim) signinTokenLocked(r *request) response {
	bad := signinError(http.StatusBadRequest, textBadSession)
	v := parseSessionJSON(r.form.Get("Session"))
	n := s.sessions[v.ID]
	if n == nil || v.Token != n.token || v.Key != n.key.SecretAccessKey || n.revoked || !r.now.Before(n.expires) {
		return bad
	}
	if n.kind == userSession {
		return signinError(http.StatusBadRequest, textNoConsole)
	}
	to := signin{principal: n.arn, until: r.now.Add(signinValidity), ends: n.expires}
	if r.form.Has("SessionDuration") {
		seconds, err := strconv.Atoi(r.form.Get("SessionDuration"))
		// It belongs to AssumeRole calls that long-term credentials signed, and
		// does not care for the role's MaxSessionDuration.
		if err != nil || seconds < minConsole || seconds > maxConsole || n.kind != roleSession || n.chained {
			return bad
		}
		to.lasts = time.Duration(seconds) * time.Second
	}
	token := newToken()
	for old, o := range s.signins {
		if r.now.After(o.until) {
			delete(s.signins, old)
		}
	}
	s.signins[token] = to
	// Marshalling a map of strings cannot fail.
	body, _ := json.Marshal(map[string]string{"SigninToken": token})
	return response{status: http.StatusOK, contentType: "application/json", requestID: newRequestID(), body: body}
}

// loginLocked signs in. AWS redirects to Destination; a simulator must not send
// anybody to the real console and shows a page of its own.
func (s *Sim) loginLocked(r *request) response {
	to, known := s.signins[r.form.Get("SigninToken")]
	destination := r.form.Get("Destination")
	if !known || !r.now.Before(to.until) || !partitions[orAWS(s.partition)].isConsole(destination) {
		return signinError(http.StatusBadRequest, "Invalid request")
	}
	if to.lasts > 0 {
		to.ends = s.expiryLocked(r.now, to.lasts)
	}
	c := ConsoleSession{
		Principal: to.principal, Destination: destination, Issuer: r.form.Get("Issuer"), Started: r.now, Expires: to.ends,
	}
	s.consoles = append(s.consoles, c)
	return signinPage(http.StatusOK, "Simulated AWS console", fmt.Sprintf(
		"Signed in as %s until %s. The real console would open %s",
		c.Principal, formatTime(c.Expires), c.Destination))
}

// signinError is the page that a servlet container makes of a refusal.
func signinError(status int, message string) response {
	r := signinPage(status, "HTTP Status "+itoa(status)+" - "+message,
		"message "+message+" description The request sent by the client was syntactically incorrect.")
	r.code = http.StatusText(status)
	return r
}

func signinPage(status int, title, text string) response {
	return response{
		status: status, contentType: "text/html;charset=utf-8", requestID: newRequestID(),
		body: fmt.Appendf(nil, "<html><head><title>%s</title></head><body><h1>%[1]s</h1><p>%s</p></body></html>\n",
			html.EscapeString(title), html.EscapeString(text)),
	}
}
