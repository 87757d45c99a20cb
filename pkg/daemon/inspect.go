package daemon

import (
	"context"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/profile"
)

// Owner is what AWS says of a long-term key.
type Owner struct {
	ARN     string   // the IAM user
	Devices []string // MFA devices that work outside the console
	FIDO    []string // those that do not
	// Hidden is why AWS did not tell the devices; nil if it did.
	Hidden error
}

// InspectKey asks AWS whose key it is and which devices the user has, as
// [Daemon.AddIdentity] does, without a daemon: nothing is kept or logged. Errors
// are AWS's, [creds.CodeUsage] for what mfad does not take (a temporary key, a root
// key), and [creds.CodeConfig] for an endpoint that is not used.
func InspectKey(ctx context.Context, def profile.Defaults, getenv func(string) string, region string, key creds.Credentials) (Owner, error) {
	if err := checkKey(key); err != nil {
		return Owner{}, err
	}
	e, err := Endpoint(def, getenv)
	if err != nil {
		return Owner{}, err
	}
	e.Region = first(region, def.Region, profile.DefaultRegion(""))
	cl, err := awsapi.New(e)
	if err != nil {
		return Owner{}, err
	}
	o, err := owner(ctx, cl, key)
	if err != nil {
		return Owner{}, err
	}
	o.askDevices(ctx, cl, key)
	return o, nil
}

// owner asks whose key it is.
func owner(ctx context.Context, cl *awsapi.Client, key creds.Credentials) (Owner, error) {
	who, err := cl.CallerIdentity(ctx, key)
	if err == nil && strings.HasSuffix(who.ARN, ":root") {
		err = &creds.Error{Code: creds.CodeUsage, Op: "this is a root key, and mfad does not take those",
			Hint: "make an IAM user with a key of its own, and delete the root key"}
	}
	return Owner{ARN: who.ARN}, err
}

// askDevices asks for the user's devices.
func (o *Owner) askDevices(ctx context.Context, cl *awsapi.Client, key creds.Credentials) {
	all, err := cl.Devices(ctx, key)
	if err != nil {
		o.Hidden = &creds.Error{Code: creds.CodeOf(err), Op: "AWS does not tell which MFA devices the user has",
			Hint: "add --mfa-serial ARN (console: IAM, Users, Security credentials)", Err: err}
		return
	}
	o.FIDO = slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !awsapi.IsFIDO(s) })
	o.Devices = slices.DeleteFunc(all, awsapi.IsFIDO)
}

// NoDevice is the error of a user who has no device that works outside the
// console, with [creds.CodeMFADevice].
func (o Owner) NoDevice() error {
	op := "the user has no MFA device"
	if len(o.FIDO) > 0 {
		op = "the user has only FIDO devices, and AWS takes those in the console only"
	}
	return &creds.Error{Code: creds.CodeMFADevice, Op: op, Hint: "register a virtual (TOTP) device for " + o.ARN}
}
