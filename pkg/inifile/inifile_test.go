package inifile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// outline writes a file's lines as kind, name and value, to compare at a glance.
func outline(f File) string {
	kinds := []string{"blank", "comment", "header", "option", "more", "junk"}
	var b strings.Builder
	show := func(lines []Line) {
		for _, l := range lines {
			fmt.Fprintf(&b, "%d %s", l.Number, kinds[l.Kind])
			if l.Kind == Header {
				fmt.Fprintf(&b, " %q %q", l.Name, l.Full)
			}
			if l.Kind == Option || l.Kind == Continuation {
				fmt.Fprintf(&b, " %q=%q", l.Name, f.Value(l))
			}
			if l.Ambiguous {
				b.WriteString(" ambiguous")
			}
			b.WriteString("\n")
		}
	}
	show(f.Preamble)
	for _, s := range f.Sections {
		show(s.Lines)
	}
	return b.String()
}

func TestScan(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"nothing", "", ""},
		{"a section", "[a]\nx = 1\n", `1 header "a" "a"` + "\n" + `2 option "x"="1"` + "\n"},
		{"line ends and no final one", "[a]\r\nx=1", `1 header "a" "a"` + "\n" + `2 option "x"="1"` + "\n"},
		{"the first delimiter counts", "a:b=c\nd=e:f\n", `1 option "a"="b=c"` + "\n" + `2 option "d"="e:f"` + "\n"},
		{"keys are in lower case", "KEY = V\n", `1 option "key"="V"` + "\n"},
		{"an empty value", "k =  \n", `1 option "k"=""` + "\n"},
		{"comments are whole lines", "# a\n  ; b\nk = v # c\n", "1 comment\n2 comment\n" + `3 option "k"="v # c"` + "\n"},
		{"blank lines", "\n \t\n\r\n", "1 blank\n2 blank\n3 blank\n"},
		{"junk", "x\n= 1\n[]\n[a\n", "1 junk\n2 junk\n3 junk\n4 junk\n"},
		{"text behind a header", "[a] # b\n[c] d = e\n", `1 header "a" "a"` + "\n" + `2 header "c" "c"` + "\n"},
		{"brackets in a name", "[a]b]\n[a] # [b]\n[]]\n", `1 header "a" "a]b"` + "\n" + `2 header "a" "a] # [b"` + "\n" + `3 header "]" "]"` + "\n"},
		{"blanks in a name stay", "[ a ]\n", `1 header " a " " a "` + "\n"},
		{"an indented line continues", "k = 1\n  2\n\n # c\n  m = 3\nn = 4\n", `1 option "k"="1"` + "\n" + `2 more ""=""` + "\n3 blank\n4 comment\n" + `5 more "m"="3"` + "\n" + `6 option "n"="4"` + "\n"},
		{"the same indent does not", "  k = 1\n  l = 2\n m = 3\n", `1 option "k"="1"` + "\n" + `2 option "l"="2"` + "\n" + `3 option "m"="3"` + "\n"},
		{"nothing continues a header", "[a]\n  k = 1\n", `1 header "a" "a"` + "\n" + `2 option "k"="1"` + "\n"},
		{"an indented header", " [a]\nk = 1\n [b]\n", `1 header "a" "a"` + "\n" + `2 option "k"="1"` + "\n" + `3 header "b" "b" ambiguous` + "\n"},
		{"white space of all kinds", "\u00a0k\u00a0= \u00a0v\u2003\n\x1c\n\u2028x = 1\n", `1 option "k"="v"` + "\n2 blank\n" + `3 option "x"="1"` + "\n"},
		{"indents count characters", "k = 1\n\u00a0l = 2\n", `1 option "k"="1"` + "\n" + `2 more "l"="2"` + "\n"},
		{"a lone CR is a byte", "k = a\rb\n", `1 option "k"="a\rb"` + "\n"},
		{"bytes that are no text", "k = \xff\x00\n", `1 option "k"="\xff\x00"` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outline(Scan([]byte(tt.src))); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	src := "# p\n[a]\n  key =  value \r\n[b]\nx=1"
	f := Scan([]byte(src))
	if len(f.Preamble) != 1 || len(f.Sections) != 2 || f.BOM {
		t.Fatalf("%d lines before %d sections, BOM %v", len(f.Preamble), len(f.Sections), f.BOM)
	}
	a, b := f.Sections[0], f.Sections[1]
	if got := src[a.Start():a.End()]; got != "[a]\n  key =  value \r\n" {
		t.Errorf("[a] is %q", got)
	}
	if got := src[b.Start():b.End()]; got != "[b]\nx=1" {
		t.Errorf("[b] is %q", got)
	}
	l, ok := a.Option("key")
	if !ok || l.Number != 3 || l.Indent != 2 || src[l.ValueStart:l.ValueEnd] != "value" || f.Text(l) != "  key =  value " {
		t.Errorf("key is %+v, %v, %q", l, ok, f.Text(l))
	}
	if _, ok := a.Option("x"); ok {
		t.Error("[a] has the key of [b]")
	}
}

