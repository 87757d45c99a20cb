package credfile

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// Claim is what becomes of one section of the user's that mfad takes over. It is
// for commands that have shown the user what will change ([Files.Preview]) and
// were told to go on; nothing else may touch what is not mfad's.
type Claim struct {
	// Name is the section, Profile whose it becomes, as in [Section] and [Entry]. A
	// section that is not there is no change.
	Name, Profile string

	// Disable are keys, in lower case, whose lines become comments,
	// `# mfad: KEY = …`, that [Files.Restore] brings back. Only those that
	// [Disables] knows; others are [creds.CodeInternal].
	Disable []string

	// Key is a long-term key whose two lines go, for good; the zero value takes
	// none. Any other key in the section is [creds.CodeConflict].
	Key creds.Credentials

	// Own makes a section of the credentials file mfad's by the key mfad_profile:
	// one in aws-mfa's layout, or the one that Key is taken out of.
	Own bool
}

// Claims are the sections to take over, by file.
type Claims struct{ Credentials, Config []Claim }

// Change is one file before and after.
type Change struct {
	Path     string
	Old, New []byte
}

// Preview is what would become of AWS's files.
type Preview struct {
	Credentials, Config Change
	// Conflicts are the profiles that the files could not serve even then, as in
	// [Result]. Nil if there are none.
	Conflicts map[string]*creds.Error
}

// disables lists the keys that may be taken out of use: what AWS's tools prefer to
// mfad's, what goes with it, and what aws-mfa says of the credentials beside it.
func disables() []string {
	return []string{"role_arn", "source_profile", "mfa_serial", "credential_source", "duration_seconds",
		"expiration", "assumed_role", "assumed_role_arn"}
}

// Disables tells whether a key (in lower case) may be taken out of use by a
// [Claim].
func Disables(key string) bool { return slices.Contains(disables(), key) }

// Claim changes the sections as told: first the AWS config file, in one write,
// then the credentials file, in another. Nothing of a file is changed if one of
// its claims cannot be. Errors are those of [Files.Apply]; what stands in the way
// of one claim is [creds.CodeConflict] too.
func (f *Files) Claim(ctx context.Context, c Claims) error {
	if len(c.Config) > 0 {
		if _, err := f.edit(ctx, f.Config, func(d *document) ([]byte, error) { return planClaims(d, c.Config, readConfig) }); err != nil {
			return err
		}
	}
	if len(c.Credentials) == 0 {
		return nil
	}
	_, err := f.edit(ctx, f.Credentials, func(d *document) ([]byte, error) { return planClaims(d, c.Credentials, readCredentials) })
	return err
}

// Preview tells, without writing, what the files would hold after [Files.Claim]
// and then [Files.Apply] and [Files.ApplyConfig]. A file that botocore refuses, or
// that cannot be read or replaced, is an error as in Apply.
func (f *Files) Preview(ctx context.Context, c Claims, static []Section, process []Entry) (Preview, error) {
	var p Preview
	credentials, err := f.peekChecked(ctx, f.Credentials)
	if err != nil {
		return p, err
	}
	config, err := f.peekChecked(ctx, f.Config)
	if err != nil {
		return p, err
	}
	p.Credentials = Change{f.Credentials, credentials.Src, credentials.Src}
	p.Config = Change{f.Config, config.Src, config.Src}
	if p.Config.New, err = planClaims(config, c.Config, readConfig); err != nil {
		return p, err
	}
	if p.Credentials.New, err = planClaims(credentials, c.Credentials, readCredentials); err != nil {
		return p, err
	}
	claimed := newDocument(f.Config, p.Config.New, readConfig)
	next, told, err := planCredentials(newDocument(f.Credentials, p.Credentials.New, readCredentials), claimed, static, nil)
	if err != nil {
		return p, err
	}
	p.Credentials.New = next
	next, conflicts, err := planConfig(claimed, newDocument(f.Credentials, next, readCredentials), process, nil)
	if err != nil {
		return p, err
	}
	p.Config.New = next
	for _, found := range []map[string]*creds.Error{told.Conflicts, conflicts} {
		for profile, e := range found {
			note(&p.Conflicts, profile, e)
		}
	}
	return p, p.replaceable()
}

