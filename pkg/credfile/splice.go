package credfile

import (
	"bytes"
	"unicode/utf8"

	"github.com/mfad/mfad/pkg/inifile"
)

// edit is what shall change in one section that is there.
type edit struct {
	set  []Key           // in the order that mfad's keys have; others stay where they are
	drop map[string]bool // keys that go, with their continuation lines
	bare bool            // the header goes too, where no key is left below it
}

// addition is a section to append.
type addition struct {
	header string
	keys   []Key
}

// splice builds the file with the edits, by index of the section, and additions.
// It copies everything else, and comments always, as they are.
func splice(d *document, edits map[int]*edit, added []addition) []byte {
	out := make([]byte, 0, len(d.Src)+len(added)*2048)
	start := len(d.Src)
	if len(d.Sections) > 0 {
		start = d.Sections[0].Start()
	}
	out = append(out, d.Src[:start]...)
	last := lastLine(d.Preamble)
	for i, s := range d.Sections {
		if e := edits[i]; e != nil {
			out = spliceSection(out, d, i, e, last)
		} else {
			out = append(out, d.Src[s.Start():s.End()]...)
		}
		last = lastLine(s.Lines)
	}
	return appendSections(out, d.EOL(), added)
}

func lastLine(lines []inifile.Line) *inifile.Line {
	if len(lines) == 0 {
		return nil
	}
	return &lines[len(lines)-1]
}

// appendSections puts one blank line before each new section but the file's
// first. It belongs to the section and goes with it.
func appendSections(out []byte, eol string, added []addition) []byte {
	for _, a := range added {
		if len(out) > 0 {
			out = endLine(out, eol)
			out = append(out, eol...)
		}
		out = append(out, "["+a.header+"]"+eol...)
		for _, k := range a.keys {
			out = append(out, k.Name+" = "+k.Value+eol...)
		}
	}
	return out
}

func endLine(out []byte, eol string) []byte {
	if len(out) > 0 && out[len(out)-1] != '\n' {
		return append(out, eol...)
	}
	return out
}

// spliceSection appends section i as e wants it; before is the line above it.
func spliceSection(out []byte, d *document, i int, e *edit, before *inifile.Line) []byte {
	lines := d.Sections[i].Lines
	gone := e.removes(d, i)
	insert := e.missing(d, i)
	kept := true // whether the key that a continuation belongs to stays
	for n, l := range lines {
		raw := d.Src[l.Start:l.End]
		switch l.Kind {
		case inifile.Header:
			kept = !gone
			if gone && before != nil && before.Kind == inifile.Blank {
				out = bytes.TrimSuffix(out, d.Src[before.Start:before.End])
			}
			if kept {
				out = append(out, raw...)
			}
		case inifile.Option:
			value, set := lookup(e.set, l.Name)
			kept = !set && !e.drop[l.Name]
			switch {
			case set:
				out = replaceValue(out, d.Src, l, value)
			case kept:
				out = append(out, raw...)
			}
		case inifile.Continuation:
			if kept {
				out = append(out, raw...)
			}
		default:
			out = append(out, raw...)
		}
		out = insertKeys(out, d, i, l, insert[n])
	}
	return out
}

// removes tells whether section i goes, header and all. It stays where some tool
// would then read the section below as part of the one above: botocore where the
// next header is indented, the AWS SDKs where it is none to them; and where it
// still holds lines of the user's that are out of use.
func (e *edit) removes(d *document, i int) bool {
	if !e.bare || len(e.set) > 0 || d.left(i, e.drop) > 0 || d.hasDisabled(i) {
		return false
	}
	if i+1 == len(d.Sections) {
		return true
	}
	next := d.Sections[i+1].Lines[0]
	_, ok := sdkHeader(d.Text(next))
	return ok && next.Indent == 0
}

// left counts the keys of section i that are not dropped.
func (d *document) left(i int, drop map[string]bool) int {
	n := 0
	for _, l := range d.Sections[i].Lines {
		if l.Kind == inifile.Option && !drop[l.Name] {
			n++
		}
	}
	return n
}

func lookup(keys []Key, name string) (value string, ok bool) {
	for _, k := range keys {
		if k.Name == name {
			return k.Value, true
		}
	}
	return "", false
}

// replaceValue copies an option's line with another value. The continuation lines
// of the old value are the caller's to leave out. White space that only some tools
// take for such is not kept.
func replaceValue(out, src []byte, l inifile.Line, value string) []byte {
	before, after := src[l.Start:l.ValueStart], src[l.ValueEnd:l.End]
	if !plain(before) || !plain(after) {
		out = append(out, indentOf(src, l)...)
		out = append(out, l.Name+" = "+value...)
		return append(out, after[len(bytes.TrimRight(after, "\r\n")):]...)
	}
	out = append(out, before...)
	if c := before[len(before)-1]; l.ValueStart == l.ValueEnd && (c == '=' || c == ':') {
		out = append(out, ' ')
	}
	out = append(out, value...)
	return append(out, after...)
}

// indentOf gives the white space before a line, as blanks where it is none to some
// tools. It is as wide as before: what is indented more continues the line above.
func indentOf(src []byte, l inifile.Line) []byte {
	indent := src[l.Start : l.Start+l.Indent]
	if plain(indent) {
		return indent
	}
	return bytes.Repeat([]byte(" "), utf8.RuneCount(indent))
}

// plain tells whether what stands around a value is ASCII without control
// characters but tabs and the line's end.
func plain(b []byte) bool {
	return !bytes.ContainsFunc(bytes.TrimRight(b, "\r\n"), func(r rune) bool { return r != '\t' && (r < ' ' || r > '~') })
}

// missing gives the keys that section i lacks, by the number of the line after
// which each belongs: the key that comes before it in mfad's order, or the header.
func (e *edit) missing(d *document, i int) map[int][]Key {
	at := make(map[string]int, len(e.set))
	for n, l := range d.Sections[i].Lines {
		if l.Kind == inifile.Option {
			at[l.Name] = n
		}
	}
	insert := map[int][]Key{}
	anchor := 0
	for _, k := range e.set {
		if n, ok := at[k.Name]; ok {
			anchor = n
			continue
		}
		insert[anchor] = append(insert[anchor], k)
	}
	return insert
}

// insertKeys appends keys after line l of section i. They get l's indent, or
// below the header that of the section's first key: a key that is indented less
// than the next one would make it a continuation.
func insertKeys(out []byte, d *document, i int, l inifile.Line, keys []Key) []byte {
	if len(keys) == 0 {
		return out
	}
	like := l
	if l.Kind == inifile.Header {
		like = inifile.Line{Start: l.Start}
		for _, o := range d.Sections[i].Lines {
			if o.Kind == inifile.Option {
				like = o
				break
			}
		}
	}
	eol := d.EOL()
	if bytes.HasSuffix(d.Src[l.Start:l.End], []byte("\r\n")) {
		eol = "\r\n"
	} else if bytes.HasSuffix(d.Src[l.Start:l.End], []byte("\n")) {
		eol = "\n"
	}
	out = endLine(out, eol)
	for _, k := range keys {
		out = append(out, indentOf(d.Src, like)...)
		out = append(out, k.Name+" = "+k.Value+eol...)
	}
	return out
}
