package main

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sizes in the picture, in pixels.
const (
	cellWidth  = 8.4
	cellHeight = 18
	baseline   = 13 // below a line's upper edge
	margin     = 14
	fontSize   = 14

	leastColumns = 60 // so that letters are as large in all pictures on a page
)

// Colours of the picture; colours are those of the terminal's codes 30 to 37 and 90
// to 97.
const (
	background = "#1d1f21"
	foreground = "#d8dad6"
	faint      = "#8b8e8a"
)

var colours = [16]string{
	"#55585a", "#e0716c", "#a6c76c", "#e6c26a", "#7fa9d8", "#bf97c9", "#83c4bb", foreground,
	"#8b8e8a", "#ef8a85", "#bcd98a", "#f2d58a", "#9dc0e6", "#d3b2db", "#a0d8d0", "#ffffff",
}

// style is how a character looks.
type style struct {
	colour string
	bold   bool
	faint  bool
}

// cell is one character.
type cell struct {
	char rune
	style
}

type line []cell

func (l line) text() string {
	var b strings.Builder
	for _, c := range l {
		b.WriteRune(c.char)
	}
	return strings.TrimRight(b.String(), " ")
}

// position is a place on the screen, counted from 0.
type position struct{ column, line int }

// picture is a terminal's screen.
type picture struct {
	title  string
	lines  []line
	cursor position // below the last line: none is shown
}

var rendition = regexp.MustCompile(`^\x1b\[([0-9;]*)m`)

// parse takes in a screen as tmux tells it: lines with codes for colours and nothing
// else.
func parse(screen string) (lines []line) {
	now := style{colour: foreground}
	for text := range strings.SplitSeq(screen, "\n") {
		var l line
		for text != "" {
			if m := rendition.FindStringSubmatch(text); m != nil {
				text = text[len(m[0]):]
				now = now.with(m[1])
				continue
			}
			r, n := utf8.DecodeRuneInString(text)
			text = text[n:]
			l = append(l, cell{r, now})
		}
		lines = append(lines, l)
	}
	return lines
}

// with is the style after codes of ECMA-48, section 8.3.117. Others than these mfad
// has no use for.
func (s style) with(codes string) style {
	for code := range strings.SplitSeq(codes, ";") {
		n, _ := strconv.Atoi(code) // an empty one is 0
		switch {
		case n == 0:
			s = style{colour: foreground}
		case n == 1:
			s.bold = true
		case n == 2:
			s.faint = true
		case n == 22:
			s.bold, s.faint = false, false
		case n == 39:
			s.colour = foreground
		case n >= 30 && n <= 37:
			s.colour = colours[n-30]
		case n >= 90 && n <= 97:
			s.colour = colours[n-90+8]
		}
	}
	return s
}

func (s style) attributes() string {
	a := ` fill="` + s.colour + `"`
	if s.faint {
		a = ` fill="` + faint + `"`
	}
	if s.bold {
		a += ` font-weight="bold"`
	}
	return a
}

// svg draws the picture. Each run of characters is stretched to the width that it
// has in a terminal, whatever font the reader has; blocks are drawn, since many fonts
// leave gaps between them.
func (p picture) svg() string {
	columns := leastColumns
	for _, l := range p.lines {
		columns = max(columns, len(l))
	}
	width := float64(columns)*cellWidth + 2*margin
	height := len(p.lines)*cellHeight + 2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="%.0f" height="%d" viewBox="0 0 %.0f %d">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(p.title))
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="6" fill="%s"/>`+"\n", background)
	fmt.Fprintf(&b, `<g font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="%d">`+"\n", fontSize)
	for y, l := range p.lines {
		for x := 0; x < len(l); {
			n := l.run(x)
			p.draw(&b, l[x:x+n], x, y)
			x += n
		}
	}
	if p.cursor.line < len(p.lines) {
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", across(p.cursor.column), down(p.cursor.line), cellWidth, cellHeight-1, foreground)
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

func across(column int) float64 { return margin + float64(column)*cellWidth }

func down(line int) int { return margin + line*cellHeight }

// run is how many characters from x on are drawn as one: all of one style and kind,
// up to two blanks.
func (l line) run(x int) int {
	n := 1
	for x+n < len(l) && l[x+n].style == l[x].style && block(l[x+n].char) == block(l[x].char) &&
		(block(l[x].char) == 0 || l[x+n].char == l[x].char) && !(l[x+n].char == ' ' && (x+n+1 == len(l) || l[x+n+1].char == ' ')) && l[x].char != ' ' {
		n++
	}
	return n
}

// block is how opaque a block is; zero: the character is none.
func block(r rune) float64 {
	switch r {
	case '█':
		return 1
	case '░':
		return 0.25
	}
	return 0
}

func (p picture) draw(b *strings.Builder, run line, x, y int) {
	text, width := run.text(), float64(len(run))*cellWidth
	switch opacity := block(run[0].char); {
	case text == "":
	case opacity > 0:
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d"%s fill-opacity="%v"/>`+"\n", across(x), down(y)+2, width, cellHeight-4, run[0].attributes(), opacity)
	default:
		fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n", across(x), down(y)+baseline, width, run[0].attributes(), html.EscapeString(text))
	}
}
