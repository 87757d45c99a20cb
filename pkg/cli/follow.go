package cli

import (
	"context"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

// news is a daemon's status, or why none comes any more.
type news struct {
	status *localapi.Status
	gone   error
}

// following tells of a daemon, and of the next one where it ends.
type following struct{ news chan news }

// reconnect is how long to wait for a daemon that is gone before looking again.
const reconnect = 300 * time.Millisecond

// follow gives news until ctx ends; then end is to be called. No daemon is started.
func follow(ctx context.Context, client func() *localapi.Client) following {
	f := following{make(chan news)}
	go f.work(ctx, client)
	return f
}

func (f following) work(ctx context.Context, client func() *localapi.Client) {
	defer close(f.news)
	tell := func(n news) {
		select {
		case f.news <- n:
		case <-ctx.Done():
		}
	}
	for {
		err := client().Events(ctx, func(st localapi.Status) { tell(news{status: &st}) })
		if ctx.Err() != nil {
			return
		}
		tell(news{gone: err})
		select {
		case <-time.After(reconnect):
		case <-ctx.Done():
			return
		}
	}
}

// end waits until nothing is followed any more.
func (f following) end() {
	for range f.news { // what nobody wants to know now
	}
}
