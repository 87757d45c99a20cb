// Package watch tells when the content of a few files changes, however they are
// written: in place, by rename, through symlinks, with their folders moved away
// and back, before they exist. It never reads what is in them for any other
// purpose than comparing, and never fails: where the system has no
// notifications left it looks at the files itself.
package watch

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watcher watches a set of files. The zero Watcher is ready: call Set, then Run.
//
// The fields are set before Run and not changed afterwards; the methods may be
// called at any time and from any goroutine.
type Watcher struct {
	// Quiet is how long nothing may happen to a file before it is read, so that
	// one save is one change and a file is not read half-written. 0 means 75 ms.
	Quiet time.Duration
	// Longest bounds the wait for quiet. 0 means 1 s.
	Longest time.Duration
	// Doubt is how long a file has to be gone or empty before that is told:
	// programs that write in place empty it first. 0 means 250 ms.
	Doubt time.Duration
	// Poll is how often the files are looked at where there are no
	// notifications. 0 means 1 s.
	Poll time.Duration
	// Safety is how often they are looked at in any case, as network file
	// systems notify of nothing; without notifications it is also how often
	// those are tried again. 0 means 30 s.
	Safety time.Duration
	// Notify opens the system's notifications. Nil means fsnotify.NewWatcher. It
	// fails in daily life: Linux gives each user 128 of them by default.
	Notify func() (*fsnotify.Watcher, error)

	mu    sync.Mutex // guards all below
	files map[string]*file
	wake  chan struct{} // tells Run that files is another set
}

// file is what is known of one path.
type file struct {
	told   content // as the caller knows it
	seen   content // as it was at the last look
	since  time.Time
	stat   stat
	settle bool // seen differs from told, and is not yet certain
}

// Set replaces the set of paths, which need not exist. A path that was in the
// set before keeps its history. For a new one the content at this moment counts
// as known: read the file after Set, and no change in between is lost.
func (w *Watcher) Set(paths ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.files
	w.files = make(map[string]*file, len(paths))
	for _, p := range paths {
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		f := old[p]
		if f == nil {
			c, s := look(p)
			f = &file{told: c, seen: c, stat: s}
		}
		w.files[p] = f
	}
	select {
	case w.wakeLocked() <- struct{}{}:
	default:
	}
}

func (w *Watcher) wakeLocked() chan struct{} {
	if w.wake == nil {
		w.wake = make(chan struct{}, 1)
	}
	return w.wake
}

func (w *Watcher) paths() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.files))
}

// Run watches until ctx ends and sends the absolute paths whose content is
// another than at the last send, sorted. The mode of a file and that of its
// folder count as content: a reader that refuses a file for its mode has to
// hear of the cure. A new time alone does not count, nor a save of the same
// bytes.
//
// While nobody receives, changes add up; one that is taken back before it was
// received is not sent. Run closes changed when it returns. It is called once.
func (w *Watcher) Run(ctx context.Context, changed chan<- []string) {
	defer close(changed)
	w.mu.Lock()
	r := &run{w: w, wake: w.wakeLocked()}
	w.mu.Unlock()
	r.open()
	defer r.close()
	r.loop(ctx, changed)
}

// look brings what is known up to date. With force every file is read, else
// those whose stat changed or is too young to be trusted. It gives the changed
// paths, and how long to wait for certainty about others; 0 if there are none.
func (w *Watcher) look(now time.Time, force bool) (changed []string, again time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, f := range w.files {
		if force || f.settle || f.stat.stale(path) {
			c, s := look(path)
			f.stat = s
			if c != f.seen {
				f.seen, f.since = c, now
			}
		}
		f.settle = false
		if f.seen == f.told {
			continue
		}
		if left := f.since.Add(w.patience(f.seen)).Sub(now); left > 0 {
			f.settle = true
			if again == 0 || left < again {
				again = left
			}
			continue
		}
		changed = append(changed, path)
	}
	slices.Sort(changed)
	return changed, again
}

// patience is how long content must stay what it is before it is believed.
func (w *Watcher) patience(c content) time.Duration {
	const twoReads = 10 * time.Millisecond
	if c.state == held {
		return twoReads
	}
	return orElse(w.Doubt, 250*time.Millisecond)
}

// sent makes the content that was last seen the known one.
func (w *Watcher) sent(paths []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range paths {
		if f := w.files[p]; f != nil {
			f.told = f.seen
		}
	}
}

func orElse(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
