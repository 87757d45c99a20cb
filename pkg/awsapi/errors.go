package awsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/mfad/mfad/pkg/creds"
)

// NotSentError wraps a failure whose request never left this machine: a code in
// it is not spent.
type NotSentError struct{ Err error }

// Error gives the failure's own text.
func (e *NotSentError) Error() string { return e.Err.Error() }

// Unwrap gives the failure.
func (e *NotSentError) Unwrap() error { return e.Err }

// classify turns the error of a call into a *creds.Error. Nothing that repeats a
// secret of the request gets into the text.
func (f *flight) classify(err error) error {
	e := f.explain(err)
	e.Op = f.op
	if e.Err != nil && f.repeats(e.Err.Error()) {
		e.Err = errors.New("the answer's words are left out, for they repeat a secret")
	}
	if !f.sent.Load() {
		return &NotSentError{e}
	}
	return e
}

// explain finds code, cause and hint. AWS's code decides first and its words
// second.
func (f *flight) explain(err error) *creds.Error {
	var own *creds.Error
	var api smithy.APIError
	status := httpStatus(err)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &api) && api.ErrorCode() != "UnknownError":
		return f.fromAWS(api, status)
	case errors.Is(err, context.Canceled):
		return &creds.Error{Code: creds.CodeCancelled, Err: context.Canceled}
	case errors.Is(err, context.DeadlineExceeded), status == 0:
		return &creds.Error{Code: creds.CodeNetwork, Err: cause(err), Hint: "check the network; " + f.again()}
	case status == http.StatusOK:
		return f.unreadable()
	}
	return f.intercepted(status)
}

// unreadable is an answer that is none, such as a captive portal's page, or is
// cut short.
func (f *flight) unreadable() *creds.Error {
	e := f.noAnswer("AWS's answer is no valid answer")
	e.Hint = "check https_proxy and the network; " + f.again()
	return e
}

// intercepted is an answer that is not AWS's.
func (f *flight) intercepted(status int) *creds.Error {
	e := f.noAnswer("something between here and AWS answered " + strings.TrimSpace(strconv.Itoa(status)+" "+http.StatusText(status)))
	e.Hint = "check https_proxy and the network; " + f.again()
	return e
}

// noAnswer is an answer that does not do what it is for.
func (f *flight) noAnswer(text string) *creds.Error {
	return &creds.Error{Code: creds.CodeUnavailable, Err: errors.New(text), Hint: f.again()}
}

// slowDown is AWS's answer to too many calls.
func (f *flight) slowDown(said string) *creds.Error {
	return &creds.Error{Code: creds.CodeThrottled, Err: errors.New(said), Hint: "AWS asks to slow down; " + f.again()}
}

// cause finds the part of a transport error that a person understands. Of a
// request's address it leaves the host.
func cause(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	var request *url.Error
	var late net.Error
	switch {
	case errors.As(err, &dns):
		return errors.New("the name " + dns.Name + " cannot be looked up")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return errors.New("no answer in time")
	case errors.As(err, &op):
		return op
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was cut")
	case errors.As(err, &request):
		if u, parsed := url.Parse(request.URL); parsed == nil {
			return errors.New(u.Host + ": " + request.Err.Error())
		}
		return request.Err
	}
	return err
}

func httpStatus(err error) int {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		return resp.Response.StatusCode
	}
	return 0
}

// AWS's words that tell apart what one error code covers.
const (
	saysBadCode   = "MultiFactorAuthentication failed with invalid MFA one time pass code"
	saysBadDevice = "MultiFactorAuthentication failed"
	saysTemporary = "with session credentials"
	saysChaining  = "1 hour session limit for roles assumed by role chaining"
	saysMaximum   = "exceeds the MaxSessionDuration"
	saysStale     = "Signature expired"
	saysEarly     = "Signature not yet current"
	saysThrottled = "Rate exceeded"
)

// fromAWS classifies what STS or IAM itself answered
// (https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html).
func (f *flight) fromAWS(api smithy.APIError, status int) *creds.Error {
	said, encoded := cutEncoded(api.ErrorMessage())
	e := &creds.Error{Err: errors.New(api.ErrorCode() + ": " + oneLine(said))}
	has := func(s string) bool { return strings.Contains(said, s) }
	switch code := api.ErrorCode(); {
	case strings.HasPrefix(code, "Throttl"), code == "TooManyRequestsException", code == "RequestLimitExceeded":
		return f.slowDown(e.Err.Error())
	case status >= 500:
		e.Code, e.Hint = creds.CodeUnavailable, f.again()
	case has(saysBadCode):
		e.Code, e.Err = creds.CodeMFARejected, errors.New("AWS did not take the code: it is wrong, or was used already")
		e.Hint = "wait for the next code"
	case has(saysBadDevice):
		e.Code, e.Hint = creds.CodeMFADevice, "check mfa_serial in the config, and that the device belongs to this user"
	case has("tokenCode"):
		// AWS echoes the code in this message.
		e.Code, e.Err = creds.CodeMFABadCode, errors.New(code+": the token code is malformed")
	case has(saysStale), has(saysEarly), code == "RequestExpired", code == "RequestTimeTooSkewed":
		e.Code, e.Hint = creds.CodeClockSkew, "set this machine's clock; it differs from AWS's by more than 15 minutes"
	case code == "ExpiredToken", code == "ExpiredTokenException":
		e.Code = creds.CodeExpired
	case code == "InvalidClientTokenId", code == "UnrecognizedClientException":
		e.Code, e.Hint = creds.CodeInvalidKey, "AWS does not know the key: is it active? run: mfad identity list"
	case code == "SignatureDoesNotMatch", code == "IncompleteSignature":
		e.Code, e.Hint = creds.CodeInvalidKey, "the secret does not belong to the key: add the identity's key again"
	case code == "AccessDenied", code == "AccessDeniedException":
		e.Code, e.Hint = creds.CodeAccessDenied, f.permission()
		if has(saysTemporary) {
			e.Hint = "sign this call with the identity's long-term key"
		}
	case has(saysChaining):
		e.Code, e.Hint = creds.CodeDuration, "through a session or a chain AWS gives an hour at most: set duration = 1h"
	case has(saysMaximum):
		e.Code, e.Hint = creds.CodeDuration, "set duration = max, or raise the role's limit: mfad role PROFILE --set-max-duration 12h"
	case has("durationSeconds"), has("maxSessionDuration"):
		e.Code, e.Hint = creds.CodeDuration, f.durations()
	case code == "NoSuchEntity":
		e.Code, e.Hint = creds.CodeRefused, f.refusal(code)
		e.Err = fmt.Errorf("%w: %s", ErrNoSuchEntity, oneLine(said))
	default:
		e.Code, e.Hint = creds.CodeRefused, f.refusal(code)
	}
	if encoded != "" {
		e.Hint = "AWS encoded its reason; an administrator can read it: aws sts decode-authorization-message --encoded-message " + encoded
	}
	return e
}

// cutEncoded parts AWS's words from the reason that stands encoded behind them
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html).
func cutEncoded(said string) (words, encoded string) {
	words, encoded, _ = strings.Cut(said, "Encoded authorization failure message:")
	return strings.TrimSpace(words), oneLine(encoded)
}

// oneLine brings an answer's words into a line that a terminal can be given:
// blanks collapsed, and nothing that moves a cursor or turns the writing round.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
