package awssim_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/mfad/mfad/pkg/awssim"
)

func noIAM(who, action, resource string) string {
	return "User: " + who + " is not authorized to perform: iam:" + action + " on resource: " + resource +
		" because no identity-based policy allows the iam:" + action + " action"
}

const needsUserName = "Must specify userName when calling with non-User credentials"

func TestGetUser(t *testing.T) {
	w := newWorld(t, awssim.Start())
	w.AddUser(home, "team/bob")
	out, err := w.iam(w.session(t, true)).GetUser(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if u := out.User; *u.Arn != w.alice.ARN || *u.UserName != "alice" || *u.Path != "/" {
		t.Errorf("GetUser = %s %s %s", *u.Arn, *u.UserName, *u.Path)
	}
	_, err = w.iam(key(w.alice)).GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("bob")})
	wantRefusal(t, err, "AccessDenied", 403, noIAM(w.alice.ARN, "GetUser", "user bob"))
	w.alice.Allow("iam:GetUser")
	if out, err = w.iam(key(w.alice)).GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("bob")}); err != nil || *out.User.Path != "/team/" {
		t.Errorf("GetUser bob: %v", err)
	}
	_, err = w.iam(key(w.alice)).GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("zoe")})
	wantRefusal(t, err, "NoSuchEntity", 404, "The user with name zoe cannot be found.")
	root, err := w.iam(key(w.AddRoot(home))).GetUser(t.Context(), nil)
	if err != nil || *root.User.Arn != "arn:aws:iam::111111111111:root" {
		t.Errorf("GetUser of root: %v", err)
	}
}

func TestListMFADevices(t *testing.T) {
	w := newWorld(t, awssim.Start())
	w.alice.AddHardwareMFA("GAHT12345678")
	w.alice.AddFIDO("yubikey")
	var got []string
	pages := iam.NewListMFADevicesPaginator(w.iam(key(w.alice)), &iam.ListMFADevicesInput{MaxItems: aws.Int32(2)})
	n := 0
	for ; pages.HasMorePages(); n++ {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.MFADevices {
			got = append(got, *d.SerialNumber)
		}
	}
	if n != 2 || len(got) != 3 || got[0] != "arn:aws:iam::111111111111:mfa/alices-phone" || got[1] != "GAHT12345678" ||
		!strings.HasPrefix(got[2], "arn:aws:iam::111111111111:u2f/user/alice/yubikey-") {
		t.Errorf("%d pages with %q", n, got)
	}
	_, err := w.iam(key(w.alice)).ListMFADevices(t.Context(), &iam.ListMFADevicesInput{Marker: aws.String("awssim-9")})
	wantRefusal(t, err, "ValidationError", 400, "Invalid Marker: awssim-9")
	w.alice.Deny("iam:ListMFADevices")
	_, err = w.iam(key(w.alice)).ListMFADevices(t.Context(), nil)
	wantRefusal(t, err, "AccessDenied", 403, "User: "+w.alice.ARN+" is not authorized to perform: iam:ListMFADevices on resource: user alice with an explicit deny in an identity-based policy")
	out, err := w.iam(key(w.AddUser(home, "bob"))).ListMFADevices(t.Context(), nil)
	if err != nil || len(out.MFADevices) != 0 {
		t.Errorf("without devices: %v, %v", out, err)
	}
}

func TestRoles(t *testing.T) {
	w := newWorld(t, awssim.Start())
	near := w.AddRole(awssim.Role{Account: home, Name: "Near", Principals: []string{w.alice.ARN}, Description: "a & b", RequireMFA: true, Allow: []string{"iam:GetRole"}})
	get := &iam.GetRoleInput{RoleName: aws.String("Near")}
	_, err := w.iam(key(w.alice)).GetRole(t.Context(), get)
	wantRefusal(t, err, "AccessDenied", 403, noIAM(w.alice.ARN, "GetRole", "role Near"))
	session := w.session(t, true)
	inRole := w.assume(t, session, near.ARN)
	out, err := w.iam(inRole).GetRole(t.Context(), get)
	if err != nil {
		t.Fatalf("GetRole as the role itself: %v", err)
	}
	trust, err := url.QueryUnescape(*out.Role.AssumeRolePolicyDocument)
	if err != nil || !strings.Contains(trust, w.alice.ARN) || !strings.Contains(trust, "aws:MultiFactorAuthPresent") {
		t.Errorf("trust policy %s, %v", trust, err)
	}
	if r := out.Role; *r.MaxSessionDuration != 3600 || *r.Arn != near.ARN || *r.Description != "a & b" || r.RoleLastUsed == nil {
		t.Errorf("GetRole = %d %s %s %v", *r.MaxSessionDuration, *r.Arn, *r.Description, r.RoleLastUsed)
	}

	update := &iam.UpdateRoleInput{RoleName: aws.String("Near"), MaxSessionDuration: aws.Int32(43200)}
	_, err = w.iam(session).UpdateRole(t.Context(), update)
	wantRefusal(t, err, "AccessDenied", 403, noIAM(w.alice.ARN, "UpdateRole", "role Near"))
	w.alice.Allow("iam:GetRole", "iam:UpdateRole")
	if _, err = w.iam(session).UpdateRole(t.Context(), update); err != nil {
		t.Errorf("UpdateRole: %v", err)
	}
	if r, _ := w.Role(near.ARN); r.MaxSessionDuration != 12*time.Hour {
		t.Errorf("MaxSessionDuration = %v, want 12h", r.MaxSessionDuration)
	}
	update.MaxSessionDuration = nil
	if _, err = w.iam(session).UpdateRole(t.Context(), update); err != nil {
		t.Errorf("UpdateRole: %v", err)
	}
	if r, _ := w.Role(near.ARN); r.MaxSessionDuration != time.Hour {
		t.Errorf("MaxSessionDuration left out gives %v, want 1h", r.MaxSessionDuration)
	}
	update.MaxSessionDuration = aws.Int32(43201)
	_, err = w.iam(session).UpdateRole(t.Context(), update)
	wantRefusal(t, err, "ValidationError", 400, "1 validation error detected: Value '43201' at 'maxSessionDuration' failed to satisfy constraint: Member must have value less than or equal to 43200")
	// Admin is in the other account: its name means nothing here.
	_, err = w.iam(session).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("Admin")})
	wantRefusal(t, err, "NoSuchEntity", 404, "The role with name Admin cannot be found.")
}

