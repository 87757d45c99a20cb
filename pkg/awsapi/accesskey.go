package awsapi

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/mfad/mfad/pkg/creds"
)

// ErrNoSuchEntity is the cause where IAM does not have what a call is about: that
// key was deleted, or is another user's.
var ErrNoSuchEntity = errors.New("NoSuchEntity")

// AccessKey is what IAM lists of a user's long-term key.
type AccessKey struct {
	ID     string
	Active bool // false: Inactive or Expired
	// Created is to the second; zero if AWS did not say.
	Created time.Time
}

// NewAccessKey is a long-term key that was just made. IAM and STS may not know it
// for some seconds: then they answer [creds.CodeInvalidKey].
type NewAccessKey struct {
	creds.Credentials
	Created time.Time // to the second; zero if AWS did not say
}

// LastUse is when and where AWS last saw a key; it may lag behind. The zero value
// means never, or not since AWS began to keep it
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyLastUsed.html).
type LastUse struct {
	At      time.Time
	Service string // such as s3; empty with the zero At
	Region  string // empty where AWS names none
}

// AccessKeys lists user's long-term keys. The user is always named, for IAM infers
// it from no temporary key
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html). A
// key that was just made or deleted may be missing or still there for a moment.
//
// Without iam:ListAccessKeys the error is [creds.CodeAccessDenied], and for a
// session without MFA [creds.CodeInvalidKey].
func (c *Client) AccessKeys(ctx context.Context, by creds.Credentials, user string) ([]AccessKey, error) {
	what := Call{Service: serviceIAM, Action: "ListAccessKeys"}
	return run(ctx, c, "list the access keys of "+user, what, func(ctx context.Context, f *flight) ([]AccessKey, error) {
		var keys []AccessKey
		pages := iam.NewListAccessKeysPaginator(f.iam(by), &iam.ListAccessKeysInput{UserName: aws.String(user)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, k := range page.AccessKeyMetadata {
				keys = append(keys, AccessKey{aws.ToString(k.AccessKeyId), k.Status == types.StatusTypeActive, aws.ToTime(k.CreateDate)})
			}
		}
		return keys, nil
	})
}

// CreateAccessKey makes another key of user's, of which there are two at most
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html).
// AWS tells its secret in this answer and never again.
//
// Without iam:CreateAccessKey the error is [creds.CodeAccessDenied], and with two
// keys [creds.CodeRefused]. After [creds.CodeNetwork] or [creds.CodeUnavailable]
// the key may have been made all the same, unless it is in a [NotSentError].
func (c *Client) CreateAccessKey(ctx context.Context, by creds.Credentials, user string) (NewAccessKey, error) {
	what := Call{Service: serviceIAM, Action: "CreateAccessKey"}
	return run(ctx, c, "create an access key of "+user, what, func(ctx context.Context, f *flight) (NewAccessKey, error) {
		out, err := f.iam(by).CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(user)})
		if err != nil {
			return NewAccessKey{}, err
		}
		k := out.AccessKey
		if k == nil || aws.ToString(k.AccessKeyId) == "" || aws.ToString(k.SecretAccessKey) == "" {
			return NewAccessKey{}, f.noAnswer("AWS's answer holds no key")
		}
		return NewAccessKey{
			Credentials: creds.Credentials{AccessKeyID: *k.AccessKeyId, SecretAccessKey: creds.NewSecret(*k.SecretAccessKey)},
			Created:     aws.ToTime(k.CreateDate),
		}, nil
	})
}

// SetAccessKeyActive activates a key of user's, or deactivates it: then AWS takes
// no request that it signs
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html).
//
// Without iam:UpdateAccessKey the error is [creds.CodeAccessDenied], and for a key
// that the user does not have [creds.CodeRefused] with [ErrNoSuchEntity].
func (c *Client) SetAccessKeyActive(ctx context.Context, by creds.Credentials, user, id string, active bool) error {
	status, op := types.StatusTypeInactive, "deactivate the access key "+id
	if active {
		status, op = types.StatusTypeActive, "activate the access key "+id
	}
	what := Call{Service: serviceIAM, Action: "UpdateAccessKey", AccessKeyID: id}
	_, err := run(ctx, c, op, what, func(ctx context.Context, f *flight) (struct{}, error) {
		_, err := f.iam(by).UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{
			UserName: aws.String(user), AccessKeyId: aws.String(id), Status: status})
		return struct{}{}, err
	})
	return err
}

// DeleteAccessKey deletes a key of user's, for good
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html).
//
// Errors are as with [Client.SetAccessKeyActive], for iam:DeleteAccessKey.
func (c *Client) DeleteAccessKey(ctx context.Context, by creds.Credentials, user, id string) error {
	what := Call{Service: serviceIAM, Action: "DeleteAccessKey", AccessKeyID: id}
	_, err := run(ctx, c, "delete the access key "+id, what, func(ctx context.Context, f *flight) (struct{}, error) {
		_, err := f.iam(by).DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String(user), AccessKeyId: aws.String(id)})
		return struct{}{}, err
	})
	return err
}

// AccessKeyLastUsed tells when AWS last saw a key
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html).
//
// Without iam:GetAccessKeyLastUsed, and for a key that is not the account's, the
// error is [creds.CodeAccessDenied].
func (c *Client) AccessKeyLastUsed(ctx context.Context, by creds.Credentials, id string) (LastUse, error) {
	what := Call{Service: serviceIAM, Action: "GetAccessKeyLastUsed", AccessKeyID: id}
	return run(ctx, c, "ask when the access key "+id+" was last used", what, func(ctx context.Context, f *flight) (LastUse, error) {
		out, err := f.iam(by).GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String(id)})
		if err != nil {
			return LastUse{}, err
		}
		used := out.AccessKeyLastUsed
		if used == nil || used.LastUsedDate == nil {
			return LastUse{}, nil
		}
		return LastUse{At: *used.LastUsedDate, Service: named(used.ServiceName), Region: named(used.Region)}, nil
	})
}

// named is a name that AWS gives, which is N/A for none.
func named(s *string) string {
	if aws.ToString(s) == "N/A" {
		return ""
	}
	return aws.ToString(s)
}
