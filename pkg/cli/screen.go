package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// lookAgain is how often a picture is compared with the clock and with the size of
// its window.
const lookAgain = 200 * time.Millisecond

// terminalSize gives the columns and rows of a terminal, and nothing of what is none.
func terminalSize(w io.Writer) (columns, rows int) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 0, 0
	}
	return columns, rows
}

// screen is lines on a terminal that are drawn over those before. It changes nothing
// of the terminal that would have to be put right again: whatever ends the program,
// what stands there is its last picture, and the cursor is below it.
type screen struct {
	out io.Writer
	top bool // it begins at the top of the terminal; else where the cursor was at first

	drawn []string // nil: nothing yet
}

// draw brings lines to the screen, each narrower than it, in one write and only
// where something is new. All but the first picture is drawn over the one before, so
// that nothing flickers.
func (s *screen) draw(lines []string) error {
	if s.drawn != nil && slices.Equal(lines, s.drawn) {
		return nil
	}
	var b bytes.Buffer
	switch {
	case s.top:
		b.WriteString("\x1b[H")
	case len(s.drawn) > 0:
		fmt.Fprintf(&b, "\x1b[%dA\r", len(s.drawn))
	}
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.drawn = append([]string{}, lines...)
	_, err := s.out.Write(b.Bytes())
	return err
}

// scroll moves what stands on a terminal out of the way, upwards, where the terminal
// keeps it.
func (s *screen) scroll(rows int) error {
	s.drawn = nil
	_, err := io.WriteString(s.out, strings.Repeat("\n", max(rows-1, 0)))
	return err
}

// forget has the next picture drawn whatever stands there.
func (s *screen) forget() { s.drawn = nil }

// leave removes what was typed below the picture.
func (s *screen) leave() {
	_, _ = io.WriteString(s.out, "\r\x1b[J") // there is nobody to tell that it failed
}

// pictureLines fits a text into a window: what is too wide is folded, what is too
// much is counted. The last row stays free for the cursor, and the last column
// because terminals differ in what they do after it.
func pictureLines(text string, columns, rows int) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if columns > 0 {
			lines = append(lines, fold(line, max(columns-1, 1))...)
		} else {
			lines = append(lines, line)
		}
	}
	if most := rows - 1; rows > 0 && len(lines) > most {
		more := fmt.Sprintf("… and %d lines more", len(lines)-most+1)
		lines = append(lines[:max(most-1, 0)], cut(more, max(columns-1, 1)))
	}
	return lines
}

// fold breaks a line between words, and where one word is too long inside it; the
// rest is indented. A line with colours is one of a table, and cut.
func fold(line string, width int) []string {
	if strings.ContainsRune(line, '\x1b') {
		return []string{cutPainted(line, width)}
	}
	var lines []string
	for rest := []rune(line); ; {
		if len(rest) <= width {
			return append(lines, string(rest))
		}
		at := width
		for i := width; i > width/2; i-- {
			if rest[i] == ' ' {
				at = i
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:at]), " "))
		if rest = []rune(strings.TrimLeft(string(rest[at:]), " ")); len(rest) > 0 && width > 8 {
			rest = append([]rune("    "), rest...)
		}
	}
}

// cutPainted is cut for a line with colours.
func cutPainted(line string, n int) string {
	var b strings.Builder
	shown := 0
	total := utf8.RuneCountInString(unpainted(line))
	for rest := line; rest != ""; {
		if rest[0] == '\x1b' {
			if end := strings.IndexByte(rest, 'm'); end >= 0 {
				b.WriteString(rest[:end+1])
				rest = rest[end+1:]
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(rest)
		switch {
		case total <= n || shown < n-1:
			b.WriteString(rest[:size])
		case shown == n-1:
			b.WriteString("…")
		}
		shown++
		rest = rest[size:]
	}
	return b.String()
}

// unpainted is a line without its colours.
func unpainted(line string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(line, "\x1b")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, line, _ = strings.Cut(after, "m")
	}
}
