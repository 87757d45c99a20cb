package credfile

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// aws-mfa's keys beside the credentials (https://github.com/broamski/aws-mfa).
const (
	keyAssumed     = "assumed_role"
	keyAssumedRole = "assumed_role_arn"
	keyExpiration  = "expiration"
)

// awsMFAKeys are the keys that follow mfad's in a section of aws-mfa's.
func awsMFAKeys() []string { return []string{keyOldToken, keyExpiration, keyAssumed, keyAssumedRole} }

// CheckAWSMFA tells, without writing, why [Files.PutAWSMFA] could not write the
// section; nil if it could. Shadowed is what AWS's tools would use in the place of
// what is written, with [creds.CodeConflict]; nil if nothing.
func (f *Files) CheckAWSMFA(ctx context.Context, section string) (shadowed *creds.Error, err error) {
	d, err := f.peekChecked(ctx, f.Credentials)
	if err != nil {
		return nil, err
	}
	if err := replaceable(f.Credentials); err != nil {
		return nil, err
	}
	if _, err := planAWSMFA(d, section, placeholder(), strings.Repeat("a", 20)); err != nil {
		return nil, err
	}
	config, err := f.peek(ctx, f.Config)
	if err != nil {
		return nil, nil // the credentials file is served without it
	}
	return shadowing(d, config, section), nil
}

// placeholder stands for credentials to come. It is never written.
func placeholder() creds.Credentials {
	return creds.Credentials{AccessKeyID: "ASIA0000000000000000", SecretAccessKey: creds.NewSecret("none"), SessionToken: creds.NewSecret("none"),
		Principal: "none", Expires: time.Unix(0, 0)}
}

// shadowing is what wins over static credentials of this name. A profile that
// assumes a role with its own credentials uses them.
func shadowing(d, config *document, section string) *creds.Error {
	p := &credentialsPlan{d: d, config: config}
	i, err := d.find(section, readCredentials)
	if err != nil {
		return err
	}
	if c, err := config.find(section, readConfig); err == nil && c >= 0 && config.value(c, "source_profile") == section {
		return nil
	}
	return p.wasted(i, section)
}

// PutAWSMFA writes temporary credentials into a section as aws-mfa does, for a
// user who asked for just that: mfad's keys without mfad_profile, since the
// section stays the user's, then aws-mfa's own. Role is the role that they are of,
// empty for an MFA session. Every other key stays, and so does every byte outside.
//
// A section with a long-term key, one that mfad owns, and one with temporary
// credentials that show no sign of aws-mfa are [creds.CodeConflict]; errors are
// else those of [Files.Apply].
func (f *Files) PutAWSMFA(ctx context.Context, section string, c creds.Credentials, role string) error {
	_, err := f.edit(ctx, f.Credentials, func(d *document) ([]byte, error) { return planAWSMFA(d, section, c, role) })
	return err
}

func planAWSMFA(d *document, section string, c creds.Credentials, role string) ([]byte, error) {
	if d.refused != nil {
		return nil, d.refused
	}
	if !validName(section) {
		return nil, unwritable("section name "+quoted(section)+" cannot be written so that every tool reads it",
			"use letters, digits and _./@+=,:- only, at most 64, and not DEFAULT")
	}
	keys, err := sectionKeys(Section{Name: section, Profile: section, Credentials: c})
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(k Key) bool { return k.Name == keyProfile })
	more, err := awsMFAValues(c, role)
	if err != nil {
		return nil, err
	}
	keys = append(keys, more...)
	i, err := d.find(section, readCredentials)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		return spliceChecked(d, nil, []addition{{section, keys}})
	}
	if err := d.mayPutAWSMFA(i, section); err != nil {
		return nil, err
	}
	e := &edit{set: keys, drop: map[string]bool{}}
	for _, name := range []string{keyPrincipal, keyExpires, keyAssumedRole} {
		if _, set := lookup(keys, name); !set {
			e.drop[name] = true
		}
	}
	return spliceChecked(d, map[int]*edit{i: e}, nil)
}

// spliceChecked is splice, where the result is read back before it is believed.
func spliceChecked(d *document, edits map[int]*edit, added []addition) ([]byte, error) {
	next := splice(d, edits, added)
	return next, verify(d, next, edits, added, readCredentials)
}

// awsMFAValues gives aws-mfa's keys for credentials of a role; an empty role is the
// MFA session itself. aws-mfa writes `expiration` in UTC and without a zone.
func awsMFAValues(c creds.Credentials, role string) ([]Key, *creds.Error) {
	keys := []Key{{keyOldToken, c.SessionToken.Reveal()}, {keyExpiration, c.Expires.UTC().Format(time.DateTime)}}
	if role == "" {
		return append(keys, Key{keyAssumed, "False"}), nil
	}
	if !validValue(role) {
		return nil, unwritable("the role "+quoted(role)+" cannot be written so that every tool reads it", "give the role's ARN")
	}
	return append(keys, Key{keyAssumed, "True"}, Key{keyAssumedRole, role}), nil
}

