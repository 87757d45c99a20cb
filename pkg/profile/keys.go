package profile

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// setting is one key of a kind of section.
type setting[T any] struct {
	key string
	set func(l *loader, t *T, v value) error
}

func defaultsSettings() []setting[Defaults] {
	return []setting[Defaults]{
		{"region", func(_ *loader, d *Defaults, v value) (err error) { d.Region, err = parseRegion(v.text); return }},
		{"session_duration", func(_ *loader, d *Defaults, v value) (err error) {
			d.SessionDuration, err = parseDuration(v.text, shortest, longestSession)
			return
		}},
		{"keyring", func(_ *loader, d *Defaults, v value) (err error) {
			d.Keyring, err = parseOne(v.text, "auto", "os", "file")
			return
		}},
		{"prompt", func(_ *loader, d *Defaults, v value) (err error) { d.Prompt, err = parsePrompt(v.text); return }},
		{"endpoint_url", func(_ *loader, d *Defaults, v value) (err error) { d.EndpointURL, err = parseEndpoint(v.text); return }},
		{"endpoint_url_sts", func(_ *loader, d *Defaults, v value) (err error) {
			d.EndpointURLSTS, err = parseEndpoint(v.text)
			return
		}},
		{"endpoint_url_iam", func(_ *loader, d *Defaults, v value) (err error) {
			d.EndpointURLIAM, err = parseEndpoint(v.text)
			return
		}},
		{"signin_url", func(_ *loader, d *Defaults, v value) (err error) { d.SigninURL, err = parseEndpoint(v.text); return }},
		{"ca_bundle", func(l *loader, d *Defaults, v value) (err error) { d.CABundle, err = l.path(v); return }},
		{"use_fips_endpoint", func(_ *loader, d *Defaults, v value) error { return setBool(&d.UseFIPS, v) }},
		{"use_dualstack_endpoint", func(_ *loader, d *Defaults, v value) error { return setBool(&d.UseDualStack, v) }},
		{"https_proxy", func(_ *loader, d *Defaults, v value) (err error) { d.HTTPSProxy, err = parseProxy(v.text); return }},
		{"no_proxy", func(_ *loader, d *Defaults, v value) error { d.NoProxy = v.text; return nil }},
		{"credentials_file", func(l *loader, d *Defaults, v value) (err error) { d.CredentialsFile, err = l.path(v); return }},
		{"config_file", func(l *loader, d *Defaults, v value) (err error) { d.ConfigFile, err = l.path(v); return }},
		{"command", func(_ *loader, d *Defaults, v value) error { d.Command = v.text; return nil }},
	}
}

func identitySettings() []setting[Identity] {
	return []setting[Identity]{
		{"type", func(_ *loader, i *Identity, v value) (err error) {
			i.Type, err = parseOne(v.text, TypeSAML, TypeWebIdentity)
			return
		}},
		{"mfa_serial", func(_ *loader, i *Identity, v value) error { return checked(&i.MFASerial, v, CheckDevice) }},
		{"mfa_process", func(_ *loader, i *Identity, v value) error { i.MFAProcess = v.text; return nil }},
		{"mfa_process_unattended", func(_ *loader, i *Identity, v value) (err error) {
			i.MFAProcessUnattended, err = parseBool(v.text)
			return
		}},
		{"region", func(_ *loader, i *Identity, v value) (err error) { i.Region, err = parseRegion(v.text); return }},
		{"session_duration", func(_ *loader, i *Identity, v value) (err error) {
			i.SessionDuration, err = parseDuration(v.text, shortest, longestSession)
			return
		}},
		{"saml_assertion_process", func(_ *loader, i *Identity, v value) error { i.SAMLProcess = v.text; return nil }},
		{"principal_arn", func(_ *loader, i *Identity, v value) error { return checked(&i.PrincipalARN, v, checkProvider) }},
		{"web_identity_token_file", func(l *loader, i *Identity, v value) (err error) {
			i.WebIdentityTokenFile, err = l.path(v)
			return
		}},
		{"web_identity_token_process", func(_ *loader, i *Identity, v value) error { i.WebIdentityTokenProcess = v.text; return nil }},
	}
}

