package cli

import "os"

const ttyPath = "CON"

// foreground: a console has no job control.
func foreground(*os.File) bool { return true }

func flushInput(*os.File) {}
