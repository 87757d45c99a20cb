package awsapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// replying answers every request with the same bytes, as AWS or something on the
// way might.
type replying struct {
	status  int
	header  http.Header
	body    string
	cut     bool // the connection breaks after the body
	refused bool // there is none
}

func (a replying) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	if a.refused {
		return nil, errors.New("connection refused")
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	var body io.Reader = strings.NewReader(a.body)
	if a.cut {
		body = io.MultiReader(body, cutOff{})
	}
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}, nil
}

type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// asking is a key with its session and code; nothing of them may be told.
var asking = struct {
	key               creds.Credentials
	code, token, blob string
}{
	key: creds.Credentials{
		AccessKeyID:     "ASIAEXAMPLE000000001",
		SecretAccessKey: creds.NewSecret("Example/Secret+KEYofNobody/42"),
		SessionToken:    creds.NewSecret("FwoGExampleSessionTokenOfNobody//+aBcD=="),
	},
	code: "493817", token: "FwoGExampleSessionTokenOfNobody", blob: "PHNhbWw+RXhhbXBsZUFzc2VydGlvbk9mTm9ib2R5",
}

const (
	inAnswer  = "<ResponseMetadata><RequestId>0-1</RequestId></ResponseMetadata>"
	inSession = "<Credentials><AccessKeyId>ASIAEXAMPLE000000002</AccessKeyId><SecretAccessKey>s</SecretAccessKey>" +
		"<SessionToken>t</SessionToken><Expiration>2030-01-02T03:04:05Z</Expiration></Credentials>"
	federation = "https://signin.example.com/federation"
)

// ask makes one of a client's calls. took holds what a success must have brought.
func (a replying) ask(ctx context.Context, call uint8) (took []string, err error) {
	c, err := New(Endpoint{URL: "https://aws.example.com"})
	if err != nil {
		return nil, err
	}
	c.http.Transport = limited{a}
	role := creds.Role{ARN: "arn:aws:iam::111111111111:role/Admin", SessionName: "alice", Duration: time.Hour}
	code, blob := creds.NewSecret(asking.code), creds.NewSecret(asking.blob)
	var got creds.Credentials
	switch call % 11 {
	case 0:
		got, err = c.StartSession(ctx, asking.key, "GAHT12345678", code, time.Hour)
	case 1:
		got, err = c.AssumeRole(ctx, asking.key, role)
	case 2:
		got, err = c.AssumeRoleWithCode(ctx, asking.key, role, "GAHT12345678", code)
	case 3:
		got, err = c.AssumeRoleWithSAML(ctx, role, "arn:aws:iam::111111111111:saml-provider/x", blob)
	case 4:
		got, err = c.AssumeRoleWithWebIdentity(ctx, role, blob)
	case 5:
		got, err = c.FederationToken(ctx, asking.key, "alice", "", nil, time.Hour)
	case 6:
		token, err := c.SigninToken(ctx, federation, asking.key, time.Hour)
		return []string{token.Reveal()}, err
	case 7:
		info, err := c.Role(ctx, asking.key, "Admin")
		return []string{info.ARN}, err
	case 8:
		_, err = c.Devices(ctx, asking.key)
		return nil, err
	case 9:
		_, err = c.CallerIdentity(ctx, asking.key)
		return nil, err
	case 10:
		return nil, c.SetMaxSessionDuration(ctx, asking.key, "Admin", time.Hour, nil)
	}
	end := ""
	if !got.Expires.IsZero() {
		end = got.Expires.String()
	}
	return []string{got.AccessKeyID, got.SecretAccessKey.Reveal(), got.SessionToken.Reveal(), end}, err
}

// sent puts what the call sends into an answer.
func sent(call uint8) *strings.Replacer {
	pairs := []string{"{secret}", asking.key.SecretAccessKey.Reveal(), "{token}", asking.key.SessionToken.Reveal()}
	switch call % 11 {
	case 0, 2:
		pairs = append(pairs, "{code}", asking.code)
	case 3, 4:
		pairs = []string{"{blob}", asking.blob}
	}
	return strings.NewReplacer(pairs...)
}

