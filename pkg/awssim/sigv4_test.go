package awssim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/mfad/mfad/pkg/awssim"
)

const badSignature = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

func TestRefusedSignatures(t *testing.T) {
	w := newWorld(t, awssim.Start())
	inactive := w.alice.AddAccessKey()
	w.alice.SetKeyActive(inactive.AccessKeyID, false)
	bob := w.AddUser(home, "bob")
	deleted := key(bob)
	bob.DeleteKey(bob.AccessKeyID)
	session, second := w.session(t, false), w.session(t, false)
	revoked := w.session(t, false)
	w.RevokeSession(revoked.AccessKeyID)
	with := func(c aws.Credentials, edit func(*aws.Credentials)) aws.Credentials { edit(&c); return c }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	replace := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		}
	}
	day := time.Date(2030, 12, 31, 23, 59, 59, 0, time.UTC)
	const mismatch, invalid, incomplete = "SignatureDoesNotMatch", "InvalidClientTokenId", "IncompleteSignature"
	for _, tt := range []struct {
		name    string
		creds   aws.Credentials
		raw     raw
		code    string
		status  int
		message string
	}{
		{"unsigned", aws.Credentials{}, raw{}, "MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
		{"wrong secret", with(key(w.alice), func(c *aws.Credentials) { c.SecretAccessKey = "wrong" }), raw{}, mismatch, 403, badSignature},
		{"unknown key", aws.Credentials{AccessKeyID: "AKIAEXAMPLE000000001", SecretAccessKey: "x"}, raw{}, invalid, 403, badToken},
		{"inactive key", aws.Credentials{AccessKeyID: inactive.AccessKeyID, SecretAccessKey: inactive.SecretAccessKey}, raw{}, invalid, 403, badToken},
		{"deleted key", deleted, raw{}, invalid, 403, badToken},
		{"long-term key with a token", with(key(w.alice), func(c *aws.Credentials) { c.SessionToken = session.SessionToken }), raw{}, invalid, 403, badToken},
		{"session without its token", with(session, func(c *aws.Credentials) { c.SessionToken = "" }), raw{}, invalid, 403, badToken},
		{"session with another's token", with(session, func(c *aws.Credentials) { c.SessionToken = second.SessionToken }), raw{}, invalid, 403, badToken},
		{"session with a wrong secret", with(session, func(c *aws.Credentials) { c.SecretAccessKey = second.SecretAccessKey }), raw{}, mismatch, 403, badSignature},
		{"revoked session", revoked, raw{}, invalid, 403, badToken},
		{"body changed", key(w.alice), raw{spoil: func(r *http.Request) {
			n, _ := http.NewRequest(http.MethodPost, r.URL.String(), strings.NewReader(query("GetSessionToken", "2011-06-15")))
			r.Body, r.ContentLength, r.GetBody = n.Body, n.ContentLength, n.GetBody
		}}, mismatch, 403, badSignature},
		{"query changed", key(w.alice), raw{method: http.MethodGet, query: identify(), body: "", spoil: func(r *http.Request) {
			r.URL.RawQuery = query("GetSessionToken", "2011-06-15")
		}}, mismatch, 403, badSignature},
		{"host changed", key(w.alice), raw{spoil: func(r *http.Request) { r.Host = "elsewhere" }}, mismatch, 403, badSignature},
		{"signed header changed", key(w.alice), raw{header: http.Header{"X-Extra": {"a"}}, spoil: header("X-Extra", "b")}, mismatch, 403, badSignature},
		{"signature changed", key(w.alice), raw{spoil: replace("Signature=", "Signature=0")}, mismatch, 403, badSignature},
		{"amz header added afterwards", key(w.alice), raw{spoil: header("X-Amz-Extra", "b")}, mismatch, 403, "'x-amz-extra' must be a 'SignedHeader' in the AWS Authorization."},
		{"host left out", key(w.alice), raw{spoil: replace("host;", "")}, mismatch, 403, "'host' must be a 'SignedHeader' in the AWS Authorization."},
		{"no such region", key(w.alice), raw{region: "moon-1"}, mismatch, 403, "Credential should be scoped to a valid region, not 'moon-1'."},
		{"region of another partition", key(w.alice), raw{region: "cn-north-1"}, mismatch, 403, "Credential should be scoped to a valid region, not 'cn-north-1'."},
		{"another service", key(w.alice), raw{service: "s3"}, mismatch, 403, "Credential should be scoped to correct service: 'sts'."},
		{"scope of another day", key(w.alice), raw{at: day, spoil: replace("/20301231/", "/20301230/")}, mismatch, 403,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20301230' != '20301231', from '20301231T235959Z'."},
		{"other terminator", key(w.alice), raw{spoil: replace("aws4_request", "aws5_request")}, mismatch, 403, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
		{"other algorithm", key(w.alice), raw{spoil: replace("AWS4-HMAC-SHA256", "AWS3")}, incomplete, 400, "Unsupported AWS 'algorithm': 'AWS3'"},
		{"no signature in it", key(w.alice), raw{spoil: replace("Signature=", "Sign=")}, incomplete, 400, "Authorization header requires 'Signature' parameter."},
		{"short scope", key(w.alice), raw{spoil: header("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE000000001/sts, SignedHeaders=host, Signature=0")}, incomplete, 400,
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIAEXAMPLE000000001/sts'"},
		{"blank in the key", key(w.alice), raw{spoil: header("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA EXAMPLE, SignedHeaders=host, Signature=0")}, incomplete, 400,
			"'EXAMPLE' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential=AKIA EXAMPLE, SignedHeaders=host, Signature=0'."},
		{"no date", key(w.alice), raw{spoil: func(r *http.Request) { r.Header.Del("X-Amz-Date") }}, incomplete, 400,
			"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
		{"date is no date", key(w.alice), raw{spoil: header("X-Amz-Date", "today")}, incomplete, 400,
			"Date must be in ISO-8601 'basic format'. Got 'today'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"presigned", aws.Credentials{}, raw{method: http.MethodGet, query: identify() + "&X-Amz-Algorithm=AWS4-HMAC-SHA256"}, incomplete, 400,
			"This simulator takes no presigned requests: sign with the Authorization header."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.raw.body == "" && tt.raw.method == "" {
				tt.raw.body = identify()
			}
			answer, body := w.send(t, tt.creds, tt.raw)
			wantXML(t, answer, body, tt.code, tt.status, tt.message)
		})
	}
}

func TestAcceptedSignatures(t *testing.T) {
	w := newWorld(t, awssim.Start())
	for _, tt := range []struct {
		name string
		raw  raw
	}{
		{"POST", raw{body: identify()}},
		{"GET", raw{method: http.MethodGet, query: identify()}},
		{"a longer header", raw{body: identify(), header: http.Header{"X-Extra": {"  two   blanks ", "twice"}}}},
		{"another region", raw{body: identify(), region: "il-central-1"}},
		{"almost too old", raw{body: identify(), at: w.Now().Add(-14 * time.Minute)}},
		{"almost too new", raw{body: identify(), at: w.Now().Add(14 * time.Minute)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer, body := w.send(t, key(w.alice), tt.raw)
			if answer.StatusCode != http.StatusOK || element(body, "Arn") != w.alice.ARN {
				t.Errorf("got %d %s %s, want 200 %s", answer.StatusCode, element(body, "Code"), element(body, "Arn"), w.alice.ARN)
			}
		})
	}
}

// TestCanonicalQuerySortsNames has names of which one begins with the other: as
// whole pairs they would sort the other way.
func TestCanonicalQuerySortsNames(t *testing.T) {
	w := newWorld(t, awssim.Start())
	answer, body := w.send(t, key(w.alice), raw{method: http.MethodGet, query: identify() + "&A=1&A-B=a%20b%2Fc"})
	wantXML(t, answer, body, "ValidationError", 400, "The action has no parameter A, A-B")
}

func TestOtherPartition(t *testing.T) {
	srv := awssim.Start()
	t.Cleanup(srv.Close)
	srv.SetPartition("aws-us-gov")
	w := &world{Server: srv, alice: srv.AddUser(home, "eng/alice")}
	if want := "arn:aws-us-gov:iam::111111111111:user/eng/alice"; w.alice.ARN != want {
		t.Errorf("ARN = %s, want %s", w.alice.ARN, want)
	}
	answer, body := w.send(t, key(w.alice), raw{body: identify(), region: "us-gov-west-1"})
	if answer.StatusCode != http.StatusOK {
		t.Errorf("us-gov-west-1: %s", element(body, "Code"))
	}
	answer, body = w.send(t, key(w.alice), raw{body: identify(), region: "us-east-1"})
	wantXML(t, answer, body, "SignatureDoesNotMatch", 403, "Credential should be scoped to a valid region, not 'us-east-1'.")
}

func TestNoQueryRequest(t *testing.T) {
	w := newWorld(t, awssim.Start())
	answer, body := w.send(t, key(w.alice), raw{body: identify(), header: http.Header{"Content-Type": {"application/json"}}})
	wantXML(t, answer, body, "UnsupportedMediaType", 415, "The body is no form")
	answer, body = w.send(t, key(w.alice), raw{method: http.MethodPut, body: identify()})
	wantXML(t, answer, body, "MethodNotAllowed", 405, "The method is neither GET nor POST")
	resp, err := w.Client().Get(w.URL + "/elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("another path: %d, want 404", resp.StatusCode)
	}
}
