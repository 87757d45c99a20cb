package awsapi

import (
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

// direct assumes a role with the device's next code.
func (w *world) direct(t *testing.T, role creds.Role) (creds.Credentials, error) {
	t.Helper()
	code := w.code(t)
	c, err := w.client.AssumeRoleWithCode(t.Context(), w.key, role, w.device.Serial, code)
	keeps(t, err, code, w.key.SecretAccessKey)
	return c, err
}

func TestARoleDirectly(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sim.UpdateRole(w.admin, func(r *awssim.Role) {
			r.MaxSessionDuration, r.ExternalID, r.RequireSourceIdentity, r.RequireTags = 12*time.Hour, "x-1", true, []string{"team"}
		})
		c, err := w.direct(t, creds.Role{ARN: w.admin, SessionName: "alice", Duration: 12 * time.Hour, ExternalID: "x-1", SourceIdentity: "alice",
			Tags: []creds.Tag{{Key: "team", Value: "db"}}, TransitiveTags: []string{"team"}, Policy: `{"Version":"2012-10-17","Statement":[]}`})
		if err != nil {
			t.Fatal(err)
		}
		const principal = "arn:aws:sts::222222222222:assumed-role/Admin/alice"
		if c.Principal != principal || c.Lifetime() != 12*time.Hour {
			t.Errorf("got credentials of %s for %v, want %s for 12h", c.Principal, c.Lifetime(), principal)
		}
		call := w.sim.Calls("AssumeRole")[0]
		if !call.TokenCode || call.SerialNumber != w.device.Serial || call.AccessKeyID != w.key.AccessKeyID {
			t.Errorf("AWS got %+v, want a code of %s, signed by %s", call, w.device.Serial, w.key.AccessKeyID)
		}
	})
}

func TestADirectRoleIsRefused(t *testing.T) {
	role := func(arn string, d time.Duration) creds.Role {
		return creds.Role{ARN: arn, SessionName: "alice", Duration: d}
	}
	coded := func(code func(*world) string) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error {
			sent := creds.NewSecret(code(w))
			_, err := w.client.AssumeRoleWithCode(t.Context(), w.key, role(w.admin, 0), w.device.Serial, sent)
			keeps(t, err, sent)
			return err
		}
	}
	for name, tt := range map[string]struct {
		do   func(*testing.T, *world) error
		want refusal
	}{
		"a wrong code": {coded(func(w *world) string { return w.device.WrongCode() }),
			refusal{creds.CodeMFARejected, "AWS did not take the code", "next code"}},
		"a malformed code is not echoed": {coded(func(*world) string { return "98765x" }),
			refusal{creds.CodeMFABadCode, "malformed", ""}},
		"a code that a session has spent": {func(t *testing.T, w *world) error {
			code := w.code(t)
			if _, err := w.client.StartSession(t.Context(), w.key, w.device.Serial, code, time.Hour); err != nil {
				t.Fatal(err)
			}
			_, err := w.client.AssumeRoleWithCode(t.Context(), w.key, role(w.admin, 0), w.device.Serial, code)
			return err
		}, refusal{creds.CodeMFARejected, "used already", "next code"}},
		"another user's device": {func(t *testing.T, w *world) error {
			_, err := w.client.AssumeRoleWithCode(t.Context(), w.key, role(w.admin, 0), "arn:aws:iam::111111111111:mfa/bob", w.code(t))
			return err
		}, refusal{creds.CodeMFADevice, "unable to validate MFA code", "mfa_serial"}},
		"longer than the role allows": {func(t *testing.T, w *world) error {
			_, err := w.direct(t, role(w.admin, 2*time.Hour))
			return err
		}, refusal{creds.CodeDuration, "exceeds the MaxSessionDuration", "set duration = max, or raise the role's limit: mfad role PROFILE --set-max-duration 12h"}},
		"longer than any role allows": {func(t *testing.T, w *world) error {
			_, err := w.direct(t, role(w.admin, 13*time.Hour))
			return err
		}, refusal{creds.CodeDuration, "less than or equal to 43200", "15m to 12h"}},
		"longer than a session's role": {func(t *testing.T, w *world) error {
			_, err := w.client.AssumeRole(t.Context(), w.session(t), role(w.admin, 2*time.Hour))
			return err
		}, refusal{creds.CodeDuration, "role chaining", "an hour at most"}},
		"a session that is too short": {func(t *testing.T, w *world) error {
			_, err := w.client.StartSession(t.Context(), w.key, w.device.Serial, w.code(t), time.Minute)
			return err
		}, refusal{creds.CodeDuration, "greater than or equal to 900", "session_duration"}},
		"a role that is not there": {func(t *testing.T, w *world) error {
			_, err := w.direct(t, role("arn:aws:iam::222222222222:role/Nosuch", 0))
			return err
		}, refusal{creds.CodeAccessDenied, "with a code: AccessDenied: User: arn:aws:iam::111111111111:user/alice is not authorized", "trust policy names you"}},
		"an outage does not promise another try": {func(t *testing.T, w *world) error {
			w.sim.Inject(awssim.Fault{Kind: awssim.ServerError})
			_, err := w.direct(t, role(w.admin, 0))
			return err
		}, refusal{creds.CodeUnavailable, "InternalFailure", "try again with the next code"}},
		"AWS's words that repeat the code": {func(t *testing.T, w *world) error {
			code := w.code(t)
			w.sim.Inject(awssim.Fault{Kind: awssim.Refuse, Code: "ValidationError", Message: "Value '" + code.Reveal() + "' is not welcome"})
			_, err := w.client.AssumeRoleWithCode(t.Context(), w.key, role(w.admin, 0), w.device.Serial, code)
			keeps(t, err, code)
			return err
		}, refusal{creds.CodeRefused, "words are left out", ""}},
		"AWS's words that repeat the session token": {func(t *testing.T, w *world) error {
			s := w.session(t)
			w.sim.Inject(awssim.Fault{Kind: awssim.Refuse, Status: 403, Code: "SignatureDoesNotMatch",
				Message: "The Canonical String should have been 'POST\n/\nx-amz-security-token:" + s.SessionToken.Reveal() + "'"})
			_, err := w.client.AssumeRole(t.Context(), s, role(w.admin, 0))
			keeps(t, err, s.SessionToken)
			return err
		}, refusal{creds.CodeInvalidKey, "words are left out", "add the identity's key again"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) { tt.want.check(t, tt.do(t, w)) })
		})
	}
}

func TestFederationToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c, err := w.client.FederationToken(t.Context(), w.key, "alice", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
			[]string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}, 12*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		const principal = "arn:aws:sts::111111111111:federated-user/alice"
		if c.Principal != principal || c.Lifetime() != 12*time.Hour {
			t.Errorf("got credentials of %s for %v, want %s for 12h", c.Principal, c.Lifetime(), principal)
		}
	})
}

func TestAFederationTokenIsRefused(t *testing.T) {
	ask := func(name, policy string, d time.Duration) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error {
			_, err := w.client.FederationToken(t.Context(), w.key, name, policy, nil, d)
			keeps(t, err, w.key.SecretAccessKey)
			return err
		}
	}
	for name, tt := range map[string]struct {
		do   func(*testing.T, *world) error
		want refusal
	}{
		"not allowed": {func(t *testing.T, w *world) error {
			w.alice.Deny("sts:GetFederationToken")
			return ask("alice", "", time.Hour)(t, w)
		}, refusal{creds.CodeAccessDenied, "sts:GetFederationToken", "the user needs sts:GetFederationToken"}},
		"signed by a session": {func(t *testing.T, w *world) error {
			_, err := w.client.FederationToken(t.Context(), w.session(t), "alice", "", nil, time.Hour)
			return err
		}, refusal{creds.CodeAccessDenied, "with session credentials", "long-term key"}},
		"a name that is too short": {ask("a", "", time.Hour), refusal{creds.CodeRefused, "'name' failed", ""}},
		"a policy that is none":    {ask("alice", "{", time.Hour), refusal{creds.CodeRefused, "MalformedPolicyDocument", "policy"}},
		"too long":                 {ask("alice", "", 37*time.Hour), refusal{creds.CodeDuration, "129600", "15m to 36h"}},
		"a lost network": {func(t *testing.T, w *world) error {
			w.sim.Inject(awssim.Fault{Kind: awssim.DropAfter})
			return ask("alice", "", time.Hour)(t, w)
		}, refusal{creds.CodeNetwork, "the connection was cut", "check the network; try again"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) { tt.want.check(t, tt.do(t, w)) })
		})
	}
}
