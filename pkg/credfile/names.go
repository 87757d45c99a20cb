package credfile

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// maxName is the longest section name that mfad writes, in bytes.
const maxName = 64

// validName tells whether every tool reads [name] as exactly this section.
func validName(name string) bool {
	if name == "" || len(name) > maxName || name == "DEFAULT" {
		return false
	}
	for _, c := range []byte(name) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && !strings.ContainsRune("_./@+=,:-", rune(c)) {
			return false
		}
	}
	return true
}

// validValue tells whether every tool reads `key = value` back as exactly this:
// one line, without what botocore trims, what the SDKs cut off as a comment, and
// the quotes that they take away.
func validValue(v string) bool {
	if v == "" || v != strings.TrimSpace(v) || !printable(v) {
		return false
	}
	for _, cut := range []string{" #", " ;"} {
		if strings.Contains(v, cut) {
			return false
		}
	}
	if v[0] == '#' || v[0] == ';' {
		return false
	}
	first, last := v[0], v[len(v)-1]
	return first != last || first != '"' && first != '\''
}

// printable tells whether s is UTF-8 text without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// sdkHeader gives a section's name as the AWS SDKs read a header line: cut at the
// first # or ;, trimmed, in brackets to its very end. Where it says false the
// SDKs take the line for something else and the keys below it for the section
// above.
func sdkHeader(text string) (name string, ok bool) {
	text, _, _ = strings.Cut(text, "#")
	text, _, _ = strings.Cut(text, ";")
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "]") || len(text) < 2 {
		return "", false
	}
	return strings.TrimSpace(text[1 : len(text)-1]), true
}

// readCredentials is the reading of the shared credentials file.
func readCredentials(full, text string) (botocore, sdk string) {
	name, _ := sdkHeader(text)
	return full, name
}

// readConfig is the reading of the AWS config file: [default], any spelling of it
// for the SDKs, and [profile NAME], whose words botocore splits as a shell does.
func readConfig(full, text string) (botocore, sdk string) {
	switch words := strings.Fields(unquote(full)); {
	case full == "default":
		botocore = "default"
	case strings.HasPrefix(full, "profile") && len(words) == 2:
		botocore = words[1]
	}
	name, _ := sdkHeader(text)
	switch words := strings.Fields(name); {
	case strings.EqualFold(name, "default"):
		sdk = "default"
	case len(words) == 2 && words[0] == "profile":
		sdk = words[1]
	}
	return botocore, sdk
}

// unquote takes the quotes out of a header. That is not all that a shell does,
// but enough to see that a name which needs none is meant.
func unquote(s string) string { return strings.NewReplacer(`"`, "", `'`, "", `\`, "").Replace(s) }

// find gives the section that all tools know as the profile name, -1 if there is
// none. Where they disagree it is a conflict.
func (d *document) find(name string, read reading) (int, *creds.Error) {
	found := d.profiles[name]
	if len(found) == 0 {
		return -1, nil
	}
	if len(found) > 1 {
		return -1, conflict(d.path, d.header(found[1]),
			d.label(found[1])+" and "+d.label(found[0])+" are both read as "+quoted(name)+", by different tools",
			"keep one of the two sections")
	}
	i := found[0]
	a, b := read(d.Sections[i].Lines[0].Full, d.Text(d.Sections[i].Lines[0]))
	if a != name || b != name {
		return -1, conflict(d.path, d.header(i), d.label(i)+" is read as "+quoted(name)+" by some tools only",
			"write the header without quotes, blanks and comments, or rename the section")
	}
	return i, nil
}

// bleeds tells whether some tool reads the section below i as part of section i:
// the AWS SDKs where its header is none to them, botocore where it is indented
// more than the keys that mfad writes above it.
func (d *document) bleeds(i int) *creds.Error {
	if i+1 >= len(d.Sections) {
		return nil
	}
	next := d.Sections[i+1].Lines[0]
	if next.Indent > 0 && d.optionCount(i) == 0 {
		return conflict(d.path, next.Number, "an indented header, which would continue what mfad writes in "+d.label(i)+" above", "remove the blanks before the header")
	}
	if _, ok := sdkHeader(d.Text(next)); ok {
		return nil
	}
	return conflict(d.path, next.Number, "the AWS SDKs do not take this line for a header and read the keys below it as part of "+d.label(i),
		"rename that section: only letters, digits and _./@+=,:- between the brackets, nothing but a comment after them")
}

func quoted(s string) string { return `"` + s + `"` }

// inTheWay gives the first line of section i, or of [DEFAULT], with a key that
// stops takes.
func (d *document) inTheWay(i int, stops func(key string) bool) (line int, key, section string, found bool) {
	for _, s := range []int{i, d.inherit} {
		if s < 0 {
			continue
		}
		for _, l := range d.Sections[s].Lines {
			if l.Kind == inifile.Option && stops(l.Name) {
				return l.Number, l.Name, d.label(s), true
			}
		}
	}
	return 0, "", "", false
}
