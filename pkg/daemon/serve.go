package daemon

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/watch"
)

// relistenPause comes before each try to open a socket again.
const relistenPause = time.Second

// listen opens the socket and leaves its path in the state folder.
func (d *Daemon) listen(path string) (net.Listener, error) {
	l, err := localapi.Listen(path)
	if err != nil {
		return nil, err
	}
	if err := d.dir.WriteSocketPath(path); err != nil {
		l.Close()
		return nil, err
	}
	d.Log.Info("listening", "socket", path, "pid", os.Getpid(), "version", d.Version)
	return l, nil
}

// serve answers requests until ctx ends. A socket that was removed is made anew:
// a session manager clears the runtime folder when its user logs out, and the
// daemon may live on. Where that folder is gone for good, the state folder takes
// its place.
func (d *Daemon) serve(ctx context.Context, l net.Listener) error {
	server := localapi.NewServer(d, d.Version)
	for {
		serving, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(serving, attentive{l, d.asked}) }()
		lost := watch.Lost(serving, l.Addr().String())
		select {
		case err := <-ended:
			stop()
			return err
		case <-lost:
		}
		if ctx.Err() == nil {
			if u, ok := l.(*net.UnixListener); ok {
				u.SetUnlinkOnClose(false) // its path may be another socket's by now
			}
			d.Log.Warn("the socket is gone", "socket", l.Addr().String())
		}
		next, err := d.relisten(ctx)
		stop()
		if old := <-ended; err != nil {
			return old
		}
		l = next
	}
}

// relisten opens the socket again, tried until ctx ends.
func (d *Daemon) relisten(ctx context.Context) (net.Listener, error) {
	for {
		select {
		case <-time.After(relistenPause): // whoever clears the folder may not be through
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		for _, path := range []string{d.Paths.Socket, d.dir.Path("mfad.sock")} {
			l, err := d.listen(path)
			if err == nil {
				return l, nil
			}
			d.Log.Warn("listen", "error", err)
		}
	}
}
