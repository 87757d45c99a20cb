//go:build !unix

package audit

// noFollow is nothing: open has looked before that the path is no link.
const noFollow = 0
