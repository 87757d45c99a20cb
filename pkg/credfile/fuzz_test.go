package credfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
)

// mostPieces bounds a fuzzed file: more lines find nothing new, and cost time.
const mostPieces = 24

// pieces are what fuzzed files are made of: the collected files, whole and line by
// line, the odd lines of fragments, and what mfad writes itself.
func pieces(f *testing.F) []string {
	f.Helper()
	cases, err := filepath.Glob(filepath.Join("testdata", "ini-cases", "*.ini"))
	if err != nil || len(cases) == 0 {
		f.Fatalf("%d files, %v", len(cases), err)
	}
	found := fragments()
	for _, c := range cases {
		text := content(f, c)
		found = append(found, slices.Collect(strings.Lines(text))...)
		if len(text) < 1000 {
			found = append(found, text)
		}
	}
	mine := []string{
		section("mfad-x", 1), section("a", 2), "[b]\n" + body("a", 3), section("other", 4), strings.ReplaceAll(section("b", 5), "\n", "\r\n"),
		"[a]\n" + body("a", 2) + "region = x\n# note\n", "[c]\nmfad_profile = a\n", "[DEFAULT]\nmfad_profile = a\n",
		"[prod]\naws_access_key_id = ASIAEXAMPLE000000001\naws_secret_access_key = s\naws_session_token = t\nexpiration = x\n",
		"[long]\naws_access_key_id = AKIAEXAMPLE000000001\naws_secret_access_key = s\nmfad_profile = a\n",
		"aws_security_token = x\n", "x_principal_arn = x\n", "expiration = 2030\n", "mfad_profile = a\n", "mfad_profile = b\n",
		"[profile a]\n", "[profile b]\nregion = x\n", "[default]\n", "[profile mfad-x]\ncredential_process = y\nmfad_keys = credential_process\n",
		"[profile a]\nregion = x\noutput = y\nmfad_keys = region\n", "mfad_keys = region, output\n", "mfad_keys = x\n", "credential_process = y\n", "output = json\n", "[profile  c]\n", "[profile \"a\"]\n",
	}
	for range 8 { // they matter more than one odd line among hundreds
		found = append(found, mine...)
	}
	return found
}

// assemble makes a file: each two bytes of recipe are a piece, or the next bytes
// of raw as they are. The rest of raw comes last.
func assemble(all []string, recipe, raw []byte) []byte {
	var out []byte
	for n := 0; len(recipe) >= 2 && n < mostPieces; n++ {
		i := int(binary.LittleEndian.Uint16(recipe)) % (len(all) + len(all)/16)
		recipe = recipe[2:]
		if i < len(all) {
			out = append(out, all[i]...)
			continue
		}
		k := min(i%9, len(raw))
		out = append(out, raw[:k]...)
		raw = raw[k:]
	}
	return append(out, raw...)
}

// seed adds the collected files, odd ones, and random recipes.
func seed(f *testing.F, all []string, add func(recipe, raw []byte, n int)) {
	f.Helper()
	for i, text := range all {
		if strings.Count(text, "\n") > 1 || i%16 == 0 {
			add(nil, []byte(text), i*2654435761)
		}
	}
	state := uint32(1)
	for n := range 200 {
		recipe := make([]byte, 2*(1+n%12))
		for i := range recipe {
			state = state*1664525 + 1013904223
			recipe[i] = byte(state >> 24)
		}
		add(recipe, []byte("[q]\nz = 1"), int(state))
	}
}

// wishes turns bits into what Apply may be asked for: two bits for each profile
// say whether it is left alone, put, put without credentials, or removed.
func wishes(bits uint32) (put []Section, remove []string) {
	for i, profile := range []string{"mfad-x", "a", "b", "prod", "other"} {
		s := Section{Name: profile, Profile: profile}
		switch bits >> (2 * i) & 3 {
		case 1:
			s.Credentials = temporary(7 + i)
			s.TakeOver = bits>>12&1 == 1
			if bits>>13&1 == 1 {
				s.Extra = []Key{{"expiration", "2030-01-02 03:04:05"}}
			}
			if bits>>14&1 == 1 {
				s.Credentials.Principal = ""
			}
			put = append(put, s)
		case 2:
			put = append(put, s)
		case 3:
			remove = append(remove, profile)
		}
	}
	return put, remove
}

