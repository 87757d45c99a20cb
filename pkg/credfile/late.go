package credfile

import (
	"bytes"
	"strings"

	"github.com/mfad/mfad/pkg/inifile"
)

// lines counts what a file says, each line by what it is rather than by its value:
// a header, a key of its section, a line of a nested block, a comment. last is the
// one that stands last. Blank lines do not count.
func lines(src []byte) (all map[string]int, last string) {
	file := inifile.Scan(src)
	all = map[string]int{}
	note := func(parts ...string) {
		last = strings.Join(parts, "\x00")
		all[last]++
	}
	section, key := "", ""
	each := func(in []inifile.Line) {
		for _, l := range in {
			switch l.Kind {
			case inifile.Blank:
			case inifile.Header:
				section, key = l.Full, ""
				note("[", section)
			case inifile.Option:
				key = l.Name
				note("[", section, key)
			case inifile.Continuation:
				name := l.Name
				if name == "" {
					name = file.Text(l)
				}
				note("[", section, key, name)
			default:
				note("#", strings.TrimSpace(file.Text(l)))
			}
		}
	}
	each(file.Preamble)
	for _, s := range file.Sections {
		each(s.Lines)
	}
	return all, last
}

// cutOff tells whether late looks like base, or a changed base, of which only the
// beginning has been written: it is the beginning of base, or lacks what stood last
// there, or stops within a line. A program that removes the end of the file on
// purpose looks the same.
func cutOff(base, late []byte) bool {
	b, l := bytes.TrimSpace(base), bytes.TrimSpace(late)
	if len(l) < len(b) && bytes.HasPrefix(b, l) {
		return true
	}
	whole, last := lines(base)
	written, _ := lines(late)
	if written[last] < whole[last] {
		return true
	}
	return bytes.HasSuffix(base, []byte("\n")) && !bytes.HasSuffix(late, []byte("\n")) &&
		!bytes.Equal(lastText(b), lastText(l))
}

// lastText is the last line of text that has no white space at its end.
func lastText(text []byte) []byte { return text[bytes.LastIndexByte(text, '\n')+1:] }

// loses tells whether late lacks a section, a key or a comment that base has.
func loses(base, late []byte) bool {
	had, _ := lines(base)
	has, _ := lines(late)
	for line, n := range had {
		if has[line] < n {
			return true
		}
	}
	return false
}
