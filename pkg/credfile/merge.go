package credfile

import (
	"bytes"

	"github.com/mfad/mfad/pkg/inifile"
)

// merge gives current with what changed from base to late: whole sections where
// current has base's, single keys where both sides changed a section. What both
// changed stays as current has it, mfad's own keys first of all.
func merge(base, late, current *document) []byte {
	out := pickPreamble(base, late, current)
	eol := current.EOL()
	was, is := sectionIndex(base), sectionIndex(late)
	for i, s := range current.Sections {
		name := s.Lines[0].Full
		b, inBase := was[name]
		l, inLate := is[name]
		mine := current.Src[s.Start():s.End()]
		switch {
		case !inLate && inBase && alike(base.bytes(b), mine):
			continue // deleted there, untouched here
		case !inLate, inBase && alike(base.bytes(b), late.bytes(l)):
			out = append(endLine(out, eol), mine...)
		case inBase && alike(base.bytes(b), mine):
			out = append(endLine(out, eol), late.bytes(l)...)
		default:
			if !inBase {
				b = -1
			}
			out = mergeKeys(endLine(out, eol), base, b, late, l, current, i)
		}
	}
	here := sectionIndex(current)
	for l, s := range late.Sections {
		name := s.Lines[0].Full
		b, inBase := was[name]
		if _, inCurrent := here[name]; inCurrent || inBase && alike(base.bytes(b), late.bytes(l)) {
			continue
		}
		if _, ours := late.owner(l); ours && inBase {
			continue // mfad removed it on purpose
		}
		out = append(endLine(out, eol), late.bytes(l)...)
	}
	return out
}

// pickPreamble gives what stands before the first section.
func pickPreamble(base, late, current *document) []byte {
	b, l, c := base.preamble(), late.preamble(), current.preamble()
	if !alike(b, l) && alike(b, c) {
		return bytes.Clone(l)
	}
	return bytes.Clone(c)
}

func (d *document) preamble() []byte {
	if len(d.Sections) == 0 {
		return d.Src
	}
	return d.Src[:d.Sections[0].Start()]
}

func (d *document) bytes(i int) []byte {
	return d.Src[d.Sections[i].Start():d.Sections[i].End()]
}

func sectionIndex(d *document) map[string]int {
	m := make(map[string]int, len(d.Sections))
	for i, s := range d.Sections {
		m[s.Lines[0].Full] = i
	}
	return m
}

// alike compares but for line ends, which the AWS CLI rewrites, and blank lines
// at the end, which come and go with the next section.
func alike(a, b []byte) bool {
	clean := func(x []byte) []byte {
		return bytes.TrimRight(bytes.ReplaceAll(x, []byte("\r\n"), []byte("\n")), " \t\n")
	}
	return bytes.Equal(clean(a), clean(b))
}

// mergeKeys appends section c of current with the keys that changed from section
// b of base (-1: none) to section l of late, where current still has base's.
func mergeKeys(out []byte, base *document, b int, late *document, l int, current *document, c int) []byte {
	before := blocks(base, b)
	after := blocks(late, l)
	now := blocks(current, c)
	replace := map[string]string{} // "" takes the key away
	var added []string
	for name, text := range after {
		if text == before[name] || now[name] != before[name] {
			continue
		}
		replace[name] = text
		if now[name] == "" {
			added = append(added, name)
		}
	}
	for name, text := range before {
		if after[name] == "" && now[name] == text {
			replace[name] = ""
		}
	}
	return rewriteKeys(out, current, c, replace, added)
}

// blocks gives the text of each key of section i with its continuation lines.
func blocks(d *document, i int) map[string]string {
	m := map[string]string{}
	if i >= 0 {
		d.options(i, func(name string, lines []inifile.Line) { m[name] = d.join(lines) })
	}
	return m
}

// rewriteKeys appends section i with the keys replaced by other lines. Added ones
// come below the section's last key.
func rewriteKeys(out []byte, d *document, i int, replace map[string]string, added []string) []byte {
	lines := d.Sections[i].Lines
	end := 0 // of the last line that belongs to a key
	for n, l := range lines {
		if l.Kind == inifile.Option || l.Kind == inifile.Continuation {
			end = n
		}
	}
	eol := d.EOL()
	write := func(text string) {
		out = append(endLine(out, eol), bytes.ReplaceAll([]byte(text), []byte("\n"), []byte(eol))...)
	}
	skip := false
	for n, l := range lines {
		if l.Kind == inifile.Option {
			text, hit := replace[l.Name]
			skip = hit
			if hit {
				write(text)
			}
		}
		if !skip || l.Kind != inifile.Option && l.Kind != inifile.Continuation {
			out = append(out, d.Src[l.Start:l.End]...)
		}
		if n == end {
			for _, name := range added {
				write(replace[name])
			}
		}
	}
	return out
}
