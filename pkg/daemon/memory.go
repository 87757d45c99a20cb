package daemon

import (
	"context"
	"runtime/debug"
	"time"
)

// calm is how long nothing changes before work counts as done.
const calm = 5 * time.Second

// giveBack returns memory to the system after each stretch of work. The daemon
// is at rest nearly always, and the Go runtime would keep for hours what a login
// of a few milliseconds needed.
func (d *Daemon) giveBack(ctx context.Context) {
	for {
		d.mu.Lock()
		changed := d.changed
		d.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(calm):
		case <-ctx.Done():
			return
		}
		debug.FreeOSMemory()
	}
}
