package profile

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"gopkg.in/ini.v1"

	"github.com/mfad/mfad/pkg/inifile"
)

// The kinds of sections.
const (
	kindDefaults = "defaults"
	kindIdentity = "identity"
	kindProfile  = "profile"
)

// value is what one line sets.
type value struct {
	text string
	file string
	line int
}

// section is what all lines of one header set, in one file or, merged, in both.
type section struct {
	kind, name string // name is empty for defaults
	file       string
	line       int
	order      []string // keys as they stand
	values     map[string]value
}

// title is the header as it is written in messages.
func (s *section) title() string { return "[" + strings.TrimSpace(s.kind+" "+s.name) + "]" }

// source turns the bytes of one file into sections. Two readers look at it: the
// scanner says where everything stands and what is there twice, ini.v1 reads
// the values. Lines that the two could take differently are refused before.
type source struct {
	*problems
	file  string
	scan  inifile.File
	plain []byte         // the source with every refused line blanked out
	first map[string]int // the line of each title's first header
}

func parseSource(ps *problems, file string, data []byte) []*section {
	if !utf8.Valid(data) {
		ps.add(file, 1+bytes.Count(validPrefix(data), []byte("\n")), "this is not UTF-8 text", "save the file as UTF-8")
		return nil
	}
	s := &source{problems: ps, file: file, scan: inifile.Scan(data), plain: bytes.Clone(data), first: map[string]int{}}
	for _, l := range s.scan.Preamble {
		s.preamble(l)
	}
	var found []*section
	kept := map[*section]inifile.Section{}
	for _, in := range s.scan.Sections {
		sec := s.header(in)
		for _, l := range in.Lines[1:] {
			s.line(sec, l)
		}
		if sec != nil {
			found = append(found, sec)
			kept[sec] = in
		}
	}
	s.read(found, kept)
	return found
}

func validPrefix(data []byte) []byte {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return data[:i]
		}
		i += n
	}
	return data
}

// drop takes bytes away from what ini.v1 sees, without moving any line.
func (s *source) drop(start, end int) {
	for i := start; i < end; i++ {
		if s.plain[i] != '\n' {
			s.plain[i] = ' '
		}
	}
}

// reject reports a line and drops it.
func (s *source) reject(l inifile.Line, msg, hint string) {
	s.add(s.file, l.Number, msg, hint)
	s.drop(l.Start, l.End)
}

const junkHint = "write key = value, or begin the line with # to make it a comment"

func (s *source) preamble(l inifile.Line) {
	switch l.Kind {
	case inifile.Option, inifile.Continuation:
		s.reject(l, fmt.Sprintf("%s stands before the first section", quoted(l.Name)),
			"put it below [defaults], [identity NAME] or [profile NAME]")
	case inifile.Junk:
		s.reject(l, "this line is neither a section, a key nor a comment", junkHint)
	}
}

// header gives the section that in opens, nil if its keys can't be judged.
func (s *source) header(in inifile.Section) *section {
	l := in.Lines[0]
	text := s.scan.Text(l)
	closing := strings.IndexByte(text, ']')
	rest := text[closing+1:]
	// ini.v1 looks for the last ] in the line, which may be in a comment.
	s.drop(l.Start+closing+1, l.End)
	kind, name := splitTitle(in.Name)
	sec := &section{kind: kind, name: name, file: s.file, line: l.Number, values: map[string]value{}}
	switch {
	case hasControl(text):
		s.reject(l, "there is a control character in this line", "type the line again")
		return nil
	case uncommented(rest) != "":
		s.reject(l, "there is text after the ]", "put it on a line of its own; a comment needs a blank before its # or ;")
		return nil
	case kind != kindDefaults && kind != kindIdentity && kind != kindProfile:
		s.unknownSection(l, sec)
		return nil
	case kind == kindDefaults && sec.name != "":
		s.reject(l, "[defaults] has no name", "write [defaults], or [profile "+sec.name+"]")
		return nil
	case kind != kindDefaults && sec.name == "":
		s.reject(l, sec.title()+" has no name", "write ["+kind+" NAME]")
		return nil
	}
	if first, twice := s.first[sec.title()]; twice {
		s.reject(l, fmt.Sprintf("%s is there twice, first in line %d", sec.title(), first),
			"put all its keys into one section")
		return nil
	}
	s.first[sec.title()] = l.Number
	if b, refused := errors.AsType[*bad](CheckName(sec.name)); refused && kind != kindDefaults {
		s.add(s.file, l.Number, b.msg, b.hint)
	}
	return sec
}

// splitTitle takes the text between the brackets apart.
func splitTitle(title string) (kind, name string) {
	title = strings.Trim(title, " \t")
	i := strings.IndexAny(title, " \t")
	if i < 0 {
		return title, ""
	}
	return title[:i], strings.Trim(title[i:], " \t")
}

