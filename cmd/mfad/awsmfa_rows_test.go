//go:build unix

package main

import (
	"regexp"
	"slices"
	"strings"
)

// awsMFACase is one thing that aws-mfa does: what it is given, and what comes of
// it. {ID}, {SECRET}, {DEVICE} and {CODE} stand for alice's; in what comes,
// {TIME}, {SECONDS}, {ASIA}, {TOKEN} and {HOME} for what differs from run to run.
type awsMFACase struct {
	name  string
	file  string // ~/.aws/credentials; empty: there is none
	env   []string
	args  string // split at blanks; '' is an empty one
	stdin string

	status  int
	stdout  string
	stderr  string   // a piece of it; only mfad's is looked at
	calls   []string // of AWS: ACTION[ ROLE] SECONDS [refusal]
	section string   // its name, where it is to hold wrote afterwards
	wrote   string
	after   string // the whole file, where section is empty; empty: as before

	// better says what mfad does otherwise, on purpose; aws-mfa itself is then not
	// held against it.
	better string
}

const (
	mfaLongTerm = "[corp-long-term]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\naws_mfa_device = {DEVICE}\n"

	mfaCachedKeys = "aws_access_key_id = ASIAEXAMPLE000000001\naws_secret_access_key = not-a-secret\n" +
		"aws_session_token = not-a-token\naws_security_token = not-a-token\n"
	mfaCached     = "[corp]\nassumed_role = False\n" + mfaCachedKeys + "expiration = 2037-01-02 03:04:05\n"
	mfaExpired    = "[corp]\nassumed_role = False\n" + mfaCachedKeys + "expiration = 2020-01-02 03:04:05\n"
	mfaCachedRole = "[corp]\nassumed_role = True\nassumed_role_arn = " + mfaAdmin + "\n" + mfaCachedKeys + "expiration = 2037-01-02 03:04:05\n"

	mfaAdmin    = "arn:aws:iam::222222222222:role/Admin"
	mfaReadOnly = "arn:aws:iam::222222222222:role/ReadOnly"

	saysValidating  = "INFO - Validating credentials for profile: corp \n"
	saysMissing     = "INFO - Short term credentials section corp is missing, obtaining new credentials.\n"
	saysNewRole     = "INFO - Obtaining credentials for a new role or profile.\n"
	saysInvalid     = "WARNING - Your existing credentials are missing or invalid, obtaining new credentials.\n"
	saysPrompt      = "Enter AWS MFA code for device [{DEVICE}] (renewing for 43200 seconds):"
	saysRolePrompt  = "Enter AWS MFA code for device [{DEVICE}] (renewing for 3600 seconds):"
	saysFetching    = "INFO - Fetching Credentials - Profile: corp, Duration: 43200\n"
	saysAssuming    = "INFO - Assuming Role - Profile: corp, Role: " + mfaAdmin + ", Duration: 3600\n"
	saysSuccess     = "INFO - Success! Your credentials will expire in 43200 seconds at: {TIME}+00:00\n"
	saysRoleSuccess = "INFO - Success! Your credentials will expire in 3600 seconds at: {TIME}+00:00\n"
	saysValid       = "INFO - Your credentials are still valid for {SECONDS} seconds they will expire at {TIME}\n"

	wroteSession = "aws_access_key_id = {ASIA}\naws_secret_access_key = {TOKEN}\naws_session_token = {TOKEN}\n" +
		"x_security_token_expires = {TIME}\naws_security_token = {TOKEN}\nexpiration = {TIME}\nassumed_role = False\n"
	wroteRole = "aws_access_key_id = {ASIA}\naws_secret_access_key = {TOKEN}\naws_session_token = {TOKEN}\n" +
		"x_principal_arn = arn:aws:sts::222222222222:assumed-role/Admin/al\nx_security_token_expires = {TIME}\n" +
		"aws_security_token = {TOKEN}\nexpiration = {TIME}\nassumed_role = True\nassumed_role_arn = " + mfaAdmin + "\n"
)

// Of a section that was there, keys stay where they are.
const (
	wroteEnd       = "x_security_token_expires = {TIME}\n"
	renewedSession = "assumed_role = False\naws_access_key_id = {ASIA}\naws_secret_access_key = {TOKEN}\naws_session_token = {TOKEN}\n" +
		wroteEnd + "aws_security_token = {TOKEN}\nexpiration = {TIME}\n"
	renewedRole = "assumed_role = True\nassumed_role_arn = " + mfaAdmin + "\naws_access_key_id = {ASIA}\naws_secret_access_key = {TOKEN}\n" +
		"aws_session_token = {TOKEN}\nx_principal_arn = arn:aws:sts::222222222222:assumed-role/Admin/al\n" + wroteEnd +
		"aws_security_token = {TOKEN}\nexpiration = {TIME}\n"
)

