package credfile

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// disabledMark begins a line that was taken out of use.
const disabledMark = "# mfad: "

// Restore brings the lines back into use that a [Claim] disabled in these
// sections, in both files; names are those of the profiles in AWS's files. A line
// whose key the section has again stays a comment. Errors are those of
// [Files.Apply].
func (f *Files) Restore(ctx context.Context, names []string) (restored bool, err error) {
	for path, read := range map[string]reading{f.Config: readConfig, f.Credentials: readCredentials} {
		written, e := f.edit(ctx, path, func(d *document) ([]byte, error) { return planRestore(d, names, read) })
		restored, err = restored || written, errors.Join(err, e)
	}
	return restored, err
}

// commented puts the mark before the lines of these keys, by section.
func commented(d *document, disable map[int]map[string]bool, read reading) ([]byte, error) {
	out := make([]byte, 0, len(d.Src)+256)
	last := 0
	for i := range d.Sections {
		d.options(i, func(name string, lines []inifile.Line) {
			if !disable[i][name] {
				return
			}
			for _, l := range lines {
				out = append(append(out, d.Src[last:l.Start]...), disabledMark...)
				last = l.Start
			}
		})
	}
	out = append(out, d.Src[last:]...)
	return out, marked(d, newDocument(d.path, out, read), disable)
}

// marked reads the result as if it were somebody else's: nothing but the disabled
// keys is gone, and to take the marks away gives what was there.
func marked(d, after *document, disable map[int]map[string]bool) error {
	err := asError(after.refused)
	if err == nil && len(after.Sections) != len(d.Sections) {
		err = errors.New("a section came or went")
	}
	for i := 0; err == nil && i < len(d.Sections); i++ {
		want := d.others(i, &edit{drop: disable[i]})
		if got := after.others(i, &edit{}); got != want {
			err = errors.New("another key changed in " + d.label(i))
		}
	}
	if err == nil {
		return nil
	}
	return &creds.Error{Code: creds.CodeInternal, Op: "edit " + d.path + ": the result would not be read as meant; the file is unchanged",
		Hint: "report this, with the file's lines but without their values", Err: err}
}

// disabledKey gives the key that a comment holds out of use, "" for any other line.
func (d *document) disabledKey(l inifile.Line) string {
	text, ok := strings.CutPrefix(d.Text(l), disabledMark)
	if l.Kind != inifile.Comment || !ok {
		return ""
	}
	end := strings.IndexAny(text, "=:")
	if end < 0 {
		return ""
	}
	if key := strings.ToLower(strings.TrimSpace(text[:end])); Disables(key) {
		return key
	}
	return ""
}

// hasDisabled tells whether section i holds a key out of use.
func (d *document) hasDisabled(i int) bool {
	return slices.ContainsFunc(d.Sections[i].Lines, func(l inifile.Line) bool { return d.disabledKey(l) != "" })
}

// planRestore takes the marks away.
func planRestore(d *document, names []string, read reading) ([]byte, error) {
	if d.refused != nil {
		if !bytes.Contains(d.Src, []byte(disabledMark)) {
			return d.Src, nil
		}
		return nil, d.refused
	}
	var out []byte
	last := 0
	for _, i := range d.restorable(names, read) {
		back := map[string]bool{}
		open := -1 // the indent of the key above that came back, which this line may continue
		for _, l := range d.Sections[i].Lines {
			key := d.disabledKey(l)
			text, isMarked := strings.CutPrefix(d.Text(l), disabledMark)
			indent := len(text) - len(strings.TrimLeft(text, " \t"))
			if continues := isMarked && open >= 0 && indent > open; !continues {
				if _, has := d.Sections[i].Option(key); key == "" || has || back[key] {
					open = -1
					continue
				}
				open = indent
			}
			back[key] = true
			out = append(out, d.Src[last:l.Start]...)
			last = l.Start + len(disabledMark)
		}
	}
	out = append(out, d.Src[last:]...)
	if after := newDocument(d.path, out, read); after.refused != nil {
		return nil, &creds.Error{Code: creds.CodeConflict, Op: d.path + ": what mfad took out of use cannot come back: " + after.refused.Op,
			Hint: "take the words " + quoted(strings.TrimSpace(disabledMark)) + " out of the lines by hand"}
	}
	return out, nil
}

// restorable gives the sections of these names that have keys out of use, in the
// file's order.
func (d *document) restorable(names []string, read reading) []int {
	var found []int
	for i := range d.Sections {
		if slices.Contains(names, nameOf(d, i, read)) && d.hasDisabled(i) {
			found = append(found, i)
		}
	}
	return found
}
