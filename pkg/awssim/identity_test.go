package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/mfad/mfad/pkg/awssim"
)

const (
	samlProvider = "arn:aws:iam::222222222222:saml-provider/Corp"
	webProvider  = "arn:aws:iam::222222222222:oidc-provider/id.example.com"
)

func TestAssumeRoleWithSAML(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.AddIdentity(awssim.Identity{Token: "assertion", Provider: samlProvider, Subject: "carol", SessionName: "carol@example.com", Expires: w.Now().Add(5 * time.Minute)})
		w.AddIdentity(awssim.Identity{Token: "short", Provider: samlProvider, Subject: "carol", SessionNotOnOrAfter: w.Now().Add(20 * time.Minute)})
		trusting := w.AddRole(awssim.Role{Account: other, Name: "Trusting", MaxSessionDuration: 2 * time.Hour, Principals: []string{samlProvider}})
		mfa := w.AddRole(awssim.Role{Account: other, Name: "MFA", Principals: []string{samlProvider}, RequireMFA: true})
		call := func(role, provider, assertion string, seconds int32) (*sts.AssumeRoleWithSAMLOutput, error) {
			return w.sts(aws.Credentials{}).AssumeRoleWithSAML(t.Context(), &sts.AssumeRoleWithSAMLInput{
				RoleArn: &role, PrincipalArn: &provider, SAMLAssertion: &assertion, DurationSeconds: &seconds})
		}
		out, err := call(trusting.ARN, samlProvider, "assertion", 7200)
		if err != nil {
			t.Fatal(err)
		}
		if want := "arn:aws:sts::222222222222:assumed-role/Trusting/carol@example.com"; *out.AssumedRoleUser.Arn != want || *out.Subject != "carol" {
			t.Errorf("got %s, subject %s; want %s, carol", *out.AssumedRoleUser.Arn, *out.Subject, want)
		}
		if got := out.Credentials.Expiration.Sub(w.Now()); got != 2*time.Hour {
			t.Errorf("granted %v, want 2h", got)
		}
		// A call with such credentials counts as role chaining, the console does not.
		w.signinToken(t, temporary(out.Credentials), "43200")
		if out, err = call(trusting.ARN, samlProvider, "short", 3600); err != nil || out.Credentials.Expiration.Sub(w.Now()) != 20*time.Minute {
			t.Errorf("with SessionNotOnOrAfter in 20m: %v", err)
		}
		_, err = call(trusting.ARN, samlProvider, "forged", 3600)
		wantRefusal(t, err, "InvalidIdentityToken", 400, "Response signature invalid")
		_, err = call(trusting.ARN, samlProvider, "assertion", 7201)
		wantRefusal(t, err, "ValidationError", 400, roleLong)
		for _, role := range []string{w.open.ARN, mfa.ARN, "arn:aws:iam::222222222222:role/Nope"} {
			_, err = call(role, samlProvider, "assertion", 3600)
			wantRefusal(t, err, "AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithSAML")
		}
		_, err = call(trusting.ARN, webProvider, "assertion", 3600)
		wantRefusal(t, err, "AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithSAML")
		time.Sleep(5 * time.Minute)
		_, err = call(trusting.ARN, samlProvider, "assertion", 3600)
		wantRefusal(t, err, "ExpiredTokenException", 400, "Token must be redeemed within 5 minutes of issuance")
	})
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.AddIdentity(awssim.Identity{Token: "a.web.token", Provider: webProvider, Subject: "repo:app", Expires: w.Now().Add(time.Minute)})
		trusting := w.AddRole(awssim.Role{Account: other, Name: "Trusting", Principals: []string{webProvider}})
		in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: &trusting.ARN, RoleSessionName: aws.String("ci"), WebIdentityToken: aws.String("a.web.token")}
		call := func() error {
			out, err := w.sts(aws.Credentials{}).AssumeRoleWithWebIdentity(t.Context(), in)
			if err == nil && (*out.SubjectFromWebIdentityToken != "repo:app" || *out.AssumedRoleUser.Arn != "arn:aws:sts::222222222222:assumed-role/Trusting/ci") {
				t.Errorf("got %s as %s", *out.SubjectFromWebIdentityToken, *out.AssumedRoleUser.Arn)
			}
			return err
		}
		if err := call(); err != nil {
			t.Error(err)
		}
		in.RoleArn = &w.open.ARN
		wantRefusal(t, call(), "AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
		in.RoleArn = &trusting.ARN
		time.Sleep(time.Minute)
		wantRefusal(t, call(), "ExpiredTokenException", 400,
			"Token expired: current date/time 946684860 must be before the expiration date/time 946684860")
		in.WebIdentityToken = aws.String("forged")
		wantRefusal(t, call(), "InvalidIdentityToken", 400, "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
		in.WebIdentityToken = aws.String("abc") // a secret: not repeated
		wantRefusal(t, call(), "ValidationError", 400,
			"1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must have length greater than or equal to 4")
	})
}