func awsMFACases() []awsMFACase {
	return slices.Concat(awsMFAUsage(), awsMFAFiles(), awsMFASources(), awsMFADecisions(), awsMFAAnswers(), awsMFAWrites(), awsMFASetup())
}

// awsMFAUsage are command lines that argparse refuses.
func awsMFAUsage() []awsMFACase {
	refused := func(name, args, text string) awsMFACase {
		return awsMFACase{name: name, file: mfaLongTerm, args: args, status: 2, stderr: "aws-mfa: error: " + text + "\n"}
	}
	return []awsMFACase{
		refused("an unknown flag", "--what", "unrecognized arguments: --what"),
		refused("an argument that is no flag", "corp --force", "unrecognized arguments: corp"),
		refused("all that is unknown is told at once", "a --b=c -d", "unrecognized arguments: a --b=c -d"),
		refused("an ambiguous prefix", "--l x", "ambiguous option: --l could match --long-term-suffix, --long-suffix, --log-level"),
		refused("a prefix of device and duration", "--d=5", "ambiguous option: --d=5 could match --device, --duration"),
		refused("a level that is none", "--log-level TRACE", "argument --log-level: invalid choice: 'TRACE' (choose from 'CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG', 'NOTSET')"),
		refused("a level in small letters", "--log-level info", "argument --log-level: invalid choice: 'info' (choose from 'CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG', 'NOTSET')"),
		refused("a duration that is no number", "--duration 1h", "argument --duration: invalid int value: '1h'"),
		refused("a value that is missing", "--profile", "argument --profile: expected one argument"),
		refused("a flag in the place of a value", "--long-suffix --force", "argument --long-term-suffix/--long-suffix: expected one argument"),
		refused("an unknown flag in the place of a value", "--token -x", "argument --token/--mfa-token: expected one argument"),
		refused("a value for a flag without one", "--force=yes", "argument --force: ignored explicit argument 'yes'"),
		refused("a value behind a short flag", "-hx", "argument -h/--help: ignored explicit argument 'x'"),
		refused("nothing but the end of flags", "--", "unrecognized arguments: --"),
	}
}

// awsMFAFiles is what comes before the sections are looked at.
func awsMFAFiles() []awsMFACase {
	const ask = "Could not locate credentials file at {HOME}/.aws/credentials, would you like to create one? [y/n]"
	const noFile = "ERROR - Could not locate credentials file at {HOME}/.aws/credentials\n"
	const noSection = "ERROR - Long term credentials session '[default-long-term]' is missing. You must add this section to your credentials file " +
		"along with your long term 'aws_access_key_id' and 'aws_secret_access_key'\n"
	return []awsMFACase{
		{name: "no file, and none wanted", stdin: "n\n", status: 1, stdout: ask + noFile},
		{name: "no file, and no yes", stdin: "yes\n", status: 1, stdout: ask + noFile},
		{name: "no file, and one wanted", stdin: "Y\n", status: 1, better: "the folder is made too",
			stdout: ask + "INFO - Validating credentials for profile: default \n" + noSection, after: "\x00"},
		{name: "no file, and nobody to ask", status: 1, stdout: ask + "\n" + noFile, better: "no traceback at the end of input"},
		{name: "a line before the first section", file: "x = 1\n" + mfaLongTerm, status: 1, better: "the text names the line, and the fix",
			stdout: "ERROR - There was a problem reading or parsing your credentials file: {HOME}/.aws/credentials:1: " +
				"a line before the first section; the AWS CLI refuses the whole file\n", stderr: "hint: move the line below a [section]"},
		{name: "a section twice", file: mfaLongTerm + "[corp-long-term]\n", status: 1, better: "no traceback",
			stdout: "ERROR - There was a problem reading or parsing your credentials file: {HOME}/.aws/credentials:5: " +
				"the section [corp-long-term] again, first in line 1; the AWS CLI refuses the whole file\n"},
		{name: "a key twice", file: mfaLongTerm + "aws_mfa_device = x\n", status: 1, better: "no traceback",
			stdout: "ERROR - There was a problem reading or parsing your credentials file: {HOME}/.aws/credentials:5: " +
				"the key aws_mfa_device again, first in line 4; the AWS CLI refuses the whole file\n"},
		{name: "another file by AWS_SHARED_CREDENTIALS_FILE", env: []string{"AWS_SHARED_CREDENTIALS_FILE={HOME}/elsewhere"}, stdin: "n\n", status: 1,
			better: "the variable counts", stdout: strings.ReplaceAll(ask+noFile, ".aws/credentials", "elsewhere")},
		{name: "no long-term section", file: mfaCached, status: 1, stdout: "INFO - Validating credentials for profile: default \n" + noSection},
		{name: "no secret", file: "[corp-long-term]\naws_access_key_id = {ID}\n", args: "--profile corp", status: 1,
			stdout: saysValidating + "ERROR - No option 'aws_secret_access_key' in section: 'corp-long-term'\n"},
		{name: "no key id", file: "[corp-long-term]\naws_secret_access_key = {SECRET}\n", args: "--profile corp", status: 1,
			stdout: saysValidating + "ERROR - No option 'aws_access_key_id' in section: 'corp-long-term'\n"},
		{name: "a temporary key in the long-term section", file: strings.ReplaceAll(mfaLongTerm, "{ID}", "ASIAEXAMPLE000000001"), args: "--profile corp", status: 1,
			better: "told before a code is spent",
			stdout: saysValidating + "ERROR - The key in section '[corp-long-term]' is a temporary one, and AWS gives no credentials for it\n"},
		{name: "no device", file: strings.ReplaceAll(mfaLongTerm, "aws_mfa_device", "device"), args: "--profile corp", status: 1,
			stdout: saysValidating + `ERROR - You must provide --device or MFA_DEVICE or set "aws_mfa_device" in ".aws/credentials"` + "\n"},
	}
}

