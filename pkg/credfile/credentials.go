package credfile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// credentialsPlan collects what becomes of the credentials file.
type credentialsPlan struct {
	d, config *document
	put       map[string]bool // profiles that are put, under whatever name
	remove    map[string]bool // profiles that go
	targets   map[int]bool    // sections that a profile of put goes to
	conflicts map[string]*creds.Error
	left      map[string]*creds.Error
	edits     map[int]*edit
	added     []addition
	names     map[string]bool // sections put so far
}

// outcome gives what is told of the plan.
func (p *credentialsPlan) outcome() Result { return Result{Conflicts: p.conflicts, Left: p.left} }

// planCredentials gives the bytes that the credentials file d shall have, d.Src
// itself if nothing changes.
func planCredentials(d, config *document, put []Section, remove []string) ([]byte, Result, error) {
	if d.refused != nil {
		return nil, Result{}, d.refused
	}
	p := &credentialsPlan{
		d: d, config: config,
		put: map[string]bool{}, remove: map[string]bool{},
		targets: map[int]bool{}, edits: map[int]*edit{}, names: map[string]bool{},
	}
	for _, name := range remove {
		p.remove[name] = true
	}
	for _, s := range put {
		p.put[s.Profile] = true
	}
	for _, s := range put {
		if err := p.add(s); err != nil {
			note(&p.conflicts, s.Profile, err)
		}
	}
	for i := range d.Sections {
		p.clear(i)
	}
	if len(p.edits) == 0 && len(p.added) == 0 {
		return d.Src, p.outcome(), nil
	}
	next := splice(d, p.edits, p.added)
	if err := verify(d, next, p.edits, p.added, readCredentials); err != nil {
		return nil, Result{}, err
	}
	return next, p.outcome(), nil
}

// note keeps the first error of a profile; found is made when it is needed.
func note(found *map[string]*creds.Error, profile string, err *creds.Error) {
	if *found == nil {
		*found = map[string]*creds.Error{}
	}
	if (*found)[profile] == nil {
		(*found)[profile] = err
	}
}

// add plans one section.
func (p *credentialsPlan) add(s Section) *creds.Error {
	if !validName(s.Name) {
		return unwritable("section name "+fmt.Sprintf("%q", s.Name)+" cannot be written so that every tool reads it",
			"use letters, digits and _./@+=,:- only, at most 64, and not DEFAULT")
	}
	if p.names[s.Name] {
		return unwritable("two profiles want the section ["+s.Name+"]", "give one of them another `section` in mfad's config")
	}
	p.names[s.Name] = true
	i, err := p.d.find(s.Name, readCredentials)
	if err != nil {
		return err
	}
	if i >= 0 {
		if err := p.mayWrite(i, s); err != nil {
			return err
		}
	}
	if s.Credentials.IsZero() {
		if i >= 0 {
			if !validValue(s.Profile) {
				return unwritable("the profile name for ["+s.Name+"] cannot be written so that every tool reads it", "give the profile another name")
			}
			p.targets[i] = true
			p.empty(i, s.Profile)
		}
		return nil
	}
	if err := p.wasted(i, s.Name); err != nil {
		return err
	}
	keys, err := sectionKeys(s)
	if err != nil {
		return err
	}
	if i < 0 {
		p.added = append(p.added, addition{s.Name, keys})
		return nil
	}
	p.targets[i] = true
	p.edits[i] = p.d.fill(i, keys)
	return nil
}

