// Package inifile finds the lines, sections and keys in the bytes of an INI
// file, with byte offsets and line numbers, so that a caller can say where
// something stands and replace exactly that. It interprets no value, changes no
// byte and opens no file. gopkg.in/ini.v1 reads values elsewhere; it knows no
// line numbers and hides duplicates, which is why this scanner exists.
//
// The grammar is the union of what botocore's configparser and the AWS SDKs
// take: comments are whole lines that start with # or ; (indented or not), keys
// end at the first = or :, an indented line below a key continues that key.
// White space is what Python's str.strip takes away, no-break spaces included.
// Lines end with \n, with or without a \r before it; a lone \r is a byte like
// any other.
package inifile

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind says what a line is.
type Kind int

// The kinds of lines.
const (
	Blank        Kind = iota
	Comment           // a whole line
	Header            // [name]
	Option            // key = value, or key: value
	Continuation      // an indented line below an option; Name and the value are set where it holds a delimiter
	Junk              // anything else
)

// Line is one physical line.
type Line struct {
	Kind   Kind
	Number int // from 1
	// Start and End are the line's bytes in the source; End includes the line's
	// terminator, if it has one.
	Start, End int
	// Indent is the length in bytes of the white space before the text.
	Indent int
	// Name is a header's text up to the first closing bracket, as it stands, or an
	// option's key in lower case.
	Name string
	// Full is a header's text up to the last closing bracket of the line, which is
	// where botocore ends it; Name and Full differ in [a]b] and in [a] # see [b].
	Full string
	// ValueStart and ValueEnd are an option's value without the blanks around it.
	ValueStart, ValueEnd int
	// Ambiguous is set for an indented header below an option: botocore takes it
	// for a continuation, the SDKs take it for a header.
	Ambiguous bool
}

// Section is a header and all lines up to the next header.
type Section struct {
	Name  string
	Lines []Line // Lines[0] is the header
}

// Start and End are the section's bytes in the source.
func (s Section) Start() int { return s.Lines[0].Start }

// End is where the next header starts, or the end of the file.
func (s Section) End() int { return s.Lines[len(s.Lines)-1].End }

// Option gives the first option of that key (lower case).
func (s Section) Option(key string) (Line, bool) {
	for _, l := range s.Lines {
		if l.Kind == Option && l.Name == key {
			return l, true
		}
	}
	return Line{}, false
}

// File is a scanned source.
type File struct {
	Src      []byte
	BOM      bool   // the source starts with a UTF-8 byte order mark
	Preamble []Line // the lines before the first header
	Sections []Section
}

// Value gives an option's value as it stands in the source.
func (f File) Value(l Line) string { return string(f.Src[l.ValueStart:l.ValueEnd]) }

// Text gives a line without its terminator.
func (f File) Text(l Line) string {
	return string(bytes.TrimRight(f.Src[l.Start:l.End], "\r\n"))
}

// Find gives the sections of that name, in order.
func (f File) Find(name string) []Section {
	var found []Section
	for _, s := range f.Sections {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// EOL gives the line terminator of the first line, "\n" where there is none.
func (f File) EOL() string {
	if i := bytes.IndexByte(f.Src, '\n'); i > 0 && f.Src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

var bom = []byte("\xef\xbb\xbf")

// Scan reads src, which it keeps. It takes any bytes.
func Scan(src []byte) File {
	f := File{Src: src, BOM: bytes.HasPrefix(src, bom)}
	off := 0
	if f.BOM {
		off = len(bom)
	}
	// All sections share one array of lines; a file has thousands.
	lines := make([]Line, 0, bytes.Count(src, []byte("\n"))+1)
	first := 0   // of the section at hand, or of the preamble
	option := -1 // indent, in characters, of the option that a continuation would belong to
	flush := func() {
		part := lines[first:len(lines):len(lines)]
		first = len(lines)
		if n := len(f.Sections); n > 0 {
			f.Sections[n-1].Lines = part
		} else if len(part) > 0 {
			f.Preamble = part
		}
	}
	for number := 1; off < len(src); number++ {
		l := Line{Number: number, Start: off, End: len(src)}
		if i := bytes.IndexByte(src[off:], '\n'); i >= 0 {
			l.End = off + i + 1
		}
		off = l.End
		option = classify(src, &l, option)
		if l.Kind == Header {
			flush()
			f.Sections = append(f.Sections, Section{Name: l.Name})
		}
		lines = append(lines, l)
	}
	flush()
	return f
}

// classify fills in everything but the line's position. It takes and gives the
// indent of the option that the next line may continue, -1 for none.
func classify(src []byte, l *Line, option int) int {
	text := bytes.TrimRight(src[l.Start:l.End], "\r\n")
	trimmed := bytes.TrimLeftFunc(text, isSpace)
	l.Indent = len(text) - len(trimmed)
	body := bytes.TrimRightFunc(trimmed, isSpace)
	column := utf8.RuneCount(text[:l.Indent])
	below := option >= 0 && column > option
	switch {
	case len(body) == 0:
		l.Kind = Blank
	case body[0] == '#' || body[0] == ';':
		l.Kind = Comment
	case splitHeader(l, body):
		l.Kind, l.Ambiguous = Header, below
		return -1
	case below:
		l.Kind = Continuation
		splitOption(l, body)
	case splitOption(l, body):
		l.Kind = Option
		return column
	default:
		l.Kind = Junk
	}
	return option
}

// splitHeader sets the names of "[name]", where body is the line without the
// white space around it. What follows the bracket is nobody's concern here.
func splitHeader(l *Line, body []byte) bool {
	if body[0] != '[' {
		return false
	}
	last := bytes.LastIndexByte(body, ']')
	if last < 2 {
		return false
	}
	l.Full = string(body[1:last])
	l.Name, _, _ = strings.Cut(l.Full, "]")
	if l.Name == "" {
		l.Name = l.Full
	}
	return true
}

// splitOption sets the key and the value of "key = value", where body is the
// line without the white space around it.
func splitOption(l *Line, body []byte) bool {
	d := bytes.IndexAny(body, "=:")
	if d < 1 {
		return false
	}
	l.Name = strings.ToLower(string(bytes.TrimRightFunc(body[:d], isSpace)))
	value := bytes.TrimLeftFunc(body[d+1:], isSpace)
	l.ValueEnd = l.Start + l.Indent + len(body)
	l.ValueStart = l.ValueEnd - len(value)
	return true
}

// isSpace is Python's idea of white space, which has the four ASCII separators
// more than Unicode's.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
