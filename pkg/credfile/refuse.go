package credfile

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// refusal tells why botocore, and so the AWS CLI, would read nothing at all of
// the file: Python's configparser in its strict mode, in UTF-8, plus botocore's
// own rule for nested blocks (botocore, configloader.py; Python documentation,
// configparser). It also refuses what tools split into lines differently. Nil
// means that every section can be read.
func refusal(d *document) *creds.Error {
	if e := badEncoding(d); e != nil {
		return e
	}
	for _, l := range d.Preamble {
		if l.Kind != inifile.Blank && l.Kind != inifile.Comment {
			return refuse(d, l.Number, "a line before the first section", "move the line below a [section], or put # before it")
		}
	}
	names := make(map[string]int, len(d.Sections))
	inherited := map[string]int{} // [DEFAULT] may come again, its keys may not
	for i, s := range d.Sections {
		h := s.Lines[0]
		keys := map[string]int{}
		if h.Ambiguous {
			return refuse(d, h.Number, "an indented header, which continues the value above", "remove the blanks before the header")
		}
		if first, again := names[h.Full]; again && h.Full != "DEFAULT" {
			return refuse(d, h.Number, fmt.Sprintf("the section %s again, first in line %d", d.label(i), first),
				"move the keys into one section and delete the other")
		}
		if h.Full == "DEFAULT" {
			keys = inherited
		}
		names[h.Full] = h.Number
		if e := badSection(d, s, keys); e != nil {
			return e
		}
	}
	return nil
}

func refuse(d *document, line int, what, hint string) *creds.Error {
	return conflict(d.path, line, what+"; the AWS CLI refuses the whole file", hint)
}

// badEncoding looks at the bytes. Lines are counted by \n.
func badEncoding(d *document) *creds.Error {
	src := d.Src
	at := func(offset int) int { return 1 + bytes.Count(src[:offset], []byte("\n")) }
	const resave = "save the file as UTF-8 without a byte order mark"
	if d.BOM {
		return refuse(d, 1, "a byte order mark", resave)
	}
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		return refuse(d, 1, "UTF-16 text", resave)
	}
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return refuse(d, at(i), "a NUL byte", "delete the line, or restore the file")
	}
	if !utf8.Valid(src) {
		return refuse(d, at(invalid(src)), "bytes that are not UTF-8", resave)
	}
	for i := bytes.IndexByte(src, '\r'); i >= 0; {
		if i+1 == len(src) || src[i+1] != '\n' {
			return conflict(d.path, at(i), "a carriage return inside a line, which tools read differently",
				"save the file with the line ends of this system")
		}
		next := bytes.IndexByte(src[i+1:], '\r')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return nil
}

// invalid gives the offset of the first byte that is not UTF-8.
func invalid(src []byte) int {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(src)
}

// badSection looks at one section's lines; keys has the lines of those seen.
func badSection(d *document, s inifile.Section, keys map[string]int) *creds.Error {
	nested := false // below a key without a value
	for _, l := range s.Lines {
		switch l.Kind {
		case inifile.Junk:
			return refuse(d, l.Number, "neither a section, nor a key, nor a comment", junkHint(d.Text(l)))
		case inifile.Option:
			if first, again := keys[l.Name]; again {
				return refuse(d, l.Number, fmt.Sprintf("the key %s again, first in line %d", l.Name, first), "delete one of the two lines")
			}
			keys[l.Name] = l.Number
			nested = l.ValueStart == l.ValueEnd
		case inifile.Continuation:
			if nested && !nestedBlock(d.Text(l)) {
				return refuse(d, l.Number, "a line without = in a nested block", "write it as key = value, or put # before it")
			}
		}
	}
	return nil
}

func junkHint(text string) string {
	switch text = strings.TrimSpace(text); {
	case strings.HasPrefix(text, "[]"):
		return "give the section a name"
	case strings.HasPrefix(text, "["):
		return "close the bracket"
	}
	return "put # before the line, or write it as key = value"
}

// nestedBlock tells whether every part of an indented line is `key = value`.
// Python splits there at more characters than \n.
func nestedBlock(text string) bool {
	breaks := func(r rune) bool {
		return r == '\v' || r == '\f' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
	}
	for _, part := range strings.FieldsFunc(text, breaks) {
		if strings.TrimSpace(part) != "" && !strings.Contains(part, "=") {
			return false
		}
	}
	return true
}