// own tells which lines of a file are mfad's to change: by section, the keys.
type own func(d *document, i int) (keys map[string]bool, touchable bool)

// skeleton is the file without what is mfad's to change: its keys, and the headers
// of its sections with the blank line above each.
func skeleton(d *document, of own) []string {
	var kept []string
	add := func(l inifile.Line) { kept = append(kept, string(d.Src[l.Start:l.End])) }
	above := inifile.Junk
	for _, l := range d.Preamble {
		add(l)
		above = l.Kind
	}
	for i, s := range d.Sections {
		keys, touchable := of(d, i)
		mine := false
		for _, l := range s.Lines {
			switch l.Kind {
			case inifile.Header:
				mine = touchable
				if mine && above == inifile.Blank && len(kept) > 0 {
					kept = kept[:len(kept)-1]
				}
			case inifile.Option:
				mine = touchable && keys[l.Name]
			case inifile.Continuation:
			default:
				add(l)
				above = l.Kind
				continue
			}
			if above = l.Kind; !mine {
				add(l)
			}
		}
	}
	return kept
}

// readings is what the file says in keys that are not mfad's.
func readings(d *document, of own) map[string]string {
	found := map[string]string{}
	for i, s := range d.Sections {
		keys, touchable := of(d, i)
		name := s.Lines[0].Full
		if !touchable {
			found[name] += ""
		}
		d.options(i, func(key string, lines []inifile.Line) {
			if !touchable || !keys[key] {
				found[name] += key + "|" + d.join(lines)
			}
		})
	}
	return found
}

// untouched fails unless everything that is not mfad's is in next as it was in d.
func untouched(t *testing.T, d, after *document, before, now own) {
	t.Helper()
	if after.refused != nil {
		t.Fatalf("the result is refused: %v\nof   %q\nmade %q", after.refused, d.Src, after.Src)
	}
	was, is := skeleton(d, before), skeleton(after, now)
	// A last line without an end gets one where something follows.
	if n := len(was); n > 0 && n <= len(is) && !strings.HasSuffix(was[n-1], "\n") && strings.TrimRight(is[n-1], "\r\n") == was[n-1] {
		was[n-1] = is[n-1]
	}
	if !slices.Equal(was, is) {
		t.Fatalf("what is not mfad's changed\nfrom %q\nto   %q\nfile %q\nnow  %q", was, is, d.Src, after.Src)
	}
	a, b := readings(d, before), readings(after, now)
	for name, text := range a {
		if b[name] != text {
			t.Fatalf("[%s] reads %q, before %q\nfile %q\nnow  %q", name, b[name], text, d.Src, after.Src)
		}
	}
	if len(a) != len(b) {
		t.Fatalf("%d sections with keys that are not mfad's, before %d\nfile %q\nnow  %q", len(b), len(a), d.Src, after.Src)
	}
}

// refusedRightly fails unless err, if there is one, is about the user's file, and
// came without bytes to write.
func refusedRightly(t *testing.T, src, next []byte, err error) {
	t.Helper()
	if creds.CodeOf(err) != creds.CodeConflict || next != nil {
		t.Fatalf("%v (%v) with %d bytes to write; want a conflict and none\nfile %q", err, errors.Unwrap(err), len(next), src)
	}
	if text := err.Error(); !strings.HasPrefix(text, "FILE:") {
		t.Fatalf("%q names no line", text)
	}
}

