package awsapi

import (
	"context"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/mfad/mfad/pkg/creds"
)

// StartSession calls GetSessionToken with a token code: AWS gives 15 minutes to
// 36 hours
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html).
func (c *Client) StartSession(ctx context.Context, key creds.Credentials, serial string, code creds.Secret, d time.Duration) (creds.Credentials, error) {
	what := Call{Service: serviceSTS, Action: "GetSessionToken", Asked: asked(d)}
	return run(ctx, c, "start an MFA session", what, func(ctx context.Context, f *flight) (creds.Credentials, error) {
		out, err := f.sts(key).GetSessionToken(ctx, &sts.GetSessionTokenInput{
			DurationSeconds: seconds(d), SerialNumber: aws.String(serial), TokenCode: aws.String(f.reveal(code)),
		})
		if err != nil {
			return creds.Credentials{}, err
		}
		return f.taken(out.Credentials, "")
	})
}

// AssumeRole calls AssumeRole, signed by from. STS takes 15 minutes to the
// role's MaxSessionDuration, and an hour at most where from is temporary
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
func (c *Client) AssumeRole(ctx context.Context, from creds.Credentials, role creds.Role) (creds.Credentials, error) {
	what := Call{Service: serviceSTS, Action: "AssumeRole", RoleARN: role.ARN, Asked: asked(role.Duration)}
	return run(ctx, c, "assume "+role.ARN, what, func(ctx context.Context, f *flight) (creds.Credentials, error) {
		out, err := f.sts(from).AssumeRole(ctx, assumption(role))
		if err != nil {
			return creds.Credentials{}, err
		}
		return f.taken(out.Credentials, assumed(out.AssumedRoleUser))
	})
}

// AssumeRoleWithCode assumes a role directly: signed by a long-term key, with
// the serial of the user's MFA device and a code of it. STS takes 15 minutes to
// the role's MaxSessionDuration, 12 hours at most; a zero Duration is not sent,
// and STS then gives an hour
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
//
// The code counts as spent unless the error is a [NotSentError]: AWS takes each
// once, and does not say whether a refusal for another reason spends it. Errors
// are those of AssumeRole, and [creds.CodeMFARejected], [creds.CodeMFABadCode]
// and [creds.CodeMFADevice] about the code and the device.
func (c *Client) AssumeRoleWithCode(ctx context.Context, key creds.Credentials, role creds.Role, serial string, code creds.Secret) (creds.Credentials, error) {
	what := Call{Service: serviceSTS, Action: "AssumeRole", RoleARN: role.ARN, Asked: asked(role.Duration), Direct: true}
	return run(ctx, c, "assume "+role.ARN+" with a code", what, func(ctx context.Context, f *flight) (creds.Credentials, error) {
		in := assumption(role)
		in.SerialNumber, in.TokenCode = aws.String(serial), aws.String(f.reveal(code))
		out, err := f.sts(key).AssumeRole(ctx, in)
		if err != nil {
			return creds.Credentials{}, err
		}
		return f.taken(out.Credentials, assumed(out.AssumedRoleUser))
	})
}

// AssumeRoleWithSAML trades a SAML response, base64 as the browser would post
// it, for role credentials
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html).
func (c *Client) AssumeRoleWithSAML(ctx context.Context, role creds.Role, principalARN string, assertion creds.Secret) (creds.Credentials, error) {
	what := Call{Service: serviceSTS, Action: "AssumeRoleWithSAML", RoleARN: role.ARN, Asked: asked(role.Duration)}
	return run(ctx, c, "assume "+role.ARN+" with a SAML assertion", what, func(ctx context.Context, f *flight) (creds.Credentials, error) {
		out, err := f.sts(creds.Credentials{}).AssumeRoleWithSAML(ctx, &sts.AssumeRoleWithSAMLInput{
			RoleArn: aws.String(role.ARN), PrincipalArn: aws.String(principalARN), SAMLAssertion: aws.String(f.reveal(assertion)),
			DurationSeconds: seconds(role.Duration), Policy: optional(role.Policy), PolicyArns: policies(role.PolicyARNs),
		})
		if err != nil {
			return creds.Credentials{}, err
		}
		return f.taken(out.Credentials, assumed(out.AssumedRoleUser))
	})
}

// AssumeRoleWithWebIdentity trades an OpenID Connect token for role credentials
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
func (c *Client) AssumeRoleWithWebIdentity(ctx context.Context, role creds.Role, token creds.Secret) (creds.Credentials, error) {
	what := Call{Service: serviceSTS, Action: "AssumeRoleWithWebIdentity", RoleARN: role.ARN, Asked: asked(role.Duration)}
	return run(ctx, c, "assume "+role.ARN+" with a web identity", what, func(ctx context.Context, f *flight) (creds.Credentials, error) {
		out, err := f.sts(creds.Credentials{}).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String(role.ARN), RoleSessionName: aws.String(role.SessionName), WebIdentityToken: aws.String(f.reveal(token)),
			DurationSeconds: seconds(role.Duration), Policy: optional(role.Policy), PolicyArns: policies(role.PolicyARNs),
		})
		if err != nil {
			return creds.Credentials{}, err
		}
		return f.taken(out.Credentials, assumed(out.AssumedRoleUser))
	})
}