// mayPutAWSMFA tells whether aws-mfa's user may have section i written.
func (d *document) mayPutAWSMFA(i int, name string) *creds.Error {
	line, label := d.header(i), d.label(i)
	owner, owned := d.owner(i)
	switch {
	case d.longTerm(i):
		return conflict(d.path, line, label+" holds a long-term key, which mfad never overwrites",
			"rename the section to ["+name+"-long-term], or give --short-term-suffix NAME")
	case owned:
		return conflict(d.path, line, label+" belongs to mfad's profile "+quoted(owner)+", which the config does not have",
			"run: mfad status, whose daemon removes the section; or delete it")
	case d.value(i, keyID) != "" && !d.looksAWSMFA(i):
		return conflict(d.path, line, label+" holds temporary credentials that another program wrote",
			"delete or rename the section, or give --short-term-suffix NAME")
	}
	if err := d.bleeds(i); err != nil {
		return err
	}
	if err := d.tangledWith(i, dropped(awsMFAKeys())); err != nil {
		return err
	}
	return d.tangled(i)
}

// looksAWSMFA tells whether section i has any of the keys that aws-mfa adds to
// credentials: it renews a section in which others of them are missing.
func (d *document) looksAWSMFA(i int) bool {
	return slices.ContainsFunc(awsMFAKeys(), func(key string) bool { _, ok := d.Sections[i].Option(key); return ok })
}

// KeepAWSMFA gives a section that mfad owns for the profile aws-mfa's keys too,
// after mfad's, as they follow from what the section holds. Role is the profile's.
// From then on [Files.Apply] keeps `expiration` right. It writes nothing where all
// is there, or where the section is not or is empty. Errors are those of Apply.
func (f *Files) KeepAWSMFA(ctx context.Context, section, profile, role string) error {
	_, err := f.edit(ctx, f.Credentials, func(d *document) ([]byte, error) {
		if d.refused != nil {
			return nil, d.refused
		}
		i, err := d.find(section, readCredentials)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			return d.Src, nil
		}
		s, ok := d.managed(i)
		if !ok || s.Profile != profile || s.Credentials.IsZero() || s.Credentials.Expires.IsZero() {
			return d.Src, nil
		}
		return d.keepAWSMFA(i, s.Credentials, role)
	})
	return err
}

func (d *document) keepAWSMFA(i int, c creds.Credentials, role string) ([]byte, error) {
	keys, err := awsMFAValues(c, role)
	if err != nil {
		return nil, err
	}
	e := &edit{drop: map[string]bool{}}
	for _, k := range keys {
		if d.value(i, k.Name) != k.Value {
			e.set = append(e.set, k)
		}
	}
	if _, has := d.Sections[i].Option(keyAssumedRole); has && role == "" {
		e.drop[keyAssumedRole] = true
	}
	if len(e.set)+len(e.drop) == 0 {
		return d.Src, nil
	}
	if err := d.tangledWith(i, dropped(awsMFAKeys())); err != nil {
		return nil, err
	}
	// Where a key is to come says the one before it, which need not change.
	if l, ok := d.Sections[i].Option(keyProfile); ok {
		e.set = append([]Key{{keyProfile, d.Value(l)}}, e.set...)
	}
	return spliceChecked(d, map[int]*edit{i: e}, nil)
}

// expiration is aws-mfa's key `expiration` for new credentials, where section i
// has it in aws-mfa's form: programs that look for it there would take fresh
// credentials for expired ones.
func (d *document) expiration(i int, keys []Key) (k Key, ok bool) {
	if _, err := time.Parse(time.DateTime, d.value(i, keyExpiration)); err != nil {
		return Key{}, false
	}
	if _, set := lookup(keys, keyExpiration); set || d.tangledWith(i, map[string]bool{keyExpiration: true}) != nil {
		return Key{}, false
	}
	text, _ := lookup(keys, keyExpires)
	expires, err := time.Parse(time.RFC3339, text)
	return Key{keyExpiration, expires.UTC().Format(time.DateTime)}, err == nil
}

// AddKey appends a section with a long-term key, for a user who asked for just
// that. A section of this name that is there is [creds.CodeConflict]; errors are
// else those of [Files.Apply].
func (f *Files) AddKey(ctx context.Context, section string, key creds.Credentials) error {
	_, err := f.edit(ctx, f.Credentials, func(d *document) ([]byte, error) {
		if d.refused != nil {
			return nil, d.refused
		}
		if !validName(section) {
			return nil, unwritable("section name "+quoted(section)+" cannot be written so that every tool reads it",
				"use letters, digits and _./@+=,:- only, at most 64, and not DEFAULT")
		}
		if found := d.profiles[section]; len(found) > 0 {
			return nil, conflict(d.path, d.header(found[0]), "the section "+d.label(found[0])+" is there already", "choose another name, or delete the section")
		}
		keys := []Key{{keyID, key.AccessKeyID}, {keySecret, key.SecretAccessKey.Reveal()}}
		for _, k := range keys {
			if !validValue(k.Value) {
				return nil, unwritable("the value of "+k.Name+" cannot be written so that every tool reads it", "copy the key again")
			}
		}
		return spliceChecked(d, nil, []addition{{section, keys}})
	})
	return err
}
