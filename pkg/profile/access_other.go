//go:build !unix

package profile

import "io/fs"

// owner knows no users where files have none.
func owner(fs.FileInfo) (uid int, known bool) { return 0, false }
