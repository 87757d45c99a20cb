package console

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// submit is the page's only script; the policy names its hash.
const submit = `document.forms[0].submit()`

// The page, around the form's fields. The form keeps no value of them: Firefox
// would write them to its session file without the autocomplete attribute. A
// template would be shorter, but the linker keeps every method of every type in a
// program with one, and that is 8 MB here.
const (
	pageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Signing in to the AWS console</title>
</head>
<body>
`
	pageTail = `<noscript><button>Sign in to the AWS console</button></noscript>
</form>
<script>` + submit + `</script>
</body>
</html>
`
)

// render gives the page. Its length is known before anything is sent, so that a
// browser can tell a whole page from a part of one.
func (l Login) render() ([]byte, error) {
	if !private(origin(l.Endpoint)) {
		return nil, errors.New("the federation endpoint is not an https address")
	}
	if l.Token.IsZero() {
		return nil, errors.New("there is no sign-in token")
	}
	page := []byte(pageHead)
	page = fmt.Appendf(page, "<form method=\"post\" action=\"%s\" autocomplete=\"off\">\n", html.EscapeString(l.Endpoint))
	for _, f := range l.fields() {
		page = fmt.Appendf(page, "<input type=\"hidden\" name=\"%s\" value=\"%s\" autocomplete=\"off\">\n",
			html.EscapeString(f.Name), html.EscapeString(f.Value))
	}
	return append(page, pageTail...), nil
}

// policy is the page's Content-Security-Policy: nothing but the one script and
// a form that can go to AWS.
//
// Chrome and Safari hold the redirects that follow a form against form-action
// too (https://github.com/w3c/webappsec-csp/issues/8), and AWS answers with
// redirects, through hosts of the sign-in service to Destination. So all hosts
// of the partition are named, not the endpoint alone.
func (l Login) policy() string {
	hash := sha256.Sum256([]byte(submit))
	targets := []string{origin(l.Endpoint)}
	if to := origin(l.Destination); to != "" && !slices.Contains(targets, to) {
		targets = append(targets, to)
	}
	if u, err := url.Parse(l.Endpoint); err == nil {
		for _, p := range partitions() {
			for _, domain := range p.domains {
				if within(u.Hostname(), domain) {
					targets = append(targets, "https://*."+domain)
				}
			}
		}
	}
	return "default-src 'none'; base-uri 'none'; frame-ancestors 'none'" +
		"; script-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'" +
		"; form-action " + strings.Join(targets, " ")
}

// origin gives scheme, host and port of an address, and nothing for what cannot
// be the target of a form. Without a check of the characters a host could end
// the directive of a policy that it stands in.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.ContainsAny(u.Host, " ;,'*") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// private tells whether nobody between here and the origin can read what is
// sent there. A simulator of AWS on this machine may do without TLS.
func private(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" {
		return err == nil && u.Scheme == "https"
	}
	address, err := netip.ParseAddr(u.Hostname())
	return err == nil && address.IsLoopback()
}

// oneShot hands the page to the first browser that asks for it by its very
// address, and tells everybody else that there is nothing here.
type oneShot struct {
	host, path string
	policy     string
	page       []byte
	spent      atomic.Bool
	done       chan error // has room for the one outcome: nil once the page is sent
}

// ServeHTTP implements [http.Handler].
func (s *oneShot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Connection", "close")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if !s.wanted(r) || !s.spent.CompareAndSwap(false, true) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(s.page)))
	h.Set("Content-Security-Policy", s.policy)
	_, err := w.Write(s.page)
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	s.done <- err
}

// wanted tells whether a browser wants to show the page to a person. A Host
// other than the address means that a name was made to point here (DNS
// rebinding). What Sec-Fetch-Dest and Sec-Purpose say is not to be had from a
// script (Fetch Metadata Request Headers, https://www.w3.org/TR/fetch-metadata/),
// and browsers that do not send them show the page too.
func (s *oneShot) wanted(r *http.Request) bool {
	to := r.Header.Get("Sec-Fetch-Dest")
	return r.Method == http.MethodGet && r.Host == s.host && r.RequestURI == s.path &&
		(to == "" || to == "document") && r.Header.Get("Sec-Purpose") == ""
}
