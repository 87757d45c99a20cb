// Command reference is the least that a Go program does to get an answer from a
// daemon: it connects to the unix socket that its argument names, sends a line,
// and prints the line that comes back. It parses, checks and keeps nothing;
// `mfad credential-process` is measured against it.
package main

import (
	"bufio"
	"net"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		os.Exit(2)
	}
	conn, err := net.Dial("unix", os.Args[1])
	if err != nil {
		os.Exit(1)
	}
	if _, err := conn.Write([]byte("credentials\n")); err != nil {
		os.Exit(1)
	}
	answer, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		os.Exit(1)
	}
	if _, err := os.Stdout.Write(answer); err != nil {
		os.Exit(1)
	}
}