// replaceable tells whether the files that would change can be replaced.
func (p Preview) replaceable() error {
	for _, c := range []Change{p.Credentials, p.Config} {
		if !bytes.Equal(c.Old, c.New) {
			if err := replaceable(c.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// planClaims gives the bytes that d shall have, d.Src itself if nothing changes.
func planClaims(d *document, claims []Claim, read reading) ([]byte, error) {
	if d.refused != nil {
		return nil, d.refused
	}
	disable, edits := map[int]map[string]bool{}, map[int]*edit{}
	for _, c := range claims {
		i, err := d.find(c.Name, read)
		if err == nil && i >= 0 {
			err = d.claim(i, c, disable, edits)
		} else if err == nil && !c.Key.IsZero() {
			err = conflict(d.path, 0, "the section "+quoted(c.Name)+" with the long-term key is gone", "run the command again")
		}
		if err != nil {
			return nil, err
		}
	}
	// The keys of the sections first: commenting moves no line.
	next := d.Src
	if len(edits) > 0 {
		next = splice(d, edits, nil)
		if err := verify(d, next, edits, nil, read); err != nil {
			return nil, err
		}
	}
	if len(disable) == 0 {
		return next, nil
	}
	now := newDocument(d.path, next, read)
	named := map[int]map[string]bool{}
	for i, keys := range disable { // a section above may have gone
		if n, err := now.find(nameOf(d, i, read), read); err == nil && n >= 0 {
			named[n] = keys
		}
	}
	return commented(now, named, read)
}

// nameOf is the name by which section i was found.
func nameOf(d *document, i int, read reading) string {
	name, _ := read(d.Sections[i].Lines[0].Full, d.Text(d.Sections[i].Lines[0]))
	return name
}

// claim plans one section.
func (d *document) claim(i int, c Claim, disable map[int]map[string]bool, edits map[int]*edit) *creds.Error {
	keys := dropped(c.Disable)
	for name := range keys {
		if !Disables(name) {
			return &creds.Error{Code: creds.CodeInternal, Op: "disable " + name + " in " + d.label(i) + ": mfad never does"}
		}
	}
	if err := d.tangledWith(i, keys); err != nil {
		return err
	}
	maps.DeleteFunc(keys, func(name string, _ bool) bool { _, has := d.Sections[i].Option(name); return !has })
	if len(keys) > 0 {
		disable[i] = keys
	}
	e := &edit{drop: map[string]bool{}}
	if !c.Key.IsZero() {
		if d.value(i, keyID) != c.Key.AccessKeyID || !creds.NewSecret(d.value(i, keySecret)).Equal(c.Key.SecretAccessKey) {
			return conflict(d.path, d.header(i), d.label(i)+" holds another key than the one that is in the keyring", "run the command again")
		}
		e.drop, e.bare = map[string]bool{keyID: true, keySecret: true}, true
	}
	if c.Own {
		if err := d.mayOwn(i, c); err != nil {
			return err
		}
		if d.left(i, e.drop) > 0 {
			e.set = append(d.before(i, e.drop), Key{keyProfile, c.Profile})
		}
	}
	if len(e.set) == 0 && len(e.drop) == 0 {
		return nil
	}
	if err := d.tangled(i); err != nil {
		return err
	}
	edits[i] = e
	return nil
}

// before is the last key of section i that comes before mfad_profile in mfad's
// order, as it is: where a key is to come says the one before it. Nil where there is
// none, or one with several lines.
func (d *document) before(i int, drop map[string]bool) (keys []Key) {
	d.options(i, func(name string, lines []inifile.Line) {
		switch name {
		case keyID, keySecret, keyToken:
			if keys = nil; len(lines) == 1 && !drop[name] && d.Value(lines[0]) != "" {
				keys = []Key{{name, d.Value(lines[0])}}
			}
		}
	})
	return keys
}

// mayOwn tells whether section i may become the profile's.
func (d *document) mayOwn(i int, c Claim) *creds.Error {
	owner, owned := d.owner(i)
	switch {
	case !validValue(c.Profile):
		return unwritable("the profile name for "+d.label(i)+" cannot be written so that every tool reads it", "give the profile another name")
	case owned && owner != c.Profile:
		return conflict(d.path, d.header(i), d.label(i)+" belongs to mfad's profile "+quoted(owner), "give one of the two profiles another `section` in mfad's config")
	case c.Key.IsZero() && d.longTerm(i):
		return conflict(d.path, d.header(i), d.label(i)+" holds a long-term key, which mfad never overwrites", "move the key into the keyring first")
	case c.Key.IsZero() && !owned && !awsMFA(d, i):
		return conflict(d.path, d.header(i), d.label(i)+" holds keys that mfad did not write", "delete or rename the section")
	}
	return nil
}

// tangledWith looks for another key that is indented below one of keys: it would
// become a comment with it.
func (d *document) tangledWith(i int, keys map[string]bool) *creds.Error {
	var found *creds.Error
	d.options(i, func(name string, lines []inifile.Line) {
		for _, l := range lines[1:] {
			if found == nil && keys[name] && isWord(l.Name) && !keys[l.Name] {
				found = conflict(d.path, l.Number, "this line is indented and so continues the value of "+name+" above, to some tools",
					"remove the blanks before the line")
			}
		}
	})
	return found
}
