package awsapi

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/mfad/mfad/pkg/creds"
)

// Devices names the MFA devices of the user that key belongs to, by their
// serial numbers, FIDO ones included
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListMFADevices.html).
func (c *Client) Devices(ctx context.Context, key creds.Credentials) ([]string, error) {
	f := takeOff(ctx)
	defer f.cancel()
	var serials []string
	pages := iam.NewListMFADevicesPaginator(c.iam(key), &iam.ListMFADevicesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(f.ctx)
		if err != nil {
			return nil, f.classify("list the user's MFA devices", err)
		}
		for _, d := range page.MFADevices {
			serials = append(serials, aws.ToString(d.SerialNumber))
		}
	}
	return serials, nil
}

// IsFIDO tells whether a device is a security key or passkey: AWS takes those in
// the console only
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_fido_supported_configurations.html).
func IsFIDO(serial string) bool { return strings.Contains(serial, ":u2f/") }