// awsMFASources are the places that profile, sections, device, role and duration
// come from, in their order.
func awsMFASources() []awsMFACase {
	equal := "ERROR - The value for '--long-term-suffix' cannot be equal to the value for '--short-term-suffix'\n"
	role := "INFO - Validating credentials for profile: corp with assumed role: "
	return []awsMFACase{
		{name: "the profile default", file: "[default-long-term]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\naws_mfa_device = {DEVICE}\n",
			stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, section: "default", wrote: wroteSession,
			stdout: strings.ReplaceAll(saysValidating+saysMissing+saysPrompt+saysFetching+saysSuccess, "corp", "default")},
		{name: "an empty AWS_PROFILE is none", file: strings.ReplaceAll(mfaLongTerm, "corp", "default"), env: []string{"AWS_PROFILE="}, stdin: "{CODE}\n",
			calls: []string{"GetSessionToken 43200"}, section: "default", wrote: wroteSession, better: "boto3 looks for a profile without a name, and ends in a traceback",
			stdout: strings.ReplaceAll(saysValidating+saysMissing+saysPrompt+saysFetching+saysSuccess, "corp", "default")},
		{name: "the profile by AWS_PROFILE", file: mfaLongTerm, env: []string{"AWS_PROFILE=corp"}, args: "--token {CODE}", section: "corp", wrote: wroteSession,
			better: "boto3 does not know the profile yet, and ends in a traceback", calls: []string{"GetSessionToken 43200"},
			stdout: saysValidating + saysMissing + "DEBUG - Received token as argument\n" + saysFetching + saysSuccess},
		{name: "the profile's argument wins", file: mfaLongTerm + mfaCached, env: []string{"AWS_PROFILE=other"}, args: "--prof=corp", stdout: saysValidating + saysValid},
		{name: "other suffixes", file: strings.ReplaceAll(mfaLongTerm, "-long-term", "-key"), args: "--profile corp --long-suffix key --short-suffix mfa --force",
			stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, section: "corp-mfa", wrote: wroteSession,
			stdout: strings.ReplaceAll(saysValidating+saysMissing+saysPrompt+saysFetching+saysSuccess, "corp", "corp-mfa")},
		{name: "no suffix for the key", file: strings.ReplaceAll(mfaLongTerm, "-long-term", ""), args: "--profile corp --long-term-suffix NONE --short-term-suffix mfa",
			stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, section: "corp-mfa", wrote: wroteSession,
			stdout: strings.ReplaceAll(saysValidating+saysMissing+saysPrompt+saysFetching+saysSuccess, "corp", "corp-mfa")},
		{name: "empty suffixes are none given", file: mfaLongTerm + mfaCached, args: "--profile corp --long-suffix '' --short-suffix ''", stdout: saysValidating + saysValid},
		{name: "no suffixes at all", file: mfaLongTerm, args: "--profile corp --long-term-s none", status: 1, stdout: equal},
		{name: "the same suffixes", file: mfaLongTerm, args: "--long-suffix x --short-suffix x", status: 1, stdout: equal},
		{name: "the same section by the default suffix", file: mfaLongTerm, args: "--short-suffix long-term", status: 1, stdout: equal},

		{name: "the device's argument wins", file: strings.ReplaceAll(mfaLongTerm, "{DEVICE}", "arn:of-the-file"), args: "--profile corp --dev {DEVICE}",
			env: []string{"MFA_DEVICE=arn:of-the-environment"}, stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, stdout: saysValidating + saysMissing + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: wroteSession},
		{name: "the device's variable wins over the file", file: strings.ReplaceAll(mfaLongTerm, "{DEVICE}", "arn:of-the-file"), args: "--profile corp",
			env: []string{"MFA_DEVICE={DEVICE}"}, stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, stdout: saysValidating + saysMissing + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: wroteSession},
		{name: "the device by [DEFAULT]", file: "[DEFAULT]\naws_mfa_device = {DEVICE}\n" + strings.ReplaceAll(mfaLongTerm, "aws_mfa_device", "x"), args: "--profile corp",
			stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, stdout: saysValidating + saysMissing + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: wroteSession},

		{name: "the role by argument", file: mfaLongTerm + "assume_role = arn:of-the-file\n", args: "--profile corp --assume " + mfaAdmin, env: []string{"MFA_ASSUME_ROLE=arn:of-the-environment"},
			stdin: "{CODE}\n", calls: []string{"AssumeRole Admin 3600"}, stdout: role + mfaAdmin + "\n" + saysMissing + saysRolePrompt + saysAssuming + saysRoleSuccess, section: "corp", wrote: wroteRole},
		{name: "the role by variable", file: mfaLongTerm + "assume_role = arn:of-the-file\n", args: "--profile corp", env: []string{"MFA_ASSUME_ROLE=" + mfaAdmin},
			stdin: "{CODE}\n", calls: []string{"AssumeRole Admin 3600"}, stdout: saysValidating + saysMissing + saysRolePrompt + saysAssuming + saysRoleSuccess, section: "corp", wrote: wroteRole},
		{name: "the role by file", file: mfaLongTerm + "assume_role = " + mfaAdmin + "\n", args: "--profile corp",
			stdin: "{CODE}\n", calls: []string{"AssumeRole Admin 3600"}, stdout: saysValidating + saysMissing + saysRolePrompt + saysAssuming + saysRoleSuccess, section: "corp", wrote: wroteRole},
		{name: "a session name", file: mfaLongTerm, args: "--profile corp --assume-r " + mfaAdmin + " --role somebody", stdin: "{CODE}\n", calls: []string{"AssumeRole Admin 3600"},
			stdout:  role + mfaAdmin + "\n" + saysMissing + saysRolePrompt + saysAssuming + saysRoleSuccess,
			section: "corp", wrote: strings.ReplaceAll(wroteRole, "Admin/al", "Admin/somebody")},
		{name: "a session name that AWS does not take", file: mfaLongTerm, args: "--profile corp --assume " + mfaAdmin + " --role-session-name x", status: 1,
			stdout: role + mfaAdmin + "\n" + saysMissing + "ERROR - The role session name 'x' is not 2 to 64 of letters, digits and _+=,.@-\n",
			better: "aws-mfa says that the token must have six digits"},
		{name: "the first message names what the profile's section says", file: mfaLongTerm + mfaCachedRole, args: "--profile corp --assume-role " + mfaAdmin,
			stdout: role + mfaAdmin + "\n" + saysValid},
		{name: "not the short section", file: mfaLongTerm + strings.ReplaceAll(mfaCachedRole, "[corp]", "[corp-mfa]"), args: "--profile corp --short-suffix mfa --assume-role " + mfaAdmin,
			stdout: strings.ReplaceAll(role, "corp", "corp-mfa") + mfaAdmin + "\n" + saysValid},

		{name: "the duration by argument", file: mfaLongTerm, args: "--profile corp --dur 900", env: []string{"MFA_STS_DURATION=1800"}, stdin: "{CODE}\n",
			calls: []string{"GetSessionToken 900"}, stdout: strings.ReplaceAll(saysValidating+saysMissing+saysPrompt+saysFetching+saysSuccess, "43200", "900"), section: "corp", wrote: wroteSession},
		{name: "the duration by variable", file: mfaLongTerm, args: "--profile corp", env: []string{"MFA_STS_DURATION= 1_800 "}, stdin: "{CODE}\n",
			calls: []string{"GetSessionToken 1800"}, stdout: strings.ReplaceAll(saysValidating+saysMissing+saysPrompt+saysFetching+saysSuccess, "43200", "1800"), section: "corp", wrote: wroteSession},
		{name: "a duration of 0 is none given", file: mfaLongTerm, args: "--profile corp --duration 0", stdin: "{CODE}\n",
			calls: []string{"GetSessionToken 43200"}, stdout: saysValidating + saysMissing + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: wroteSession},
		{name: "a variable that is no number", file: mfaLongTerm, args: "--profile corp", env: []string{"MFA_STS_DURATION=1h"}, status: 1, better: "no traceback",
			stdout: saysValidating + "ERROR - MFA_STS_DURATION is not a whole number of seconds: \"1h\"\n"},
		{name: "a duration below what AWS takes", file: mfaLongTerm, args: "--profile corp --duration 60", status: 1,
			stdout: saysValidating + saysMissing + "ERROR - The duration must be 900 to 129600 seconds, and not 60\n", better: "aws-mfa says that the token must have six digits"},
		{name: "a negative duration", file: mfaLongTerm, args: "--profile corp --duration -5", status: 1,
			stdout: saysValidating + saysMissing + "ERROR - The duration must be 900 to 129600 seconds, and not -5\n", better: "aws-mfa says that the token must have six digits"},
		{name: "a duration above what AWS takes with a role", file: mfaLongTerm, args: "--profile corp --duration 43201 --assume " + mfaAdmin, status: 1,
			stdout: role + mfaAdmin + "\n" + saysMissing + "ERROR - The duration must be 900 to 43200 seconds, and not 43201\n", better: "told before a code is spent"},
		{name: "a role that is no ARN", file: mfaLongTerm, args: "--profile corp --assume-role Admin", status: 1,
			stdout: role + "Admin\n" + saysMissing + "ERROR - The role 'Admin' is not an ARN\n", better: "aws-mfa says that the token must have six digits"},
		{name: "a FIDO device", file: mfaLongTerm, args: "--profile corp --device arn:aws:iam::111111111111:u2f/user/alice/key-ABCDEFGHIJ", status: 1, better: "told before a code is asked for",
			stdout: saysValidating + saysMissing + "ERROR - The device arn:aws:iam::111111111111:u2f/user/alice/key-ABCDEFGHIJ is a FIDO device, which AWS takes in the console only\n"},
	}
}

