// Package inifile finds the lines, sections and keys in the bytes of an INI
// file, with byte offsets and line numbers, so that a caller can say where
// something stands and replace exactly that. It interprets no value, changes no
// byte and opens no file. gopkg.in/ini.v1 reads values elsewhere; it knows no
// line numbers and hides duplicates, which is why this scanner exists.
//
// The grammar is the union of what botocore's configparser and the AWS SDKs
// take: comments are whole lines that start with # or ; (indented or not), keys
// end at the first = or :, an indented line below a key continues that key.
package inifile

import (
	"bytes"
	"strings"
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
	// Indent counts the blanks and tabs before the first other byte.
	Indent int
	// Name is a header's text between the brackets, as it stands, or an option's
	// key in lower case.
	Name string
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
	option := -1 // indent of the option that a continuation would belong to
	for number := 1; off < len(src); number++ {
		l := Line{Number: number, Start: off, End: len(src)}
		if i := bytes.IndexByte(src[off:], '\n'); i >= 0 {
			l.End = off + i + 1
		}
		off = l.End
		classify(src, &l, option)
		switch l.Kind {
		case Header:
			option = -1
			f.Sections = append(f.Sections, Section{Name: l.Name})
		case Option:
			option = l.Indent
		}
		if n := len(f.Sections); n > 0 {
			f.Sections[n-1].Lines = append(f.Sections[n-1].Lines, l)
		} else {
			f.Preamble = append(f.Preamble, l)
		}
	}
	return f
}

// classify fills in everything but the line's position.
func classify(src []byte, l *Line, option int) {
	text := string(bytes.TrimRight(src[l.Start:l.End], "\r\n"))
	body := strings.TrimLeft(text, " \t")
	l.Indent = len(text) - len(body)
	body = strings.TrimRight(body, " \t\v\f\r")
	switch {
	case strings.TrimSpace(body) == "":
		l.Kind = Blank
	case body[0] == '#' || body[0] == ';':
		l.Kind = Comment
	case body[0] == '[' && strings.IndexByte(body, ']') > 1:
		l.Kind = Header
		l.Name = body[1:strings.IndexByte(body, ']')]
		l.Ambiguous = option >= 0 && l.Indent > option
	case option >= 0 && l.Indent > option:
		l.Kind = Continuation
		splitOption(l, body)
	case splitOption(l, body):
		l.Kind = Option
	default:
		l.Kind = Junk
	}
}

// splitOption sets the key and the value of "key = value", where body is the
// line without the blanks around it.
func splitOption(l *Line, body string) bool {
	d := strings.IndexAny(body, "=:")
	if d < 1 || strings.TrimSpace(body[:d]) == "" {
		return false
	}
	l.Name = strings.ToLower(strings.TrimSpace(body[:d]))
	value := strings.TrimLeft(body[d+1:], " \t")
	l.ValueEnd = l.Start + l.Indent + len(body)
	l.ValueStart = l.ValueEnd - len(value)
	return true
}