// FederationToken calls GetFederationToken, signed by a long-term key: for the
// console of a profile without a role. name is 2 to 32 characters [\w+=,.@-], d
// 15 minutes to 36 hours (zero: AWS's default of 12 hours); policy (JSON) and
// policyARNs may be empty, but without either the credentials may do nothing.
// They carry no MFA, and IAM and STS refuse nearly all that they sign
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html).
//
// A user without sts:GetFederationToken gets [creds.CodeAccessDenied], a time
// that AWS does not give [creds.CodeDuration], a wrong name or policy
// [creds.CodeRefused].
func (c *Client) FederationToken(ctx context.Context, key creds.Credentials, name, policy string, policyARNs []string, d time.Duration) (creds.Credentials, error) {
	what := Call{Service: serviceSTS, Action: "GetFederationToken", Asked: asked(d)}
	return run(ctx, c, "get a federation token for "+name, what, func(ctx context.Context, f *flight) (creds.Credentials, error) {
		out, err := f.sts(key).GetFederationToken(ctx, &sts.GetFederationTokenInput{
			Name: aws.String(name), DurationSeconds: seconds(d), Policy: optional(policy), PolicyArns: policies(policyARNs),
		})
		if err != nil {
			return creds.Credentials{}, err
		}
		var principal string
		if out.FederatedUser != nil {
			principal = aws.ToString(out.FederatedUser.Arn)
		}
		return f.taken(out.Credentials, principal)
	})
}

// Caller is what GetCallerIdentity says of a key.
type Caller struct {
	ARN, Account string
}

// CallerIdentity asks AWS who key belongs to. Every valid key may ask that
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
func (c *Client) CallerIdentity(ctx context.Context, key creds.Credentials) (Caller, error) {
	what := Call{Service: serviceSTS, Action: "GetCallerIdentity"}
	return run(ctx, c, "ask AWS who the key belongs to", what, func(ctx context.Context, f *flight) (Caller, error) {
		out, err := f.sts(key).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return Caller{}, err
		}
		return Caller{ARN: aws.ToString(out.Arn), Account: aws.ToString(out.Account)}, nil
	})
}

// assumption is what AssumeRole is asked, with or without a code.
func assumption(role creds.Role) *sts.AssumeRoleInput {
	in := &sts.AssumeRoleInput{
		RoleArn: aws.String(role.ARN), RoleSessionName: aws.String(role.SessionName), DurationSeconds: seconds(role.Duration),
		ExternalId: optional(role.ExternalID), SourceIdentity: optional(role.SourceIdentity), Policy: optional(role.Policy),
		TransitiveTagKeys: role.TransitiveTags, PolicyArns: policies(role.PolicyARNs),
	}
	for _, t := range role.Tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return in
}

// seconds leaves the choice to AWS where d is 0.
func seconds(d time.Duration) *int32 {
	if d <= 0 {
		return nil
	}
	return aws.Int32(whole(d))
}

// whole counts seconds as the wire does; what is out of its range stays out of
// AWS's.
func whole(d time.Duration) int32 { return int32(min(max(d, 0)/time.Second, math.MaxInt32)) }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func policies(arns []string) []types.PolicyDescriptorType {
	var ps []types.PolicyDescriptorType
	for _, a := range arns {
		ps = append(ps, types.PolicyDescriptorType{Arn: aws.String(a)})
	}
	return ps
}

func assumed(user *types.AssumedRoleUser) string {
	if user == nil {
		return ""
	}
	return aws.ToString(user.Arn)
}

// taken turns STS's answer into credentials. An answer with a part missing is
// no answer.
func (f *flight) taken(c *types.Credentials, principal string) (creds.Credentials, error) {
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" ||
		aws.ToString(c.SessionToken) == "" || c.Expiration == nil {
		return creds.Credentials{}, f.noAnswer("AWS's answer holds no complete credentials")
	}
	return creds.Credentials{
		AccessKeyID:     *c.AccessKeyId,
		SecretAccessKey: creds.NewSecret(*c.SecretAccessKey),
		SessionToken:    creds.NewSecret(*c.SessionToken),
		Issued:          f.client.endpoint.Clock.Now().UTC(),
		Expires:         c.Expiration.Round(0).UTC(),
		Principal:       principal,
	}, nil
}
