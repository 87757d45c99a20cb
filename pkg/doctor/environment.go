package doctor

import (
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/profile"
)

// checkEnvironment tells which variables of this shell win over profiles, or name
// nothing (AWS SDKs and Tools Reference Guide, "Environment variables list";
// which program prefers what was tried with each).
func checkEnvironment(p Picture) []Finding {
	if p.Getenv == nil {
		return nil
	}
	if p.Inside != "" {
		if gone := envExpiration(p); gone != nil && gone[0].Level == Fault { // of `mfad exec --env`
			gone[0].Fix = "leave this shell, then: mfad exec " + p.Inside
			return gone
		}
		return one(Finding{Check: "environment", Level: OK, What: "this shell runs in `mfad exec " + p.Inside + "`, which set AWS's variables"})
	}
	var found []Finding
	for _, check := range []func(Picture) []Finding{envKeys, envExpiration, envWebIdentity, envProfile, envFiles} {
		found = append(found, check(p)...)
	}
	if found == nil {
		return one(Finding{Check: "environment", Level: OK, What: "no variable of this shell wins over profiles"})
	}
	return found
}

func envFinding(level Level, name, why, fix string) []Finding {
	return one(Finding{Check: "environment", Level: level, What: name, Why: why, Fix: fix})
}

// chosen is the profile that this shell names, and the variable that does.
func (p Picture) chosen() (name, variable string) {
	for _, v := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		if name := p.Getenv(v); name != "" {
			return name, v
		}
	}
	return "", ""
}

// envKeys looks at keys, which win over AWS_PROFILE, and over [default].
func envKeys(p Picture) []Finding {
	id, secret := p.Getenv("AWS_ACCESS_KEY_ID"), p.Getenv("AWS_SECRET_ACCESS_KEY")
	const fix = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_CREDENTIAL_EXPIRATION"
	switch {
	case id == "" && secret == "":
		return nil
	case id == "" || secret == "":
		return envFinding(Fault, "AWS_ACCESS_KEY_ID", "only one half of a key is set, and the AWS CLI fails with that", fix)
	}
	if name, variable := p.chosen(); name != "" {
		return envFinding(Fault, "AWS_ACCESS_KEY_ID", "the key "+Mask(id)+" wins over "+variable+"="+name+" in the AWS CLI, Go and Terraform", fix)
	}
	for _, mine := range p.profiles() {
		if mine.Section == "default" {
			return envFinding(Fault, "AWS_ACCESS_KEY_ID", "the key "+Mask(id)+" wins over [default], which is mfad's profile "+mine.Name, fix)
		}
	}
	return envFinding(Hint, "AWS_ACCESS_KEY_ID", "the key "+Mask(id)+" is used wherever no profile is named by a flag, and wins over AWS_PROFILE", fix)
}

// envExpiration looks at the end of the keys, after which botocore fails instead
// of looking further.
func envExpiration(p Picture) []Finding {
	text := p.Getenv("AWS_CREDENTIAL_EXPIRATION")
	if text == "" || p.Getenv("AWS_ACCESS_KEY_ID") == "" {
		return nil
	}
	end, err := time.Parse(time.RFC3339, text)
	const fix = "eval \"$(mfad export PROFILE)\", or unset the AWS_* variables"
	switch {
	case err != nil:
		return envFinding(Hint, "AWS_CREDENTIAL_EXPIRATION", "it is no time", "unset AWS_CREDENTIAL_EXPIRATION")
	case !end.After(p.Now):
		return envFinding(Fault, "AWS_CREDENTIAL_EXPIRATION", "the variables' credentials have run out "+short(p.Now.Sub(end))+" ago, and the AWS CLI fails with them", fix)
	}
	return envFinding(Hint, "AWS_CREDENTIAL_EXPIRATION", "the variables' credentials run out in "+short(end.Sub(p.Now))+" and do not renew themselves", "mfad exec PROFILE")
}

// envWebIdentity looks at what a pod gets, which Go's SDK prefers to AWS_PROFILE.
func envWebIdentity(p Picture) []Finding {
	if p.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") == "" {
		return nil
	}
	level, why := Hint, "it is used wherever no profile is named"
	if name, variable := p.chosen(); name != "" {
		level, why = Fault, "it wins over "+variable+"="+name+" in Go programs, Terraform too"
	}
	return envFinding(level, "AWS_WEB_IDENTITY_TOKEN_FILE", why, "unset AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN")
}

// envProfile looks at the profile that the shell names.
func envProfile(p Picture) []Finding {
	name, variable := p.chosen()
	if name == "" {
		return nil
	}
	var found []Finding
	if other := p.Getenv("AWS_DEFAULT_PROFILE"); other != "" && other != name {
		found = envFinding(Hint, "AWS_DEFAULT_PROFILE", "the AWS CLI takes "+other+" from it, and other programs "+name+" from AWS_PROFILE", "unset AWS_DEFAULT_PROFILE")
	}
	if p.Credentials.Err != nil || p.AWSConfig.Err != nil {
		return found // nothing is read of them, whatever is named
	}
	for _, s := range p.sections() {
		if s.name == name {
			return found
		}
	}
	if name == "default" {
		return found
	}
	why, fix := "AWS's files have no profile "+name, "unset "+variable+", or name one of: aws configure list-profiles"
	for _, mine := range p.profiles() {
		if mine.Section != name && mine.Name != name {
			continue
		}
		switch {
		case mine.Write == profile.WriteNone:
			why, fix = why+": mfad writes nothing for it (write = none)", "mfad exec "+mine.Name
		case mine.Section != name:
			why, fix = why+": mfad's profile "+mine.Name+" is "+mine.Section+" there", "export "+variable+"="+mine.Section
		default:
			why, fix = why+" yet: mfad has not fetched it", "mfad login "+mine.Identity
		}
	}
	return append(found, envFinding(Fault, variable, why, fix)...)
}

// envFiles compares AWS's files as this shell names them with those that the
// daemon writes.
func envFiles(p Picture) []Finding {
	var found []Finding
	s := p.Daemon.Status
	if s == nil {
		return nil
	}
	compare := func(variable, here, daemons, key string) {
		if p.Getenv(variable) != "" && daemons != "" && here != daemons {
			found = append(found, envFinding(Fault, variable, "programs of this shell read "+here+", and the daemon writes "+daemons,
				"unset "+variable+", or set "+key+" in [defaults] of mfad's config")...)
		}
	}
	compare("AWS_SHARED_CREDENTIALS_FILE", p.ShellCredentials, s.Daemon.Credentials, "credentials_file")
	compare("AWS_CONFIG_FILE", p.ShellConfig, s.Daemon.AWSConfig, "config_file")
	if strings.HasPrefix(p.Getenv("AWS_SHARED_CREDENTIALS_FILE"), "~") {
		found = append(found, envFinding(Hint, "AWS_SHARED_CREDENTIALS_FILE", "Go programs, Terraform too, do not know what ~ means in it", "write the whole path")...)
	}
	return found
}
