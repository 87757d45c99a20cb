//go:build unix

package audit

import "syscall"

// noFollow has an open of a link fail.
const noFollow = syscall.O_NOFOLLOW
