package cli

import (
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/localapi"
)

// isCredential tells whether an SDK takes credentials from the variable of that
// name, or lets it choose them (AWS SDKs and Tools Reference Guide, "Environment
// variables list"). AWS_SECURITY_TOKEN and AWS_CREDENTIAL_FILE are botocore's,
// AWS_ACCESS_KEY and AWS_SECRET_KEY those of the first SDK for Java; the last
// three are other tools' words for what AWS_SESSION_TOKEN is.
func isCredential(name string) bool {
	if runtime.GOOS == "windows" {
		name = strings.ToUpper(name)
	}
	switch name {
	case "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
		"AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_CREDENTIAL_FILE", "AWS_BEARER_TOKEN_BEDROCK",
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AWS_VAULT", "AWS_SESSION_EXPIRATION", "AWSUME_PROFILE":
		return true
	}
	return false
}

// isPassphrase tells the variable that holds the file keyring's passphrase: it is
// the daemon's, and a command is not to have it.
func isPassphrase(name string) bool {
	return name == "MFAD_KEYRING_PASSPHRASE" || runtime.GOOS == "windows" && strings.EqualFold(name, "MFAD_KEYRING_PASSPHRASE")
}

// childEnvironment is environ without AWS credentials and mfad's passphrase, and
// with set.
func childEnvironment(environ []string, set map[string]string) []string {
	env := slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, replaced := set[name]
		return replaced || isCredential(name) || isPassphrase(name)
	})
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, name+"="+set[name])
	}
	return env
}

// pastProxy has requests to a host go past the user's proxy. Programs on top of
// libcurl, and others, would send the proxy even those to this machine, and the
// token with them; it is on another machine and could not answer them.
func pastProxy(host string, getenv func(string) string) map[string]string {
	set := map[string]string{}
	isSet := func(name string) bool { return getenv(name) != "" }
	if !slices.ContainsFunc([]string{"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}, isSet) {
		return set
	}
	names := []string{"no_proxy", "NO_PROXY"} // a program reads one of them, or both in either order
	if slices.ContainsFunc(names, isSet) {
		names = slices.DeleteFunc(names, func(name string) bool { return !isSet(name) })
	}
	for _, name := range names {
		list := strings.FieldsFunc(getenv(name), func(r rune) bool { return r == ',' || r == ' ' })
		if !slices.Contains(list, "*") && !slices.Contains(list, host) {
			set[name] = strings.Join(append(list, host), ",")
		}
	}
	return set
}

// staticVariables are credentials for a command that gets no others.
func (a *app) staticVariables(profile string, c localapi.Process, region string) map[string]string {
	set := map[string]string{
		"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey,
		"AWS_SESSION_TOKEN": c.SessionToken, "AWS_CREDENTIAL_EXPIRATION": awsTime(c.Expiration),
		"MFAD_PROFILE": profile,
	}
	if region != "" && a.getenv("AWS_REGION") == "" && a.getenv("AWS_DEFAULT_REGION") == "" {
		set["AWS_REGION"], set["AWS_DEFAULT_REGION"] = region, region
	}
	return set
}
