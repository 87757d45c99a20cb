package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// deadline is generous: what is tested is that a change is told at all.
const deadline = 20 * time.Second

// started runs w on paths until the test ends. When it returns, w is watching:
// else the first look of Run would find what notifications have to tell.
func started(t *testing.T, w *Watcher, paths ...string) <-chan []string {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe")
	w.Set(append(paths, probe)...)
	ctx, cancel := context.WithCancel(context.Background())
	changed := make(chan []string)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, changed)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	write(t, probe, "x")
	want(t, changed, probe)
	return changed
}

// quick has no safety net: only notifications can tell it anything.
func quick() *Watcher { return &Watcher{Quiet: 20 * time.Millisecond, Safety: time.Hour} }

func noNotifications() (*fsnotify.Watcher, error) {
	return nil, errors.New("couldn't initialize inotify: too many open files")
}

func want(t *testing.T, changed <-chan []string, paths ...string) {
	t.Helper()
	missing := slices.Clone(paths)
	timeout := time.After(deadline)
	for len(missing) > 0 {
		select {
		case got := <-changed:
			for _, p := range got {
				i := slices.Index(missing, p)
				if i < 0 {
					t.Fatalf("told of %q, want %q", p, missing)
				}
				missing = slices.Delete(missing, i, i+1)
			}
		case <-timeout:
			t.Fatalf("nothing told of %q in %v", missing, deadline)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func symlink(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
}

// replace saves as editors do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".tmp", text)
	rename(t, path+".tmp", path)
}

func TestChangesAreTold(t *testing.T) {
	for _, mode := range []struct {
		name string
		make func() *Watcher
	}{
		{"notified", quick},
		{"polling", func() *Watcher {
			return &Watcher{Notify: noNotifications, Poll: 20 * time.Millisecond, Safety: time.Hour}
		}},
	} {
		t.Run(mode.name, func(t *testing.T) { changesAreTold(t, mode.make) })
	}
}

func changesAreTold(t *testing.T, watcher func() *Watcher) {
	t.Run("a file that is created", func(t *testing.T) {
		p := filepath.Join(t.TempDir(), "config.ini")
		c := started(t, watcher(), p)
		write(t, p, "a")
		want(t, c, p)
	})
	t.Run("a file whose folders are created", func(t *testing.T) {
		p := filepath.Join(t.TempDir(), "a", "b", "c", "config.ini")
		c := started(t, watcher(), p)
		mkdir(t, filepath.Dir(p))
		write(t, p, "a")
		want(t, c, p)
		write(t, p, "ab")
		want(t, c, p)
	})
	t.Run("writes in place", func(t *testing.T) {
		p := filepath.Join(t.TempDir(), "config.ini")
		write(t, p, "a")
		c := started(t, watcher(), p)
		for _, text := range []string{"b", "c", "d"} { // one length: the size tells nothing
			write(t, p, text)
			want(t, c, p)
		}
	})
	t.Run("a write that keeps size and time", func(t *testing.T) {
		p := filepath.Join(t.TempDir(), "config.ini")
		write(t, p, "a")
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		c := started(t, watcher(), p)
		write(t, p, "b")
		if err := os.Chtimes(p, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		want(t, c, p)
	})
	t.Run("saves by rename", func(t *testing.T) {
		p := filepath.Join(t.TempDir(), "config.ini")
		write(t, p, "a")
		c := started(t, watcher(), p)
		for _, text := range []string{"b", "c", "d"} {
			replace(t, p, text)
			want(t, c, p)
		}
	})
	t.Run("a file that is deleted and comes back", func(t *testing.T) {
		p := filepath.Join(t.TempDir(), "config.ini")
		write(t, p, "a")
		c := started(t, watcher(), p)
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
		want(t, c, p)
		write(t, p, "a")
		want(t, c, p)
	})
	t.Run("a file that is emptied", func(t *testing.T) {
		p := filepath.Join(t.TempDir(), "config.ini")
		write(t, p, "a")
		c := started(t, watcher(), p)
		write(t, p, "")
		want(t, c, p)
	})
	t.Run("only its mode", func(t *testing.T) {
		p := filepath.Join(t.TempDir(), "config.ini")
		write(t, p, "a")
		c := started(t, watcher(), p)
		if err := os.Chmod(p, 0o400); err != nil {
			t.Fatal(err)
		}
		want(t, c, p)
	})
	t.Run("several files at once", func(t *testing.T) {
		d := t.TempDir()
		one, two := filepath.Join(d, "credentials"), filepath.Join(d, "config")
		c := started(t, watcher(), one, two)
		write(t, one, "a")
		write(t, two, "b")
		want(t, c, one, two)
	})
	throughLinks(t, watcher)
	movedFolders(t, watcher)
}

func throughLinks(t *testing.T, watcher func() *Watcher) {
	t.Run("the target of a symlink written in place and replaced", func(t *testing.T) {
		d := t.TempDir()
		link, target := filepath.Join(mkdir(t, filepath.Join(d, "home")), "config.ini"), filepath.Join(mkdir(t, filepath.Join(d, "dot")), "mfad.ini")
		write(t, target, "a")
		symlink(t, filepath.Join("..", "dot", "mfad.ini"), link)
		c := started(t, watcher(), link)
		write(t, target, "b")
		want(t, c, link)
		replace(t, target, "c")
		want(t, c, link)
		replace(t, target, "d")
		want(t, c, link)
	})
	t.Run("a symlink that points elsewhere", func(t *testing.T) {
		d := t.TempDir()
		link, one, two := filepath.Join(mkdir(t, filepath.Join(d, "home", "user")), "config.ini"), filepath.Join(mkdir(t, filepath.Join(d, "1")), "f"), filepath.Join(mkdir(t, filepath.Join(d, "2")), "f")
		write(t, one, "a")
		write(t, two, "b")
		symlink(t, one, link)
		c := started(t, watcher(), link)
		symlink(t, two, link+".tmp")
		rename(t, link+".tmp", link)
		want(t, c, link)
		write(t, two, "c")
		want(t, c, link)
	})
	t.Run("a symlinked folder in the middle", func(t *testing.T) {
		d := t.TempDir()
		data := filepath.Join(mkdir(t, filepath.Join(d, "etc", "mfad")), "data")
		p := filepath.Join(data, "config.ini")
		for _, v := range []string{"v1", "v2"} {
			write(t, filepath.Join(mkdir(t, filepath.Join(d, v)), "config.ini"), v)
		}
		symlink(t, filepath.Join("..", "..", "v1"), data)
		c := started(t, watcher(), p)
		symlink(t, filepath.Join("..", "..", "v2"), data+".tmp")
		rename(t, data+".tmp", data)
		want(t, c, p)
		write(t, filepath.Join(d, "v2", "config.ini"), "v3")
		want(t, c, p)
	})
	t.Run("a dangling symlink whose target appears", func(t *testing.T) {
		d := t.TempDir()
		link, target := filepath.Join(d, "config.ini"), filepath.Join(d, "later", "f")
		symlink(t, target, link)
		c := started(t, watcher(), link)
		mkdir(t, filepath.Dir(target))
		write(t, target, "a")
		want(t, c, link)
	})
}

func movedFolders(t *testing.T, watcher func() *Watcher) {
	t.Run("a folder moved away and back", func(t *testing.T) {
		d := t.TempDir()
		dir := mkdir(t, filepath.Join(d, "aws"))
		p := filepath.Join(dir, "credentials")
		write(t, p, "a")
		c := started(t, watcher(), p)
		rename(t, dir, dir+".old")
		want(t, c, p) // gone
		rename(t, dir+".old", dir)
		want(t, c, p) // back
		write(t, p, "b")
		want(t, c, p)
	})
	t.Run("a folder replaced by another", func(t *testing.T) {
		d := t.TempDir()
		dir, other := mkdir(t, filepath.Join(d, "aws")), mkdir(t, filepath.Join(d, "other"))
		p := filepath.Join(dir, "credentials")
		write(t, p, "a")
		write(t, filepath.Join(other, "credentials"), "b")
		c := started(t, watcher(), p)
		rename(t, dir, dir+".old")
		rename(t, other, dir)
		want(t, c, p)
		write(t, p, "c")
		want(t, c, p)
	})
	t.Run("the folder above moved away and back", func(t *testing.T) {
		d := t.TempDir()
		top := mkdir(t, filepath.Join(d, "config"))
		p := filepath.Join(mkdir(t, filepath.Join(top, "mfad")), "config.ini")
		write(t, p, "a")
		c := started(t, watcher(), p)
		rename(t, top, top+".old")
		want(t, c, p)
		rename(t, top+".old", top)
		want(t, c, p)
		write(t, p, "b")
		want(t, c, p)
	})
	t.Run("a folder deleted and made again", func(t *testing.T) {
		dir := mkdir(t, filepath.Join(t.TempDir(), "aws"))
		p := filepath.Join(dir, "credentials")
		write(t, p, "a")
		c := started(t, watcher(), p)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		mkdir(t, dir) // mostly with the number of the old one
		write(t, p, "b")
		want(t, c, p)
		write(t, p, "c")
		want(t, c, p)
	})
}

// TestSameBytesAreNotTold saves the same bytes in every way, then a second file:
// that one has to be the first thing told.
func TestSameBytesAreNotTold(t *testing.T) {
	d := t.TempDir()
	p, mark := filepath.Join(d, "config.ini"), filepath.Join(d, "mark")
	write(t, p, "a")
	c := started(t, quick(), p, mark)
	write(t, p, "a")
	replace(t, p, "a")
	if err := os.Chtimes(p, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	write(t, mark, "x")
	want(t, c, mark)
}

// TestTruncateAndWriteIsOneChange holds a file empty for a moment, as writers in
// place do, longer than Quiet: the empty file must not be told.
func TestTruncateAndWriteIsOneChange(t *testing.T) {
	p := filepath.Join(t.TempDir(), "config.ini")
	write(t, p, "a")
	w := quick()
	w.Doubt = deadline // only what is certain before is told
	c := started(t, w, p)
	write(t, p, "")
	select {
	case got := <-c:
		t.Fatalf("told of %q while it was empty", got)
	case <-time.After(10 * w.Quiet):
	}
	write(t, p, "b")
	want(t, c, p)
}

// TestChangesBeforeRunAreTold is what makes Set, then load, then Run lose
// nothing.
func TestChangesBeforeRunAreTold(t *testing.T) {
	p := filepath.Join(t.TempDir(), "config.ini")
	w := quick()
	w.Set(p)
	write(t, p, "a")
	ctx, cancel := context.WithCancel(context.Background())
	c := make(chan []string)
	go w.Run(ctx, c)
	want(t, c, p)
	cancel()
	for range c {
	}
}

func TestSetChangesTheSet(t *testing.T) {
	d := t.TempDir()
	one, two := filepath.Join(d, "1"), filepath.Join(mkdir(t, filepath.Join(d, "sub")), "2")
	w := quick()
	c := started(t, w, one)
	w.Set(two)
	write(t, one, "a")
	write(t, two, "b")
	want(t, c, two)
	w.Set(one, two) // one counts as known: it is read by the caller now
	write(t, two, "c")
	want(t, c, two)
	write(t, one, "d")
	want(t, c, one)
}

// TestUnreceivedChangesAddUp writes while nobody listens: no loop may stall, and
// what was taken back is not told.
func TestUnreceivedChangesAddUp(t *testing.T) {
	d := t.TempDir()
	p, back := filepath.Join(d, "config.ini"), filepath.Join(d, "back")
	write(t, back, "same")
	w := &Watcher{Quiet: time.Millisecond, Doubt: time.Millisecond, Safety: 5 * time.Millisecond}
	c := started(t, w, p, back)
	write(t, back, "other")
	for i := range 50 {
		write(t, p, string(rune('a'+i%26)))
	}
	write(t, back, "same")
	untilSeen(t, w, back)
	untilSeen(t, w, p)
	want(t, c, p)
}

// untilSeen waits until w has looked at path as it is now.
func untilSeen(t *testing.T, w *Watcher, path string) {
	t.Helper()
	now, _ := look(path)
	timeout := time.After(deadline)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		w.mu.Lock()
		seen := w.files[path].seen
		w.mu.Unlock()
		if seen == now {
			return
		}
		select {
		case <-again.C:
		case <-timeout:
			t.Fatalf("%s was not looked at in %v", path, deadline)
		}
	}
}

// TestNotificationsComeBack starts without them and gets them at a later try.
func TestNotificationsComeBack(t *testing.T) {
	p := filepath.Join(t.TempDir(), "config.ini")
	tries := make(chan int, 100)
	n := 0
	w := &Watcher{Quiet: 10 * time.Millisecond, Poll: time.Hour, Safety: 20 * time.Millisecond}
	w.Notify = func() (*fsnotify.Watcher, error) {
		n++
		tries <- n
		if n < 3 {
			return noNotifications()
		}
		return fsnotify.NewWatcher()
	}
	c := started(t, w, p)
	for range 3 {
		select {
		case <-tries:
		case <-time.After(deadline):
			t.Fatal("notifications were not tried again")
		}
	}
	write(t, p, "a")
	want(t, c, p)
	if n := len(tries); n != 0 {
		t.Errorf("%d more tries, want none once there are notifications", n)
	}
}

// TestEditCountsWithinTwoSeconds holds the default times to their promise.
func TestEditCountsWithinTwoSeconds(t *testing.T) {
	for name, notify := range map[string]func() (*fsnotify.Watcher, error){
		"notified": nil, "polling": noNotifications,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := filepath.Join(t.TempDir(), "config.ini")
			write(t, p, "a")
			c := started(t, &Watcher{Notify: notify}, p)
			write(t, p, "b")
			start := time.Now()
			want(t, c, p)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %v, want at most 2s", took)
			}
		})
	}
}

func TestNoRegularFileIsNotOpened(t *testing.T) {
	d := t.TempDir()
	c := started(t, quick(), d) // a folder under the name of a file
	if err := os.Remove(d); err != nil {
		t.Fatal(err)
	}
	write(t, d, "a")
	want(t, c, d)
}
