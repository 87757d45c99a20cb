package localapi

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// The words of a status in one word, from the one that wins.
const (
	// WordLocked: mfad is locked, or its keyring is.
	WordLocked = "locked"
	// WordMFA: a code is needed, or asked for.
	WordMFA = "mfa"
	// WordExpired: there are no usable credentials, and a code is not what is missing.
	WordExpired = "expired"
	// WordConflict: AWS's files cannot serve a profile.
	WordConflict = "conflict"
	// WordFailing: the last refresh failed, and the credentials before it still work.
	WordFailing = "failing"
)

// words has the one that wins first.
var words = [...]string{WordLocked, WordMFA, WordExpired, WordConflict, WordFailing}

// Word sums a status up for a shell's prompt: what a person should know first, or
// "" where all is well or on its way. Name restricts it to a profile, or to an
// identity and its profiles; it may be a pattern as path.Match has it. Where nothing
// has that name the error is [creds.CodeUnknownProfile].
func (st Status) Word(name string) (string, error) {
	named := func(s string) bool {
		if name == "" || name == s {
			return true
		}
		ok, err := path.Match(name, s)
		return ok && err == nil
	}
	first, known := len(words), name == ""
	see := func(word string) {
		if i := slices.Index(words[:], word); i >= 0 {
			first = min(first, i)
		}
	}
	for _, i := range st.Identities {
		if named(i.Name) {
			known = true
			see(wordOf(i.State, i.Error))
			if i.Prompt != nil {
				see(WordMFA)
			}
		}
	}
	for _, p := range st.Profiles {
		if named(p.Name) || named(p.Identity) {
			known = true
			see(wordOf(p.State, p.Error))
		}
	}
	switch {
	case !known:
		return "", &creds.Error{Code: creds.CodeUnknownProfile, Op: "there is no identity or profile " + name, Hint: "run: mfad status"}
	case st.Daemon.Locked:
		return WordLocked, nil
	case first == len(words):
		return "", nil
	}
	return words[first], nil
}

// wordOf gives the word for a state of an identity or a profile.
func wordOf(state string, why *Error) string {
	switch {
	case why != nil && state != "fresh" && (why.Code == creds.CodeLocked || why.Code == creds.CodeKeyringLocked):
		return WordLocked
	case state == "mfa_required":
		return WordMFA
	case state == "failing" && why == nil: // it is only just starting
		return ""
	}
	return state // it is the word itself, or none
}

// short answers GET /v1/short?name=NAME with a line of one word, or with nothing.
func (s *Server) short(w http.ResponseWriter, r *http.Request) {
	word, err := s.backend.Glance().Word(r.URL.Query().Get("name"))
	if err != nil {
		refuse(w, 0, err)
		return
	}
	if word != "" {
		word += "\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(word)))
	_, _ = io.WriteString(w, word) // a client that went away wants no answer
}

// Short gives the status in one word, as [Status.Word] does. Where no daemon is it
// has the error of [Client.Do].
func (c *Client) Short(ctx context.Context, name string) (string, error) {
	resp, err := c.send(ctx, "/v1/short?name="+url.QueryEscape(name), nil, "text/plain")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", errorOf(resp)
	}
	line, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	if err != nil {
		return "", gone(ctx, err)
	}
	return strings.TrimSpace(string(line)), nil
}