// mayWrite tells whether section i may become, or stay, the section s.
func (p *credentialsPlan) mayWrite(i int, s Section) *creds.Error {
	d := p.d
	line, label := d.header(i), d.label(i)
	owner, owned := d.owner(i)
	switch {
	case d.longTerm(i):
		return conflict(d.path, line, label+" holds a long-term key, which mfad never overwrites",
			"move the key into the keyring with `mfad identity add NAME --from-profile "+s.Name+
				"`, then delete the section; or give the profile another `section` in mfad's config")
	case owned && owner != s.Profile && !p.put[owner] && !p.remove[owner]:
		return conflict(d.path, line, label+" belongs to mfad's profile "+quoted(owner),
			"delete the section, or give one of the two profiles another `section` in mfad's config")
	case owned:
		return d.tangled(i)
	case d.optionCount(i) == 0:
		return nil
	case awsMFA(d, i):
		if s.TakeOver {
			return d.tangled(i)
		}
		return conflict(d.path, line, label+" holds keys that mfad did not write, in the layout of aws-mfa", "run: mfad import aws-mfa")
	}
	return conflict(d.path, line, label+" holds keys that mfad did not write",
		"delete or rename the section, or give the profile another `section` in mfad's config")
}

// tangled looks for a key of the user's that is indented below one of mfad's.
// botocore takes it for a part of mfad's value, the SDKs for a key: to replace or
// to remove the value would lose it.
func (d *document) tangled(i int) *creds.Error {
	ours := dropped(credentialKeys())
	var found *creds.Error
	d.options(i, func(name string, lines []inifile.Line) {
		for _, l := range lines[1:] {
			value := d.Value(l)
			if found == nil && ours[name] && isWord(l.Name) && value != "" && value[0] != '=' { // = pads a wrapped token
				found = conflict(d.path, l.Number, "this line is indented and so continues the value of "+name+" above, to some tools",
					"remove the blanks before the line")
			}
		}
	})
	return found
}

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

// awsMFA tells whether section i is in aws-mfa's layout.
func awsMFA(d *document, i int) bool {
	_, expires := d.Sections[i].Option(keyExpiration)
	return expires && d.value(i, keyID) != ""
}

// wasted tells whether AWS's tools would not use the keys of section i (-1: a new
// one) although they are there. The order in which tools look is that of
// botocore's credential chain and of the Go SDK's shared config.
func (p *credentialsPlan) wasted(i int, name string) *creds.Error {
	if i >= 0 {
		if err := p.d.bleeds(i); err != nil {
			return err
		}
	}
	if line, key, label, found := p.d.inTheWay(i, beatsKeys); found {
		return shadowed(p.d.path, line, key, label)
	}
	if p.d.inherit >= 0 && (i < 0 || !p.has(i, keyOldToken)) {
		if l, found := p.d.Sections[p.d.inherit].Option(keyOldToken); found {
			return shadowed(p.d.path, l.Number, keyOldToken, "[DEFAULT]")
		}
	}
	if p.config.refused != nil {
		return nil // told by Check
	}
	c, err := p.config.find(name, readConfig)
	if err != nil {
		return err
	}
	if line, key, label, found := p.config.inTheWay(c, beatsKeys); found {
		return shadowed(p.config.path, line, key, label)
	}
	return nil
}

func (p *credentialsPlan) has(i int, key string) bool {
	_, ok := p.d.Sections[i].Option(key)
	return ok
}

// beatsKeys tells whether a tool would not use access keys in a profile that has
// this key too: most look there first, and the Go SDK refuses a profile that names
// a source and no role.
func beatsKeys(key string) bool {
	switch key {
	case "role_arn", "web_identity_token_file", "source_profile", "credential_source":
		return true
	}
	return strings.HasPrefix(key, "sso_")
}

func shadowed(path string, line int, key, label string) *creds.Error {
	what := " wins over what mfad writes"
	if key == "source_profile" || key == "credential_source" {
		what = " keeps the AWS SDKs from using what mfad writes"
	}
	return conflict(path, line, key+" in "+label+what,
		"delete that line or put # before it, or run: mfad setup")
}

