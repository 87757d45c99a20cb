package awsapi

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/mfad/mfad/pkg/creds"
)

// Devices names the MFA devices of the user that key belongs to, by their
// serial numbers, FIDO ones included
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListMFADevices.html).
func (c *Client) Devices(ctx context.Context, key creds.Credentials) ([]string, error) {
	what := Call{Service: serviceIAM, Action: "ListMFADevices"}
	return run(ctx, c, "list the user's MFA devices", what, func(ctx context.Context, f *flight) ([]string, error) {
		var serials []string
		pages := iam.NewListMFADevicesPaginator(f.iam(key), &iam.ListMFADevicesInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, d := range page.MFADevices {
				serials = append(serials, aws.ToString(d.SerialNumber))
			}
		}
		return serials, nil
	})
}

// IsFIDO tells whether a device is a security key or passkey: AWS takes those in
// the console only
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_fido_supported_configurations.html).
func IsFIDO(serial string) bool { return strings.Contains(serial, ":u2f/") }

// RoleInfo is what GetRole says of a role.
type RoleInfo struct {
	ARN         string
	Description *string // nil: it has none
	// MaxSessionDuration is 1 to 12 hours; 0 if AWS did not say.
	MaxSessionDuration time.Duration
	// Trust is the trust policy as JSON; empty if it could not be decoded.
	Trust string
}

// Role calls GetRole. name is the role's name alone, without a path: IAM looks
// in the account that key belongs to, so a role elsewhere takes credentials from
// there (https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html).
//
// Without iam:GetRole the error is [creds.CodeAccessDenied], and for a name that
// the account does not have [creds.CodeRefused].
func (c *Client) Role(ctx context.Context, key creds.Credentials, name string) (RoleInfo, error) {
	what := Call{Service: serviceIAM, Action: "GetRole"}
	return run(ctx, c, "look up the role "+name, what, func(ctx context.Context, f *flight) (RoleInfo, error) {
		out, err := f.iam(key).GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(name)})
		if err != nil {
			return RoleInfo{}, err
		}
		if out.Role == nil || aws.ToString(out.Role.Arn) == "" {
			return RoleInfo{}, f.noAnswer("AWS's answer holds no role")
		}
		return RoleInfo{
			ARN: *out.Role.Arn, Description: out.Role.Description,
			MaxSessionDuration: time.Duration(aws.ToInt32(out.Role.MaxSessionDuration)) * time.Second,
			Trust:              trust(aws.ToString(out.Role.AssumeRolePolicyDocument)),
		}, nil
	})
}

// trust decodes a policy document, which IAM escapes as RFC 3986 says
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html): a plus
// sign stands for itself.
func trust(document string) string {
	text, err := url.PathUnescape(document)
	if err != nil || !json.Valid([]byte(text)) {
		return ""
	}
	return text
}

// SetMaxSessionDuration calls UpdateRole: d is 1 to 12 hours, in whole seconds,
// and is always sent, because UpdateRole without it would set one hour.
// description is handed back as [Client.Role] gave it; nil is not sent
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html).
//
// Without iam:UpdateRole the error is [creds.CodeAccessDenied], for another d
// [creds.CodeDuration], and for a name that the account does not have, or a role
// that AWS keeps itself, [creds.CodeRefused].
func (c *Client) SetMaxSessionDuration(ctx context.Context, key creds.Credentials, name string, d time.Duration, description *string) error {
	what := Call{Service: serviceIAM, Action: "UpdateRole", Asked: asked(d)}
	_, err := run(ctx, c, "set the longest session of the role "+name, what, func(ctx context.Context, f *flight) (struct{}, error) {
		_, err := f.iam(key).UpdateRole(ctx, &iam.UpdateRoleInput{
			RoleName: aws.String(name), MaxSessionDuration: aws.Int32(whole(d)), Description: description,
		})
		return struct{}{}, err
	})
	return err
}
