package credfile

import (
	"bytes"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// mfad's keys in the credentials file, in the order in which a section has them.
const (
	keyID        = "aws_access_key_id"
	keySecret    = "aws_secret_access_key"
	keyToken     = "aws_session_token"
	keyPrincipal = "x_principal_arn"
	keyExpires   = "x_security_token_expires"
	keyProfile   = "mfad_profile"

	// keyOldToken is boto's old name for the session token. botocore prefers it,
	// so a section that has it gets the same value there.
	keyOldToken = "aws_security_token"
)

// credentialKeys are the keys that hold credentials, or say whose they are.
func credentialKeys() []string {
	return []string{keyID, keySecret, keyToken, keyOldToken, keyPrincipal, keyExpires, keyProfile}
}

// document is one of AWS's files as it was read. It does not change.
type document struct {
	inifile.File
	path     string
	profiles map[string][]int // by the name that botocore or the SDKs give a section
	inherit  int              // the section [DEFAULT], whose keys botocore gives to all; -1 for none
	refused  *creds.Error     // why botocore reads nothing of it; nil if it does
}

// reading tells by which names botocore and the Go SDK know a section as a
// profile; "" where they don't.
type reading func(full, text string) (botocore, sdk string)

func newDocument(path string, src []byte, read reading) *document {
	d := &document{File: inifile.Scan(src), path: path, inherit: -1}
	d.profiles = make(map[string][]int, len(d.Sections))
	for i, s := range d.Sections {
		full := s.Lines[0].Full
		if full == "DEFAULT" {
			d.inherit = i
		}
		a, b := read(full, d.Text(s.Lines[0]))
		if a != "" {
			d.profiles[a] = append(d.profiles[a], i)
		}
		if b != "" && b != a {
			d.profiles[b] = append(d.profiles[b], i)
		}
	}
	d.refused = refusal(d)
	return d
}

// emptyDocument stands for a file that is not there.
func emptyDocument(path string) *document {
	return newDocument(path, nil, func(string, string) (string, string) { return "", "" })
}

// header is the line of section i's header, for messages.
func (d *document) header(i int) int { return d.Sections[i].Lines[0].Number }

// label is section i's header as it stands, such as "[prod]".
func (d *document) label(i int) string { return "[" + d.Sections[i].Lines[0].Full + "]" }

// value gives the first line of a key's value in section i, "" if it has none.
func (d *document) value(i int, key string) string {
	l, ok := d.Sections[i].Option(key)
	if !ok {
		return ""
	}
	return d.Value(l)
}

// optionCount counts section i's keys, leaving out those named.
func (d *document) optionCount(i int, except ...string) int {
	n := 0
lines:
	for _, l := range d.Sections[i].Lines {
		if l.Kind != inifile.Option {
			continue
		}
		for _, e := range except {
			if l.Name == e {
				continue lines
			}
		}
		n++
	}
	return n
}

// owner is the profile that section i belongs to, if mfad owns the section. One
// that mfad would not have named so, [DEFAULT] above all, is not mfad's.
func (d *document) owner(i int) (profile string, ok bool) {
	l, ok := d.Sections[i].Option(keyProfile)
	if !ok || !validName(d.Sections[i].Lines[0].Full) {
		return "", false
	}
	return d.Value(l), true
}

// longTerm tells whether section i holds a long-term key, or one that cannot be
// told from it. Temporary access key IDs start with ASIA, an IAM user's with AKIA
// (AWS IAM User Guide, "IAM identifiers", unique ID prefixes); keys of AWS-like
// services follow no such rule, but have no session token.
func (d *document) longTerm(i int) bool {
	id, secret := d.value(i, keyID), d.value(i, keySecret)
	switch {
	case strings.HasPrefix(id, "AKIA"):
		return true
	case id == "" && secret == "", strings.HasPrefix(id, "ASIA"):
		return false
	}
	return d.value(i, keyToken) == "" && d.value(i, keyOldToken) == ""
}

// managed gives what section i holds, if mfad owns it.
func (d *document) managed(i int) (Section, bool) {
	profile, ok := d.owner(i)
	if !ok || d.longTerm(i) {
		return Section{}, false
	}
	s := Section{Name: d.Sections[i].Lines[0].Full, Profile: profile}
	id, secret, token := d.value(i, keyID), d.value(i, keySecret), d.value(i, keyToken)
	if id == "" || secret == "" || token == "" {
		return s, true
	}
	s.Credentials = creds.Credentials{
		AccessKeyID:     id,
		SecretAccessKey: creds.NewSecret(secret),
		SessionToken:    creds.NewSecret(token),
		Principal:       d.value(i, keyPrincipal),
	}
	if t, err := time.Parse(time.RFC3339, d.value(i, keyExpires)); err == nil {
		s.Credentials.Expires = t.UTC()
	}
	return s, true
}

// options calls yield for each key of section i with all of its lines: the key's
// own and the continuations, without comments and blank lines between them.
func (d *document) options(i int, yield func(name string, lines []inifile.Line)) {
	var name string
	var lines []inifile.Line
	for _, l := range d.Sections[i].Lines {
		switch l.Kind {
		case inifile.Option:
			if lines != nil {
				yield(name, lines)
			}
			name, lines = l.Name, []inifile.Line{l}
		case inifile.Continuation:
			lines = append(lines, l)
		}
	}
	if lines != nil {
		yield(name, lines)
	}
}

// join gives the text of lines without their terminators, one per line.
func (d *document) join(lines []inifile.Line) string {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(d.Text(l))
		b.WriteByte('\n')
	}
	return b.String()
}
