//go:build !unix

package keyring

import "os"

// private takes any file: the mode says nothing about access here.
func private(os.FileInfo, os.FileMode) error { return nil }
