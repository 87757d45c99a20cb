package profile

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Options say what Load looks at beside the user's file.
type Options struct {
	// System is the system-wide config, which counts for every key that the
	// user's file does not set; empty for none. See [Paths].
	System string
	// Home replaces a leading ~ in the config's paths; empty for
	// os.UserHomeDir.
	Home string
}

// largest is far more than a config or a policy can need.
const largest = 256 << 10

// Load reads and checks the config at path. A file that does not exist is an
// empty one, so a fresh account has a config with nothing in it.
//
// Every failure is a [creds.Error] with [creds.CodeConfig] around an [Errors]
// that holds all problems of both files; the hint is the first problem's. There
// is no partial config: keep the last good one.
func Load(path string, opts Options) (*Config, error) {
	l := &loader{opts: opts}
	data, _ := l.file(path)
	return l.load(path, data)
}

type loader struct {
	problems
	opts     Options
	cfg      *Config
	sections map[string]*section // by title, merged
}

// load reads data as if it stood at path.
func (l *loader) load(path string, data []byte) (*Config, error) {
	l.cfg = &Config{
		Path: path, System: l.opts.System,
		Identities: map[string]*Identity{}, Profiles: map[string]*Profile{},
	}
	all := parseSource(&l.problems, path, data)
	if l.opts.System != "" && l.opts.System != path {
		if below, ok := l.file(l.opts.System); ok {
			all = merge(all, parseSource(&l.problems, l.opts.System, below))
		}
	}
	l.sections = map[string]*section{}
	for _, sec := range all {
		l.sections[sec.title()] = sec
		l.decode(sec)
	}
	l.fillIn()
	l.check()
	if err := l.err(l.cfg.Files()); err != nil {
		return nil, err
	}
	return l.cfg, nil
}

// merge puts the keys of below under those of above. The order is that of
// above, then what is in below alone.
func merge(above, below []*section) []*section {
	byTitle := map[string]*section{}
	for _, a := range above {
		byTitle[a.title()] = a
	}
	for _, b := range below {
		a := byTitle[b.title()]
		if a == nil {
			above = append(above, b)
			continue
		}
		for _, key := range b.order {
			if _, set := a.values[key]; !set {
				a.values[key] = b.values[key]
				a.order = append(a.order, key)
			}
		}
	}
	return above
}

func (l *loader) decode(sec *section) {
	switch sec.kind {
	case kindDefaults:
		apply(l, &l.cfg.Defaults, defaultsSettings(), sec)
	case kindIdentity:
		i := &Identity{Name: sec.name, File: sec.file, Line: sec.line}
		apply(l, i, identitySettings(), sec)
		l.cfg.Identities[i.Name] = i
		l.cfg.identityNames = append(l.cfg.identityNames, i.Name)
	case kindProfile:
		p := &Profile{
			Name: sec.name, File: sec.file, Line: sec.line,
			MFA: MFAAuto, Write: WriteCredentials, Section: sec.name,
		}
		apply(l, p, profileSettings(), sec)
		l.cfg.Profiles[p.Name] = p
		l.cfg.profileNames = append(l.cfg.profileNames, p.Name)
	}
}

// fillIn gives what the config leaves open its documented default.
func (l *loader) fillIn() {
	d := &l.cfg.Defaults
	if d.SessionDuration == 0 {
		d.SessionDuration = longestSession
	}
	for i := range maps.Values(l.cfg.Identities) {
		i.Region = orElse(i.Region, d.Region)
		if i.SessionDuration == 0 {
			i.SessionDuration = d.SessionDuration
		}
	}
}

// file reads a config file, if it is there and nobody else can change it.
func (l *loader) file(path string) (data []byte, ok bool) {
	data, err := readTrusted(path)
	switch b, refused := errors.AsType[*bad](err); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false
	case refused:
		l.add(path, 0, b.msg, b.hint)
		return nil, false
	}
	return data, true
}

// path resolves a file name in the config: ~ is the home folder, and a relative
// name counts from the folder of the file that it stands in.
func (l *loader) path(v value) (string, error) {
	text := v.text
	if rest, ok := strings.CutPrefix(text, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		home := l.opts.Home
		if home == "" {
			var err error
			if home, err = os.UserHomeDir(); err != nil {
				return "", refuse("write the whole path", "there is no home folder for the ~")
			}
		}
		text = home + rest
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(filepath.Dir(v.file), text)
	}
	abs, err := filepath.Abs(text)
	if err != nil {
		return "", refuse("write the whole path", "%s can't be resolved", quoted(text))
	}
	return abs, nil
}

// policy reads a session policy: JSON of at most 2048 characters, none beyond
// U+00FF (AWS STS API Reference, "AssumeRole", Policy).
func (l *loader) policy(v value) (path, text string, err error) {
	if path, err = l.path(v); err != nil {
		return "", "", err
	}
	l.cfg.policyFiles = append(l.cfg.policyFiles, path)
	data, err := readTrusted(path)
	if b, ok := errors.AsType[*bad](err); ok {
		return "", "", refuse(b.hint, "%s: %s", path, b.msg)
	} else if err != nil {
		return "", "", refuse("write the policy there, or correct the name", "%s does not exist", path)
	}
	text = string(data)
	class := func(r rune) bool { return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xff }
	switch n := utf8.RuneCountInString(text); {
	case n > mostPolicy:
		return "", "", refuse("shorten it, or name managed policies with policy_arns",
			"%s has %d characters, AWS takes at most %d", path, n, mostPolicy)
	case !json.Valid(data):
		return "", "", refuse("correct it; try: python3 -m json.tool "+shellWord(path), "%s is not JSON", path)
	case !all(text, class):
		return "", "", refuse("use Latin letters alone", "%s has characters that AWS does not take in a policy", path)
	}
	return path, text, nil
}

// readTrusted reads a file that nobody else can change. The error is a [bad],
// or fs.ErrNotExist.
func readTrusted(path string) ([]byte, error) {
	if path == os.DevNull {
		return nil, fs.ErrNotExist
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		// Reading a pipe would wait for ever.
		return nil, refuse("write the name of a file", "this is not a regular file")
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	if err := checkAccess(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largest+1))
	switch {
	case err != nil:
		return nil, unreadable(path, err)
	case len(data) > largest:
		return nil, refuse("shorten it", "the file is larger than 256 KiB")
	}
	return data, nil
}

// unreadable keeps the cause without the path, which stands in front already.
func unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist
	}
	cause := err
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		cause = p.Err
	}
	return refuse("run: ls -ld "+shellWord(path), "the file can't be read: %v", cause)
}
