package daemon

import (
	"testing"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/profile"
)

// TestEndpointsAreHTTPSOrThisMachine, also where the environment names them: it was
// looked at by nobody.
func TestEndpointsAreHTTPSOrThisMachine(t *testing.T) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM"} {
		for url, code := range map[string]creds.Code{
			"https://sts.example.com": "", "http://127.0.0.1:4566": "", "http://[::1]:4566": "", "http://localhost:4566": "",
			"http://sts.example.com": creds.CodeConfig, "http://127.0.0.1.example.com": creds.CodeConfig, "http://localhost.example.com": creds.CodeConfig,
			"ftp://127.0.0.1": creds.CodeConfig, "sts.example.com": creds.CodeConfig,
		} {
			_, err := Endpoint(profile.Defaults{}, func(n string) string { return map[string]string{name: url}[n] })
			if creds.CodeOf(err) != code || code != "" && creds.HintOf(err) == "" {
				t.Errorf("%s=%s: %v, want the code %q", name, url, err, code)
			}
		}
	}
}
