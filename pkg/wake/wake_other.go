//go:build !linux

package wake

import "context"

// Watch calls nothing, and returns when ctx ends: without cgo this system gives no such
// news.
func Watch(ctx context.Context, _ func()) { <-ctx.Done() }