// awsMFADecisions is whether what is cached still serves.
func awsMFADecisions() []awsMFACase {
	var all []awsMFACase
	for _, key := range []string{"assumed_role", "aws_security_token", "expiration", "aws_session_token"} {
		c := awsMFACase{name: "cached credentials without " + key, args: "--profile corp", stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"},
			file:   mfaLongTerm + regexp.MustCompile(`(?m)^`+key+` = .*\n`).ReplaceAllString(mfaCached, ""),
			stdout: saysValidating + saysInvalid + saysPrompt + saysFetching + saysSuccess, section: "corp"}
		// What is missing comes behind what is there, in mfad's order.
		c.wrote = map[string]string{
			"assumed_role":       wroteSession,
			"aws_security_token": renewedSession,
			"expiration":         renewedSession,
			"aws_session_token": "assumed_role = False\naws_access_key_id = {ASIA}\naws_secret_access_key = {TOKEN}\naws_session_token = {TOKEN}\n" +
				wroteEnd + "aws_security_token = {TOKEN}\nexpiration = {TIME}\n",
		}[key]
		all = append(all, c)
	}
	role := "INFO - Validating credentials for profile: corp with assumed role: "
	return append(all, []awsMFACase{
		{name: "still valid", file: mfaLongTerm + mfaCached, args: "--profile corp", stdout: saysValidating + saysValid},
		{name: "still valid, whatever duration is wanted", file: mfaLongTerm + mfaCached, args: "--profile corp --duration 60", stdout: saysValidating + saysValid},
		{name: "expired", file: mfaLongTerm + mfaExpired, args: "--profile corp", stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"},
			stdout: saysValidating + "INFO - Your credentials have expired, renewing.\n" + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: renewedSession},
		{name: "forced", file: mfaLongTerm + mfaCached, args: "--profile corp --force", stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"},
			stdout: saysValidating + "INFO - Forcing refresh of credentials.\n" + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: renewedSession},
		{name: "a role in the place of none", file: mfaLongTerm + mfaCached, args: "--profile corp --assume-role " + mfaAdmin, stdin: "{CODE}\n", calls: []string{"AssumeRole Admin 3600"},
			stdout: role + mfaAdmin + "\n" + saysNewRole + saysRolePrompt + saysAssuming + saysRoleSuccess, section: "corp",
			wrote: renewedRole},
		{name: "a role in the place of another", file: mfaLongTerm + strings.ReplaceAll(mfaCachedRole, mfaAdmin, mfaReadOnly), args: "--profile corp --assume-role " + mfaAdmin, stdin: "{CODE}\n",
			calls: []string{"AssumeRole Admin 3600"}, stdout: role + mfaAdmin + "\n" + saysNewRole + saysRolePrompt + saysAssuming + saysRoleSuccess, section: "corp", wrote: renewedRole},
		{name: "no role in the place of one", file: mfaLongTerm + mfaCachedRole, args: "--profile corp", stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"},
			stdout: role + mfaAdmin + "\n" + saysNewRole + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: renewedSession},
		{name: "an empty role leaves the cached one", file: mfaLongTerm + mfaCachedRole, args: "--profile corp --assume-role ''", stdout: role + mfaAdmin + "\n" + saysValid},
		{name: "the same role", file: mfaLongTerm + mfaCachedRole, args: "--profile corp", env: []string{"MFA_ASSUME_ROLE=" + mfaAdmin}, stdout: role + mfaAdmin + "\n" + saysValid},
		{name: "no section, and forced", file: mfaLongTerm, args: "--profile corp --force", stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"},
			stdout: saysValidating + saysMissing + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: wroteSession},
		{name: "incomplete, and for a new role", file: mfaLongTerm + "[corp]\nregion = eu-west-1\n", args: "--profile corp --assume-role " + mfaAdmin, stdin: "{CODE}\n",
			calls: []string{"AssumeRole Admin 3600"}, stdout: role + mfaAdmin + "\n" + saysInvalid + saysNewRole + saysRolePrompt + saysAssuming + saysRoleSuccess,
			section: "corp", wrote: wroteRole + "region = eu-west-1\n"},
		{name: "an expiration in RFC 3339", file: mfaLongTerm + strings.ReplaceAll(mfaCached, "2037-01-02 03:04:05", "2037-01-02T03:04:05Z"), args: "--profile corp",
			stdout: saysValidating + saysValid, better: "no traceback"},
		{name: "an expiration in RFC 3339 that is over", file: mfaLongTerm + strings.ReplaceAll(mfaCached, "2037-01-02 03:04:05", "2020-01-02T05:04:05+02:00"), args: "--profile corp",
			stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, stdout: saysValidating + "INFO - Your credentials have expired, renewing.\n" + saysPrompt + saysFetching + saysSuccess,
			section: "corp", wrote: renewedSession, better: "no traceback"},
		{name: "an expiration that is no time", file: mfaLongTerm + strings.ReplaceAll(mfaCached, "2037-01-02 03:04:05", "soon"), args: "--profile corp", stdin: "{CODE}\n",
			calls: []string{"GetSessionToken 43200"}, stdout: saysValidating + saysInvalid + saysPrompt + saysFetching + saysSuccess, section: "corp", wrote: renewedSession, better: "no traceback"},
	}...)
}

