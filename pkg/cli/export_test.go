package cli

import (
	"testing"

	"github.com/mfad/mfad/pkg/localapi"
)

func TestExportText(t *testing.T) {
	c := localapi.Process{Version: 1, AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token", Expiration: "2035-01-01T00:00:00Z"}
	for format, want := range map[string]string{
		"process":       "{\n  \"Version\": 1,\n  \"AccessKeyId\": \"ASIAEXAMPLE\",\n  \"SecretAccessKey\": \"secret\",\n  \"SessionToken\": \"token\",\n  \"Expiration\": \"2035-01-01T00:00:00+00:00\"\n}\n",
		"env":           "export AWS_ACCESS_KEY_ID=ASIAEXAMPLE\nexport AWS_SECRET_ACCESS_KEY=secret\nexport AWS_SESSION_TOKEN=token\nexport AWS_CREDENTIAL_EXPIRATION=2035-01-01T00:00:00+00:00\n",
		"env-no-export": "AWS_ACCESS_KEY_ID=ASIAEXAMPLE\nAWS_SECRET_ACCESS_KEY=secret\nAWS_SESSION_TOKEN=token\nAWS_CREDENTIAL_EXPIRATION=2035-01-01T00:00:00+00:00\n",
		"powershell":    "$Env:AWS_ACCESS_KEY_ID=\"ASIAEXAMPLE\"\n$Env:AWS_SECRET_ACCESS_KEY=\"secret\"\n$Env:AWS_SESSION_TOKEN=\"token\"\n$Env:AWS_CREDENTIAL_EXPIRATION=\"2035-01-01T00:00:00+00:00\"\n",
		"windows-cmd":   "set AWS_ACCESS_KEY_ID=ASIAEXAMPLE\nset AWS_SECRET_ACCESS_KEY=secret\nset AWS_SESSION_TOKEN=token\nset AWS_CREDENTIAL_EXPIRATION=2035-01-01T00:00:00+00:00\n",
		"fish":          "set -gx AWS_ACCESS_KEY_ID \"ASIAEXAMPLE\"\nset -gx AWS_SECRET_ACCESS_KEY \"secret\"\nset -gx AWS_SESSION_TOKEN \"token\"\nset -gx AWS_CREDENTIAL_EXPIRATION \"2035-01-01T00:00:00+00:00\"\n",
	} {
		if got, err := exportText(c, format); got != want || err != nil {
			t.Errorf("%s:\n%q (%v)\nwant\n%q", format, got, err, want)
		}
	}
}

// TestExportQuotesNothing, so it prints nothing that a shell would run.
func TestExportQuotesNothing(t *testing.T) {
	for _, value := range []string{"a b", "a\nb", "$(x)", "`x`", "a;b", `a"b`, "a'b", "a&b", "%a%", "a!b", "a\\b", "é"} {
		c := localapi.Process{Version: 1, AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: value}
		for _, format := range formats {
			got, err := exportText(c, format)
			if refused := format != "process"; refused != (err != nil) || refused != (got == "") {
				t.Errorf("%s of %q: %q, %v", format, value, got, err)
			}
		}
	}
}