// FuzzSplice puts and removes sections: every byte that is not mfad's stays, in
// order, and reads as before; mfad's sections are as meant; a long-term key is
// never touched; or the file is refused and there is nothing to write.
func FuzzSplice(f *testing.F) {
	all := pieces(f)
	seed(f, all, func(recipe, raw []byte, n int) {
		f.Add(recipe, raw, uint32(n))
		f.Add(recipe, raw, uint32(1))
	})
	f.Add([]byte(nil), []byte("[mfad-x]\n\u00a0aws_session_token\x1f=\x1fASIA\x1f\nmfad_profile = mfad-x\n"), uint32(1))
	none := emptyDocument("CONFIG")
	f.Fuzz(func(t *testing.T, recipe, raw []byte, bits uint32) {
		src := assemble(all, recipe, raw)
		d := newDocument("FILE", src, readCredentials)
		put, remove := wishes(bits)
		next, told, err := planCredentials(d, none, put, remove)
		conflicts := told.Conflicts
		if err != nil {
			refusedRightly(t, src, next, err)
			return
		}
		after := newDocument("FILE", next, readCredentials)
		asked := slices.Clone(remove)
		names := map[string]bool{}
		for _, s := range put {
			asked = append(asked, s.Profile)
			names[s.Name] = conflicts[s.Profile] == nil
		}
		mine := dropped(credentialKeys())
		extra := slices.ContainsFunc(put, func(s Section) bool { return s.Extra != nil })
		if extra {
			mine["expiration"] = true
		}
		touchable := map[string]bool{}
		for i, s := range d.Sections {
			owner, owned := d.owner(i)
			name := s.Lines[0].Full
			touchable[name] = !d.longTerm(i) && (names[name] || owned && slices.Contains(asked, owner))
		}
		untouched(t, d, after,
			func(d *document, i int) (map[string]bool, bool) { return mine, touchable[d.Sections[i].Lines[0].Full] },
			func(d *document, i int) (map[string]bool, bool) {
				name := d.Sections[i].Lines[0].Full
				there, was := touchable[name]
				return mine, there || !was && names[name]
			})
		asMeant(t, d, after, put, remove, told)
		if conflicts != nil || told.Left != nil {
			return
		}
		twice, _, err := planCredentials(after, none, put, remove)
		if err != nil || !bytes.Equal(twice, next) {
			t.Fatalf("again: %v\nfirst  %q\nsecond %q", err, next, twice)
		}
		if !extra && !slices.Contains(slices.Collect(maps.Values(touchable)), true) { // extra keys stay
			givenBack(t, d, after, asked)
		}
	})
}

// asMeant fails unless every profile that is in no conflict has what was asked.
func asMeant(t *testing.T, d, after *document, put []Section, remove []string, told Result) {
	t.Helper()
	at, conflicts := sectionIndex(after), told.Conflicts
	for _, s := range put {
		i, there := at[s.Name]
		switch {
		case conflicts[s.Profile] != nil:
		case s.Credentials.IsZero():
			if !there {
				continue
			}
			if m, ours := after.managed(i); ours && (!m.Credentials.IsZero() || m.Profile != s.Profile) {
				t.Fatalf("[%s] of %q still has credentials of %q\nfile %q\nnow  %q", s.Name, s.Profile, m.Profile, d.Src, after.Src)
			}
		case !there:
			t.Fatalf("[%s] is not there\nfile %q\nnow  %q", s.Name, d.Src, after.Src)
		default:
			m, ours := after.managed(i)
			if !ours || m.Profile != s.Profile || !m.Credentials.Equal(s.Credentials) {
				t.Fatalf("[%s] holds %+v\nfile %q\nnow  %q", s.Name, m, d.Src, after.Src)
			}
			for _, k := range s.Extra {
				if got := after.value(i, k.Name); got != k.Value {
					t.Fatalf("%s is %q, want %q", k.Name, got, k.Value)
				}
			}
			if old := after.value(i, keyOldToken); old != "" && old != s.Credentials.SessionToken.Reveal() {
				t.Fatalf("boto's old token is %q", old)
			}
		}
	}
	for i := range after.Sections {
		if owner, ok := after.owner(i); ok && slices.Contains(remove, owner) && conflicts[owner] == nil {
			t.Fatalf("a section of %s is left\nfile %q\nnow  %q", owner, d.Src, after.Src)
		}
	}
}

