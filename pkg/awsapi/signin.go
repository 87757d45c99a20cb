package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// saysNoConsole is the federation endpoint's answer to credentials of
// GetSessionToken and to long-term keys.
const saysNoConsole = "Only federation tokens or assume role tokens may be used"

// SigninToken trades temporary credentials for a console sign-in token, which a
// login form may carry for 15 minutes. endpoint is the federation endpoint of
// the credentials' partition, such as https://signin.aws.amazon.com/federation;
// the credentials are sent to it, so the caller makes sure that it is https or
// this machine. d is the console session's length, 15 minutes to 12 hours, which
// may be longer than the role's MaxSessionDuration; zero is not sent, and the
// console session then ends with the credentials. AWS takes a d only with
// credentials of an AssumeRole call that a long-term key signed
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html).
//
// A refusal is [creds.CodeRefused]: AWS's page names no reason, so that a d which
// is not taken looks like credentials that have run out. An answer that is not
// the endpoint's is [creds.CodeUnavailable].
func (c *Client) SigninToken(ctx context.Context, endpoint string, from creds.Credentials, d time.Duration) (creds.Secret, error) {
	what := Call{Service: serviceSignin, Action: "GetSigninToken", Asked: asked(d)}
	return run(ctx, c, "get a console sign-in token", what, func(ctx context.Context, f *flight) (creds.Secret, error) {
		status, body, err := f.post(ctx, endpoint, f.signinForm(from, d))
		switch {
		case err != nil:
			return creds.Secret{}, err
		case status == http.StatusBadRequest:
			return creds.Secret{}, f.noSignin(string(body))
		case status == http.StatusTooManyRequests:
			return creds.Secret{}, f.slowDown(saysThrottled)
		case status >= 500:
			return creds.Secret{}, f.noAnswer("AWS answered " + strconv.Itoa(status) + " " + http.StatusText(status))
		case status != http.StatusOK:
			return creds.Secret{}, f.intercepted(status)
		}
		var answer struct{ SigninToken string }
		if json.Unmarshal(body, &answer) != nil {
			return creds.Secret{}, f.unreadable()
		}
		if answer.SigninToken == "" {
			return creds.Secret{}, f.noAnswer("AWS's answer holds no sign-in token")
		}
		return creds.NewSecret(answer.SigninToken), nil
	})
}

// signinForm writes the request. In a body the credentials stay out of the logs
// that addresses get into.
func (f *flight) signinForm(from creds.Credentials, d time.Duration) url.Values {
	// Marshalling strings cannot fail.
	session, _ := json.Marshal(struct {
		ID    string `json:"sessionId"`
		Key   string `json:"sessionKey"`
		Token string `json:"sessionToken"`
	}{f.reveal(creds.NewSecret(from.AccessKeyID)), f.reveal(from.SecretAccessKey), f.reveal(from.SessionToken)})
	form := url.Values{"Action": {"getSigninToken"}, "Session": {string(session)}}
	if s := whole(d); s > 0 {
		form.Set("SessionDuration", strconv.Itoa(int(s)))
	}
	return form
}

// post sends a form and reads the answer. A 200 that came only in part is none; of
// a refusal every word helps.
func (f *flight) post(ctx context.Context, endpoint string, form url.Values) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil || r.URL.Host == "" {
		// The error repeats the address, which may hold a password.
		return 0, nil, &creds.Error{Code: creds.CodeConfig, Err: errors.New("the sign-in endpoint is no web address"), Hint: "correct signin_url in the config"}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := f.client.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	switch {
	case err != nil && ctx.Err() != nil:
		return 0, nil, ctx.Err()
	case err != nil && resp.StatusCode == http.StatusOK, len(body) >= maxAnswer:
		return 0, nil, f.unreadable()
	}
	return resp.StatusCode, body, nil
}

// noSignin words a refusal. The endpoint answers all of them with a page for
// people.
func (f *flight) noSignin(page string) *creds.Error {
	words := pageWords(page)
	if f.repeats(page) || f.repeats(plainText(page)) {
		words = ""
	}
	e := &creds.Error{Code: creds.CodeRefused, Err: errors.New("AWS refused the credentials"), Hint: "get fresh credentials: mfad refresh"}
	if words != "" {
		e.Err = errors.New("AWS refused the credentials: " + words)
	}
	switch {
	case strings.Contains(words, saysThrottled):
		return f.slowDown(saysThrottled)
	case strings.Contains(words, saysNoConsole):
		e.Hint = "give the profile a role_arn, or its user sts:GetFederationToken"
	case f.call.Asked > 0:
		e.Hint = "leave the duration out: AWS takes one only for a role assumed directly with a code"
	}
	return e
}
