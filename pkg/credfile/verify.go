package credfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/ini.v1"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// verify reads next as if it were somebody else's and tells whether it differs
// from d in what was asked for and in nothing else. What it finds is a fault of
// mfad's; the file is left alone then.
func verify(d *document, next []byte, edits map[int]*edit, added []addition, read reading) error {
	after := newDocument(d.path, next, read)
	err := asError(after.refused)
	if err == nil {
		err = sameText(d, after, edits, added)
	}
	if err == nil {
		err = sameKeys(d, after, edits, added)
	}
	if err == nil {
		return nil
	}
	return &creds.Error{
		Code: creds.CodeInternal,
		Op:   "edit " + d.path + ": the result would not be read as meant; the file is unchanged",
		Hint: "report this, with the file's lines but without their values",
		Err:  err,
	}
}

// sameText compares everything that is not mfad's: the comments of the whole
// file, and the other sections byte for byte but for blank lines and comments at
// their end, where a section above or below may have come or gone.
func sameText(d, after *document, edits map[int]*edit, added []addition) error {
	if !slices.Equal(comments(d), comments(after)) {
		return errors.New("a comment changed")
	}
	mine := make(map[string]bool, len(edits)+len(added))
	for i := range edits {
		mine[d.Sections[i].Lines[0].Full] = true
	}
	for _, a := range added {
		mine[a.header] = true
	}
	was, is := foreign(d, mine), foreign(after, mine)
	if len(was) != len(is) {
		return fmt.Errorf("%d sections became %d", len(was), len(is))
	}
	for i := range was {
		if !bytes.Equal(was[i], is[i]) {
			return fmt.Errorf("another section changed, the %dth", i+1)
		}
	}
	return nil
}

func comments(d *document) []string {
	var found []string
	note := func(lines []inifile.Line) {
		for _, l := range lines {
			if l.Kind == inifile.Comment {
				found = append(found, d.Text(l))
			}
		}
	}
	note(d.Preamble)
	for _, s := range d.Sections {
		note(s.Lines)
	}
	return found
}

// foreign gives the bytes of the sections not in mine, up to the end of the last
// line that is a header or belongs to a key.
func foreign(d *document, mine map[string]bool) [][]byte {
	var found [][]byte
	for _, s := range d.Sections {
		if mine[s.Lines[0].Full] {
			continue
		}
		end := s.Start()
		for _, l := range s.Lines {
			if l.Kind != inifile.Blank && l.Kind != inifile.Comment {
				end = l.End
			}
		}
		found = append(found, bytes.TrimRight(d.Src[s.Start():end], "\r\n"))
	}
	return found
}

// sameKeys compares the sections that were edited or added: mfad's keys have the
// values meant, to this package's scanner and to ini.v1, and the user's keys are
// what they were.
func sameKeys(d, after *document, edits map[int]*edit, added []addition) error {
	index := make(map[string]int, len(after.Sections))
	for i, s := range after.Sections {
		index[s.Lines[0].Full] = i
	}
	check := newRereader(after)
	for i, e := range edits {
		name := d.Sections[i].Lines[0].Full
		n, there := index[name]
		if !there {
			if e.removes(d, i) {
				continue
			}
			return fmt.Errorf("[%s] is gone", name)
		}
		if was, is := d.others(i, e), after.others(n, e); was != is {
			return fmt.Errorf("a key of the user's changed in [%s]", name)
		}
		if err := check.add(n, e.set); err != nil {
			return err
		}
	}
	for _, a := range added {
		n, there := index[a.header]
		if !there {
			return fmt.Errorf("[%s] did not come", a.header)
		}
		if err := check.add(n, a.keys); err != nil {
			return err
		}
	}
	return check.run()
}

// others gives the lines of section i's keys that e does not concern.
func (d *document) others(i int, e *edit) string {
	var b strings.Builder
	d.options(i, func(name string, lines []inifile.Line) {
		if _, set := lookup(e.set, name); !set && !e.drop[name] {
			b.WriteString(d.join(lines))
		}
	})
	return b.String()
}

// rereader collects mfad's lines of a file to read them with ini.v1, whose parser
// shares nothing with the one that placed them. The user's lines are left out:
// some that AWS's tools take are errors to ini.v1.
type rereader struct {
	d    *document
	text bytes.Buffer
	want map[string][]Key
}

func newRereader(d *document) *rereader { return &rereader{d: d, want: map[string][]Key{}} }

// add takes section i, which shall have the keys.
func (r *rereader) add(i int, keys []Key) error {
	s := r.d.Sections[i]
	fmt.Fprintf(&r.text, "[%s]\n", s.Lines[0].Full)
	n := 0
	var err error
	r.d.options(i, func(name string, lines []inifile.Line) {
		value, set := lookup(keys, name)
		if !set {
			return
		}
		n++
		r.text.WriteString(strings.TrimSpace(r.d.Text(lines[0])) + "\n")
		if len(lines) > 1 || r.d.Value(lines[0]) != value {
			err = fmt.Errorf("%s in [%s] reads otherwise", name, s.Lines[0].Full)
		}
	})
	if n != len(keys) {
		return fmt.Errorf("[%s] has %d of %d keys", s.Lines[0].Full, n, len(keys))
	}
	r.want[s.Lines[0].Full] = keys
	return err
}

// run reads what was collected. Every convenience of ini.v1 is off. It does not
// wrap ini.v1's errors, which quote the line.
func (r *rereader) run() error {
	f, err := ini.LoadSources(ini.LoadOptions{
		IgnoreInlineComment:     true,
		PreserveSurroundedQuote: true,
		IgnoreContinuation:      true,
		KeyValueDelimiters:      "=:",
		ChildSectionDelimiter:   "\x00",
		Loose:                   false,
	}, r.text.Bytes())
	if err != nil {
		return errors.New("ini.v1 does not read mfad's lines")
	}
	for name, keys := range r.want {
		for _, k := range keys {
			got := ""
			for _, have := range f.Section(name).Keys() {
				if strings.EqualFold(have.Name(), k.Name) {
					got = have.Value()
				}
			}
			if got != k.Value {
				return fmt.Errorf("%s in [%s] reads otherwise to ini.v1", k.Name, name)
			}
		}
	}
	return nil
}