// awsMFAAnswers are the code, AWS's answers, and the levels of the log.
func awsMFAAnswers() []awsMFACase {
	const failed = "ERROR - An error occured while calling assume role: An error occurred "
	role := "INFO - Validating credentials for profile: corp with assumed role: "
	return []awsMFACase{
		{name: "a code by argument", file: mfaLongTerm, args: "--profile corp --mfa-token {CODE}", calls: []string{"GetSessionToken 43200"},
			stdout: saysValidating + saysMissing + "DEBUG - Received token as argument\n" + saysFetching + saysSuccess, section: "corp", wrote: wroteSession,
			stderr: "mfad: others can read a code that is an argument"},
		{name: "a wrong code", file: mfaLongTerm, args: "--profile corp", stdin: "{WRONG}\n", status: 1, calls: []string{"GetSessionToken 43200 AccessDenied"},
			stdout: saysValidating + saysMissing + saysPrompt + saysFetching + failed +
				"(AccessDenied) when calling the GetSessionToken operation: MultiFactorAuthentication failed with invalid MFA one time pass code. \n"},
		{name: "a code of five digits", file: mfaLongTerm, args: "--profile corp", stdin: "12345\n", status: 1, better: "aws-mfa says first that it asks AWS",
			stdout: saysValidating + saysMissing + saysPrompt + "ERROR - Token must be six digits\n"},
		{name: "a code of letters", file: mfaLongTerm, args: "--profile corp --token abcdef", status: 1, better: "it is not sent",
			stdout: saysValidating + saysMissing + "DEBUG - Received token as argument\nERROR - Token must be six digits\n"},
		{name: "nobody to ask for a code", file: mfaLongTerm, args: "--profile corp", status: 1, better: "no traceback at the end of input",
			stdout: saysValidating + saysMissing + saysPrompt + "\nERROR - No answer was given\n"},
		{name: "a role that is not there", file: mfaLongTerm, args: "--profile corp --assume arn:aws:iam::222222222222:role/Nobody", stdin: "{CODE}\n", status: 1,
			calls: []string{"AssumeRole Nobody 3600 AccessDenied"},
			stdout: role + "arn:aws:iam::222222222222:role/Nobody\n" + saysMissing + saysRolePrompt + strings.ReplaceAll(saysAssuming, "Admin", "Nobody") + failed +
				"(AccessDenied) when calling the AssumeRole operation: User: arn:aws:iam::111111111111:user/alice is not authorized to perform: " +
				"sts:AssumeRole on resource: arn:aws:iam::222222222222:role/Nobody\n"},
		{name: "more than the role allows", file: mfaLongTerm, args: "--profile corp --duration 7200 --assume " + mfaAdmin, stdin: "{CODE}\n", status: 1,
			calls: []string{"AssumeRole Admin 7200 ValidationError"},
			stdout: role + mfaAdmin + "\n" + saysMissing + strings.ReplaceAll(saysRolePrompt+saysAssuming, "3600", "7200") + failed +
				"(ValidationError) when calling the AssumeRole operation: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.\n"},
		{name: "a key that AWS does not know", file: strings.ReplaceAll(mfaLongTerm, "{ID}", "AKIAEXAMPLE000000001"), args: "--profile corp", stdin: "{CODE}\n", status: 1,
			calls: []string{"GetSessionToken 43200 InvalidClientTokenId"},
			stdout: saysValidating + saysMissing + saysPrompt + saysFetching + failed +
				"(InvalidClientTokenId) when calling the GetSessionToken operation: The security token included in the request is invalid.\n"},
		{name: "the level INFO", file: mfaLongTerm, args: "--profile corp --log-level INFO --token {CODE}", calls: []string{"GetSessionToken 43200"},
			stdout: saysValidating + saysMissing + saysFetching + saysSuccess, section: "corp", wrote: wroteSession},
		{name: "the level WARNING", file: mfaLongTerm + strings.ReplaceAll(mfaCached, "assumed_role = False\n", ""), args: "--profile corp --log WARNING --token {CODE}",
			calls: []string{"GetSessionToken 43200"}, stdout: saysInvalid, section: "corp", wrote: wroteSession},
		{name: "the level ERROR", file: mfaLongTerm, args: "--log-level ERROR --profile x", status: 1,
			stdout: "ERROR - Long term credentials session '[x-long-term]' is missing. You must add this section to your credentials file " +
				"along with your long term 'aws_access_key_id' and 'aws_secret_access_key'\n"},
		{name: "the level CRITICAL", file: mfaLongTerm, args: "--log-level CRITICAL --profile x", status: 1},
		{name: "no level is Python's own", file: mfaLongTerm + strings.ReplaceAll(mfaCached, "assumed_role = False\n", ""), args: "--profile corp --log-level NOTSET --token {CODE}",
			calls: []string{"GetSessionToken 43200"}, stdout: saysInvalid, section: "corp", wrote: wroteSession},
	}
}

