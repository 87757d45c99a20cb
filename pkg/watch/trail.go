package watch

import (
	"os"
	"path/filepath"
	"strings"
)

// trail is where something can happen that makes a path mean another file.
type trail struct {
	steps map[string]bool // names whose events count
	dirs  map[string]bool // existing folders to be watched
}

// follow adds a path. The folders that are watched, never the files: a save by
// rename leaves a watch on the dead file. They are, without symlinks in their
// own names, the folder of each symlink on the way, that of the file, and the
// one above it, which tells when the folder is replaced; where something is
// missing, the last folders that exist stand in.
func (t *trail) follow(path string) {
	const mostLinks = 40
	volume := filepath.VolumeName(path)
	at := volume + string(filepath.Separator)
	rest := split(path[len(volume):])
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		t.steps[next] = true
		info, err := os.Lstat(next)
		if err != nil {
			break // missing: at is the last that exists
		}
		if info.Mode()&os.ModeSymlink == 0 {
			if len(rest) == 0 || !info.IsDir() {
				break
			}
			at = next
			continue
		}
		t.dirs[at] = true
		to, err := os.Readlink(next)
		if links++; err != nil || links > mostLinks {
			break
		}
		if filepath.IsAbs(to) {
			volume = filepath.VolumeName(to)
			at = volume + string(filepath.Separator)
			to = to[len(volume):]
		}
		rest = append(split(to), rest...)
	}
	t.dirs[at] = true
	t.dirs[filepath.Dir(at)] = true
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}
