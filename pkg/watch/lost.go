package watch

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// blindPoll is how often [Lost] looks where there are no notifications.
const blindPoll = 2 * time.Second

// Lost gives a channel that is closed when no file is at path any more, or
// another one than now, or ctx has ended. It is noticed at once where the system
// notifies of it, else within seconds, and in any case with the next full half
// minute.
func Lost(ctx context.Context, path string) <-chan struct{} {
	lost := make(chan struct{})
	bound, err := os.Lstat(path)
	if err != nil {
		close(lost)
		return lost
	}
	go func() {
		defer close(lost)
		wait := func() time.Duration { return untilSafe(safety) }
		events, faults, err := folderEvents(ctx, filepath.Dir(path))
		if err != nil {
			wait = func() time.Duration { return blindPoll }
		}
		for {
			if now, err := os.Lstat(path); err != nil || !os.SameFile(bound, now) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-events:
			case <-faults:
			case <-time.After(wait()):
			}
		}
	}()
	return lost
}

// folderEvents notifies of what happens in dir until ctx ends.
func folderEvents(ctx context.Context, dir string) (<-chan fsnotify.Event, <-chan error, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, nil, err
	}
	if err := n.Add(dir); err != nil {
		_ = n.Close()
		return nil, nil, err
	}
	context.AfterFunc(ctx, func() { _ = n.Close() })
	return n.Events, n.Errors, nil
}
