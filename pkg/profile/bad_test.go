package profile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadInput asserts the whole of what is told: the lines with their text,
// and the hint of each after " | ". FILE stands for the config's path.
func TestBadInput(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"unknown key", prod + "rolearn = x\n",
			[]string{`FILE:6: unknown key "rolearn" in [profile prod], the nearest known is role_arn | write role_arn, or remove the line`}},
		{"key of another section", corp + "role_arn = x\n",
			[]string{`FILE:3: unknown key "role_arn" in [identity corp], the nearest known is region | move the line to a [profile NAME]`}},
		{"a long-term key", corp + "aws_secret_access_key = example\n",
			[]string{`FILE:3: unknown key "aws_secret_access_key" in [identity corp], the nearest known is mfa_process | remove the line; keys go into the keyring: mfad identity add NAME`}},
		{"key before the sections", "region = eu-west-1\n",
			[]string{`FILE:1: "region" stands before the first section | put it below [defaults], [identity NAME] or [profile NAME]`}},
		{"unknown section", "[profil prod]\n",
			[]string{`FILE:1: unknown section "[profil prod]", the nearest known is [profile NAME] | write [profile NAME]`}},
		{"section as in the credentials file", "[production]\nx = y\n",
			[]string{`FILE:1: unknown section "[production]", the nearest known is [profile NAME] | write [profile production] or [identity production] if that is its name`}},
		{"default for defaults", "[default]\n",
			[]string{`FILE:1: unknown section "[default]", the nearest known is [defaults] | write [defaults]`}},
		{"DEFAULT", "[DEFAULT]\nregion = eu-west-1\n",
			[]string{`FILE:1: unknown section "[DEFAULT]", the nearest known is [defaults] | write [defaults]`}},
		{"a section without a name", "[profile]\n",
			[]string{`FILE:1: [profile] has no name | write [profile NAME]`}},
		{"a profile named DEFAULT", corp + "[profile DEFAULT]\nidentity = corp\n",
			[]string{`FILE:3: the name DEFAULT has a meaning of its own in INI files | use default, or another name`}},
		{"quotes round a name", corp + "[profile \"my prof\"]\nidentity = corp\n",
			[]string{`FILE:3: "\"my prof\"" is not a valid name | use 1 to 64 letters, digits and _./@+=,:- without quotes`}},
		{"text after a header", "[defaults] region = x\n",
			[]string{`FILE:1: there is text after the ] | put it on a line of its own; a comment needs a blank before its # or ;`}},
		{"a comment without a blank after a header", "[defaults];x\n",
			[]string{`FILE:1: there is text after the ] | put it on a line of its own; a comment needs a blank before its # or ;`}},
		{"section twice", corp + "[identity  corp]\nregion = eu-west-1\n",
			[]string{`FILE:3: [identity corp] is there twice, first in line 1 | put all its keys into one section`}},
		{"key twice", corp + "region = eu-west-1\nREGION = eu-west-2\n",
			[]string{`FILE:4: "region" is there twice in [identity corp], first in line 3 | remove one of the two lines`}},
		{"a line without a delimiter", corp + "region\n",
			[]string{`FILE:3: this line is neither a section, a key nor a comment | write key = value, or begin the line with # to make it a comment`}},
		{"a continuation line", corp + "mfa_process = a \\\n   b\n",
			[]string{`FILE:4: this indented line continues nothing: there are no continuation lines | write the whole value on one line`}},
		{"no value", corp + "region =\nmfa_process = ; none\n",
			[]string{"FILE:3: region has no value | give it one, or remove the line", "FILE:4: mfa_process has no value | give it one, or remove the line"}},
		{"backticks", corp + "mfa_process = `a\nregion = eu-west-1\n",
			[]string{"FILE:3: mfa_process: a value can't begin with ` or \"\"\" | write the value without quotes around it"}},
		{"three quotes", corp + "mfa_process = \"\"\"a\nregion = eu-west-1\n",
			[]string{"FILE:3: mfa_process: a value can't begin with ` or \"\"\" | write the value without quotes around it"}},
		{"a control character", corp + "mfa_process = a\x00b\n",
			[]string{"FILE:3: there is a control character in this line | type the line again"}},
		{"line ends of old Macs", "[defaults]\rregion = eu-west-1\r",
			[]string{"FILE:1: there is a control character in this line | type the line again"}},
		{"not UTF-8", corp + "# caf\xe9\n",
			[]string{"FILE:3: this is not UTF-8 text | save the file as UTF-8"}},
		{"UTF-16", "\xff\xfe[\x00",
			[]string{"FILE:1: this is not UTF-8 text | save the file as UTF-8"}},

		{"unknown identity", strings.Replace(prod, "identity = corp", "identity = crop", 1),
			[]string{`FILE:4: identity: there is no identity "crop" | the nearest name is corp`}},
		{"no identity at all", "[profile prod]\nidentity = corp\n",
			[]string{`FILE:2: identity: there is no identity "corp" | run: mfad identity add corp`}},
		{"unknown source_profile", prod + "[profile db]\nsource_profile = prd\nrole_arn = arn:aws:iam::222222222222:role/DB\n",
			[]string{`FILE:7: source_profile: there is no profile "prd" | the nearest name is prod`}},
		{"neither identity nor source", corp + "[profile prod]\nmfa = auto\n",
			[]string{`FILE:3: [profile prod] has neither identity nor source_profile | add the line: identity = corp`}},
		{"identity and source", prod + "[profile db]\nidentity = corp\nsource_profile = prod\nrole_arn = arn:aws:iam::222222222222:role/DB\n",
			[]string{`FILE:8: [profile db] has both identity and source_profile | remove one of the two lines; a chained profile has the identity of its source_profile`}},
		{"source without a role", prod + "[profile db]\nsource_profile = prod\n",
			[]string{`FILE:7: [profile db] has a source_profile but no role_arn | add the line: role_arn = arn:aws:iam::111111111111:role/NAME`}},
		{"a loop", loopOf("a", "b", "b", "c", "c", "a"),
			[]string{`FILE:2: source_profile goes in a loop: a -> b -> c -> a | give one of them an identity instead of its source_profile`}},
		{"a way into a loop", loopOf("x", "b", "a", "b", "b", "a"),
			[]string{`FILE:5: source_profile goes in a loop: a -> b -> a | give one of them an identity instead of its source_profile`}},
		{"a profile that is its own source", loopOf("a", "a"),
			[]string{`FILE:2: source_profile goes in a loop: a -> a | give one of them an identity instead of its source_profile`}},
		{"two loops", loopOf("a", "a", "b", "b"),
			[]string{`FILE:2: source_profile goes in a loop: a -> a | give one of them an identity instead of its source_profile`,
				`FILE:5: source_profile goes in a loop: b -> b | give one of them an identity instead of its source_profile`}},
		{"two profiles for one section", prod + "[profile p2]\nidentity = corp\nsection = prod\n",
			[]string{`FILE:8: the profiles prod and p2 would both write the section "prod" | give one of them another section, or write = none`}},
		{"identity and profile of one name", corp + "[profile corp]\nidentity = corp\nrole_arn = arn:aws:iam::222222222222:role/DB\n",
			[]string{`FILE:3: "corp" is the name of an identity too | rename one; only the profile of that identity without a role_arn may share its name`}},
		{"confirm for a file", prod + "confirm = true\n",
			[]string{`FILE:6: confirm needs write = process or none: nobody is asked when a file is read | add the line: write = process`}},

		{"no device", "[identity corp]\n",
			[]string{`FILE:1: [identity corp] has no mfa_serial | add the line: mfa_serial = arn:aws:iam::111111111111:mfa/NAME`}},
		{"unattended without a process", corp + "mfa_process_unattended = true\n",
			[]string{`FILE:3: mfa_process_unattended needs mfa_process in [identity corp] | add mfa_process, or remove the line`}},
		{"unknown type", corp + "type = oidc\n",
			[]string{`FILE:3: type: "oidc" is not one of saml, web_identity | the nearest is saml`}},
		{"saml without its keys", "[identity sso]\ntype = saml\nmfa_process = x\n",
			[]string{`FILE:1: [identity sso] has no saml_assertion_process | add the line: saml_assertion_process = COMMAND`,
				`FILE:1: [identity sso] has no principal_arn | add the line: principal_arn = arn:aws:iam::111111111111:saml-provider/NAME`,
				`FILE:3: mfa_process has no meaning with type = saml | remove the line`}},
		{"web_identity with two tokens", "[identity ci]\ntype = web_identity\nweb_identity_token_file = /t\nweb_identity_token_process = t\n",
			[]string{`FILE:4: [identity ci] needs exactly one source of its token | keep web_identity_token_file or web_identity_token_process`}},
		{"a token without a type", corp + "web_identity_token_file = /t\n",
			[]string{`FILE:3: web_identity_token_file needs a type in [identity corp] | add the line: type = web_identity`}},
		{"a federated profile without a role", ci + "[profile p]\nidentity = ci\n",
			[]string{`FILE:6: [profile p] needs a role_arn: ci is an identity of type web_identity | add the line: role_arn = arn:aws:iam::111111111111:role/NAME`}},
		{"MFA for a federated profile", ci + "[profile p]\nidentity = ci\nrole_arn = arn:aws:iam::222222222222:role/A\nmfa = direct\n",
			[]string{`FILE:8: mfa is not taken from the config for an identity of type web_identity | remove the line`}},

		{"what needs a role", corp + "[profile base]\nidentity = corp\nduration = 2h\nexternal_id = abc\nmfa = direct\n",
			[]string{`FILE:5: duration needs a role_arn: without one the profile lives as long as the MFA session | set session_duration in [identity corp] instead`,
				`FILE:6: external_id needs a role_arn | add the line: role_arn = arn:aws:iam::111111111111:role/NAME`,
				`FILE:7: mfa = direct needs a role_arn | remove the line`}},
		{"direct and chained", prod + "[profile db]\nsource_profile = prod\nrole_arn = arn:aws:iam::222222222222:role/DB\nmfa = direct\n",
			[]string{`FILE:9: mfa = direct is not possible with source_profile: the code goes to the root of the chain | remove the line, or give the profile an identity instead of its source_profile`}},
		{"a transitive tag that is none", prod + "session_tags = a=b\ntransitive_session_tags = c\n",
			[]string{`FILE:7: transitive_session_tags: there is no tag "c" in session_tags | add it to session_tags, or leave it out`}},
		{"another partition", corp + "[profile p]\nidentity = corp\nrole_arn = arn:aws-cn:iam::222222222222:role/A\n",
			[]string{`FILE:5: role_arn is in the partition "aws-cn", but the identity corp is in "aws" | use a role and an identity of one partition`}},
		{"a policy of another partition", prod + "policy_arns = arn:aws-cn:iam::aws:policy/X\n",
			[]string{`FILE:6: policy_arns: "arn:aws-cn:iam::aws:policy/X" is in the partition "aws-cn", the role is in "aws" | write arn:aws: in front of it`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, path, err := load(t, tt.text)
			if err == nil {
				t.Fatalf("it loads:\n%s", tt.text)
			}
			var got []string
			for _, p := range list(t, err) {
				got = append(got, strings.ReplaceAll(p.String(), path, "FILE")+" | "+p.Hint)
			}
			if g, w := strings.Join(got, "\n"), strings.Join(tt.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

const ci = `[identity ci]
type = web_identity
web_identity_token_process = token

`

// loopOf gives profiles, each with its source, from pairs of names.
func loopOf(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "[profile %s]\nsource_profile = %s\nrole_arn = arn:aws:iam::222222222222:role/A\n", pairs[i], pairs[i+1])
	}
	return b.String()
}

// TestBadValues asserts text and hint for one value each.
func TestBadValues(t *testing.T) {
	for _, tt := range []struct{ kind, line, msg, hint string }{
		{"defaults", "region = Frankfurt", `region: "Frankfurt" is not a region`, "write it as eu-west-1"},
		{"defaults", `region = "eu-west-1"`, `region: "\"eu-west-1\"" is not a region`, "write it as eu-west-1"},
		{"defaults", "region = eu-west-", `region: "eu-west-" is not a region`, "write it as eu-west-1"},
		{"defaults", "session_duration = 37h", `session_duration: "37h" is too long, the most is 36h`, "use 15m to 36h"},
		{"defaults", "session_duration = 129601", `session_duration: "129601" is too long, the most is 36h`, "use 15m to 36h"},
		{"defaults", "session_duration = 899", `session_duration: "899" is too short, the least is 15m`, "use 15m to 36h"},
		{"defaults", "session_duration = max", `session_duration: "max" is not a duration in whole seconds`, "write such as 36h, 90m or a number of seconds"},
		{"defaults", "session_duration = 99999999999999999999", `session_duration: "99999999999999999999" is too long, the most is 36h`, "use 15m to 36h"},
		{"defaults", "session_duration = 1d", `session_duration: "1d" is not a duration in whole seconds`, "write such as 36h, 90m or a number of seconds"},
		{"defaults", "session_duration = -1h", `session_duration: "-1h" is too short, the least is 15m`, "use 15m to 36h"},
		{"defaults", "keyring = kwallet", `keyring: "kwallet" is not one of auto, os, file`, "the nearest is file"},
		{"defaults", "prompt = terminal, gui", `prompt: "gui" is not one of terminal, dialog, notification, process`, "the nearest is dialog"},
		{"defaults", "prompt = auto, dialog", `prompt: auto is a choice of its own`, "write auto alone, or leave it out"},
		{"defaults", "prompt = dialog, dialog", `prompt: "dialog" is in the list twice`, "leave out the second"},
		{"defaults", "prompt = dialog,", `prompt: there is an empty item in the list`, "put one comma between two items, and none at the end"},
		{"defaults", "endpoint_url = http://sts.example.com", `endpoint_url: http to another machine ("sts.example.com")`, "use https; http goes to this machine only"},
		{"defaults", "endpoint_url = http://127.0.0.1.example.com", `endpoint_url: http to another machine ("127.0.0.1.example.com")`, "use https; http goes to this machine only"},
		{"defaults", "endpoint_url = sts.example.com", `endpoint_url: this is not a URL`, "write it as https://HOST or https://HOST:PORT"},
		{"defaults", "endpoint_url = ftp://sts.example.com", `endpoint_url: "ftp" is not https`, "write it as https://HOST or https://HOST:PORT"},
		{"defaults", "endpoint_url = https://u:fake@sts.example.com", `endpoint_url: there is a user name in the URL`, "leave out the user and the password"},
		{"defaults", "signin_url = https://x.example.com/?a=b", `signin_url: there is a ? or # in the URL`, "write it as https://HOST or https://HOST:PORT"},
		{"defaults", "https_proxy = user:fake@proxy.example.com:3128", `https_proxy: this is not the URL of a proxy`, "write it as http://HOST:PORT"},
		{"defaults", "use_fips_endpoint = yes", `use_fips_endpoint: "yes" is neither true nor false`, "write true or false"},
		{"defaults", "use_dualstack_endpoint = True", `use_dualstack_endpoint: "True" is neither true nor false`, "write true or false"},

		{"identity", "mfa_serial = arn:aws:iam::111111111111:u2f/user/alice/key-ABC", `mfa_serial: "arn:aws:iam::111111111111:u2f/user/alice/key-ABC" is a FIDO device, and AWS takes those in the console only`, "register a virtual (TOTP) device for this user too and write its ARN: arn:aws:iam::111111111111:mfa/NAME"},
		{"identity", "mfa_serial = arn:aws:iam::111111111111:user/alice", `mfa_serial: "arn:aws:iam::111111111111:user/alice" is the ARN of a user, not of an MFA device`, "write the device's ARN, which has :mfa/ in the place of :user/"},
		{"identity", "mfa_serial = arn:aws:iam::1111:mfa/alice", `mfa_serial: "1111" is not an account`, "an account has twelve digits: arn:aws:iam::111111111111:mfa/NAME"},
		{"identity", "mfa_serial = alice", `mfa_serial: "alice" is neither the ARN nor the serial of an MFA device`, "write it as arn:aws:iam::111111111111:mfa/NAME, or the serial printed on the device"},
		{"identity", "mfa_serial = arn:aws:iam::111111111111:mfa/", `mfa_serial: "arn:aws:iam::111111111111:mfa/" has no valid name`, "write it as arn:aws:iam::111111111111:mfa/NAME"},
		{"identity", "mfa_serial = arn:aws:iam::111111111111:sms-mfa/alice", `mfa_serial: "arn:aws:iam::111111111111:sms-mfa/alice" is not the ARN of an MFA device`, "write it as arn:aws:iam::111111111111:mfa/NAME"},

		{"profile", "role_arn = Admin", `role_arn: "Admin" is not an ARN`, "write it as arn:aws:iam::111111111111:role/NAME"},
		{"profile", "role_arn = arn:aws:sts::222222222222:assumed-role/Admin/alice", `role_arn: "arn:aws:sts::222222222222:assumed-role/Admin/alice" is the ARN of a session, not of a role`, "write the role's own ARN: arn:aws:iam::111111111111:role/NAME"},
		{"profile", "role_arn = arn:aws-gov:iam::222222222222:role/Admin", `role_arn: unknown partition "aws-gov"`, "the nearest known partition is aws-cn"},
		{"profile", "role_arn = arn:aws:iam:eu-west-1:222222222222:role/Admin", `role_arn: "arn:aws:iam:eu-west-1:222222222222:role/Admin" is not an ARN of IAM`, "write it as arn:aws:iam::111111111111:role/NAME"},
		{"profile", "role_arn = arn:aws:iam::222222222222:user/Admin", `role_arn: "arn:aws:iam::222222222222:user/Admin" is not the ARN of a role`, "write it as arn:aws:iam::111111111111:role/NAME"},
		{"profile", "role_arn = arn:aws:iam::222222222222:role/My Role", `role_arn: "arn:aws:iam::222222222222:role/My Role" has no valid name`, "write it as arn:aws:iam::111111111111:role/NAME"},
		{"profile", "role_arn = arn:aws:iam::222222222222:role/" + strings.Repeat("x", 65), `role_arn: "arn:aws:iam::222222222222:role/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"... is not the ARN of a role`, "write it as arn:aws:iam::111111111111:role/NAME"},
		{"profile", "mfa = always", `mfa: "always" is not one of auto, session, direct`, "the nearest is auto"},
		{"profile", "duration = 13h", `duration: "13h" is too long, the most is 12h`, "use 15m to 12h"},
		{"profile", "duration = 14m59s", `duration: "14m59s" is too short, the least is 15m`, "use 15m to 12h"},
		{"profile", "duration = 1h0.5s", `duration: "1h0.5s" is not a duration in whole seconds`, "write such as 36h, 90m or a number of seconds"},
		{"profile", "refresh_before = 51%", `refresh_before: "51%" is not a share of the lifetime`, "use 1% to 50%, or a duration such as 30m"},
		{"profile", "refresh_before = +5%", `refresh_before: "+5%" is not a share of the lifetime`, "use 1% to 50%, or a duration such as 30m"},
		{"profile", "refresh_before = 0", `refresh_before: "0" is too short, the least is 1s`, "use 1s to 18h"},
		{"profile", "write = file", `write: "file" is not one of credentials, process, none`, "the nearest is none"},
		{"profile", "section = a]b", `section: "a]b" is not a valid name`, "use 1 to 64 letters, digits and _./@+=,:- without quotes"},
		{"profile", "confirm = 1", `confirm: "1" is neither true nor false`, "write true or false"},
		{"profile", "output = xml", `output: "xml" is not one of json, yaml, yaml-stream, text, table, off`, "the nearest is yaml"},
		{"profile", "role_session_name = a", `role_session_name: AWS does not take this value`, "use 2 to 64 of letters, digits and _+=,.@-"},
		{"profile", "role_session_name = a b", `role_session_name: AWS does not take this value`, "use 2 to 64 of letters, digits and _+=,.@-"},
		{"profile", "external_id = a b", `external_id: AWS does not take this value`, "use 2 to 1224 of letters, digits and _+=,.@:/-"},
		{"profile", "source_identity = aws:alice", `source_identity: AWS keeps names that start with aws: for itself`, "leave out the aws: in front"},
		{"profile", "session_tags = team", `session_tags: "team" has no =`, "write key=value,key=value"},
		{"profile", "session_tags = team=a,TEAM=b", `session_tags: the tag "TEAM" is there twice`, "leave out the second"},
		{"profile", "session_tags = te*m=a", `session_tags: AWS does not take the tag key "te*m"`, "use 1 to 128 letters, digits, blanks and _.:/=+-@"},
		{"profile", "session_tags = a=" + strings.Repeat("x", 257), `session_tags: AWS does not take the value of the tag "a"`, "use at most 256 letters, digits, blanks and _.:/=+-@"},
		{"profile", "session_tags = " + numbered("k%d=v", 51), `session_tags: 51 tags, AWS takes at most 50`, "leave some out"},
		{"profile", "policy_arns = " + numbered("arn:aws:iam::aws:policy/P%d", 11), `policy_arns: 11 policies, AWS takes at most 10`, "leave some out"},
		{"profile", "policy_arns = ReadOnlyAccess", `policy_arns: "ReadOnlyAccess" is not an ARN`, "write it as arn:aws:iam::aws:policy/NAME"},
		{"profile", "mfa_max_age = 59s", `mfa_max_age: "59s" is too short, the least is 1m`, "use 1m to 36h"},
	} {
		t.Run(tt.line[:min(len(tt.line), 60)], func(t *testing.T) {
			text, line := corp+"[defaults]\n"+tt.line+"\n", 4
			switch tt.kind {
			case kindIdentity:
				text, line = "[identity corp]\n"+tt.line+"\n", 2
			case kindProfile:
				text, line = corp+"[profile p]\nidentity = corp\n"+tt.line+"\n", 5
				if !strings.HasPrefix(tt.line, "role_arn") {
					text += "role_arn = arn:aws:iam::222222222222:role/Admin\n"
				}
			}
			_, path, err := load(t, text)
			if err == nil {
				t.Fatalf("it loads:\n%s", text)
			}
			want := Problem{path, line, tt.msg, tt.hint}
			if got := list(t, err); len(got) != 1 || got[0] != want {
				t.Errorf("got\n%+v\nwant\n%+v", got, want)
			}
		})
	}
}

func numbered(format string, n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(items, ",")
}

func TestBoundariesAreAllowed(t *testing.T) {
	for _, line := range []string{
		"duration = 15m", "duration = 12h", "duration = 900", "duration = 43200", "duration = max",
		"refresh_before = 1%", "refresh_before = 50%", "refresh_before = 18h",
		"role_session_name = ab", "external_id = " + strings.Repeat("x", 1224),
		"session_tags = " + numbered("k%d=", 50), "policy_arns = " + numbered("arn:aws:iam::aws:policy/P%d", 10),
		"section = default", "section = " + strings.Repeat("x", 64), "mfa_max_age = 36h",
	} {
		if _, _, err := load(t, prod+line+"\n"); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestSameNameAndSectionWhereItIsAllowed(t *testing.T) {
	loaded(t, corp+"[profile corp]\nidentity = corp\n")
	loaded(t, prod+"[profile p2]\nidentity = corp\nsection = prod\nwrite = none\n")
}

// TestNoSecretInErrors puts a recognisable word where passwords stand.
func TestNoSecretInErrors(t *testing.T) {
	const word = "HUSHHUSH"
	for _, line := range []string{
		"[defaults]\nhttps_proxy = user:" + word + "@proxy:1", "[defaults]\nhttps_proxy = ftp://user:" + word + "@proxy",
		"[defaults]\nendpoint_url = https://user:" + word + "@x.example.com", "[defaults]\nendpoint_url = ://" + word,
		"[defaults]\naws_secret_access_key = " + word, "[defaults]\n" + word, "[defaults]\nregion = eu-west-1\n  " + word,
		corp + "mfa_process = x --password " + word + "\x01", corp + "mfa_process = `" + word,
		prod + "external_id = " + word + " x",
	} {
		_, _, err := load(t, line+"\n")
		for _, p := range list(t, err) {
			if strings.Contains(p.Msg+p.Hint, word) {
				t.Errorf("%q tells it: %+v", line, p)
			}
		}
	}
}

func TestPolicyFile(t *testing.T) {
	for _, tt := range []struct{ name, text, msg string }{
		{"not there", "", "POLICY does not exist"},
		{"no JSON", "{", "POLICY is not JSON"},
		{"too long", `{"x":"` + strings.Repeat("x", 2048) + `"}`, "POLICY has 2056 characters, AWS takes at most 2048"},
		{"a character beyond Latin-1", `{"x":"€"}`, "POLICY has characters that AWS does not take in a policy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := put(t, "config.ini", prod+"policy = p.json\n")
			policy := filepath.Join(filepath.Dir(path), "p.json")
			if tt.text != "" {
				if err := os.WriteFile(policy, []byte(tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load(path, Options{})
			got := list(t, err)
			if want := strings.ReplaceAll("policy: "+tt.msg, "POLICY", policy); len(got) != 1 || got[0].Msg != want || got[0].Line != 6 {
				t.Errorf("got %+v, want line 6: %s", got, want)
			}
		})
	}
}
