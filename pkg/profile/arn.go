package profile

import (
	"strings"
)

// partitions are the ones whose endpoints mfad's SDK knows, each with the
// region where STS is asked when no region is set: STS has no global endpoint
// outside aws (AWS General Reference, "AWS Security Token Service endpoints").
func partitions() []struct{ name, region string } {
	return []struct{ name, region string }{
		{"aws", "us-east-1"},
		{"aws-cn", "cn-north-1"},
		{"aws-us-gov", "us-gov-west-1"},
		{"aws-eusc", "eusc-de-east-1"},
		{"aws-iso", "us-iso-east-1"},
		{"aws-iso-b", "us-isob-east-1"},
		{"aws-iso-e", "eu-isoe-west-1"},
		{"aws-iso-f", "us-isof-south-1"},
	}
}

// Partition gives the partition of an ARN, such as aws or aws-us-gov; empty if
// text is no ARN (a hardware MFA serial is none).
func Partition(text string) string {
	rest, ok := strings.CutPrefix(text, "arn:")
	if !ok {
		return ""
	}
	partition, _, _ := strings.Cut(rest, ":")
	return partition
}

// Account gives the account of an ARN; empty if text is no ARN or names none.
func Account(text string) string {
	a, _ := splitARN(text)
	return a.account
}

// RoleName gives the name of a role's ARN, without its path; empty if text is no
// ARN.
func RoleName(text string) string {
	a, _ := splitARN(text)
	return a.name
}

// DefaultRegion is the region to call where none is set: by the partition of
// arn, us-east-1 where arn is none.
func DefaultRegion(arn string) string {
	all := partitions()
	for _, p := range all {
		if p.name == Partition(arn) {
			return p.region
		}
	}
	return all[0].region
}

const (
	roleForm   = "arn:aws:iam::111111111111:role/NAME"
	deviceForm = "arn:aws:iam::111111111111:mfa/NAME"
)

// iamARN is an ARN of IAM's, "arn:PARTITION:iam::ACCOUNT:KIND/PATH/NAME": IAM
// ARNs have no region (IAM User Guide, "IAM identifiers").
type iamARN struct{ partition, service, region, account, kind, path, name string }

func splitARN(text string) (a iamARN, ok bool) {
	f := strings.SplitN(text, ":", 6)
	if len(f) != 6 || f[0] != "arn" {
		return a, false
	}
	kind, rest, _ := strings.Cut(f[5], "/")
	slash := strings.LastIndexByte(rest, '/') + 1
	return iamARN{f[1], f[2], f[3], f[4], kind, rest[:slash], rest[slash:]}, true
}

// check holds what all of IAM's ARNs have in common; form is what to write.
func (a iamARN) check(text, form string) error {
	hint := "write it as " + form
	names := make([]string, 0, 8)
	for _, p := range partitions() {
		names = append(names, p.name)
	}
	switch {
	case nearest(a.partition, names) != a.partition:
		return refuse("the nearest known partition is "+nearest(a.partition, names),
			"unknown partition %s", quoted(a.partition))
	case a.service != "iam" || a.region != "":
		return refuse(hint, "%s is not an ARN of IAM", quoted(text))
	case a.account != "aws" && (len(a.account) != 12 || !all(a.account, isDigit)):
		return refuse("an account has twelve digits: "+form, "%s is not an account", quoted(a.account))
	case a.name == "" || !all(a.name, isWord) || !all(a.path, isPath):
		return refuse(hint, "%s has no valid name", quoted(text))
	}
	return nil
}

// checkRole follows AssumeRole's RoleArn: 20 to 2048 characters (AWS STS API
// Reference, "AssumeRole"), a name of at most 64 (IAM API Reference,
// "CreateRole").
func checkRole(text string) error {
	a, ok := splitARN(text)
	if !ok {
		return refuse("write it as "+roleForm, "%s is not an ARN", quoted(text))
	}
	if a.service == "sts" && a.kind == "assumed-role" {
		return refuse("write the role's own ARN: "+roleForm, "%s is the ARN of a session, not of a role", quoted(text))
	}
	if err := a.check(text, roleForm); err != nil {
		return err
	}
	if a.kind != "role" || a.account == "aws" || len(a.name) > 64 || len(text) > 2048 {
		return refuse("write it as "+roleForm, "%s is not the ARN of a role", quoted(text))
	}
	return nil
}

// CheckDevice follows GetSessionToken's SerialNumber: 9 to 256 characters, an
// ARN for a virtual device, a serial such as GAHT12345678 for a hardware one
// (AWS STS API Reference, "GetSessionToken"). FIDO devices have a :u2f/ ARN and
// work in the console only (IAM User Guide, "Supported configurations for using
// passkeys and security keys").
func CheckDevice(text string) error {
	a, ok := splitARN(text)
	if !ok {
		serial := func(r rune) bool { return isAlnum(r) || r == '-' || r == '_' }
		if len(text) < 9 || len(text) > 256 || !all(text, serial) {
			return refuse("write it as "+deviceForm+", or the serial printed on the device",
				"%s is neither the ARN nor the serial of an MFA device", quoted(text))
		}
		return nil
	}
	switch a.kind {
	case "u2f":
		return refuse("register a virtual (TOTP) device for this user too and write its ARN: "+deviceForm,
			"%s is a FIDO device, and AWS takes those in the console only", quoted(text))
	case "user":
		return refuse("write the device's ARN, which has :mfa/ in the place of :user/",
			"%s is the ARN of a user, not of an MFA device", quoted(text))
	}
	if err := a.check(text, deviceForm); err != nil {
		return err
	}
	if a.kind != "mfa" || a.account == "aws" || len(text) > 256 {
		return refuse("write it as "+deviceForm, "%s is not the ARN of an MFA device", quoted(text))
	}
	return nil
}

// checkPolicyARN takes policies of an account and AWS's own, whose account is
// "aws".
func checkPolicyARN(text string) error {
	const form = "arn:aws:iam::aws:policy/NAME"
	a, ok := splitARN(text)
	if !ok {
		return refuse("write it as "+form, "%s is not an ARN", quoted(text))
	}
	if err := a.check(text, form); err != nil {
		return err
	}
	if a.kind != "policy" || len(text) > 2048 {
		return refuse("write it as "+form, "%s is not the ARN of a managed policy", quoted(text))
	}
	return nil
}

// checkProvider is for AssumeRoleWithSAML's PrincipalArn.
func checkProvider(text string) error {
	const form = "arn:aws:iam::111111111111:saml-provider/NAME"
	a, ok := splitARN(text)
	if !ok {
		return refuse("write it as "+form, "%s is not an ARN", quoted(text))
	}
	if err := a.check(text, form); err != nil {
		return err
	}
	if a.kind != "saml-provider" || a.account == "aws" || len(text) > 2048 {
		return refuse("write it as "+form, "%s is not the ARN of a SAML provider", quoted(text))
	}
	return nil
}

func all(text string, class func(rune) bool) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !class(r) }) < 0
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isAlnum(r rune) bool { return isDigit(r) || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// isWord is the class [\w+=,.@-] of IAM's names.
func isWord(r rune) bool { return isAlnum(r) || strings.ContainsRune("_+=,.@-", r) }

// isPath is what IAM allows in a path: printable ASCII.
func isPath(r rune) bool { return r > ' ' && r < 0x7f }
