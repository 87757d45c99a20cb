package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/inifile"
)

// mergeFunc brings into the file at path what changed from base to late, section
// by section.
type mergeFunc func(ctx context.Context, path string, base, late []byte) error

// mergeAWSConfig is the mergeFunc of the real program.
func mergeAWSConfig(ctx context.Context, path string, base, late []byte) error {
	f := &credfile.Files{Config: path}
	if err := f.MergeConfig(ctx, base, late); err != nil {
		return err
	}
	return f.Flush(ctx)
}

// mergeLimit is how long an exec waits for what another one's command, which has
// ended, wrote to its copy.
const mergeLimit = 2 * time.Second

// takeBackLeftovers ends what killed runs left, and says what is still to be said
// of others.
func (a *app) takeBackLeftovers(ctx context.Context) {
	roots, err := a.execRoots()
	if err != nil {
		return // then there are none
	}
	limit := time.Now().Add(mergeLimit)
	for _, root := range roots {
		locks, _ := filepath.Glob(filepath.Join(root, execPrefix+"*"+lockSuffix)) // a bad pattern is impossible
		for _, path := range locks {
			for !a.takeBackLeftover(ctx, strings.TrimSuffix(path, lockSuffix)) && time.Now().Before(limit) && ctx.Err() == nil {
				time.Sleep(5 * time.Millisecond)
			}
		}
		notes, _ := filepath.Glob(filepath.Join(root, execPrefix+"*"+noteSuffix))
		for _, path := range notes {
			if text, err := os.ReadFile(path); err == nil && os.Remove(path) == nil { // else another says it
				_, _ = a.err.Write(text)
			}
		}
	}
}

// takeBackLeftover takes back a copy that has no owner. It tells whether that is
// all: not so where its command has ended and its owner is about to do it.
func (a *app) takeBackLeftover(ctx context.Context, folder string) (done bool) {
	lock, err := os.OpenFile(folder+lockSuffix, os.O_RDWR, 0)
	if err != nil {
		return true // it is gone
	}
	c := &configCopy{folder: folder, name: filepath.Base(folder), lock: lock}
	if taken, err := c.own(); taken && err == nil {
		a.takeBack(ctx, c)
		return true
	}
	_ = lock.Close()
	text, err := os.ReadFile(c.file(pidFile))
	if err != nil {
		return true
	}
	pid, err := strconv.Atoi(string(text))
	return err != nil || pid <= 0 || !commandEnded(pid)
}

// takeBack removes a copy, after what was changed in it has reached the user's
// file, or a file beside that. It stays where neither can be, for the next exec.
func (a *app) takeBack(ctx context.Context, c *configCopy) {
	late, err := os.ReadFile(c.path())
	base, baseErr := os.ReadFile(c.file(baseFile))
	origin, originErr := os.ReadFile(c.file(originFile))
	section, sectionErr := os.ReadFile(c.file(sectionFile))
	if errors.Join(err, baseErr, originErr, sectionErr) != nil { // removed, or killed before it was whole: nobody wrote to it
		c.remove()
		return
	}
	changes := []change{{withoutOwn(base, c.name), withoutOwn(late, c.name)}, {}}
	changes[1].base, changes[1].late = ownChanges(base, late, c.name, string(section))
	changes = slices.DeleteFunc(changes, func(c change) bool { return sameLines(c.base, c.late) })
	if len(changes) == 0 || !mergeable(string(origin)) {
		c.remove()
		return
	}
	if err := a.giveBack(ctx, string(origin), changes, c.name); err != nil {
		a.note("note: what was changed in the AWS config inside `mfad exec` could not be merged (%v); it stays in %s", err, c.path())
		_ = c.lock.Close()
		return
	}
	c.remove()
}

// change is what one part of a copy was, and became.
type change struct{ base, late []byte }