// FuzzAnswers lets AWS, or whoever answers for it, say anything: no call panics,
// every failure is a creds.Error that repeats nothing of the request's secrets, and
// credentials are taken whole or not at all. In an answer {code}, {secret},
// {token} and {blob} stand for the request's own.
func FuzzAnswers(f *testing.F) {
	actions := []string{"GetSessionToken", "AssumeRole", "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken", "", "GetRole", "ListMFADevices", "GetCallerIdentity", "UpdateRole"}
	sts := func(action, result string) string {
		return "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action + "Result>" + result + "</" + action + "Result>" + inAnswer + "</" + action + "Response>"
	}
	failure := func(code, message string) string {
		return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + message + "</Message></Error><RequestId>0-1</RequestId></ErrorResponse>"
	}
	for i, action := range actions {
		call := uint8(i)
		for _, part := range []string{"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "none"} {
			f.Add(call, uint16(200), uint8(0), sts(action, strings.ReplaceAll(inSession, part+">", "X>")))
			f.Add(call, uint16(200), uint8(0), sts(action, strings.ReplaceAll(inSession, "<"+part+">", "<"+part+"></"+part+"><"+part+">")))
		}
		f.Add(call, uint16(200), uint8(0), sts(action, "<Role><Arn>arn:aws:iam::111111111111:role/Admin</Arn><MaxSessionDuration>3600</MaxSessionDuration></Role>"))
		f.Add(call, uint16(200), uint8(0), sts(action, "<IsTruncated>false</IsTruncated><MFADevices><member><SerialNumber>x</SerialNumber></member></MFADevices>"))
		for status, text := range map[uint16]string{
			200: "<html><title>Log in to Wi-Fi</title>{code} {secret}</html>", 302: "", 400: failure("ValidationError", "1 validation error: Value '{code}' at 'tokenCode' failed"),
			401: failure("X", "{secret}"), 403: failure("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. {code}"),
			404: failure("{token}", "x"), 407: "<html>{token}", 429: failure("Throttling", "Rate exceeded {code}"), 500: failure("InternalFailure", "{code} {blob}"), 503: "", 599: "{secret}",
		} {
			f.Add(call, status, uint8(0), text)
		}
	}
	f.Add(uint8(6), uint16(200), uint8(1), `{"SigninToken":"x"}`)
	f.Add(uint8(6), uint16(200), uint8(1), `{"SigninToken":""}`)
	f.Add(uint8(6), uint16(400), uint8(2), "<html><title>Error</title><h1>HTTP Status 400</h1><p><b>message</b> Only federation {token} <b>description</b></html>")
	f.Add(uint8(6), uint16(400), uint8(2), "<html>{sec</b>ret} {secret}")
	f.Add(uint8(2), uint16(200), uint8(4), "<AssumeRoleResponse><AssumeRoleResult>"+inSession)
	f.Add(uint8(2), uint16(0), uint8(8), "{code} {secret}")
	f.Fuzz(func(t *testing.T, call uint8, status uint16, how uint8, body string) {
		a := replying{status: 100 + int(status)%500, header: http.Header{}, body: sent(call).Replace(body), cut: how&4 != 0, refused: how&8 != 0}
		if status >= 100 && status < 600 {
			a.status = int(status)
		}
		a.header.Set("Content-Type", []string{"text/xml", "application/json", "text/html", ""}[how&3])
		if how&16 != 0 {
			a.header.Set("Location", "https://portal.example.com/?"+asking.code)
		}
		// Pages may follow one another for ever.
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		took, err := a.ask(ctx, call)
		if err == nil {
			if a.refused || a.status/100 != 2 {
				t.Fatalf("call %d: status %d was taken for a success: %q", call%11, a.status, a.body)
			}
			for i, part := range took {
				if part == "" {
					t.Fatalf("call %d: part %d is missing, and was taken: %q", call%11, i, a.body)
				}
			}
			return
		}
		for _, part := range took {
			if part != "" {
				t.Fatalf("call %d: failed with %v and gave something", call%11, err)
			}
		}
		tellsNothing(t, err)
		_, unsent := errors.AsType[*NotSentError](err)
		if unsent != a.refused {
			t.Fatalf("call %d: not sent is %v, want %v: %v", call%11, unsent, a.refused, err)
		}
	})
}

func tellsNothing(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*creds.Error](err)
	if !ok || e.Code == "" || e.Code == creds.CodeInternal || e.Op == "" || e.Err == nil {
		t.Fatalf("%v is %+v, want a creds.Error with a code and a cause", err, e)
	}
	said := err.Error() + "\n" + e.Hint
	if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
		t.Fatalf("%q is no line for a terminal", err)
	}
	plain := bytes.Join(bytes.Fields([]byte(said)), nil)
	for _, secret := range []string{asking.code, asking.key.SecretAccessKey.Reveal(), "KEYofNobody", asking.token, asking.blob} {
		if bytes.Contains(plain, []byte(secret)) {
			t.Fatalf("%q is told: %q", secret, said)
		}
	}
}