// givenBack fails unless removing what was added leaves the file as it was, but
// for the end of its last line.
func givenBack(t *testing.T, d, after *document, profiles []string) {
	t.Helper()
	gone, _, err := planCredentials(after, emptyDocument("CONFIG"), nil, profiles)
	want := string(d.Src)
	if len(after.Src) > len(d.Src) && want != "" && !strings.HasSuffix(want, "\n") {
		want += d.EOL()
	}
	if err != nil || string(gone) != want {
		t.Fatalf("removed: %v\ngot  %q\nwant %q", err, gone, want)
	}
}

// entries turns bits into what ApplyConfig may be asked for.
func entries(bits uint32) (put []Entry, remove []string) {
	for i, name := range []string{"mfad-x", "a", "default", "b"} {
		b := bits >> (5 * i)
		e := Entry{Name: name, Profile: name}
		if b&4 != 0 {
			e.CredentialProcess = "/usr/bin/mfad credential-process " + name
		}
		if b&8 != 0 {
			e.Region = "eu-west-1"
		}
		if b&16 != 0 {
			e.Output = "json"
		}
		switch b & 3 {
		case 1, 2:
			put = append(put, e)
		case 3:
			remove = append(remove, name)
		}
	}
	return put, remove
}

// FuzzConfig is FuzzSplice for the AWS config file, where mfad's are the lines
// that mfad_keys names.
func FuzzConfig(f *testing.F) {
	all := pieces(f)
	seed(f, all, func(recipe, raw []byte, n int) { f.Add(recipe, raw, uint32(n)) })
	none := emptyDocument("CREDENTIALS")
	f.Fuzz(func(t *testing.T, recipe, raw []byte, bits uint32) {
		src := assemble(all, recipe, raw)
		d := newDocument("FILE", src, readConfig)
		put, remove := entries(bits)
		next, conflicts, err := planConfig(d, none, put, remove)
		if err != nil {
			refusedRightly(t, src, next, err)
			return
		}
		asked := map[string]bool{}
		for _, name := range remove {
			asked[name] = true
		}
		for _, e := range put {
			asked[e.Name] = conflicts[e.Profile] == nil
		}
		mine := func(d *document, i int) (map[string]bool, bool) {
			a, b := readConfig(d.Sections[i].Lines[0].Full, d.Text(d.Sections[i].Lines[0]))
			return dropped(append(d.addedKeys(i), keyAdded)), a == b && asked[a]
		}
		after := newDocument("FILE", next, readConfig)
		was := emptied(d, mine)
		untouched(t, d, after, mine, func(d *document, i int) (map[string]bool, bool) {
			keys, touchable := mine(d, i)
			return keys, touchable || was[d.Sections[i].Lines[0].Full]
		})
		configAsMeant(t, d, after, put, conflicts)
		twice, again, err := planConfig(after, none, put, remove)
		if err != nil || !bytes.Equal(twice, next) || len(again) != len(conflicts) {
			t.Fatalf("again: %v, %v\nfirst  %q\nsecond %q", err, again, next, twice)
		}
	})
}

// emptied names the sections whose header may go.
func emptied(d *document, of own) map[string]bool {
	found := map[string]bool{}
	for i, s := range d.Sections {
		_, found[s.Lines[0].Full] = of(d, i)
	}
	return found
}

func configAsMeant(t *testing.T, d, after *document, put []Entry, conflicts map[string]*creds.Error) {
	t.Helper()
	for _, e := range put {
		if conflicts[e.Profile] != nil || len(wanted(e)) == 0 {
			continue
		}
		i, err := after.find(e.Name, readConfig)
		if err != nil || i < 0 {
			t.Fatalf("%s is not found: %v\nfile %q\nnow  %q", e.Name, err, d.Src, after.Src)
		}
		for _, k := range wanted(e) {
			_, there := after.Sections[i].Option(k.Name)
			added := slices.Contains(after.addedKeys(i), k.Name)
			if !there || (added || k.Name == keyProcess) && after.value(i, k.Name) != k.Value {
				t.Fatalf("%s of %s is %q, want %q\nfile %q\nnow  %q", k.Name, e.Name, after.value(i, k.Name), k.Value, d.Src, after.Src)
			}
		}
	}
}

