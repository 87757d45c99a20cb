package cli

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"unicode/utf8"
)

// detail is which columns of a table there is room for.
type detail struct{ via, next, bar bool }

// details are tried in turn until the table fits.
var details = [...]detail{{true, true, true}, {next: true, bar: true}, {bar: true}, {}}

const (
	// longName is how wide names may be before they are cut rather than a column lost.
	longName = 24
	// shortName is how much of a name is left on the narrowest terminal.
	shortName = 4
)

// statusStyle is how much a person wants to see, and where.
type statusStyle struct {
	reasons bool // why each profile is served as it is
	each    bool // every profile, however many they are
	crowd   int  // from more profiles than this on they are counted; 0: crowd
	width   int  // columns of the terminal; 0: as wide as it gets
	colour  bool // of words for states
}

// table draws a table in the details for which there is room. Names stand in a
// column of which much may be cut, and states in the one after it.
func (s statusStyle) table(w io.Writer, name int, build func(detail) [][]string) {
	var rows [][]string
	for _, d := range details {
		if rows = build(d); s.width == 0 || widthOf(rows, name, longName) <= s.width {
			break
		}
	}
	if s.width > 0 {
		cutColumn(rows, name, max(shortName, s.width-widthOf(rows, name, 0)))
	}
	paint := func(_ int, cell string) string { return cell }
	if s.colour {
		paint = func(column int, cell string) string {
			if column == name+1 {
				return paintState(cell)
			}
			return cell
		}
	}
	writePainted(w, rows, paint)
}

// widths gives the width of each column as a terminal shows it.
func widths(rows [][]string) []int {
	var all []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(all) {
				all = append(all, 0)
			}
			all[i] = max(all[i], utf8.RuneCountInString(cell))
		}
	}
	return all
}

// between is how far columns stand apart.
const between = 2

// widthOf gives a table's width if the column of names takes so much at most.
func widthOf(rows [][]string, name, most int) int {
	sum := -between
	for i, n := range widths(rows) {
		if i == name {
			n = min(n, most)
		}
		sum += n + between
	}
	return sum
}

// cutColumn shortens what is longer than n characters in a column.
func cutColumn(rows [][]string, column, n int) {
	for _, r := range rows {
		r[column] = cut(r[column], n)
	}
}

// cut shortens a text to n characters, the last of which tells.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:max(n-1, 0)]) + "…"
}

// writeTable aligns columns by what a terminal shows.
func writeTable(w io.Writer, rows [][]string) {
	writePainted(w, rows, func(_ int, cell string) string { return cell })
}

// writePainted is writeTable with colours, which take no room.
func writePainted(w io.Writer, rows [][]string, paint func(column int, cell string) string) {
	all := widths(rows)
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			line.WriteString(paint(i, cell))
			if i < len(r)-1 {
				line.WriteString(strings.Repeat(" ", all[i]-utf8.RuneCountInString(cell)+between))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// Colours, as ECMA-48 numbers them (SGR).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

// stateColours are only an addition: the word says it all.
var stateColours = map[string]string{
	"fresh": green, "ready": green,
	"refreshing": yellow, "waiting": yellow, "mfa_required": yellow,
	"expired": red, "failing": red, "conflict": red, "locked": red,
}

func paintState(state string) string {
	if c := stateColours[state]; c != "" {
		return "\x1b[" + c + "m" + state + "\x1b[m"
	}
	return state
}

// speaksANSI tells whether a stream is a terminal that knows escape sequences.
func (a *app) speaksANSI(w io.Writer) bool {
	name := a.getenv("TERM")
	return isTerminal(w) && name != "dumb" && (name != "" || runtime.GOOS == "windows")
}

// colours tells whether a stream gets them; NO_COLOR is for those who do not want
// any (https://no-color.org).
func (a *app) colours(w io.Writer) bool { return a.getenv("NO_COLOR") == "" && a.speaksANSI(w) }
