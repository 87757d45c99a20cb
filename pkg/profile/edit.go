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
	kind, name := splitTitle(header)
	want := &section{kind: kind, name: name}
	e := &edit{op: "add " + want.title() + " to the config", path: path, opts: opts}
	if hasControl(header) {
		return e.fail(creds.CodeUsage, "write the name alone", "the name holds a control character")
	}
	for _, kv := range keys {
		if hasControl(kv.Key + kv.Value) {
			return e.fail(creds.CodeUsage, "write the value on one line", "%s holds a control character", kv.Key)
		}
	}
	e.change = func(old []byte) ([]byte, error) {
		scan := inifile.Scan(old)
		if found := find(scan, want); len(found) > 0 {
			return nil, e.fail(creds.CodeConfig, "edit it there, or remove it first",
				"it is there already: %s:%d", path, found[0].Lines[0].Number)
		}
		return appendSection(scan, want.title(), keys), nil
	}
	e.verify = func(data []byte) error { return e.readBack(data, want, keys) }
	return e.run()
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
func (e *edit) readBack(data []byte, want *section, keys []KV) error {
	for _, sec := range parseSource(&problems{}, e.path, data) {
		if sec.title() != want.title() {
			continue
		}
		for _, kv := range keys {
			if sec.values[strings.ToLower(kv.Key)].text != kv.Value {
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
