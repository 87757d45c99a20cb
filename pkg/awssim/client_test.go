package awssim_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/mfad/mfad/pkg/awssim"
)

const (
	home  = "111111111111" // the account of the users
	other = "222222222222"
)

// world is a simulator with what most tests need.
type world struct {
	*awssim.Server
	alice *awssim.User
	phone *awssim.Device
	admin awssim.Role // in another account, 12 h, wants MFA
	open  awssim.Role // in another account, 12 h, wants nothing
}

func newWorld(t *testing.T, srv *awssim.Server) *world {
	t.Helper()
	t.Cleanup(srv.Close)
	w := &world{Server: srv, alice: srv.AddUser(home, "alice")}
	w.phone = w.alice.AddMFA("alices-phone")
	w.admin = srv.AddRole(awssim.Role{Account: other, Name: "Admin", Path: "/ops/", MaxSessionDuration: 12 * time.Hour,
		Principals: []string{w.alice.ARN}, RequireMFA: true})
	w.open = srv.AddRole(awssim.Role{Account: other, Name: "Open", MaxSessionDuration: 12 * time.Hour,
		Principals: []string{"arn:aws:iam::" + home + ":root", "arn:aws:iam::" + other + ":root"}})
	return w
}

// key is the first key of a user as the SDK wants it.
func key(u *awssim.User) aws.Credentials {
	return aws.Credentials{AccessKeyID: u.AccessKeyID, SecretAccessKey: u.SecretAccessKey}
}

// temporary is what STS answered.
func temporary(c *types.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}
}

func (w *world) sts(c aws.Credentials, opts ...func(*sts.Options)) *sts.Client {
	return sts.New(sts.Options{
		Region: "eu-west-1", BaseEndpoint: &w.URL, HTTPClient: w.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.StaticCredentialsProvider{Value: c},
	}, opts...)
}

func (w *world) iam(c aws.Credentials) *iam.Client {
	return iam.New(iam.Options{
		Region: "us-east-1", BaseEndpoint: &w.URL, HTTPClient: w.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.StaticCredentialsProvider{Value: c},
	})
}

// session starts a session, with a code if mfa is set.
func (w *world) session(t *testing.T, mfa bool) aws.Credentials {
	t.Helper()
	in := &sts.GetSessionTokenInput{}
	if mfa {
		in.SerialNumber, in.TokenCode = &w.phone.Serial, aws.String(w.code(t, w.phone))
	}
	out, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), in)
	if err != nil {
		t.Fatalf("GetSessionToken: %v", err)
	}
	return temporary(out.Credentials)
}

// assume assumes a role for an hour.
func (w *world) assume(t *testing.T, from aws.Credentials, arn string) aws.Credentials {
	t.Helper()
	out, err := w.sts(from).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("alice")})
	if err != nil {
		t.Fatalf("AssumeRole %s: %v", arn, err)
	}
	return temporary(out.Credentials)
}

// code is the next code of d; the test fails if none comes in time.
func (w *world) code(t *testing.T, d *awssim.Device) string {
	t.Helper()
	code, err := d.NextCode(t.Context())
	if err != nil {
		t.Fatalf("NextCode: %v", err)
	}
	return code
}

// wantRefusal checks an SDK error: AWS's code, the HTTP status and the text.
func wantRefusal(t *testing.T, err error, code string, status int, message string) {
	t.Helper()
	var api smithy.APIError
	var answer *awshttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &answer) {
		t.Errorf("got %v, want %s %d", err, code, status)
		return
	}
	if api.ErrorCode() != code || answer.HTTPStatusCode() != status || api.ErrorMessage() != message {
		t.Errorf("got  %s %d %q\nwant %s %d %q", api.ErrorCode(), answer.HTTPStatusCode(), api.ErrorMessage(), code, status, message)
	}
	if answer.ServiceRequestID() == "" {
		t.Error("the answer has no request ID")
	}
}

// raw is a request that a test signs, or spoils, by itself.
type raw struct {
	method, query, body string
	service, region     string
	header              http.Header
	at                  time.Time // of the signature; zero means now
	spoil               func(*http.Request)
}

// send signs r with c and sends it; an empty c leaves it unsigned.
func (w *world) send(t *testing.T, c aws.Credentials, r raw) (*http.Response, string) {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, w.URL+"/?"+r.query, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if c.AccessKeyID != "" {
		if r.at.IsZero() {
			r.at = w.Now()
		}
		if r.service == "" {
			r.service = "sts"
		}
		if r.region == "" {
			r.region = "eu-west-1"
		}
		sum := sha256.Sum256([]byte(r.body))
		if err := v4.NewSigner().SignHTTP(t.Context(), c, req, hex.EncodeToString(sum[:]), r.service, r.region, r.at); err != nil {
			t.Fatal(err)
		}
	}
	if r.spoil != nil {
		r.spoil(req)
	}
	return w.do(t, req)
}

func (w *world) do(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := w.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// query is the body of a Query request.
func query(action, version string, pairs ...string) string {
	v := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// identify is GetCallerIdentity in raw form.
func identify() string { return query("GetCallerIdentity", "2011-06-15") }

// federate sends a form to the federation endpoint.
func (w *world) federate(t *testing.T, method string, form url.Values) (int, string) {
	t.Helper()
	address, body := w.URL+"/federation", ""
	if method == http.MethodGet {
		address += "?" + form.Encode()
	} else {
		body = form.Encode()
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, address, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, text := w.do(t, req)
	return answer.StatusCode, text
}
