package daemon

import (
	"context"
	"net"
	"runtime/debug"
	"time"
)

// calm is how long after work began memory is given back.
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
		case <-d.asked:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(calm):
		case <-ctx.Done():
			return
		}
		debug.FreeOSMemory()
		leaveProgram()
	}
}

// attentive is a listener that tells of each client.
type attentive struct {
	net.Listener
	asked chan<- struct{} // capacity 1
}

// Accept is the listener's.
func (l attentive) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	select {
	case l.asked <- struct{}{}:
	default:
	}
	return c, err
}
