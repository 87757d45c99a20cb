package awsapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

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

// classify turns an SDK error into a *creds.Error. AWS's code decides first and
// its words second; nothing that could echo a token code gets into the text.
func (f flight) classify(op string, err error) error {
	var api smithy.APIError
	status := httpStatus(err)
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		return fromAWS(op, api, status)
	}
	e := &creds.Error{Code: creds.CodeNetwork, Op: op, Hint: "check the network; mfad tries again by itself"}
	switch {
	case status != 0:
		// A proxy's page, a captive portal, an answer cut short.
		e.Code = creds.CodeUnavailable
		e.Err = errors.New("something between here and AWS answered " + http.StatusText(status))
		e.Hint = "check https_proxy and the network; mfad tries again by itself"
		if status == http.StatusOK {
			e.Err = errors.New("AWS's answer is no valid answer")
		}
	case errors.Is(err, context.DeadlineExceeded):
		e.Err = errors.New("no answer in time")
	case errors.Is(err, context.Canceled):
		e.Code, e.Err, e.Hint = creds.CodeCancelled, context.Canceled, ""
	default:
		e.Err = cause(err)
	}
	if !f.sent.Load() {
		return &NotSentError{e}
	}
	return e
}

// cause finds the part of a transport error that a person understands.
func cause(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return errors.New("the name " + dns.Name + " cannot be looked up")
	case errors.As(err, &op):
		return op
	}
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		return send.Err
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
	saysChaining  = "1 hour session limit for roles assumed by role chaining"
	saysMaximum   = "exceeds the MaxSessionDuration"
	saysStale     = "Signature expired"
	saysEarly     = "Signature not yet current"
)

// fromAWS classifies what AWS itself answered
// (https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html).
func fromAWS(op string, api smithy.APIError, status int) error {
	text := strings.TrimSpace(api.ErrorMessage())
	e := &creds.Error{Op: op, Err: errors.New(api.ErrorCode() + ": " + text)}
	has := func(s string) bool { return strings.Contains(text, s) }
	switch code := api.ErrorCode(); {
	case strings.HasPrefix(code, "Throttl"), code == "TooManyRequestsException", code == "RequestLimitExceeded":
		e.Code, e.Hint = creds.CodeThrottled, "mfad slows down and tries again by itself"
	case status >= 500:
		e.Code, e.Hint = creds.CodeUnavailable, "mfad tries again by itself"
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
		e.Code, e.Hint = creds.CodeAccessDenied, denied
	case has(saysChaining), has(saysMaximum), has("durationSeconds"):
		e.Code, e.Hint = creds.CodeDuration, "ask for less in the profile's duration"
	default:
		e.Code = creds.CodeRefused
	}
	return e
}

// AWS says the same for a role that is not there, a trust policy that does not
// name the user, and a missing permission.
const denied = "check that the role exists, that its trust policy names you, and that you may call sts:AssumeRole"
