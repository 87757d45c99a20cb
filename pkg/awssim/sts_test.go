package awssim_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/mfad/mfad/pkg/awssim"
)

// AWS's texts, spelt here a second time on purpose.
const (
	badCode   = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
	badDevice = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
	halfMFA   = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
	badToken  = "The security token included in the request is invalid."
	expired   = "The security token included in the request is expired"
	chainLong = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
	roleLong  = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
)

func noAssume(who, role string) string {
	return "User: " + who + " is not authorized to perform: sts:AssumeRole on resource: " + role
}

func TestIssuedCredentials(t *testing.T) {
	w := newWorld(t, awssim.Start())
	seen := make(map[string]bool)
	for range 3 {
		c := w.session(t, false)
		if !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(c.AccessKeyID) || len(c.SecretAccessKey) != 40 || len(c.SessionToken) < 900 {
			t.Errorf("issued id %q, secret of %d, token of %d characters", c.AccessKeyID, len(c.SecretAccessKey), len(c.SessionToken))
		}
		for _, v := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken} {
			if seen[v] {
				t.Errorf("issued twice: %d characters", len(v))
			}
			seen[v] = true
		}
	}
}

func TestAnswersHaveAWSsShape(t *testing.T) {
	w := newWorld(t, awssim.Start())
	answer, body := w.send(t, key(w.alice), raw{body: query("GetSessionToken", "2011-06-15")})
	if got := answer.Header.Get("Content-Type"); got != "text/xml" {
		t.Errorf("Content-Type = %q, want text/xml", got)
	}
	if answer.Header.Get("X-Amzn-Requestid") == "" || answer.Header.Get("Date") == "" {
		t.Errorf("header without request ID or date: %v", answer.Header)
	}
	shape := regexp.MustCompile(`(?s)^<GetSessionTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\s*` +
		`<GetSessionTokenResult>\s*<Credentials>\s*<AccessKeyId>ASIA\w+</AccessKeyId>\s*<SecretAccessKey>\S+</SecretAccessKey>\s*` +
		`<SessionToken>\S+</SessionToken>\s*<Expiration>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ</Expiration>\s*</Credentials>\s*` +
		`</GetSessionTokenResult>\s*<ResponseMetadata>\s*<RequestId>[0-9a-f-]{36}</RequestId>\s*</ResponseMetadata>\s*</GetSessionTokenResponse>\s*$`)
	if !shape.MatchString(body) {
		t.Errorf("answer:\n%s", regexp.MustCompile(`>[^<\s]{30,}<`).ReplaceAllString(body, ">…<"))
	}

	_, body = w.send(t, key(w.alice), raw{body: query("GetRole", "2010-05-08", "RoleName", "Nope"), service: "iam"})
	body = regexp.MustCompile(`[0-9a-f-]{36}`).ReplaceAllString(body, "ID")
	want := `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>User: arn:aws:iam::111111111111:user/alice is not authorized to perform: iam:GetRole on resource: role Nope because no identity-based policy allows the iam:GetRole action</Message>
  </Error>
  <RequestId>ID</RequestId>
</ErrorResponse>
`
	if body != want {
		t.Errorf("got\n%s\nwant\n%s", body, want)
	}
}