func profileSettings() []setting[Profile] {
	return append([]setting[Profile]{
		{"identity", func(_ *loader, p *Profile, v value) error { p.Identity = v.text; return nil }},
		{"source_profile", func(_ *loader, p *Profile, v value) error { p.SourceProfile = v.text; return nil }},
		{"role_arn", func(_ *loader, p *Profile, v value) error { return checked(&p.RoleARN, v, checkRole) }},
		{"mfa", func(_ *loader, p *Profile, v value) (err error) {
			p.MFA, err = parseOne(v.text, MFAAuto, MFASession, MFADirect)
			return
		}},
		{"duration", func(_ *loader, p *Profile, v value) (err error) { p.Duration, err = parseMaxOr(v.text); return }},
		{"refresh_before", func(_ *loader, p *Profile, v value) (err error) {
			p.RefreshBefore, err = parseRefreshBefore(v.text)
			return
		}},
		{"mfa_max_age", func(_ *loader, p *Profile, v value) (err error) {
			p.MFAMaxAge, err = parseDuration(v.text, time.Minute, longestSession)
			return
		}},
		{"write", func(_ *loader, p *Profile, v value) (err error) {
			p.Write, err = parseOne(v.text, WriteCredentials, WriteProcess, WriteNone)
			return
		}},
		{"section", func(_ *loader, p *Profile, v value) error { return checked(&p.Section, v, CheckName) }},
		{"confirm", func(_ *loader, p *Profile, v value) (err error) { p.Confirm, err = parseBool(v.text); return }},
		{"region", func(_ *loader, p *Profile, v value) (err error) { p.Region, err = parseRegion(v.text); return }},
		{"output", func(_ *loader, p *Profile, v value) (err error) {
			p.Output, err = parseOne(v.text, "json", "yaml", "yaml-stream", "text", "table", "off")
			return
		}},
	}, roleSettings()...)
}

// roleSettings are the keys that go to STS as they are.
func roleSettings() []setting[Profile] {
	return []setting[Profile]{
		{"role_session_name", func(_ *loader, p *Profile, v value) (err error) {
			p.RoleSessionName, err = parseSessionName(v.text)
			return
		}},
		{"external_id", func(_ *loader, p *Profile, v value) (err error) { p.ExternalID, err = parseExternalID(v.text); return }},
		{"source_identity", func(_ *loader, p *Profile, v value) (err error) {
			p.SourceIdentity, err = parseSourceIdentity(v.text)
			return
		}},
		{"session_tags", func(_ *loader, p *Profile, v value) (err error) { p.SessionTags, err = parseTags(v.text); return }},
		{"transitive_session_tags", func(_ *loader, p *Profile, v value) (err error) {
			p.TransitiveSessionTags, err = parseTagKeys(v.text)
			return
		}},
		{"policy_arns", func(_ *loader, p *Profile, v value) (err error) { p.PolicyARNs, err = parsePolicyARNs(v.text); return }},
		{"policy", func(l *loader, p *Profile, v value) (err error) {
			p.PolicyFile, p.Policy, err = l.policy(v)
			return
		}},
	}
}

// checked keeps a value that check takes.
func checked(to *string, v value, check func(string) error) error {
	err := check(v.text)
	if err == nil {
		*to = v.text
	}
	return err
}

func setBool(b **bool, v value) error {
	got, err := parseBool(v.text)
	*b = &got
	return err
}

// apply sets everything that sec holds. What is refused keeps its default, so
// that one mistake is told once.
func apply[T any](l *loader, t *T, settings []setting[T], sec *section) {
	for _, key := range sec.order {
		i := slices.IndexFunc(settings, func(s setting[T]) bool { return s.key == key })
		v := sec.values[key]
		if b, ok := errors.AsType[*bad](settings[i].set(l, t, v)); ok {
			l.add(v.file, v.line, key+": "+b.msg, b.hint)
		}
	}
}

func keysOf[T any](settings []setting[T]) []string {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.key
	}
	return names
}

// keyNames gives the keys that a kind of section knows.
func keyNames(kind string) []string {
	switch kind {
	case kindDefaults:
		return keysOf(defaultsSettings())
	case kindIdentity:
		return keysOf(identitySettings())
	}
	return keysOf(profileSettings())
}

func isKey(kind, name string) bool { return slices.Contains(keyNames(kind), name) }

// unknownKey says what may have been meant.
func unknownKey(sec *section, name string) (msg, hint string) {
	near := nearest(name, keyNames(sec.kind))
	msg = fmt.Sprintf("unknown key %s in %s, the nearest known is %s", quoted(name), sec.title(), near)
	switch name {
	case "aws_access_key_id", "aws_secret_access_key", "aws_session_token":
		return msg, "remove the line; keys go into the keyring: mfad identity add NAME"
	}
	for _, kind := range []string{kindProfile, kindIdentity, kindDefaults} {
		if kind != sec.kind && isKey(kind, name) {
			return msg, "move the line to " + map[string]string{
				kindDefaults: "[defaults]", kindIdentity: "an [identity NAME]", kindProfile: "a [profile NAME]",
			}[kind]
		}
	}
	return msg, "write " + near + ", or remove the line"
}
