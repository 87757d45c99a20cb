package profile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// KV is one key of a section to be added, as it is written.
type KV struct{ Key, Value string }

// Section is a section to be added.
type Section struct {
	Header string // the text between the brackets, such as "profile prod"
	Keys   []KV
}

// AddSection puts a new section at the end of the config at path, which need
// not exist. Header is the text between the brackets, such as "profile prod".
// Every byte that was there stays.
//
// The result is loaded before it replaces the file, with opts as in [Load]; if
// it would not load, or if the file has that section already, nothing is
// changed. Errors are [creds.Error]: [creds.CodeConfig], with the [Errors] of
// the result where it would not load, and [creds.CodeUsage] for a value that
// can't be written in one line.
func AddSection(path, header string, keys []KV, opts Options) error {
	return AddSections(path, []Section{{header, keys}}, opts)
}

// AddSections is [AddSection] for several sections, which come in one write or
// not at all. None of them is no change.
func AddSections(path string, add []Section, opts Options) error {
	if len(add) == 0 {
		return nil
	}
	e, err := adding(path, add, opts)
	if err != nil {
		return err
	}
	return e.run()
}

// PreviewSections gives the bytes of the config at path, nil if there is none,
// and those that [AddSections] would make of them. It changes nothing; its errors
// are those of AddSections.
func PreviewSections(path string, add []Section, opts Options) (was, is []byte, err error) {
	e, err := adding(path, add, opts)
	if err != nil {
		return nil, nil, err
	}
	was, is, _, err = e.plan()
	return was, is, err
}

// adding is the edit that appends sections.
func adding(path string, add []Section, opts Options) (*edit, error) {
	e := &edit{op: "add to the config", path: path, opts: opts}
	titles := make([]*section, len(add))
	for i, s := range add {
		kind, name := splitTitle(s.Header)
		titles[i] = &section{kind: kind, name: name}
		e.op = "add " + titles[i].title() + " to the config"
		if hasControl(s.Header) {
			return nil, e.fail(creds.CodeUsage, "write the name alone", "the name holds a control character")
		}
		for _, kv := range s.Keys {
			if hasControl(kv.Key + kv.Value) {
				return nil, e.fail(creds.CodeUsage, "write the value on one line", "%s holds a control character", kv.Key)
			}
		}
	}
	if len(add) > 1 {
		e.op = fmt.Sprintf("add %d sections to the config", len(add))
	}
	e.change = func(old []byte) ([]byte, error) {
		for i, s := range add {
			scan := inifile.Scan(old)
			if found := find(scan, titles[i]); len(found) > 0 {
				return nil, e.fail(creds.CodeConfig, "edit it there, or remove it first",
					"it is there already: %s:%d", path, found[0].Lines[0].Number)
			}
			old = appendSection(scan, titles[i].title(), s.Keys)
		}
		return old, nil
	}
	e.verify = func(data []byte) error { return e.readBack(data, titles, add) }
	return e, nil
}

// RemoveSection takes all sections of that header out of the config at path,
// from the header to the last key. Everything else stays, comments below the
// last key too: they mostly speak of what follows.
//
// The result is loaded before it replaces the file, as with [AddSection]: an
// identity that a profile needs can't be removed. A section that is not there
// is [creds.CodeUnknownProfile] for a profile, [creds.CodeUsage] for another.
func RemoveSection(path, header string, opts Options) error {
	kind, name := splitTitle(header)
	want := &section{kind: kind, name: name}
	e := &edit{op: "remove " + want.title() + " from the config", path: path, opts: opts}
	e.change = func(old []byte) ([]byte, error) {
		scan := inifile.Scan(old)
		found := find(scan, want)
		if len(found) == 0 {
			return nil, e.absent(want)
		}
		for _, s := range slices.Backward(found) {
			old = cut(old, s)
		}
		return old, nil
	}
	e.verify = func([]byte) error { return nil }
	return e.run()
}

// absent says where a section is that is not in the user's file.
func (e *edit) absent(want *section) error {
	code := creds.CodeUsage
	if want.kind == kindProfile {
		code = creds.CodeUnknownProfile
	}
	l := &loader{opts: e.opts}
	if e.opts.System != "" {
		data, _ := l.file(e.opts.System)
		if found := find(inifile.Scan(data), want); len(found) > 0 {
			return e.fail(code, "edit it there", "it stands in %s:%d", e.opts.System, found[0].Lines[0].Number)
		}
	}
	return e.fail(code, "run: mfad "+orElse(want.kind, kindProfile)+" list", "there is no such section in %s", e.path)
}

func find(scan inifile.File, want *section) []inifile.Section {
	var found []inifile.Section
	for _, s := range scan.Sections {
		if kind, name := splitTitle(s.Name); kind == want.kind && name == want.name {
			found = append(found, s)
		}
	}
	return found
}

// appendSection writes a section below all others, with a blank line between.
func appendSection(scan inifile.File, title string, keys []KV) []byte {
	eol := scan.EOL()
	out := bytes.Clone(scan.Src)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, eol...)
	}
	if len(scan.Preamble)+len(scan.Sections) > 0 {
		out = append(out, eol...)
	}
	out = append(out, title+eol...)
	width := 0
	for _, kv := range keys {
		width = max(width, len(kv.Key))
	}
	for _, kv := range keys {
		out = append(out, kv.Key+strings.Repeat(" ", width-len(kv.Key))+" = "+kv.Value+eol...)
	}
	return out
}

// cut takes a section out of src, and one of the blank lines around it where
// there would be two: so it undoes appendSection.
func cut(src []byte, s inifile.Section) []byte {
	end := s.Lines[0].End
	for _, l := range s.Lines {
		if l.Kind != inifile.Blank && l.Kind != inifile.Comment {
			end = l.End
		}
	}
	before, after := src[:s.Start()], src[end:]
	shorter, blankBefore := cutBlank(before)
	if blankBefore && (len(after) == 0 || startsBlank(after)) {
		before = shorter
	}
	return slices.Concat(before, after)
}

// cutBlank takes away a blank line at the end.
func cutBlank(text []byte) (rest []byte, ok bool) {
	i := bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n') + 1
	if len(text) == 0 || len(bytes.TrimSpace(text[i:])) > 0 || text[len(text)-1] != '\n' {
		return text, false
	}
	return text[:i], true
}

func startsBlank(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return len(bytes.TrimSpace(line)) == 0
}

// readBack makes sure that a value means what it was meant to: one with a blank
// and a # in it would lose its end.
func (e *edit) readBack(data []byte, titles []*section, added []Section) error {
	found := map[string]*section{}
	for _, sec := range parseSource(&problems{}, e.path, data) {
		found[sec.title()] = sec
	}
	for i, s := range added {
		sec := found[titles[i].title()]
		for _, kv := range s.Keys {
			if sec == nil || sec.values[strings.ToLower(kv.Key)].text != kv.Value {
				return e.fail(creds.CodeUsage, "leave out blanks at its ends and a # or ; after a blank",
					"the value of %s can't be written in the config", kv.Key)
			}
		}
	}
	return nil
}

func (e *edit) fail(code creds.Code, hint, format string, args ...any) error {
	return &creds.Error{Code: code, Op: e.op, Hint: hint, Err: fmt.Errorf(format, args...)}
}
