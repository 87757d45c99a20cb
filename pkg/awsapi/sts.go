package awsapi

import (
	"context"
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
	f := takeOff(ctx)
	defer f.cancel()
	out, err := c.sts(key).GetSessionToken(f.ctx, &sts.GetSessionTokenInput{
		DurationSeconds: seconds(d), SerialNumber: aws.String(serial), TokenCode: aws.String(code.Reveal()),
	})
	if err != nil {
		return creds.Credentials{}, f.classify("start an MFA session", err)
	}
	return f.taken("start an MFA session", out.Credentials, nil)
}

// AssumeRole calls AssumeRole, signed by from. STS takes 15 minutes to the
// role's MaxSessionDuration, and an hour at most where from is temporary
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
func (c *Client) AssumeRole(ctx context.Context, from creds.Credentials, role creds.Role) (creds.Credentials, error) {
	f := takeOff(ctx)
	defer f.cancel()
	in := &sts.AssumeRoleInput{
		RoleArn: aws.String(role.ARN), RoleSessionName: aws.String(role.SessionName), DurationSeconds: seconds(role.Duration),
		ExternalId: optional(role.ExternalID), SourceIdentity: optional(role.SourceIdentity), Policy: optional(role.Policy),
		TransitiveTagKeys: role.TransitiveTags, PolicyArns: policies(role.PolicyARNs),
	}
	for _, t := range role.Tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	op := "assume " + role.ARN
	out, err := c.sts(from).AssumeRole(f.ctx, in)
	if err != nil {
		return creds.Credentials{}, f.classify(op, err)
	}
	return f.taken(op, out.Credentials, out.AssumedRoleUser)
}

// AssumeRoleWithSAML trades a SAML response, base64 as the browser would post
// it, for role credentials
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html).
func (c *Client) AssumeRoleWithSAML(ctx context.Context, role creds.Role, principalARN string, assertion creds.Secret) (creds.Credentials, error) {
	f := takeOff(ctx)
	defer f.cancel()
	op := "assume " + role.ARN + " with a SAML assertion"
	out, err := c.sts(creds.Credentials{}).AssumeRoleWithSAML(f.ctx, &sts.AssumeRoleWithSAMLInput{
		RoleArn: aws.String(role.ARN), PrincipalArn: aws.String(principalARN), SAMLAssertion: aws.String(assertion.Reveal()),
		DurationSeconds: seconds(role.Duration), Policy: optional(role.Policy), PolicyArns: policies(role.PolicyARNs),
	})
	if err != nil {
		return creds.Credentials{}, f.classify(op, err)
	}
	return f.taken(op, out.Credentials, out.AssumedRoleUser)
}

// AssumeRoleWithWebIdentity trades an OpenID Connect token for role credentials
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
func (c *Client) AssumeRoleWithWebIdentity(ctx context.Context, role creds.Role, token creds.Secret) (creds.Credentials, error) {
	f := takeOff(ctx)
	defer f.cancel()
	op := "assume " + role.ARN + " with a web identity"
	out, err := c.sts(creds.Credentials{}).AssumeRoleWithWebIdentity(f.ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(role.ARN), RoleSessionName: aws.String(role.SessionName), WebIdentityToken: aws.String(token.Reveal()),
		DurationSeconds: seconds(role.Duration), Policy: optional(role.Policy), PolicyArns: policies(role.PolicyARNs),
	})
	if err != nil {
		return creds.Credentials{}, f.classify(op, err)
	}
	return f.taken(op, out.Credentials, out.AssumedRoleUser)
}

// Caller is what GetCallerIdentity says of a key.
type Caller struct {
	ARN, Account string
}

// CallerIdentity asks AWS who key belongs to. Every valid key may ask that
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
func (c *Client) CallerIdentity(ctx context.Context, key creds.Credentials) (Caller, error) {
	f := takeOff(ctx)
	defer f.cancel()
	out, err := c.sts(key).GetCallerIdentity(f.ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Caller{}, f.classify("ask AWS who the key belongs to", err)
	}
	return Caller{ARN: aws.ToString(out.Arn), Account: aws.ToString(out.Account)}, nil
}

func seconds(d time.Duration) *int32 {
	if d <= 0 {
		return nil
	}
	return aws.Int32(int32(d / time.Second))
}

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

// taken turns STS's answer into credentials. An answer with a part missing is
// no answer.
func (f flight) taken(op string, c *types.Credentials, user *types.AssumedRoleUser) (creds.Credentials, error) {
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" ||
		aws.ToString(c.SessionToken) == "" || c.Expiration == nil {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeUnavailable, Op: op + ": AWS's answer holds no complete credentials"}
	}
	got := creds.Credentials{
		AccessKeyID:     *c.AccessKeyId,
		SecretAccessKey: creds.NewSecret(*c.SecretAccessKey),
		SessionToken:    creds.NewSecret(*c.SessionToken),
		Issued:          time.Now().Round(0).UTC(),
		Expires:         c.Expiration.Round(0).UTC(),
	}
	if user != nil {
		got.Principal = aws.ToString(user.Arn)
	}
	return got, nil
}
