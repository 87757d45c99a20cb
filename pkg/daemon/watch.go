package daemon

import (
	"context"
	"errors"
	"slices"

	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/watch"
)

// watch reloads the config when it was edited, and sees to mfad's own sections
// when somebody else wrote AWS's files.
func (d *Daemon) watch(ctx context.Context, w *watch.Watcher) {
	own, _ := d.watched()
	changes := make(chan []string)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, changes)
	}()
	defer func() { <-done }()
	d.rewrite(ctx) // what went from the config, or was locked, while no daemon ran
	for {
		var paths []string
		select {
		case paths = <-changes:
		case <-ctx.Done():
			return
		}
		if slices.ContainsFunc(paths, func(p string) bool { return slices.Contains(own, p) }) {
			own = d.reloadWatching(w)
		}
		d.rewrite(ctx)
	}
}

// rewrite brings AWS's files in line. Until a config was in force nobody knows
// what should stand there.
func (d *Daemon) rewrite(ctx context.Context) {
	if _, err := d.inForce(); err != nil {
		return
	}
	if err := d.sink.rewrite(ctx); err != nil {
		d.Log.Error("write the AWS files", "error", err)
	}
}

// reloadWatching loads the config, and once more if it names files that were not
// watched yet: what they held may be out of date already.
func (d *Daemon) reloadWatching(w *watch.Watcher) (own []string) {
	before, _ := d.watched()
	for {
		if err := d.load(); err != nil {
			d.Log.Error("the config is not in force", "error", err)
		}
		own, all := d.watched()
		w.Set(all...)
		if !slices.ContainsFunc(own, func(p string) bool { return !slices.Contains(before, p) }) {
			return own
		}
		before = own
	}
}

// watched are the files that decide what the config is, those that a broken edit
// names included, and these and AWS's two.
func (d *Daemon) watched() (own, all []string) {
	d.mu.Lock()
	c, broken := d.config, d.cfgErr
	d.mu.Unlock()
	own = c.Files()
	if e, ok := errors.AsType[*profile.Errors](broken); ok {
		own = append(own, e.Files...)
	}
	if d.Paths.SystemConfig != "" {
		own = append(own, d.Paths.SystemConfig)
	}
	slices.Sort(own)
	own = slices.Compact(own)
	f := d.files(c)
	return own, append(slices.Clone(own), f.Credentials, f.Config)
}