// awsMFAWrites is what becomes of the file.
func awsMFAWrites() []awsMFACase {
	done := saysValidating + saysMissing + saysPrompt + saysFetching + saysSuccess
	expiredDone := saysValidating + "INFO - Your credentials have expired, renewing.\n" + saysPrompt + saysFetching + saysSuccess
	return []awsMFACase{
		{name: "every other byte stays", args: "--profile corp", stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, stdout: done,
			better: "comments, case, spacing and line ends stay",
			file:   "# mine\r\n\r\n[Other]\r\nRegion: eu-west-1 ; note\r\n; end\r\n" + mfaLongTerm,
			after:  "# mine\r\n\r\n[Other]\r\nRegion: eu-west-1 ; note\r\n; end\r\n" + mfaLongTerm + "\r\n" + strings.ReplaceAll("[corp]\n"+wroteSession, "\n", "\r\n")},
		{name: "other keys of the section stay", args: "--profile corp", stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"}, stdout: expiredDone,
			file: mfaLongTerm + mfaExpired + "region = eu-west-1\noutput = json\n", section: "corp", wrote: renewedSession + "region = eu-west-1\noutput = json\n"},
		{name: "a section with settings only", args: "--profile corp", stdin: "{CODE}\n", calls: []string{"GetSessionToken 43200"},
			file: mfaLongTerm + "[corp]\nregion = eu-west-1\n", stdout: saysValidating + saysInvalid + saysPrompt + saysFetching + saysSuccess,
			section: "corp", wrote: wroteSession + "region = eu-west-1\n"},
		{name: "a section with a long-term key", args: "--profile corp", status: 1, better: "a long-term key is never overwritten",
			file:   mfaLongTerm + "[corp]\naws_access_key_id = AKIAEXAMPLE000000002\naws_secret_access_key = not-a-secret\n",
			stdout: saysValidating + saysInvalid + "ERROR - {HOME}/.aws/credentials:5: [corp] holds a long-term key, which mfad never overwrites\n", stderr: "hint: rename the section to [corp-long-term]"},
		{name: "credentials of another program", args: "--profile corp", status: 1, better: "nor are another program's",
			file:   mfaLongTerm + "[corp]\naws_access_key_id = ASIAEXAMPLE000000002\naws_secret_access_key = not-a-secret\naws_session_token = x\nx_security_token_expires = 2020-01-01T00:00:00Z\n",
			stdout: saysValidating + saysInvalid + "ERROR - {HOME}/.aws/credentials:5: [corp] holds temporary credentials that another program wrote\n"},
		{name: "a section name that not every tool reads", args: "--profile {HOME}~corp", status: 1, better: "told before a code is spent",
			file:   strings.ReplaceAll(mfaLongTerm, "corp", "{HOME}~corp"),
			stdout: strings.ReplaceAll(saysValidating+saysMissing, "corp", "{HOME}~corp") + "ERROR - section name \"{HOME}~corp\" cannot be written so that every tool reads it\n"},
	}
}