// giveBack merges a changed copy into the user's file, else keeps it beside.
func (a *app) giveBack(ctx context.Context, origin string, changes []change, name string) error {
	var failed error
	var rest []byte // that could not be merged
	for _, c := range changes {
		if err := a.merge(ctx, origin, c.base, c.late); err != nil {
			failed, rest = err, append(rest, c.late...)
		}
	}
	if failed == nil {
		a.verbosef("merged what was changed in the AWS config into %s", origin)
		return nil
	}
	kept := origin + "." + name
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(kept, rest, 0o600); err != nil {
		return err
	}
	a.note("note: the AWS config was changed inside `mfad exec` and is not merged into %s (%v); the changed copy is %s", origin, failed, kept)
	return nil
}

// mergeable tells whether something written there can be read again; /dev/null
// cannot.
func mergeable(origin string) bool {
	info, err := os.Stat(origin)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular()
}

// sameLines compares but for blanks at the end, which come and go with the section
// that follows.
func sameLines(a, b []byte) bool {
	return bytes.Equal(bytes.TrimRight(a, " \t\r\n"), bytes.TrimRight(b, " \t\r\n"))
}

// withoutOwn is config without the section of that profile.
func withoutOwn(config []byte, name string) []byte {
	var kept []byte
	from := 0
	for _, s := range inifile.Scan(config).Sections {
		if s.Name == "profile "+name {
			kept = append(kept, config[from:s.Start()]...)
			from = s.End()
		}
	}
	return append(kept, config[from:]...)
}

// ownChanges gives what was changed or added in the section of a run's own profile,
// as the AWS CLI does unless it is told a profile, as a change of the section of
// the profile that the run was for. To is nil where there is none.
func ownChanges(base, late []byte, name, section string) (from, to []byte) {
	was, is := inifile.Scan(base), inifile.Scan(late)
	before, changed, theirs := map[string]string{}, map[string]string{}, map[string]string{}
	header := sectionHeader(section) + is.EOL()
	for _, s := range was.Sections {
		switch {
		case s.Name == "profile "+name:
			addLines(before, was, s)
		case isSection(s, section):
			header = was.Text(s.Lines[0]) + is.EOL()
			addLines(theirs, was, s)
		}
	}
	for _, s := range is.Find("profile " + name) {
		addLines(changed, is, s)
	}
	maps.DeleteFunc(changed, func(key, line string) bool { return line == before[key] })
	if len(changed) == 0 {
		return nil, nil
	}
	from, to = []byte(header), []byte(header)
	for _, key := range slices.Sorted(maps.Keys(union(theirs, changed))) {
		if touches(changed, key) {
			from = append(from, theirs[key]...)
			to = append(to, orElse(changed[key], theirs[key])...)
		}
	}
	return from, to
}

// addLines adds each key's line; those below it, as s3 has them, are called by both
// keys with a NUL between, so that they follow it in order.
func addLines(lines map[string]string, f inifile.File, s inifile.Section) {
	key := ""
	for _, l := range s.Lines {
		text := strings.TrimRight(f.Text(l), " \t") + f.EOL()
		switch l.Kind {
		case inifile.Option:
			key = l.Name
			lines[key] = text
		case inifile.Continuation:
			lines[key+"\x00"+orElse(l.Name, text)] = text
		}
	}
}

// touches tells whether the key, or one that it belongs with, was changed.
func touches(changed map[string]string, key string) bool {
	top, _, _ := strings.Cut(key, "\x00")
	for c := range changed {
		if t, _, _ := strings.Cut(c, "\x00"); t == top {
			return true
		}
	}
	return false
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func sectionHeader(profile string) string {
	switch {
	case profile == "default":
		return "[default]"
	case strings.ContainsAny(profile, " \t"): // AWS's tools read it as a shell would
		return `[profile "` + profile + `"]`
	}
	return "[profile " + profile + "]"
}

// laterNotes is where mfad speaks when the command has ended and nobody listens:
// the daemon's log, and a file for the next exec.
type laterNotes struct {
	log  io.Writer
	path string
}

// Write takes whole notes.
func (n *laterNotes) Write(note []byte) (int, error) {
	slog.New(slog.NewTextHandler(n.log, nil)).Warn(strings.TrimSpace(string(note)))
	f, err := os.OpenFile(n.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	written, err := f.Write(note)
	return written, errors.Join(err, f.Close())
}
