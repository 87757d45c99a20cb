package profile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/mfad/mfad/pkg/creds"
)

// Problem is one thing that is wrong with a config.
type Problem struct {
	File string
	Line int    // from 1; 0 if it is about the file as a whole
	Msg  string // lower case, no period, no secret
	Hint string // one next step; may be empty
}

// String gives FILE:LINE: MSG, without the hint.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Msg
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ": " + p.Msg
}

// Errors is everything that is wrong with a config, sorted by file and line.
// [Load] wraps it in a [creds.Error] with [creds.CodeConfig]; use errors.As to
// get at the list.
type Errors struct {
	List []Problem
	// Files are all files that were looked at, as in [Config.Files]: a change of
	// any of them may be the cure.
	Files []string
}

// Error gives one line for each problem, without the hints.
func (e *Errors) Error() string {
	lines := make([]string, len(e.List))
	for i, p := range e.List {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects while a config is read.
type problems struct{ list []Problem }

func (ps *problems) add(file string, line int, msg, hint string) {
	ps.list = append(ps.list, Problem{file, line, msg, hint})
}

// err gives what was collected as Load returns it; nil if there is nothing.
func (ps *problems) err(files []string) error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	e := &Errors{List: slices.Compact(ps.list), Files: files}
	return &creds.Error{Code: creds.CodeConfig, Hint: e.List[0].Hint, Err: e}
}

// bad is why a value was refused, before it is known where the value stands.
type bad struct{ msg, hint string }

func (b *bad) Error() string { return b.msg }

func refuse(hint, format string, args ...any) error {
	return &bad{fmt.Sprintf(format, args...), hint}
}

// quoted shows a user's text in an error, shortened.
func quoted(text string) string {
	const most = 80
	if r := []rune(text); len(r) > most {
		return strconv.Quote(string(r[:most])) + "..."
	}
	return strconv.Quote(text)
}

// shellWord makes path safe to be pasted into a shell.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+,@%:", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// nearest gives the candidate with the fewest edits from name, the first of
// equals; empty if there are no candidates.
func nearest(name string, candidates []string) string {
	best, least := "", -1
	for _, c := range candidates {
		if d := distance(name, c); least < 0 || d < least {
			best, least = c, d
		}
	}
	return best
}

func nearestHint(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return "the nearest name is " + n
	}
	return ""
}

// distance is Levenshtein's: insertions, deletions and replacements.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			replace := diagonal
			if x[i] != y[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