func TestCallerIdentity(t *testing.T) {
	w := newWorld(t, awssim.Start())
	root := w.AddRoot(home)
	fed, err := w.sts(key(w.alice)).GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("bob")})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, arn string
		creds     aws.Credentials
		id        string
	}{
		{"user", "arn:aws:iam::111111111111:user/alice", key(w.alice), `^AIDA[A-Z2-7]{17}$`},
		{"session is the user", "arn:aws:iam::111111111111:user/alice", w.session(t, false), `^AIDA[A-Z2-7]{17}$`},
		{"role without its path", "arn:aws:sts::222222222222:assumed-role/Open/alice", w.assume(t, key(w.alice), w.open.ARN), `^AROA[A-Z2-7]{17}:alice$`},
		{"federated user", "arn:aws:sts::111111111111:federated-user/bob", temporary(fed.Credentials), `^111111111111:bob$`},
		{"root", "arn:aws:iam::111111111111:root", key(root), `^111111111111$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := w.sts(tt.creds).GetCallerIdentity(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if *out.Arn != tt.arn || !regexp.MustCompile(tt.id).MatchString(*out.UserId) {
				t.Errorf("got %s, %s; want %s, %s", *out.Arn, *out.UserId, tt.arn, tt.id)
			}
		})
	}
}

func TestGrantedDurations(t *testing.T) {
	w := newWorld(t, awssim.Start())
	root := w.AddRoot(home)
	secs := func(n int32) *int32 {
		if n == 0 {
			return nil
		}
		return &n
	}
	session := func(c aws.Credentials) func(int32) (*types.Credentials, error) {
		return func(n int32) (*types.Credentials, error) {
			out, err := w.sts(c).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{DurationSeconds: secs(n)})
			if err != nil {
				return nil, err
			}
			return out.Credentials, nil
		}
	}
	federation := func(n int32) (*types.Credentials, error) {
		out, err := w.sts(key(w.alice)).GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("bob"), DurationSeconds: secs(n)})
		if err != nil {
			return nil, err
		}
		return out.Credentials, nil
	}
	assume := func(c aws.Credentials) func(int32) (*types.Credentials, error) {
		return func(n int32) (*types.Credentials, error) {
			out, err := w.sts(c).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.open.ARN, RoleSessionName: aws.String("alice"), DurationSeconds: secs(n)})
			if err != nil {
				return nil, err
			}
			return out.Credentials, nil
		}
	}
	chained := assume(w.session(t, false))
	for _, tt := range []struct {
		name string
		call func(int32) (*types.Credentials, error)
		asks int32
		want time.Duration
	}{
		{"GetSessionToken default", session(key(w.alice)), 0, 12 * time.Hour},
		{"GetSessionToken least", session(key(w.alice)), 900, 15 * time.Minute},
		{"GetSessionToken most", session(key(w.alice)), 129600, 36 * time.Hour},
		{"GetSessionToken of root is cut", session(key(root)), 129600, time.Hour},
		{"GetFederationToken default", federation, 0, 12 * time.Hour},
		{"GetFederationToken most", federation, 129600, 36 * time.Hour},
		{"AssumeRole default", assume(key(w.alice)), 0, time.Hour},
		{"AssumeRole most", assume(key(w.alice)), 43200, 12 * time.Hour},
		{"AssumeRole through a session, default", chained, 0, time.Hour},
		{"AssumeRole through a session, most", chained, 3600, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin := w.Now().Truncate(time.Second)
			c, err := tt.call(tt.asks)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Expiration.Sub(begin); got < tt.want || got > tt.want+2*time.Second {
				t.Errorf("granted %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRefusedParameters(t *testing.T) {
	w := newWorld(t, awssim.Start())
	const sts, iam = "2011-06-15", "2010-05-08"
	const one, two = "1 validation error detected: ", "2 validation errors detected: "
	at := func(value, name, rule string) string {
		return "Value '" + value + "' at '" + name + "' failed to satisfy constraint: Member must " + rule
	}
	role := []string{"RoleArn", w.open.ARN, "RoleSessionName", "alice"}
	for _, tt := range []struct {
		name, action, version string
		pairs                 []string
		code, message         string
	}{
		{"session too short", "GetSessionToken", sts, []string{"DurationSeconds", "899"}, "ValidationError",
			one + at("899", "durationSeconds", "have value greater than or equal to 900")},
		{"session too long", "GetSessionToken", sts, []string{"DurationSeconds", "129601"}, "ValidationError",
			one + at("129601", "durationSeconds", "have value less than or equal to 129600")},
		{"duration no number", "GetSessionToken", sts, []string{"DurationSeconds", "1h"}, "MalformedInput",
			"The value of DurationSeconds is no integer"},
		{"federation too long", "GetFederationToken", sts, []string{"Name", "bob", "DurationSeconds", "129601"}, "ValidationError",
			one + at("129601", "durationSeconds", "have value less than or equal to 129600")},
		{"federated name too long", "GetFederationToken", sts, []string{"Name", strings.Repeat("b", 33)}, "ValidationError",
			one + at(strings.Repeat("b", 33), "name", "have length less than or equal to 32")},
		{"role too long for all", "AssumeRole", sts, append([]string{"DurationSeconds", "43201"}, role...), "ValidationError",
			one + at("43201", "durationSeconds", "have value less than or equal to 43200")},
		{"role too short", "AssumeRole", sts, append([]string{"DurationSeconds", "20"}, role...), "ValidationError",
			one + at("20", "durationSeconds", "have value greater than or equal to 900")},
		{"session name with blanks", "AssumeRole", sts, []string{"RoleArn", w.open.ARN, "RoleSessionName", "a b"}, "ValidationError",
			one + at("a b", "roleSessionName", `satisfy regular expression pattern: [\w+=,.@-]*`)},
		{"session name of one", "AssumeRole", sts, []string{"RoleArn", w.open.ARN, "RoleSessionName", "a"}, "ValidationError",
			one + at("a", "roleSessionName", "have length greater than or equal to 2")},
		{"nothing given", "AssumeRole", sts, nil, "ValidationError",
			two + "Value null at 'roleArn' failed to satisfy constraint: Member must not be null; " +
				"Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null"},
		{"no ARN", "AssumeRole", sts, []string{"RoleArn", "role/of-some-length-here", "RoleSessionName", "alice"}, "ValidationError",
			"role/of-some-length-here is invalid"},
		{"code is no code", "GetSessionToken", sts, []string{"SerialNumber", w.phone.Serial, "TokenCode", "abcdefg"}, "ValidationError",
			two + at("abcdefg", "tokenCode", "have length less than or equal to 6") + "; " +
				at("abcdefg", "tokenCode", `satisfy regular expression pattern: [\d]*`)},
		{"code of five", "GetSessionToken", sts, []string{"SerialNumber", w.phone.Serial, "TokenCode", "12345"}, "ValidationError",
			one + at("12345", "tokenCode", "have length greater than or equal to 6")},
		{"serial too short", "GetSessionToken", sts, []string{"SerialNumber", "12345678", "TokenCode", "123456"}, "ValidationError",
			one + at("12345678", "serialNumber", "have length greater than or equal to 9")},
		{"external ID of one", "AssumeRole", sts, append([]string{"ExternalId", "x"}, role...), "ValidationError",
			one + at("x", "externalId", "have length greater than or equal to 2")},
		{"source identity with colon", "AssumeRole", sts, append([]string{"SourceIdentity", "aws:me"}, role...), "ValidationError",
			one + at("aws:me", "sourceIdentity", `satisfy regular expression pattern: [\w+=,.@-]*`)},
		{"tag key with a bad sign", "AssumeRole", sts, append([]string{"Tags.member.1.Key", "a!", "Tags.member.1.Value", ""}, role...), "ValidationError",
			one + at("a!", "tags.1.member.key", `satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`)},
		{"tag without value", "AssumeRole", sts, append([]string{"Tags.member.1.Key", "a"}, role...), "ValidationError",
			one + "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"},
		{"same tag in another case", "AssumeRole", sts, append([]string{"Tags.member.1.Key", "a", "Tags.member.1.Value", "",
			"Tags.member.2.Key", "A", "Tags.member.2.Value", ""}, role...), "ValidationError",
			"Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		{"transitive key is no tag", "AssumeRole", sts, append([]string{"TransitiveTagKeys.member.1", "a"}, role...), "ValidationError",
			"The specified transitive tag key must be included in the requested tags."},
		{"list with a gap", "AssumeRole", sts, append([]string{"TransitiveTagKeys.member.2", "a"}, role...), "ValidationError",
			"The action has no parameter TransitiveTagKeys.member.2"},
		{"policy is no JSON", "AssumeRole", sts, append([]string{"Policy", "allow all"}, role...), "MalformedPolicyDocument",
			"The policy is not in the valid JSON format."},
		{"policy without statement", "AssumeRole", sts, append([]string{"Policy", "{}"}, role...), "MalformedPolicyDocument",
			"Syntax errors in policy."},
		{"policy too long", "GetFederationToken", sts, []string{"Name", "bob", "Policy", strings.Repeat(" ", 2049)}, "ValidationError",
			one + at(strings.Repeat(" ", 2049), "policy", "have length less than or equal to 2048")},
		{"policy and tags too large together", "AssumeRole", sts, append([]string{"Policy", `{"Statement":[]}` + strings.Repeat(" ", 1984),
			"Tags.member.1.Key", "key", "Tags.member.1.Value", strings.Repeat("v", 200)}, role...), "PackedPolicyTooLarge",
			"Packed policy consumes 108% of allotted space, please use smaller policy."},
		{"unknown parameter", "GetSessionToken", sts, []string{"Duration", "900"}, "ValidationError", "The action has no parameter Duration"},
		{"parameter given twice", "GetSessionToken", sts, []string{"DurationSeconds", "900", "DurationSeconds", "901"}, "ValidationError",
			"The parameter DurationSeconds was given more than once"},
		{"unknown action", "GetSession", sts, nil, "InvalidAction", "Could not find operation GetSession for version 2011-06-15"},
		{"action of the other service", "GetSessionToken", iam, nil, "InvalidAction", "Could not find operation GetSessionToken for version 2010-05-08"},
		{"no action", "", sts, nil, "MissingAction", "The request is missing an action or a required parameter."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			service := "sts"
			if tt.version == iam {
				service = "iam"
			}
			answer, body := w.send(t, key(w.alice), raw{body: query(tt.action, tt.version, tt.pairs...), service: service})
			wantXML(t, answer, body, tt.code, http.StatusBadRequest, tt.message)
		})
	}
	if n := len(w.Calls()); n < 20 || slices.ContainsFunc(w.Calls(), awssim.Call.OK) {
		t.Errorf("the log has %d calls, or one that succeeded", n)
	}
}

// element finds the text of an XML element, unescaped.
func element(body, name string) string {
	m := regexp.MustCompile(`(?s)<` + name + `>(.*?)</` + name + `>`).FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(m[1])
}

func wantXML(t *testing.T, answer *http.Response, body, code string, status int, message string) {
	t.Helper()
	if got := element(body, "Code"); got != code || answer.StatusCode != status {
		t.Errorf("got %s %d, want %s %d", got, answer.StatusCode, code, status)
	}
	if got := element(body, "Message"); got != message {
		t.Errorf("message\n got %q\nwant %q", got, message)
	}
}