func TestFind(t *testing.T) {
	f := Scan([]byte("[a]\n[b]\n[a]\nx=1\n"))
	if got := f.Find("a"); len(got) != 2 || got[0].Lines[0].Number != 1 || got[1].Lines[0].Number != 3 {
		t.Errorf("Find(a) = %+v, want lines 1 and 3", got)
	}
	if got := f.Find("c"); got != nil {
		t.Errorf("Find(c) = %+v, want none", got)
	}
}

func TestEOL(t *testing.T) {
	for src, want := range map[string]string{"": "\n", "a": "\n", "a\n": "\n", "a\r\n": "\r\n", "a\nb\r\n": "\n", "\n": "\n"} {
		if got := Scan([]byte(src)).EOL(); got != want {
			t.Errorf("EOL of %q is %q, want %q", src, got, want)
		}
	}
}

func TestBOM(t *testing.T) {
	f := Scan([]byte("\ufeff[a]\n"))
	if !f.BOM || len(f.Sections) != 1 || f.Sections[0].Start() != 3 {
		t.Errorf("BOM %v, sections %+v", f.BOM, f.Sections)
	}
}

// FuzzScan checks that the lines are the source, cut into pieces, and that a value
// lies within its line.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"[a]\nx = 1\n", "\ufeff\r\n[a]b]\n k: v\n", " [x]\n=\n[]", "\u00a0=\u00a0\n\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file := Scan(src)
		lines := slices.Clone(file.Preamble)
		for _, s := range file.Sections {
			lines = append(lines, s.Lines...)
		}
		at := 0
		if file.BOM {
			at = 3
		}
		for i, l := range lines {
			if n := l.Start + l.Indent; n > l.End || len(bytes.TrimFunc(src[l.Start:n], isSpace)) > 0 {
				t.Fatalf("the indent of %+v is no white space", l)
			}
			if l.Start != at || l.End <= l.Start || l.Number != i+1 {
				t.Fatalf("line %d is %+v, want it to start at %d", i+1, l, at)
			}
			if l.ValueEnd != 0 && (l.ValueStart < l.Start || l.ValueEnd < l.ValueStart || l.ValueEnd > l.End) {
				t.Fatalf("the value of %+v lies outside", l)
			}
			at = l.End
		}
		if at != len(src) {
			t.Fatalf("the lines end at %d of %d", at, len(src))
		}
		for i, s := range file.Sections {
			if s.Lines[0].Kind != Header || s.Name == "" || s.Name != s.Lines[0].Name {
				t.Fatalf("section %d is %q, its header %+v", i, s.Name, s.Lines[0])
			}
			if i > 0 && file.Sections[i-1].End() != s.Start() {
				t.Fatalf("section %d starts at %d, the one above ends at %d", i, s.Start(), file.Sections[i-1].End())
			}
		}
	})
}
