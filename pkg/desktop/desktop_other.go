//go:build !(dragonfly || freebsd || linux || netbsd || openbsd)

package desktop

import "context"

// State gives the zero State.
func (d *Desktop) State(context.Context) State { return State{} }

// Watch tells nothing, nor of sleeps, and returns when ctx ends.
func (d *Desktop) Watch(ctx context.Context, _ func(State)) { <-ctx.Done() }