func (s *source) unknownSection(l inifile.Line, sec *section) {
	kind := strings.ToLower(sec.kind)
	near := nearest(kind, []string{kindDefaults, kindIdentity, kindProfile})
	form := map[string]string{kindDefaults: "[defaults]", kindIdentity: "[identity NAME]", kindProfile: "[profile NAME]"}[near]
	hint := "write [profile " + sec.kind + "] or [identity " + sec.kind + "] if that is its name"
	if sec.name != "" || distance(kind, near) <= 2 {
		hint = "write " + form
	}
	s.reject(l, fmt.Sprintf("unknown section %s, the nearest known is %s", quoted(sec.title()), form), hint)
}

// line checks the form of one line below a header; sec is nil where the section
// was refused, and then only what is wrong in any section is told.
func (s *source) line(sec *section, l inifile.Line) {
	switch {
	case l.Kind == inifile.Blank || l.Kind == inifile.Comment:
		return
	case hasControl(s.scan.Text(l)):
		s.reject(l, "there is a control character in this line", "type the line again")
	case l.Kind == inifile.Continuation && l.Name == "":
		s.reject(l, "this indented line continues nothing: there are no continuation lines", "write the whole value on one line")
	case l.Kind == inifile.Junk:
		s.reject(l, "this line is neither a section, a key nor a comment", junkHint)
	case sec == nil:
		s.drop(l.Start, l.End)
	default:
		s.option(sec, l)
	}
}

func (s *source) option(sec *section, l inifile.Line) {
	text := s.scan.Value(l)
	first, twice := sec.values[l.Name]
	switch {
	case twice:
		s.reject(l, fmt.Sprintf("%s is there twice in %s, first in line %d", quoted(l.Name), sec.title(), first.line), "remove one of the two lines")
	case !isKey(sec.kind, l.Name):
		msg, hint := unknownKey(sec, l.Name)
		s.reject(l, msg, hint)
	case strings.HasPrefix(text, "`") || strings.HasPrefix(text, `"""`):
		s.reject(l, l.Name+": a value can't begin with ` or \"\"\"", "write the value without quotes around it")
	case s.empty(l):
		s.reject(l, l.Name+" has no value", "give it one, or remove the line")
	default:
		sec.values[l.Name] = value{file: s.file, line: l.Number}
		sec.order = append(sec.order, l.Name)
	}
}

// empty tells whether nothing but a comment follows the delimiter.
func (s *source) empty(l inifile.Line) bool {
	if l.ValueStart == l.ValueEnd {
		return true
	}
	before := s.scan.Src[l.ValueStart-1]
	return (before == ' ' || before == '\t') && strings.ContainsRune("#;", rune(s.scan.Src[l.ValueStart]))
}

// read fills in the values. Of ini.v1's conveniences none is left on:
// inheritance between sections is cut off by a delimiter that no line can hold,
// and Value, unlike String, interpolates nothing.
func (s *source) read(found []*section, kept map[*section]inifile.Section) {
	f, err := loadINI(s.plain)
	if err != nil {
		// ini.v1's text would show the line, and with it what may be a password.
		s.add(s.file, unreadLine(s.plain), "this line can't be read as INI", "type the line again, with plain blanks")
		return
	}
	for _, sec := range found {
		in := kept[sec]
		for key, v := range sec.values {
			raw := f.Section(in.Name).Key(key).Value()
			if i := lineOf(in, v.line); raw != s.scan.Value(in.Lines[i]) {
				s.add(s.file, v.line, "the value of "+key+" can't be read plainly", "type the line again, with plain blanks")
			}
			v.text = uncommented(raw)
			sec.values[key] = v
		}
	}
}

func loadINI(plain []byte) (*ini.File, error) {
	return ini.LoadSources(ini.LoadOptions{
		IgnoreContinuation:      true,
		IgnoreInlineComment:     true,
		PreserveSurroundedQuote: true,
		InsensitiveKeys:         true,
		KeyValueDelimiters:      "=:",
		ChildSectionDelimiter:   "\x00",
	}, plain)
}

// unreadLine gives the line at which ini.v1 stops, which it does not tell: it reads
// what stands above, and nothing that goes further.
func unreadLine(plain []byte) int {
	var ends []int
	for line := range bytes.Lines(plain) {
		last := 0
		if len(ends) > 0 {
			last = ends[len(ends)-1]
		}
		ends = append(ends, last+len(line))
	}
	n := sort.Search(len(ends)-1, func(i int) bool {
		_, err := loadINI(plain[:ends[i]])
		return err != nil
	})
	return n + 1
}

func lineOf(in inifile.Section, number int) int { return number - in.Lines[0].Number }

// uncommented cuts at the first # or ; that has a blank before it.
func uncommented(text string) string {
	for i := 1; i < len(text); i++ {
		if (text[i] == '#' || text[i] == ';') && (text[i-1] == ' ' || text[i-1] == '\t') {
			return strings.Trim(text[:i], " \t")
		}
	}
	return strings.Trim(text, " \t")
}

func hasControl(line string) bool {
	return strings.IndexFunc(line, func(r rune) bool { return r != '\t' && (r < ' ' || r == 0x7f) }) >= 0
}
