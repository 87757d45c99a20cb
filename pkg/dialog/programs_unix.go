//go:build unix && !darwin

package dialog

import (
	"fmt"
	"html"
	"strings"
)

// declinedStatus is one that a program has for nothing else.
const declinedStatus = 77

// zenity (man zenity, "ENVIRONMENT") has the same status for a person's no as for
// a display that it cannot open, unless told another.
var zenity = liner{
	name: "zenity",
	env:  []string{fmt.Sprintf("ZENITY_CANCEL=%d", declinedStatus), fmt.Sprintf("ZENITY_ESC=%d", declinedStatus)},
	arguments: func(p Prompt) []string {
		// The label takes escapes as C has them, and _ for a shortcut key.
		text := strings.NewReplacer(`\`, `\\`, "_", "__").Replace(p.body())
		return []string{"--entry", "--title=" + oneLine(p.Title), "--text=" + text}
	},
	question: func(p Prompt) []string {
		text := strings.ReplaceAll(p.body(), `\`, `\\`)
		return []string{"--question", "--no-markup", "--default-cancel", "--ok-label=" + allowLabel, "--cancel-label=" + denyLabel,
			"--title=" + oneLine(p.Title), "--text=" + text}
	},
	declined: func(status int, _ string) bool { return status == declinedStatus },
}.program()

// kdialog takes a text for HTML if it looks like it, so it is made to; and in HTML
// too & marks a shortcut key, and && is the character.
var kdialog = liner{
	name: "kdialog",
	arguments: func(p Prompt) []string {
		return []string{"--title=" + oneLine(p.Title), "--inputbox=" + richText(strings.ReplaceAll(p.body(), "&", "&&"))}
	},
	question: func(p Prompt) []string {
		return []string{"--title=" + oneLine(p.Title), "--yes-label=" + allowLabel, "--no-label=" + denyLabel, "--warningyesno=" + richText(p.body())}
	},
	declined: func(status int, _ string) bool { return status == 1 },
	closed:   2,
}.program()

// richText shows a plain text as it is where HTML is expected.
func richText(text string) string {
	return "<qt>" + strings.NewReplacer("\n", "<br/>", `\`, "&#92;").Replace(html.EscapeString(text)) + "</qt>"
}
