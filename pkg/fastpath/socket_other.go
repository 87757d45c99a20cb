//go:build !unix

package fastpath

// ask leaves everything to the ordinary command.
func ask(string, string) ([]byte, bool) { return nil, false }

func print([]byte) {}
