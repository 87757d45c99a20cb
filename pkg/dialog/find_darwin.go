package dialog

import (
	"strings"

	"github.com/mfad/mfad/pkg/mfa"
)

// Find gives the dialog of AppleScript, which every macOS has
// (https://developer.apple.com/library/archive/documentation/AppleScript/Conceptual/AppleScriptLangGuide/reference/ASLR_cmds.html#//apple_ref/doc/uid/TP40000983-CH216-SW12).
// Which desktop that opens on, the process's login session says: of d only the
// language counts. The error is [mfa.Display.Check]'s.
func Find(getenv func(string) string, d mfa.Display) (*Dialog, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	return &Dialog{path: "/usr/bin/osascript", program: appleScript, env: environment(d, getenv("PATH"), getenv("HOME")), quick: quick}, nil
}

// appleScript gets its texts as the script's own arguments: nothing in them is
// read as AppleScript, and behind -- nothing as a flag.
var appleScript = liner{
	name: "osascript",
	arguments: func(p Prompt) []string {
		return []string{
			"-e", "on run argv",
			"-e", "try",
			"-e", "activate",
			"-e", "end try",
			"-e", `set answer to display dialog (item 2 of argv) with title (item 1 of argv) default answer "" buttons {"Cancel", "OK"} default button "OK" cancel button "Cancel"`,
			"-e", "text returned of answer",
			"-e", "end run",
			"--", oneLine(p.Title), p.body(),
		}
	},
	question: func(p Prompt) []string {
		return []string{
			"-e", "on run argv",
			"-e", "try",
			"-e", "activate",
			"-e", "end try",
			"-e", `set answer to display dialog (item 2 of argv) with title (item 1 of argv) buttons {"Deny", "Allow"} default button "Deny" cancel button "Deny" with icon caution`,
			"-e", "button returned of answer",
			"-e", "end run",
			"--", oneLine(p.Title), p.body(),
		}
	},
	yes: allowLabel,
	// -128 is userCanceledErr, in whatever language the rest is.
	declined: func(status int, said string) bool { return status == 1 && strings.Contains(said, "(-128)") },
}.program()