// sectionKeys gives the lines of a section, in their order.
func sectionKeys(s Section) ([]Key, *creds.Error) {
	c := s.Credentials
	if c.SessionToken.IsZero() || strings.HasPrefix(c.AccessKeyID, "AKIA") {
		return nil, &creds.Error{Code: creds.CodeInternal, Op: "write a long-term key to [" + s.Name + "]: mfad never does"}
	}
	keys := []Key{
		{keyID, c.AccessKeyID},
		{keySecret, c.SecretAccessKey.Reveal()},
		{keyToken, c.SessionToken.Reveal()},
	}
	if c.Principal != "" {
		keys = append(keys, Key{keyPrincipal, c.Principal})
	}
	if !c.Expires.IsZero() {
		keys = append(keys, Key{keyExpires, c.Expires.UTC().Format(time.RFC3339)})
	}
	keys = append(keys, Key{keyProfile, s.Profile})
	keys = append(keys, s.Extra...)
	for _, k := range keys {
		if !validValue(k.Value) {
			return nil, unwritable("the value of "+k.Name+" for ["+s.Name+"] cannot be written so that every tool reads it",
				"serve the profile with `write = process` or `mfad exec`")
		}
	}
	return keys, nil
}

// fill is the edit that gives section i these keys. What mfad would not write
// now, such as the principal of older credentials, goes; boto's old name of the
// token is kept equal where the section has it, and so is aws-mfa's time of expiry.
func (d *document) fill(i int, keys []Key) *edit {
	e := &edit{set: keys, drop: map[string]bool{}}
	for _, name := range []string{keyPrincipal, keyExpires} {
		if _, set := lookup(keys, name); !set {
			e.drop[name] = true
		}
	}
	if _, ok := d.Sections[i].Option(keyOldToken); ok {
		token, _ := lookup(keys, keyToken)
		e.set = append(slices.Clip(e.set), Key{keyOldToken, token})
	}
	if k, ok := d.expiration(i, keys); ok {
		e.set = append(slices.Clip(e.set), k)
	}
	return e
}

// clear plans the end of section i if it is one of a profile that goes, or that
// has gone to another section.
func (p *credentialsPlan) clear(i int) {
	owner, ok := p.d.owner(i)
	if !ok || p.targets[i] || !p.remove[owner] && !p.put[owner] {
		return
	}
	if p.put[owner] && p.names[p.d.Sections[i].Lines[0].Full] {
		return // its own section, which is in conflict
	}
	if p.d.longTerm(i) {
		p.leave(owner, conflict(p.d.path, p.d.header(i), p.d.label(i)+" holds a long-term key, which mfad never removes",
			"delete the line "+keyProfile+" there if the key is yours"))
		return
	}
	if err := p.d.tangled(i); err != nil {
		p.leave(owner, err)
		return
	}
	p.edits[i] = &edit{drop: dropped(credentialKeys()), bare: true}
}

// leave tells of a section of the profile's that stays. Where the profile was to
// go this is what keeps it; one that is put has its section elsewhere.
func (p *credentialsPlan) leave(owner string, err *creds.Error) {
	if p.put[owner] {
		note(&p.left, owner, err)
	} else {
		note(&p.conflicts, owner, err)
	}
}

// empty plans section i without credentials. Where keys of the user's stay,
// mfad_profile stays with them and names the profile.
func (p *credentialsPlan) empty(i int, profile string) {
	e := &edit{drop: dropped(credentialKeys()), bare: true}
	change := false
	if p.d.left(i, e.drop) > 0 {
		owner, ok := p.d.owner(i)
		if !ok {
			return
		}
		delete(e.drop, keyProfile)
		if owner != profile {
			e.set, change = []Key{{keyProfile, profile}}, true
		}
	}
	for _, l := range p.d.Sections[i].Lines {
		change = change || l.Kind == inifile.Option && e.drop[l.Name]
	}
	if change {
		p.edits[i] = e
	}
}

func dropped(keys []string) map[string]bool {
	m := make(map[string]bool, len(keys))
	for _, k := range keys {
		m[k] = true
	}
	return m
}