func TestAccessKeys(t *testing.T) {
	w := newWorld(t, awssim.Start())
	c := w.iam(key(w.alice))
	made, err := c.CreateAccessKey(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	fresh := aws.Credentials{AccessKeyID: *made.AccessKey.AccessKeyId, SecretAccessKey: *made.AccessKey.SecretAccessKey}
	if made.AccessKey.Status != types.StatusTypeActive || *made.AccessKey.UserName != "alice" {
		t.Errorf("made %s for %s", made.AccessKey.Status, *made.AccessKey.UserName)
	}
	_, err = c.CreateAccessKey(t.Context(), nil)
	wantRefusal(t, err, "LimitExceeded", 409, "Cannot exceed quota for AccessKeysPerUser: 2")

	status := func(s types.StatusType) error {
		_, err := w.iam(fresh).UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{AccessKeyId: &w.alice.AccessKeyID, Status: s})
		return err
	}
	if err := status(types.StatusTypeInactive); err != nil {
		t.Errorf("UpdateAccessKey: %v", err)
	}
	_, err = c.ListAccessKeys(t.Context(), nil)
	wantRefusal(t, err, "InvalidClientTokenId", 403, badToken)
	list, err := w.iam(fresh).ListAccessKeys(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]types.StatusType)
	for _, k := range list.AccessKeyMetadata {
		got[*k.AccessKeyId] = k.Status
	}
	if len(got) != 2 || got[w.alice.AccessKeyID] != "Inactive" || got[fresh.AccessKeyID] != "Active" {
		t.Errorf("ListAccessKeys = %v", got)
	}
	if err := status("Expired"); err == nil {
		t.Error("a key could be set to Expired")
	} else {
		wantRefusal(t, err, "ValidationError", 400, "1 validation error detected: Value 'Expired' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]")
	}
	if _, err := w.iam(fresh).DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: &w.alice.AccessKeyID}); err != nil {
		t.Errorf("DeleteAccessKey: %v", err)
	}
	_, err = w.iam(fresh).DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: &w.alice.AccessKeyID})
	wantRefusal(t, err, "NoSuchEntity", 404, "The Access Key with id "+w.alice.AccessKeyID+" cannot be found.")
}

func TestAccessKeysWithTemporaryCredentials(t *testing.T) {
	w := newWorld(t, awssim.Start())
	c := w.iam(w.session(t, true))
	for name, err := range map[string]error{
		"CreateAccessKey": second(c.CreateAccessKey(t.Context(), nil)),
		"ListAccessKeys":  second(c.ListAccessKeys(t.Context(), nil)),
		"UpdateAccessKey": second(c.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{AccessKeyId: &w.alice.AccessKeyID, Status: "Inactive"})),
		"DeleteAccessKey": second(c.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: &w.alice.AccessKeyID})),
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, err, "ValidationError", 400, needsUserName) })
	}
	bob := w.AddUser(home, "bob")
	_, err := c.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: &bob.AccessKeyID, UserName: aws.String("alice")})
	wantRefusal(t, err, "NoSuchEntity", 404, "The Access Key with id "+bob.AccessKeyID+" cannot be found.")
	if _, err := c.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("alice")}); err != nil {
		t.Errorf("ListAccessKeys with UserName: %v", err)
	}
	_, err = c.GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String("AKIAEXAMPLE000000001")})
	wantRefusal(t, err, "AccessDenied", 403, noIAM(w.alice.ARN, "GetAccessKeyLastUsed", "access key AKIAEXAMPLE000000001"))
}

func second[T any](_ T, err error) error { return err }

// TestKeysAndTheirSessions: what ends a session, and what does not.
func TestKeysAndTheirSessions(t *testing.T) {
	w := newWorld(t, awssim.Start())
	session := w.session(t, true)
	role := w.assume(t, session, w.open.ARN)
	w.alice.DeleteKey(w.alice.AccessKeyID)
	for name, c := range map[string]aws.Credentials{"session": session, "role": role} {
		if _, err := w.sts(c).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Errorf("%s after its key was deleted: %v", name, err)
		}
	}
	w.alice.RevokeSessions()
	for _, c := range []aws.Credentials{session, role} {
		_, err := w.sts(c).GetCallerIdentity(t.Context(), nil)
		wantRefusal(t, err, "InvalidClientTokenId", 403, badToken)
	}
	k := w.alice.AddAccessKey()
	fresh := aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey}
	out, err := w.sts(fresh).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.sts(temporary(out.Credentials)).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Errorf("a session issued after the revocation: %v", err)
	}
	w.alice.Delete()
	_, err = w.sts(fresh).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantRefusal(t, err, "InvalidClientTokenId", 403, badToken)
}
