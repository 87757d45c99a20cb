package daemon

import (
	"context"
	"slices"

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
			if err := d.load(); err != nil {
				d.Log.Error("the config is not in force", "error", err)
			}
			var all []string
			own, all = d.watched()
			w.Set(all...)
		}
		d.rewrite(ctx)
	}
}

func (d *Daemon) rewrite(ctx context.Context) {
	if err := d.sink.rewrite(ctx); err != nil {
		d.Log.Error("write the AWS files", "error", err)
	}
}

// watched are the files that decide what the config is, and these and AWS's two.
func (d *Daemon) watched() (own, all []string) {
	c := d.conf()
	own = c.Files()
	if d.Paths.SystemConfig != "" && !slices.Contains(own, d.Paths.SystemConfig) {
		own = append(own, d.Paths.SystemConfig)
	}
	f := d.files(c)
	return own, append(slices.Clone(own), f.Credentials, f.Config)
}
