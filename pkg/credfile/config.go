package credfile

import (
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// mfad's keys in the AWS config file.
const (
	keyProcess = "credential_process"
	keyRegion  = "region"
	keyOutput  = "output"

	// keyAdded names the keys of a section that mfad added, with commas between.
	keyAdded = "mfad_keys"
)

// configPlan collects what becomes of the AWS config file.
type configPlan struct {
	d, credentials *document
	conflicts      map[string]*creds.Error
	edits          map[int]*edit
	added          []addition
	names          map[string]bool
}

// planConfig gives the bytes that the AWS config file d shall have, d.Src itself
// if nothing changes.
func planConfig(d, credentials *document, put []Entry, remove []string) ([]byte, map[string]*creds.Error, error) {
	if d.refused != nil {
		return nil, nil, d.refused
	}
	p := &configPlan{
		d: d, credentials: credentials,
		conflicts: map[string]*creds.Error{}, edits: map[int]*edit{}, names: map[string]bool{},
	}
	for _, e := range put {
		if err := p.add(e); err != nil {
			report(p.conflicts, e.Profile, err)
		}
	}
	for _, name := range remove {
		if i, err := d.find(name, readConfig); err == nil && i >= 0 && !p.names[name] {
			p.change(i, Entry{})
		}
	}
	if len(p.conflicts) == 0 {
		p.conflicts = nil
	}
	if len(p.edits) == 0 && len(p.added) == 0 {
		return d.Src, p.conflicts, nil
	}
	next := splice(d, p.edits, p.added)
	if err := verify(d, next, p.edits, p.added, readConfig); err != nil {
		return nil, nil, err
	}
	return next, p.conflicts, nil
}

// add plans one section. A nil *creds.Error must not become an error.
func (p *configPlan) add(e Entry) error {
	switch {
	case !validName(e.Name):
		return unwritable("profile name "+quoted(e.Name)+" cannot be written so that every tool reads it",
			"use letters, digits and _./@+=,:- only, at most 64, and not DEFAULT")
	case p.names[e.Name]:
		return unwritable("two profiles want the section of "+quoted(e.Name)+" in the AWS config file",
			"give one of them another `section` in mfad's config")
	}
	p.names[e.Name] = true
	for _, v := range []string{e.CredentialProcess, e.Region, e.Output} {
		if v != "" && !validValue(v) {
			return unwritable("a value for "+quoted(e.Name)+" in the AWS config file cannot be written so that every tool reads it",
				"set `command` in mfad's config to a path without quotes, # and ;")
		}
	}
	i, err := p.d.find(e.Name, readConfig)
	if err != nil {
		return err
	}
	if e.CredentialProcess != "" {
		if err := p.wasted(i, e); err != nil {
			return err
		}
	}
	if i < 0 {
		p.append(e)
		return nil
	}
	if err := p.d.bleeds(i); err != nil && len(wanted(e)) > 0 {
		return err
	}
	p.change(i, e)
	return nil
}

// wasted tells whether tools would not run the credential_process of e.
func (p *configPlan) wasted(i int, e Entry) *creds.Error {
	if line, key, label, found := p.d.inTheWay(i, beatsProcess); found {
		return shadowed(p.d.path, line, key, label)
	}
	if i >= 0 {
		l, has := p.d.Sections[i].Option(keyProcess)
		if has && !slices.Contains(p.d.addedKeys(i), keyProcess) && p.d.Value(l) != e.CredentialProcess {
			return conflict(p.d.path, l.Number, p.d.label(i)+" has a credential_process that mfad did not write",
				"delete that line, or set `write = credentials` or `section` for the profile in mfad's config")
		}
	}
	if p.credentials.refused != nil {
		return nil // told by Check
	}
	c, err := p.credentials.find(e.Name, readCredentials)
	if err != nil {
		return err
	}
	own := -1 // mfad's own section goes when `write` changes
	if c >= 0 {
		if owner, ok := p.credentials.owner(c); ok && owner == e.Profile && !p.credentials.longTerm(c) {
			own = c
		}
	}
	if c == own {
		c = -1
	}
	stops := func(key string) bool { return beatsProcess(key) || key == keyProcess }
	if line, key, label, found := p.credentials.inTheWay(c, stops); found {
		return conflict(p.credentials.path, line, key+" in "+label+" wins over the credential_process that mfad writes",
			"delete the section "+label+" there, or set `write = credentials` for the profile in mfad's config")
	}
	return nil
}

// beatsProcess tells whether tools prefer key to credential_process in the same
// profile.
func beatsProcess(key string) bool {
	return beatsKeys(key) || key == keyID || key == keySecret
}

// append plans a new section.
func (p *configPlan) append(e Entry) {
	keys := wanted(e)
	if len(keys) == 0 {
		return
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.Name)
	}
	header := "profile " + e.Name
	if e.Name == "default" {
		header = e.Name
	}
	p.added = append(p.added, addition{header, append(keys, Key{keyAdded, strings.Join(names, ",")})})
}

func wanted(e Entry) []Key {
	keys := []Key{{keyProcess, e.CredentialProcess}, {keyRegion, e.Region}, {keyOutput, e.Output}}
	return slices.DeleteFunc(keys, func(k Key) bool { return k.Value == "" })
}

// addedKeys gives the keys of section i that mfad added.
func (d *document) addedKeys(i int) []string {
	var names []string
	for name := range strings.SplitSeq(d.value(i, keyAdded), ",") {
		switch name = strings.TrimSpace(name); name {
		case keyProcess, keyRegion, keyOutput:
			names = append(names, name)
		}
	}
	return names
}

// change plans section i: mfad's lines become those of e, the user's stay.
func (p *configPlan) change(i int, e Entry) {
	s := p.d.Sections[i]
	ours := p.d.addedKeys(i)
	_, marked := s.Option(keyAdded)
	ed := &edit{drop: map[string]bool{}}
	var names []string
	want := wanted(e)
	for _, name := range []string{keyProcess, keyRegion, keyOutput} {
		_, has := s.Option(name)
		value, wants := lookup(want, name)
		mine := slices.Contains(ours, name) || !has
		switch {
		case wants && mine:
			ed.set = append(ed.set, Key{name, value})
			names = append(names, name)
		case has && mine:
			ed.drop[name] = true
		}
	}
	switch {
	case len(names) > 0:
		ed.set = append(ed.set, Key{keyAdded, strings.Join(names, ",")})
	case !marked:
		return // nothing of mfad's, before or after
	default:
		ed.drop[keyAdded] = true
		ed.bare = true
	}
	p.edits[i] = ed
}
