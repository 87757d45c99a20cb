// Command codes prints the code that lies in a folder, as an mfa_process, and leaves
// there what it may do and what it was handed: its group, whether it may run what it
// writes, as a compiler in a browser does, and variables that were its parent's.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	writes := "writes code"
	if _, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC, syscall.MAP_ANON|syscall.MAP_PRIVATE); err != nil {
		writes = "may not write code"
	}
	handed := "nothing"
	for _, v := range os.Environ() {
		for _, prefix := range []string{"NOTIFY_", "WATCHDOG_", "LISTEN_"} {
			if strings.HasPrefix(v, prefix) {
				handed = v
			}
		}
	}
	found := fmt.Sprintf("group %d, %s, handed %s", os.Getegid(), writes, handed)
	if err := os.WriteFile(filepath.Join(os.Args[1], "found"), []byte(found), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	code, err := os.ReadFile(filepath.Join(os.Args[1], "code"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(string(code))
}
