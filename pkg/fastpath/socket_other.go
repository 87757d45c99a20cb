//go:build !unix

package fastpath

// ask leaves everything to the ordinary command.
func ask(string, string, int) ([]byte, bool) { return nil, false }

func firstLine(string) string { return "" }

// print does not end the program, so that the ordinary command runs.
func print([]byte) {}

func unheld(string) bool { return false }