// version makes a file of sections: each byte is one, by its name and its text; a
// name comes once. Bodies come from all, so that they are odd too.
func version(all []string, plan []byte) []byte {
	var out []byte
	seen := map[byte]bool{}
	for _, b := range plan[:min(len(plan), mostPieces)] {
		name, text := b%7, b/7
		if seen[name] {
			continue
		}
		seen[name] = true
		switch {
		case name == 0:
			out = append(fmt.Appendf(nil, "# %d\n", text), out...)
		case name == 1:
			out = append(out, section("ours", int(text))...)
		default:
			out = fmt.Appendf(out, "[s%d]\nk = %d\n", name, text%3)
			out = append(out, strings.Repeat("l = 1\r\n", int(text&4/4))+strings.Repeat("# c\n", int(text&8/8))+strings.Repeat("n =\n  m = 1\n\n", int(text&16/16))...)
			if text > 31 {
				out = append(out, all[int(text)*int(name)*37%len(all)]...)
			}
		}
	}
	return out
}

// changed is plan with edits: each two bytes replace, add or delete a section.
func changed(plan, edits []byte) []byte {
	plan = slices.Clone(plan)
	for ; len(edits) >= 2; edits = edits[2:] {
		i := int(edits[0])
		switch {
		case i >= len(plan):
			plan = append(plan, edits[1])
		case edits[1]%4 == 0:
			plan = slices.Delete(plan, i, i+1)
		case edits[1]%4 == 1:
			plan[i] = plan[i]%7 + 7*(edits[1]/7) // the same section with another text
		default:
			plan = slices.Insert(plan, i, edits[1])
		}
	}
	return plan
}

// FuzzMerge lets two sides change a file: of the sections that are not mfad's, none
// that only one side changed is lost or is other than that side has it, and none
// that both have is lost; the result can be read.
func FuzzMerge(f *testing.F) {
	all := fragments()
	state := uint32(1)
	for range 300 {
		var b [20]byte
		for i := range b {
			state = state*1664525 + 1013904223
			b[i] = byte(state >> 24)
		}
		b[8], b[10], b[14], b[16] = b[8]%8, b[10]%8, b[14]%8, b[16]%8
		f.Add(b[:8], b[8:14], b[14:])
	}
	f.Fuzz(func(t *testing.T, plan, there, here []byte) {
		doc := func(src []byte) *document { return newDocument("FILE", src, readCredentials) }
		base, late, current := doc(version(all, plan)), doc(version(all, changed(plan, there))), doc(version(all, changed(plan, here)))
		if base.refused != nil || late.refused != nil || current.refused != nil {
			return // what cannot be read is not merged
		}
		merged := doc(merge(base, late, current))
		fail := func(name, what string) {
			t.Fatalf("[%s] %s\nbase    %q\nlate    %q\ncurrent %q\nmerged  %q", name, what, base.Src, late.Src, current.Src, merged.Src)
		}
		if merged.refused != nil {
			fail("", merged.refused.Error())
		}
		for name := range union(base, late, current, merged) {
			b, l, c, m := text(base, name), text(late, name), text(current, name), text(merged, name)
			switch {
			case strings.Contains(b+l+c, keyProfile): // mfad's: TestMerge
			case l == b && m != c:
				fail(name, "is not what this side made of it")
			case c == b && m != l:
				fail(name, "is not what the other side made of it")
			case l != "" && c != "" && m == "":
				fail(name, "is lost, though both sides have it")
			}
		}
	})
}

func union(docs ...*document) map[string]bool {
	names := map[string]bool{}
	for _, d := range docs {
		for _, s := range d.Sections {
			names[s.Lines[0].Full] = true
		}
	}
	return names
}

// text gives all sections of that name, but for what alike ignores.
func text(d *document, name string) string {
	var b strings.Builder
	for i, s := range d.Sections {
		if s.Lines[0].Full == name {
			b.WriteString(strings.TrimRight(strings.ReplaceAll(string(d.bytes(i)), "\r\n", "\n"), " \t\n") + "\n")
		}
	}
	return b.String()
}