// awsMFASetup asks for a long-term key.
func awsMFASetup() []awsMFACase {
	const name = "Profile name to [default]: "
	return []awsMFACase{
		{name: "setup", file: mfaCached, args: "--setup", stdin: "new\nAKIAEXAMPLE000000003\nnot-a-secret\n", stdout: name, stderr: "aws_secret_access_key: ",
			section: "new-long-term", wrote: "aws_access_key_id = AKIAEXAMPLE000000003\naws_secret_access_key = not-a-secret\n"},
		{name: "setup of the default profile, whatever else is said", file: mfaCached, args: "--set --profile corp --long-suffix x --short-suffix x --force",
			stdin: "\nAKIAEXAMPLE000000003\nnot-a-secret\n", stdout: name, stderr: "aws_secret_access_key: ",
			section: "default-long-term", wrote: "aws_access_key_id = AKIAEXAMPLE000000003\naws_secret_access_key = not-a-secret\n"},
		{name: "setup without a key id", file: mfaCached, args: "--setup", stdin: "new\n\n", status: 1, stdout: name + "ERROR - You must supply aws_access_key_id\n"},
		{name: "setup without a secret", file: mfaCached, args: "--setup", stdin: "new\nAKIAEXAMPLE000000003\n\n", status: 1, stdout: name + "ERROR - You must supply aws_secret_access_key\n"},
		{name: "setup of a section that is there", file: mfaLongTerm, args: "--setup", stdin: "corp\n", status: 1, better: "no traceback",
			stdout: name + "ERROR - Section 'corp-long-term' already exists\n"},
		{name: "setup without a file", args: "--setup", stdin: "y\nnew\nAKIAEXAMPLE000000003\nnot-a-secret\n", stderr: "aws_secret_access_key: ", better: "the folder is made too",
			stdout: "Could not locate credentials file at {HOME}/.aws/credentials, would you like to create one? [y/n]" + name,
			after:  "[new-long-term]\naws_access_key_id = AKIAEXAMPLE000000003\naws_secret_access_key = not-a-secret\n"},
	}
}
