package setup

import (
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// Suffixes say how aws-mfa's sections are named, as its two flags do: empty is
// aws-mfa's default, "none" in any case is no suffix at all
// (https://github.com/broamski/aws-mfa, "Usage").
type Suffixes struct{ Long, Short string }

// Check refuses suffixes by which a profile would have one section for both its
// keys, with [creds.CodeUsage].
func (s Suffixes) Check() error {
	if s.long("x") == s.short("x") {
		return &creds.Error{Code: creds.CodeUsage, Op: "the long-term suffix and the short-term suffix are the same", Hint: "give the two that aws-mfa was run with"}
	}
	return nil
}

// Ends tells whether a section is named as one with a long-term key.
func (s Suffixes) Ends(section string) bool {
	suffix := s.long("")
	return suffix != "" && strings.HasSuffix(section, suffix) && section != suffix
}

func (s Suffixes) long(profile string) string {
	if s.Long == "" {
		return profile + Suffix
	}
	return suffixed(profile, s.Long)
}

func (s Suffixes) short(profile string) string { return suffixed(profile, s.Short) }

func suffixed(profile, suffix string) string {
	if suffix == "" || strings.EqualFold(suffix, "none") {
		return profile
	}
	return profile + "-" + suffix
}

// AWSMFA is what was found as aws-mfa understands it: the keys of the credentials
// file that are aws-mfa's have their Base, the others have none. The zero Suffixes
// are aws-mfa's own; keys that name a device as aws-mfa does and do not end so are
// then matched with the section of credentials beside them. What cannot be matched
// is a [Problem].
func (f Found) AWSMFA(s Suffixes) Found {
	rule := func(k Key) string {
		p, ok := strings.CutSuffix(k.Profile, s.long(""))
		if !ok || p == "" {
			return ""
		}
		if base := s.short(p); k.marked || s.long(p) != p || f.profiles[base].awsMFA {
			return base
		}
		return "" // without a suffix nothing else tells aws-mfa's keys from others
	}
	if s == (Suffixes{}) {
		rule = func(k Key) string {
			if base := bySuffix(k); base != "" || !k.marked {
				return base
			}
			return f.beside(k)
		}
	}
	f.Keys = f.paired(f.Keys, rule)
	f.Problems = slices.Clip(f.Problems)
	for _, k := range f.Keys {
		if k.Base == "" && k.marked {
			f.Problems = append(f.Problems, Problem{Profile: k.Profile, Device: k.Device,
				What: where(k.Path, k.Line) + ": [" + k.Profile + "] names its device as aws-mfa does, and no section tells which profile it is for",
				Hint: "name the suffixes that aws-mfa was run with: --long-term-suffix and --short-term-suffix"})
		}
	}
	return f
}

// bySuffix is aws-mfa's rule where it was told nothing.
func bySuffix(k Key) string {
	base, ok := strings.CutSuffix(k.Profile, Suffix)
	if !ok {
		return ""
	}
	return base
}

// paired gives the keys with the profile that aws-mfa serves with each, and its
// role: the one that is wanted, else the one that the credentials there are of.
func (f Found) paired(keys []Key, base func(Key) string) []Key {
	keys = slices.Clone(keys)
	for i := range keys {
		k := &keys[i]
		k.Base, k.Role = "", ""
		if k.InConfig {
			continue // aws-mfa does not read that file
		}
		if k.Base = base(*k); k.Base == "" {
			continue
		}
		if k.Role = k.wanted; k.Role == "" {
			k.Role = f.profiles[k.Base].assumed
		}
	}
	return keys
}

// beside finds the section of aws-mfa's credentials that the key is for, by the
// names of both: NAME for NAME-SUFFIX, NAME-SUFFIX for NAME, or the only one that
// begins alike. Empty: none, or more than one.
func (f Found) beside(k Key) string {
	var prefix string
	var longer, alike []string
	stem, _, hasStem := cutLast(k.Profile)
	for name, p := range f.profiles {
		if !p.awsMFA || name == k.Profile {
			continue
		}
		other, _, ok := cutLast(name)
		switch {
		case strings.HasPrefix(k.Profile, name+"-"):
			if len(name) > len(prefix) {
				prefix = name
			}
		case strings.HasPrefix(name, k.Profile+"-"):
			longer = append(longer, name)
		case ok && hasStem && other == stem:
			alike = append(alike, name)
		}
	}
	switch {
	case prefix != "":
		return prefix
	case len(longer) == 1:
		return longer[0]
	case len(longer) == 0 && len(alike) == 1:
		return alike[0]
	}
	return ""
}

// cutLast parts a name at its last dash.
func cutLast(name string) (before, after string, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}
