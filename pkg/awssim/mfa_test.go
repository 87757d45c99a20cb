package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/mfad/mfad/pkg/awssim"
)

func TestRefusedMFA(t *testing.T) {
	w := newWorld(t, awssim.Start())
	bob := w.AddUser(home, "bob")
	bobs, key1 := bob.AddMFA("bob"), w.alice.AddFIDO("yubikey")
	gone := w.alice.AddMFA("old")
	gone.Remove()
	for _, tt := range []struct {
		name         string
		serial, code *string
		want         string
	}{
		{"wrong code", &w.phone.Serial, aws.String(w.phone.WrongCode()), badCode},
		{"no code", &w.phone.Serial, nil, halfMFA},
		{"no serial", nil, aws.String("123456"), halfMFA},
		{"unknown serial", aws.String("arn:aws:iam::111111111111:mfa/alice"), aws.String(w.phone.Code(w.Now())), badDevice},
		{"another user's device", &bobs.Serial, aws.String(bobs.Code(w.Now())), badDevice},
		{"user for mfa", aws.String("arn:aws:iam::111111111111:user/alices-phone"), aws.String(w.phone.Code(w.Now())), badDevice},
		{"FIDO device", &key1.Serial, aws.String("123456"), badDevice},
		{"removed device", &gone.Serial, aws.String(gone.Code(w.Now())), badDevice},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{SerialNumber: tt.serial, TokenCode: tt.code})
			wantRefusal(t, err, "AccessDenied", 403, tt.want)
			_, err = w.sts(key(w.alice)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.admin.ARN, RoleSessionName: aws.String("alice"),
				SerialNumber: tt.serial, TokenCode: tt.code})
			wantRefusal(t, err, "AccessDenied", 403, tt.want)
		})
	}
	// None of it spent the code of the right device.
	if _, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{
		SerialNumber: &w.phone.Serial, TokenCode: aws.String(w.code(t, w.phone))}); err != nil {
		t.Errorf("GetSessionToken with the right code: %v", err)
	}
}

func TestHardwareDevice(t *testing.T) {
	w := newWorld(t, awssim.Start())
	d := w.alice.AddHardwareMFA("GAHT12345678")
	_, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{SerialNumber: aws.String("GAHT12345678"), TokenCode: aws.String(w.code(t, d))})
	if err != nil {
		t.Errorf("GetSessionToken: %v", err)
	}
}

// TestFailedAssumeRoleSpendsTheCode is the strict reading of a rule that AWS
// leaves open.
func TestFailedAssumeRoleSpendsTheCode(t *testing.T) {
	for _, tt := range []struct {
		name   string
		in     sts.AssumeRoleInput
		spoil  func(*world)
		code   string
		status int
	}{
		{"not trusted", sts.AssumeRoleInput{}, func(w *world) {
			w.UpdateRole(w.admin.ARN, func(r *awssim.Role) { r.Principals = nil })
		}, "AccessDenied", 403},
		{"too long for the role", sts.AssumeRoleInput{DurationSeconds: aws.Int32(7200)}, func(w *world) {
			w.UpdateRole(w.admin.ARN, func(r *awssim.Role) { r.MaxSessionDuration = 0 })
		}, "ValidationError", 400},
		{"policy malformed", sts.AssumeRoleInput{Policy: aws.String("x")}, func(*world) {}, "MalformedPolicyDocument", 400},
		{"denied on order", sts.AssumeRoleInput{}, func(w *world) {
			w.Inject(awssim.Fault{Kind: awssim.AccessDenied, Times: 1})
		}, "AccessDenied", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, awssim.Start())
			tt.spoil(w)
			code := w.code(t, w.phone)
			tt.in.RoleArn, tt.in.RoleSessionName, tt.in.SerialNumber, tt.in.TokenCode = &w.admin.ARN, aws.String("alice"), &w.phone.Serial, &code
			_, err := w.sts(key(w.alice)).AssumeRole(t.Context(), &tt.in)
			if c := w.Calls()[0]; err == nil || c.Code != tt.code || c.Status != tt.status {
				t.Fatalf("AssumeRole = %v, logged %s %d; want %s %d", err, c.Code, c.Status, tt.code, tt.status)
			}
			_, err = w.sts(key(w.alice)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{SerialNumber: &w.phone.Serial, TokenCode: &code})
			wantRefusal(t, err, "AccessDenied", 403, badCode)
		})
	}
}
