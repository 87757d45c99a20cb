package credfile

import (
	"context"
	"slices"

	"github.com/mfad/mfad/pkg/creds"
)

// Plain is a profile as AWS's own tools use it.
type Plain struct {
	Name string // the profile, as they name it
	Keys []Key  // of [Released], in the order in which they are written
}

// LongTerm is a long-term key that goes back into the credentials file.
type LongTerm struct {
	Name string // the section
	Key  creds.Credentials
	// Replaces is the id of a long-term key that may give way to this one: a key that
	// AWS has deleted; empty: none.
	Replaces string
}

// Release is how profiles leave mfad. It is for a command that has shown the user
// what will change ([Files.PreviewRelease]) and was told to go on.
type Release struct {
	// Profiles are mfad's: their sections go, and their lines in the AWS config file.
	Profiles []string
	// Names are these profiles in AWS's files: what a [Claim] disabled there comes
	// back, as with [Files.Restore].
	Names []string
	// Config are lines for the AWS config file. A key that the profile has with
	// another value, after all that came back, gets this one; the others stay.
	Config []Plain
	// Keys are for the credentials file, which gets mode 0600. A section that holds
	// another long-term key is [creds.CodeConflict]. This is the only way in which
	// this package writes one.
	Keys []LongTerm
}

// Releases tells whether a [Plain] may have a key.
func Releases(key string) bool {
	return slices.Contains([]string{"role_arn", "source_profile", "mfa_serial", "duration_seconds", "external_id", "role_session_name",
		"web_identity_token_file", keyRegion, keyOutput}, key)
}

// Release changes the credentials file, then the AWS config file, in one write
// each: a key is there before lines name it. Errors are those of [Files.Apply], and
// [creds.CodeConfig] for a name or value that no INI file can hold.
func (f *Files) Release(ctx context.Context, r Release) error {
	if _, err := f.edit(ctx, f.Credentials, func(d *document) ([]byte, error) { return planReleaseCredentials(d, r) }); err != nil {
		return err
	}
	_, err := f.edit(ctx, f.Config, func(d *document) ([]byte, error) { return planReleaseConfig(d, r) })
	return err
}

// PreviewRelease tells, without writing, what [Files.Release] would do. Its errors
// are those of [Files.Preview].
func (f *Files) PreviewRelease(ctx context.Context, r Release) (Preview, error) {
	var p Preview
	credentials, err := f.peekChecked(ctx, f.Credentials)
	if err != nil {
		return p, err
	}
	config, err := f.peekChecked(ctx, f.Config)
	if err != nil {
		return p, err
	}
	p.Credentials = Change{Path: f.Credentials, Old: credentials.Src}
	p.Config = Change{Path: f.Config, Old: config.Src}
	if p.Credentials.New, err = planReleaseCredentials(credentials, r); err != nil {
		return p, err
	}
	if p.Config.New, err = planReleaseConfig(config, r); err != nil {
		return p, err
	}
	return p, p.replaceable()
}

func planReleaseCredentials(d *document, r Release) ([]byte, error) {
	next, err := planRestore(d, r.Names, readCredentials)
	if err != nil {
		return nil, err
	}
	d = newDocument(d.path, next, readCredentials)
	next, told, err := planCredentials(d, emptyDocument(""), nil, r.Profiles)
	if err != nil {
		return nil, err
	}
	for _, e := range told.Conflicts { // of a section that had to stay
		return nil, e
	}
	d = newDocument(d.path, next, readCredentials)
	edits, added := map[int]*edit{}, []addition(nil)
	for _, k := range r.Keys {
		if err := d.giveBack(k, edits, &added); err != nil {
			return nil, err
		}
	}
	return released(d, edits, added, readCredentials)
}

// giveBack plans a long-term key's section.
func (d *document) giveBack(k LongTerm, edits map[int]*edit, added *[]addition) error {
	keys := []Key{{keyID, k.Key.AccessKeyID}, {keySecret, k.Key.SecretAccessKey.Reveal()}}
	i, err := d.writable(k.Name, keys, readCredentials)
	switch {
	case err != nil:
		return err
	case i < 0:
		*added = append(*added, addition{k.Name, keys})
		return nil
	case d.value(i, keyID) == k.Key.AccessKeyID && creds.NewSecret(d.value(i, keySecret)).Equal(k.Key.SecretAccessKey):
		return nil
	case k.Replaces != "" && d.value(i, keyID) == k.Replaces && d.value(i, keyToken) == "":
	case d.value(i, keyID)+d.value(i, keySecret)+d.value(i, keyToken) != "":
		return conflict(d.path, d.header(i), d.label(i)+" holds other credentials than the key that comes back", "rename the section, and try again")
	}
	edits[i] = &edit{set: keys}
	return nil
}

func planReleaseConfig(d *document, r Release) ([]byte, error) {
	next, err := planRestore(d, r.Names, readConfig)
	if err != nil {
		return nil, err
	}
	d = newDocument(d.path, next, readConfig)
	if next, _, err = planConfig(d, emptyDocument(""), nil, r.Names); err != nil {
		return nil, err
	}
	d = newDocument(d.path, next, readConfig)
	edits, added := map[int]*edit{}, []addition(nil)
	for _, p := range r.Config {
		for _, k := range p.Keys {
			if !Releases(k.Name) {
				return nil, &creds.Error{Code: creds.CodeInternal, Op: "write " + k.Name + " for " + quoted(p.Name) + ": mfad never does"}
			}
		}
		i, err := d.writable(p.Name, p.Keys, readConfig)
		if err != nil {
			return nil, err
		}
		if i >= 0 {
			edits[i] = &edit{set: p.Keys}
		} else if len(p.Keys) > 0 {
			header := "profile " + p.Name
			if p.Name == "default" {
				header = p.Name
			}
			added = append(added, addition{header, p.Keys})
		}
	}
	return released(d, edits, added, readConfig)
}

// writable finds a section, -1 where there is none, in which all tools will read
// these keys as they are meant.
func (d *document) writable(name string, keys []Key, read reading) (int, error) {
	if !validName(name) {
		return -1, unwritable("section name "+quoted(name)+" cannot be written so that every tool reads it",
			"use letters, digits and _./@+=,:- only, at most 64, and not DEFAULT")
	}
	for _, k := range keys {
		if !validValue(k.Value) {
			return -1, unwritable("the value of "+k.Name+" for "+quoted(name)+" cannot be written so that every tool reads it", "write the profile by hand")
		}
	}
	i, e := d.find(name, read)
	if e == nil && i >= 0 {
		if e = d.bleeds(i); e == nil {
			names := map[string]bool{}
			for _, k := range keys {
				names[k.Name] = true
			}
			e = d.tangledWith(i, names)
		}
	}
	return i, asError(e)
}

// released gives the bytes with the edits and additions.
func released(d *document, edits map[int]*edit, added []addition, read reading) ([]byte, error) {
	if len(edits) == 0 && len(added) == 0 {
		return d.Src, nil
	}
	next := splice(d, edits, added)
	if err := verify(d, next, edits, added, read); err != nil {
		return nil, err
	}
	return next, nil
}
